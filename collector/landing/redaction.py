"""Masks the bytes of a reply that repeat a credential; all others are kept as they came. Pure."""

from functools import lru_cache
from typing import Final, NamedTuple

from collector.domain.replies import Reply
from collector.domain.secret import Secret, mask, without_part
from collector.errors import WireError
from collector.wire.body import decoded_body, readable_part

__all__ = ["Redacted", "redacted"]

_KEPT_HEADERS: Final[tuple[str, ...]] = (
    "content-type",
    "content-encoding",
    "date",
    "retry-after",
    "server",
)
_LONGEST_HEADER: Final = 1_024  # characters; those that are kept are short


class Redacted(NamedTuple):
    """Headers and body to be landed.

    Attributes:
        masked: some bytes are not those that came.
        cut: the body ends early.
    """

    headers: dict[str, str]
    body: bytes
    masked: bool
    cut: bool


def redacted(reply: Reply, secrets: tuple[Secret, ...], limit: int, *, cut: bool) -> Redacted:
    """The part of a reply that may be on disk; `cut` if its body was cut off at `limit` bytes.

    A compressed body in which a credential stands is kept unpacked. One that unpacks to more than `limit` bytes is cut
    where these end: what nobody looked at is not kept.
    """
    headers, masked = _masked_headers(reply, secrets)
    body, found = _masked(reply.body, secrets, cut=cut)
    if found or "content-encoding" not in headers:
        return Redacted(headers, body, masked or found, cut)
    encoding = headers["content-encoding"]
    ends_early = False
    try:
        plain, used = decoded_body(reply.body, encoding, limit), len(reply.body)
    except WireError:  # the part may end within a credential, also where all bytes were used
        plain, used = readable_part(reply.body, encoding, limit)
        ends_early = True
    inside, found = _masked(plain, secrets, cut=ends_early)
    beyond = used < len(reply.body)
    if found:
        del headers["content-encoding"]
        return Redacted(headers, inside, True, cut or beyond)
    return Redacted(headers, body[:used], masked, cut or beyond)


def _masked(body: bytes, secrets: tuple[Secret, ...], *, cut: bool) -> tuple[bytes, bool]:
    whole, cut_off = without_part(body, secrets) if cut else (body, False)
    masked, found = mask(whole, secrets)
    return masked, found or cut_off


def _masked_headers(reply: Reply, secrets: tuple[Secret, ...]) -> tuple[dict[str, str], bool]:
    kept, text = _kept(tuple(map(reply.headers.get, _KEPT_HEADERS)))
    # hardly ever is there anything to mask, and one look at all of them tells
    if not mask(text, secrets)[1]:
        return dict(kept), False
    found = {name: mask(value.encode(), secrets) for name, value in kept.items()}
    headers = {name: value.decode(errors="replace") for name, (value, _) in found.items()}
    return headers, any(was_there for _, was_there in found.values())


@lru_cache(maxsize=256)  # replies of one second have the same
def _kept(values: tuple[str | None, ...]) -> tuple[dict[str, str], bytes]:
    """The headers that are there, as they can be written, and all of them as bytes."""
    kept = {
        name: value[:_LONGEST_HEADER].encode("utf-8", errors="replace").decode()
        for name, value in zip(_KEPT_HEADERS, values, strict=True)
        if value is not None
    }
    return kept, "\n".join(kept.values()).encode()
