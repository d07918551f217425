import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import ReplyTooLargeError, WireError
from collector.wire.body import decoded_body

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
