"""Undoes the content encoding of a reply's body, to a limit of bytes. Knows nothing of what the body says."""

import zlib
from typing import Final

from collector.errors import ReplyTooLargeError, WireError

__all__ = ["decoded_body", "readable_part"]

_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_PIECE: Final = (
    1_024  # compressed bytes that are inflated at a time; where one is damaged, byte by byte
)


def decoded_body(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """The body without its content encoding (a Content-Encoding header, or None), at most `limit` bytes.

    Raises:
        ReplyTooLargeError: more than `limit` bytes.
        WireError: an encoding other than identity, gzip or deflate; damaged or truncated data.
    """
    encoding = (content_encoding or "identity").strip().lower()
    if encoding in ("", "identity"):
        if len(body) > limit:
            raise ReplyTooLargeError(f"a body of {len(body)} bytes: the limit is {limit}")
        return body
    if encoding in ("gzip", "x-gzip"):
        return _inflated(body, _GZIP_OR_ZLIB, encoding, limit)
    if encoding == "deflate":
        return _inflated(body, _deflate_bits(body), encoding, limit)
    raise WireError(f"content encoding {encoding!r}: must be identity, gzip or deflate")


def readable_part(body: bytes, content_encoding: str, limit: int) -> tuple[bytes, int]:
    """What can be read of a body that cannot be decoded, and how many of its bytes were looked at for that.

    At most `limit` bytes are returned; where there are more, not all of the body was looked at. An encoding that is
    not known is not undone.
    """
    encoding = content_encoding.strip().lower()
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return body[:limit], len(body)
    bits = _deflate_bits(body) if encoding == "deflate" else _GZIP_OR_ZLIB
    inflater = zlib.decompressobj(bits)
    plain, at, step = bytearray(), 0, _PIECE
    while at < len(body):
        before = inflater.copy()
        try:
            plain += inflater.decompress(body[at : at + step], limit + 1 - len(plain))
        except zlib.error:
            if step == 1:
                break
            inflater, step = before, 1  # again, to the byte before the damage
            continue
        at += len(body[at : at + step]) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
        if len(plain) > limit:
            return bytes(plain[:limit]), at
        if inflater.eof:
            inflater = zlib.decompressobj(bits)  # another stream may follow
    return bytes(plain), len(body)


def _deflate_bits(body: bytes) -> int:
    """Window bits of zlib for `deflate`, which means zlib's format (RFC 9110, 8.4.1.2).

    Some servers send the raw stream, which never has the 8 that a zlib stream has in the low half of its first byte.
    """
    return zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 else -zlib.MAX_WBITS


def _inflated(body: bytes, wbits: int, encoding: str, limit: int) -> bytes:
    inflater = zlib.decompressobj(wbits)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise WireError(f"a damaged {encoding} body: {error}") from error
    if len(plain) > limit:
        raise ReplyTooLargeError(
            f"a {encoding} body that inflates beyond the limit of {limit} bytes"
        )
    if not inflater.eof:
        raise WireError(f"a truncated {encoding} body")
    if inflater.unused_data:
        raise WireError(f"a {encoding} body with {len(inflater.unused_data)} bytes after its end")
    return plain
