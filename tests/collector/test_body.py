import contextlib
import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import ReplyTooLargeError, WireError
from collector.wire.body import decoded_body, readable_part

BODY = b"<DataSet>" + bytes(range(256)) * 20 + b"</DataSet>"


def raw_deflated(body: bytes, level: int = 9) -> bytes:
    """A deflate stream without zlib's header, as some servers send it."""
    packer = zlib.compressobj(level, wbits=-15)
    return packer.compress(body) + packer.flush()


ENCODED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflated,
    " identity ": bytes,
    "": bytes,
}


@pytest.mark.parametrize("encoding", ENCODED)
@given(body=st.binary(max_size=2_000))
def test_round_trip(encoding: str, body: bytes) -> None:
    """What was encoded comes back, for any body, at a limit that it just fills."""
    encoded = ENCODED[encoding](body)
    assert decoded_body(encoded, encoding, max(len(body), 1)) == body


def test_no_encoding() -> None:
    """Without a header the body is as it came."""
    assert decoded_body(BODY, None, len(BODY)) is BODY


@given(body=st.binary(max_size=2_000), level=st.integers(0, 9))
def test_raw_deflate_is_told_from_zlib(body: bytes, level: int) -> None:
    """Stored, fixed and dynamic blocks alike."""
    assert decoded_body(raw_deflated(body, level), "deflate", 2_000) == body


@pytest.mark.parametrize(
    ("name", "encode"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate ", raw_deflated)],
)
def test_truncated(name: str, encode: Callable[[bytes], bytes]) -> None:
    """Every shorter piece of a stream is an error, never a shorter body."""
    whole = encode(BODY)
    for length in (0, 1, 5, len(whole) // 2, len(whole) - 1):
        with pytest.raises(WireError):
            decoded_body(whole[:length], name, 10**6)


def test_damaged() -> None:
    """A wrong byte or checksum is an error."""
    whole = bytearray(gzip.compress(BODY))
    whole[-6] ^= 1
    with pytest.raises(WireError, match="gzip"):
        decoded_body(bytes(whole), "gzip", 10**6)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "\u0661"])
def test_unknown_encoding(encoding: str) -> None:
    """An encoding that we did not ask for and cannot undo is named."""
    with pytest.raises(WireError, match="must be identity, gzip or deflate"):
        decoded_body(BODY, encoding, 10**6)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", " identity "])
def test_limit(encoding: str) -> None:
    """One byte more than the limit is too much, as it came or inflated."""
    encoded = ENCODED[encoding](BODY)
    assert decoded_body(encoded, encoding, len(BODY)) == BODY
    with pytest.raises(ReplyTooLargeError, match=str(len(BODY) - 1)):
        decoded_body(encoded, encoding, len(BODY) - 1)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_one_byte_over_the_limit_is_as_much_as_is_inflated(encoding: str) -> None:
    """A body that just fills the limit is whole; one byte more is told from it, whatever the limit is."""
    for limit in (1, 2, 1_024, len(BODY)):
        for level in (0, 9):
            packer = zlib.compressobj(level, wbits=31 if encoding == "gzip" else 15)
            body = BODY[:limit] + b"x" * (limit - len(BODY[:limit]))
            whole = packer.compress(body) + packer.flush()
            assert decoded_body(whole, encoding, limit) == body
            with pytest.raises(ReplyTooLargeError, match=f"the limit of {limit - 1} bytes"):
                decoded_body(whole, encoding, limit - 1)


def test_bytes_after_the_end() -> None:
    """What follows a stream is damage, and the message says how much."""
    with pytest.raises(WireError, match="gzip body with 3 bytes after its end"):
        decoded_body(gzip.compress(BODY) + b"xyz", "gzip", 10**6)


@pytest.mark.parametrize("encoding", ["br", "identity", "gzip, gzip"])
def test_the_readable_part_of_an_unknown_encoding(encoding: str) -> None:
    """The bytes as they are, as far as the limit goes."""
    assert readable_part(BODY, encoding, 10) == (BODY[:10], len(BODY))
    assert readable_part(BODY, encoding, len(BODY)) == (BODY, len(BODY))


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "Deflate", " GZip "])
@given(body=st.binary(max_size=3_000), level=st.integers(0, 9), limit=st.integers(1, 3_000))
def test_the_readable_part_of_a_good_body(
    encoding: str, body: bytes, level: int, limit: int
) -> None:
    """All of it, or as much as the limit allows and how many compressed bytes were looked at for that."""
    bits = {"gzip": 31, "x-gzip": 31, "deflate": 15, "Deflate": -15, " GZip ": 31}[encoding]
    packer = zlib.compressobj(level, wbits=bits)
    whole = packer.compress(body) + packer.flush()
    plain, looked_at = readable_part(whole, encoding, limit)
    assert plain == body[:limit]
    if len(body) <= limit:
        assert looked_at == len(whole)
    else:
        assert len(zlib.decompressobj(bits).decompress(whole[:looked_at])) > limit
        assert looked_at <= len(whole)


@pytest.mark.parametrize("limit", [1, 1_000, 5_000, 60_000])
def test_no_more_is_looked_at_than_the_limit_needs(limit: int) -> None:
    """Of a body that was stored without compression: the limit, and the heads of its blocks."""
    body = bytes(range(256)) * 400
    whole = zlib.compress(body, 0)
    plain, looked_at = readable_part(whole, "deflate", limit)
    assert plain == body[:limit]
    assert limit < looked_at <= limit + 64


@given(body=st.binary(min_size=1, max_size=3_000), level=st.integers(0, 9), data=st.data())
def test_the_readable_part_of_a_damaged_body(body: bytes, level: int, data: st.DataObject) -> None:
    """All that inflates before the damage, byte for byte; a cut is damage too."""
    packer = zlib.compressobj(level, wbits=31)
    whole = packer.compress(body) + packer.flush()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.sampled_from([b"", b"\xff" * 40, b"\0" * 40]))
    inflater, expected = zlib.decompressobj(31), b""
    with contextlib.suppress(zlib.error):
        for byte in damaged:
            expected += inflater.decompress(bytes([byte]))
    plain, looked_at = readable_part(damaged, "gzip", 10_000)
    assert plain == expected
    assert looked_at == len(damaged)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_the_readable_part_of_several_streams(encoding: str) -> None:
    """One behind the other, each longer than what is read at once."""
    encode = ENCODED[encoding]
    parts = [bytes([n]) + random.Random(n).randbytes(2_500) for n in range(3)]
    whole = b"".join(encode(part) for part in parts)
    assert readable_part(whole, encoding, 10**6) == (b"".join(parts), len(whole))


def test_the_readable_part_of_a_bomb_takes_no_more_than_the_limit() -> None:
    """A megabyte is wanted of a hundred."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    tracemalloc.start()
    try:
        plain, looked_at = readable_part(bomb, "gzip", 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert len(plain) == 1 << 20
    assert looked_at < len(bomb)


def test_bomb() -> None:
    """A hundred megabytes of nothing cost no more memory than the limit allows."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        with pytest.raises(ReplyTooLargeError):
            decoded_body(bomb, "gzip", 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@given(
    body=st.binary(max_size=300), encoding=st.sampled_from(["gzip", "deflate", "identity", "br"])
)
def test_any_bytes(body: bytes, encoding: str) -> None:
    """Any bytes are a body within the limit or a WireError."""
    with contextlib.suppress(WireError):
        assert len(decoded_body(body, encoding, 200)) <= 200
