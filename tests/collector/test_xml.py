from pathlib import Path

import pytest
from lxml import etree

from collector.errors import WireError
from collector.wire.xml import local_name, namespace_of, parse


def test_comments_and_instructions_do_not_cut_a_text() -> None:
    """A text is whole, whatever stands in its middle."""
    root = parse(b"<?xml version='1.0'?><!-- x --><a>1<!-- y -->2<?z z?>3<b/></a>")
    assert root.text == "123"
    assert [local_name(each) for each in root] == ["b"]


def test_depth() -> None:
    """256 levels are read; one more is refused before it costs anything."""
    for levels, is_read in ((256, True), (257, False)):
        body = b"<a>" * levels + b"</a>" * levels
        if is_read:
            assert parse(body).tag == "a"
        else:
            with pytest.raises(WireError, match="not well-formed"):
                parse(body)


def test_a_text_of_more_than_ten_million_characters() -> None:
    """No answer of the service is near that."""
    with pytest.raises(WireError, match="not well-formed"):
        parse(b"<a>" + b"x" * 10_000_001 + b"</a>")


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"text", b"<a>", b"<a/><b/>", b"<a b=1/>", b"\xff\xfe"]
)
def test_what_is_no_document(body: bytes) -> None:
    """One kind of error for all of it."""
    with pytest.raises(WireError):
        parse(body)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_dtd(encoding: str) -> None:
    """Refused in every encoding that the parser knows."""
    declared = encoding.removesuffix("-be")
    text = f'<?xml version="1.0" encoding="{declared}"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with pytest.raises(WireError):
        parse(text.encode(encoding))


def test_no_dtd_is_loaded(tmp_path: Path) -> None:
    """Nor where it is found by the parser alone: one that is no DTD would be another error."""
    (tmp_path / "x.dtd").write_text("<!ELEMENT no DTD at all")
    dtd = f'<!DOCTYPE a SYSTEM "{tmp_path.as_uri()}/x.dtd">'
    body = f'<?xml version="1.0" encoding="utf-32"?>{dtd}<a/>'.encode("utf-32")
    with pytest.raises(WireError, match=r"^a document with a DTD$"):
        parse(body)


@pytest.mark.parametrize(
    ("tag", "name", "namespace"),
    [("a", "a", ""), ("{urn:x}a", "a", "urn:x"), ("{http://x/y}b.c-d", "b.c-d", "http://x/y")],
)
def test_names(tag: str, name: str, namespace: str) -> None:
    """The name without its namespace, and the namespace; "" for none."""
    element = etree.Element(tag)
    assert (local_name(element), namespace_of(element)) == (name, namespace)
