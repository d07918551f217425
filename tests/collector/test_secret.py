import copy
import html
import json
import pickle
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collector.config import Login
from collector.domain.secret import MASK, Secret, mask, without_part

ODD = "fake'<&>\" pä$s+wörd/0001"
GUID = "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"


def shown(value: object) -> list[str]:
    """A value as text, in every way there is."""
    return [repr(value), str(value), ascii(value), f"{value}", f"{value!r:>90}"]


@pytest.mark.parametrize(
    "holder",
    [Secret(ODD), [Secret(ODD)], Login(Secret(ODD), Secret(ODD))],
    ids=["itself", "list", "login"],
)
def test_secret_does_not_print(holder: object) -> None:
    """No way of turning a secret, or what holds one, into text shows it."""
    for text in shown(holder):
        assert "fake" not in text
        assert MASK in text
    assert f"{Secret(ODD):>10}" == "  ********"


def test_secret_does_not_leave_the_process() -> None:
    """Neither pickling nor copying nor JSON nor its attributes give it away."""
    secret = Secret(ODD)
    for leave in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as refused:
            leave(secret)
        assert "fake" not in str(refused.value)
    assert not hasattr(secret, "__dict__")


def test_secret_is_a_key() -> None:
    """Equal values are one credential; a text is not a secret."""
    assert Secret("fake-1") == Secret("fake-1")
    assert len({Secret("fake-1"), Secret("fake-1"), Secret("fake-2")}) == 2
    assert Secret("fake-1") != "fake-1"
    assert Secret(ODD).reveal() == ODD


def dotnet(text: str) -> str:
    """As System.Net.WebUtility and HttpUtility encode a text for HTML."""
    escaped = html.escape(text).replace("&#x27;", "&#39;")
    return "".join(f"&#{ord(c)};" if 160 <= ord(c) < 256 else c for c in escaped)


SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda v: v.encode(),
    "xml": lambda v: escape(v).encode(),
    "xml-attribute": lambda v: escape(v, {'"': "&quot;", "'": "&#39;"}).encode(),
    "html": lambda v: html.escape(v).encode(),
    "dotnet-html": lambda v: dotnet(v).encode(),
    "query": lambda v: quote(v, safe="").encode(),
    "form": lambda v: urlencode({"SessionID": v}).encode(),
    "form-lower-case": lambda v: quote_plus(v).lower().encode(),
    "json": lambda v: json.dumps({"message": v}).encode(),
    "json-utf8": lambda v: json.dumps({"message": v}, ensure_ascii=False).encode(),
    "utf-16": lambda v: escape(v).encode("utf-16"),
    "utf-16-be": lambda v: v.encode("utf-16-be"),
    "windows-1252": lambda v: v.encode("cp1252"),
    "upper": lambda v: v.upper().encode("cp1252"),
    "lower": lambda v: v.lower().encode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("value", [ODD, GUID, "fake-key-0001"], ids=["odd", "guid", "key"])
def test_mask_finds_every_spelling(spelling: str, value: str) -> None:
    """A secret that a reply echoes is found however the reply escapes, encodes or changes the case of it."""
    if value == ODD and spelling in ("upper", "lower"):
        value = "fake-Key-0001"
    echoed = SPELLINGS[spelling](value)
    frame = SPELLINGS[spelling]("zzzzzz")
    for codec in ("utf-8", "utf-16-le", "utf-16-be"):
        for marker in ("zzzzzz", "ZZZZZZ"):
            frame = frame.replace(marker.encode(codec), MASK.encode())
    body, masked = mask(b"<a>" + echoed + b"</a> and " + echoed, (Secret(value),))
    assert masked
    assert body == b"<a>" + frame + b"</a> and " + frame


