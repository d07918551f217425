"""What of a reply is kept: everything, but no credential, however far inside or cut off."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.replies import Reply
from collector.domain.secret import MASK, Secret
from collector.landing.redaction import redacted
from collector.wire.body import readable_part

KEY = Secret("fake-Key&<0001>")
LIMIT = 10_000
ECHO = b"<a>fake-Key&amp;&lt;0001&gt;</a>"
PACKED: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def reply(body: bytes, **headers: str) -> Reply:
    """A reply with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(200, named, body, 1, 2)


def assert_nothing_of_it(data: bytes) -> None:
    """No six characters of the credential stand together."""
    for spelling in (b"fake-Key&<0001>", b"fake-Key&amp;&lt;0001&gt;"):
        for at in range(len(spelling) - 5):
            assert spelling[at : at + 6] not in data


def test_a_plain_reply_is_kept_as_it_came() -> None:
    """Body and headers; those that nobody needs are left out."""
    kept = redacted(reply(b"<a/>", content_type="text/xml", x_y="z"), (KEY,), LIMIT, cut=False)
    assert (kept.body, kept.masked, kept.cut) == (b"<a/>", False, False)
    assert kept.headers == {"content-type": "text/xml"}


@pytest.mark.parametrize("length", range(6, len(ECHO) - 4))
def test_a_part_at_the_cut(length: int) -> None:
    """A body that is cut off within the credential does not end with its beginning."""
    kept = redacted(reply(b"<b/>" + ECHO[: 3 + length]), (KEY,), LIMIT, cut=True)
    assert_nothing_of_it(kept.body)
    assert kept.body.startswith(b"<b/><a>")
    assert kept.masked
    assert kept.cut


@pytest.mark.parametrize("encoding", PACKED)
def test_inside_a_compressed_body(encoding: str) -> None:
    """It is kept unpacked, and says so by having no encoding."""
    packed = reply(PACKED[encoding](ECHO), content_encoding=encoding)
    kept = redacted(packed, (KEY,), LIMIT, cut=False)
    assert (kept.body, kept.masked) == (f"<a>{MASK}</a>".encode(), True)
    assert kept.headers == {}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_clean_compressed_body_is_kept_as_it_came(encoding: str) -> None:
    """Bytes and header."""
    body = PACKED[encoding](b"<a/>")
    kept = redacted(reply(body, content_encoding=encoding), (KEY,), LIMIT, cut=False)
    assert (kept.body, kept.masked, kept.cut) == (body, False, False)
    assert kept.headers == {"content-encoding": encoding}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("at", ["before", "behind"])
def test_inside_a_bomb(encoding: str, at: str) -> None:
    """Found before the limit; what lies beyond was not looked at and is not kept."""
    spaces = b" " * 50 * LIMIT
    plain = ECHO + spaces if at == "before" else spaces + ECHO
    packed = PACKED[encoding](plain)
    kept = redacted(reply(packed, content_encoding=encoding), (KEY,), LIMIT, cut=False)
    assert kept.cut
    assert kept.masked == (at == "before")
    assert len(kept.body) <= LIMIT
    opened, _ = readable_part(kept.body, kept.headers.get("content-encoding", "identity"), 10**9)
    assert_nothing_of_it(opened)
    assert opened.strip() in (b"", f"<a>{MASK}</a>".encode())


@pytest.mark.parametrize("encoding", PACKED)
def test_inside_a_damaged_or_truncated_body(encoding: str) -> None:
    """As much as still unpacks is looked at."""
    whole = PACKED[encoding](ECHO + bytes(range(256)) * 40)
    damaged = whole[:-40] + bytes(40)
    for body in (whole[:-9], damaged, whole + PACKED[encoding](ECHO), whole + b"garbage"):
        kept = redacted(reply(body, content_encoding=encoding), (KEY,), LIMIT * 2, cut=False)
        assert kept.masked
        assert_nothing_of_it(kept.body)


@pytest.mark.parametrize("length", [6, 9, len(KEY.reveal()) - 1])
def test_a_stream_that_ends_within_a_credential(length: int) -> None:
    """All its bytes unpack, and what they end with is a part of the credential."""
    stream = zlib.compressobj(wbits=31)
    body = stream.compress(b"<a>" + KEY.reveal()[:length].encode())
    body += stream.flush(zlib.Z_SYNC_FLUSH)
    kept = redacted(reply(body, content_encoding="gzip"), (KEY,), LIMIT, cut=False)
    assert (kept.body, kept.masked) == (f"<a>{MASK}".encode(), True)


def test_behind_the_first_stream() -> None:
    """Several gzip streams in a row are looked through."""
    body = gzip.compress(b"<a/>") + gzip.compress(ECHO)
    kept = redacted(reply(body, content_encoding="gzip"), (KEY,), LIMIT, cut=False)
    assert kept.body == f"<a/><a>{MASK}</a>".encode()


def test_in_a_header() -> None:
    """Headers that are kept are masked too, and none is long."""
    odd = reply(b"", content_type=f"text/xml; id={KEY.reveal()}", server="x" * 5_000)
    kept = redacted(odd, (KEY,), LIMIT, cut=False)
    assert kept.headers["content-type"] == f"text/xml; id={MASK}"
    assert len(kept.headers["server"]) <= 1_024
    assert kept.masked


@given(
    body=st.binary(max_size=300),
    encoding=st.sampled_from(["gzip", "deflate", "identity", "br", "x"]),
    cut=st.booleans(),
)
def test_any_bytes(body: bytes, encoding: str, *, cut: bool) -> None:
    """Nothing is raised, and what holds no credential is kept to the last byte."""
    kept = redacted(reply(body, content_encoding=encoding), (KEY,), 200, cut=cut)
    assert kept.body == body or kept.cut
