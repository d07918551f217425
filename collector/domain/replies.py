"""What came back from the service, before anyone looked into it. No parsing."""

from collections.abc import Mapping
from typing import NamedTuple

from collector.domain.binding import Binding
from collector.domain.calls import CallId

__all__ = ["LandedReply", "Reply"]


# named tuples: every call makes them anew, and a frozen dataclass takes four times as long to make
class Reply(NamedTuple):
    """What came back for one attempt.

    Attributes:
        headers: the reply's headers, names in lower case; a repeated header is joined with a comma.
        body: as received, still encoded as `content-encoding` says.
        sent_at_us: the client's clock when the request had been written, in microseconds since 1970.
        received_at_us: the client's clock when the last byte had come, in microseconds since 1970.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at_us: int
    received_at_us: int


class LandedReply(NamedTuple):
    """A reply in the landing store, with the call it answers.

    Attributes:
        attempt: 1 for the first request of the call.
        minutes: Minutes1 and Minutes2 as this attempt sent them.
        request: method, path, headers and body as sent, the credential masked.
        headers: those worth keeping, names in lower case.
        sent_at_us: the client's clock when the request had been written, in microseconds since 1970.
        received_at_us: the client's clock when the last byte had come, in microseconds since 1970.
        masked: the body held a credential, and those bytes were replaced.
        cut: the body was longer than `limits.max_reply_bytes` and ends early.
    """

    call_id: CallId
    attempt: int
    session: str
    operation: str
    minutes: tuple[int, int]
    binding: Binding
    request: str
    status: int
    headers: dict[str, str]
    body: bytes
    sent_at_us: int
    received_at_us: int
    masked: bool = False
    cut: bool = False