def test_what_dotnet_escapes() -> None:
    """U+00A0 to U+00FF alone become decimal references; one more or one less would not be found."""
    value = "fake-\u009f\u00a0\u00ff\u0100-1"
    echoed = "fake-\u009f&#160;&#255;\u0100-1".encode()
    assert mask(b"<" + echoed + b">", (Secret(value),)) == (b"<********>", True)


def test_mask_leaves_everything_else() -> None:
    """A body without a secret is the same object; what is around a secret stays byte for byte."""
    body = b"\x00\xff<a>nothing here</a>"
    same, masked = mask(body, (Secret("fake-key-0001"),))
    assert same is body
    assert not masked
    body, masked = mask(
        b"\x00\xfffake-key-0001\xfe", (Secret("other-0002"), Secret("fake-key-0001"))
    )
    assert (body, masked) == (b"\x00\xff********\xfe", True)


@pytest.mark.parametrize(("value", "found"), [("12345", False), ("123456", True), ("", False)])
def test_short_secrets_are_left_alone(value: str, *, found: bool) -> None:
    """Fewer than six characters would be found in counts and names."""
    assert mask(b"count 123456 and 12345", (Secret(value),))[1] is found


def test_a_secret_inside_another() -> None:
    """The longer one is masked whole, whichever comes first."""
    secrets = (Secret("fake-1"), Secret("fake-1-and-more"))
    for order in (secrets, secrets[::-1]):
        assert mask(b"[fake-1-and-more] [fake-1]", order)[0] == b"[********] [********]"


@given(value=st.text(min_size=6, max_size=30), before=st.binary(), after=st.binary())
def test_nothing_of_a_secret_stays(value: str, before: bytes, after: bytes) -> None:
    """Any secret in any bytes: the mask takes it out."""
    assume("*" not in value)
    body, masked = mask(before + value.encode() + after, (Secret(value),))
    assert masked
    assert value.encode().lower() not in body.lower()


@pytest.mark.parametrize("length", range(20))
def test_the_beginning_of_a_secret_at_the_end(length: int) -> None:
    """Six bytes or more of a secret that was cut off are masked; fewer, and what stands before, stay."""
    value = "Fake-Key-0001-and-more"
    part = value[:length].upper().encode()
    found = without_part(b"<a>" + part, (Secret("other-0002"), Secret(value)))
    assert found == ((b"<a>********", True) if length >= 6 else (b"<a>" + part, False))


def test_no_part_of_a_secret() -> None:
    """What ends otherwise is the same object; so is what has a part before its end, and anything without secrets."""
    for data in (b"", b"fake-key-00 and more", b"fake-key-0001x"):
        for secrets in ((), (Secret(""),), (Secret("fake-key-0001"), Secret("12345"))):
            same, masked = without_part(data, secrets)
            assert same is data
            assert not masked


def test_a_part_in_another_spelling() -> None:
    """The longest part that fits is taken, in any encoding and with any escapes."""
    value = "fake&key&0001"
    for data in (b"x fake&amp;ke", b"x fake%26key%26", "x fake&key".encode("utf-16-le")):
        kept, masked = without_part(data, (Secret(value),))
        assert masked
        before = kept.removesuffix(b"********")
        assert data.startswith(before)
        assert before.replace(b"\0", b"") == b"x "


def test_a_part_of_a_long_secret() -> None:
    """However long it is."""
    value = "".join(chr(97 + n * n % 26) for n in range(6_000))
    assert without_part(b"x" + value[:5_900].encode(), (Secret(value),)) == (b"x********", True)


@given(value=st.text(min_size=7, max_size=30), before=st.binary(max_size=20), data=st.data())
def test_any_part_of_a_secret(value: str, before: bytes, data: st.DataObject) -> None:
    """No part of six bytes or more stays at the end."""
    encoded = value.encode()
    part = encoded[: data.draw(st.integers(6, len(encoded) - 1))]
    kept, masked = without_part(before + part, (Secret(value),))
    assert masked
    assert kept.endswith(MASK.encode())
    assert len(kept) <= len(before) + len(MASK)
