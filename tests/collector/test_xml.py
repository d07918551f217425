from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from collector.errors import WireError
from collector.wire import xml as module
from collector.wire.xml import local_name, namespace_of, parse

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "1", " two ", "&amp;", "<![CDATA[<]]>", "<!-- x -->", "é" * 30])
DOCUMENTS = st.recursive(
    st.builds("<{0} n='{1}'/>{1}".format, NAMES, st.sampled_from(["", "x"])),
    lambda inner: st.builds(
        lambda name, text, parts: f"<{name}>{text}{''.join(parts)}</{name}>{text}",
        NAMES,
        TEXTS,
        st.lists(inner, max_size=8),
    ),
    max_leaves=40,
).map("<root xmlns='urn:x'>{}</root>".format)


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


def outlined(element: etree._Element) -> None:
    """Take out of a whole tree what stands between the first and the last of neighbours with the same name."""
    for _, run in groupby(list(element), key=lambda child: child.tag):
        for between in list(run)[1:-1]:
            element.remove(between)
    for child in element:
        outlined(child)


@given(document=DOCUMENTS, piece=st.sampled_from([24, 60, 1 << 16]))
def test_a_large_document_is_kept_in_outline(document: str, piece: int) -> None:
    """Wherever it is cut into pieces: the same as its whole tree, less what is repeated."""
    body = document.encode()
    is_cut = all(b"<" in body[at : at + piece] for at in range(0, len(body) - piece, piece))
    expected = etree.fromstring(body, etree.XMLParser(remove_comments=True))
    if is_cut:
        outlined(expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LARGE_BYTES", 0)
        patch.setattr(module, "_PIECE_BYTES", piece)
        found = parse(body)
    assert etree.tostring(found, method="c14n") == etree.tostring(expected, method="c14n")


@pytest.mark.parametrize("damage", [b"<a>", b"</b>", b"<!DOCTYPE a>", b"&b;", b"<a></a></a>"])
def test_a_large_document_that_is_damaged(damage: bytes) -> None:
    """Refused like a small one, although it is read piece by piece."""
    with pytest.raises(WireError):
        parse(b"<a>" + b"<b>1</b>" * 200_000 + damage + b"</a>")


def test_memory_of_a_document_of_many_elements() -> None:
    """Its tree would take ten times its own size; lxml's memory is not Python's, so elements are counted."""
    rows = b"<t><c>1</c><d/></t>" * 100_000
    assert len(list(parse(b"<a>" + rows + b"</a>").iter())) == 7
    one = b"<a " + b" ".join(b"b%d=''" % n for n in range(200_000)) + b"/>"
    assert len(parse(one).attrib) == 200_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_large_document_in_any_encoding(encoding: str) -> None:
    """A piece may end within a character."""
    text = "<a>" + "<b>Zoë 𝄞</b>" * 100_000 + "<c>é</c></a>"
    root = parse(text.encode(encoding))
    assert [each.text for each in (root[0], root[-2], root[-1])] == ["Zoë 𝄞", "Zoë 𝄞", "é"]
    assert (len(root) == 3) == (encoding == "utf-8")
