"""Undoes a reply's content encoding, bounded; knows nothing of what is inside."""

import zlib
from typing import Final

from collector.errors import ReplyTooLargeError, WireError

__all__ = ["decoded_body"]

_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32


def decoded_body(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """The body without its content encoding, at most `limit` bytes.

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
        # RFC 9110 means zlib; some servers send the raw stream, which never starts with the zlib method nibble 8
        wbits = zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 else -zlib.MAX_WBITS
        return _inflated(body, wbits, encoding, limit)
    raise WireError(f"content encoding {encoding!r}: must be identity, gzip or deflate")


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
    return plain
