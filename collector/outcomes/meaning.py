"""What came back for one request, of whatever operation -> what it means. Decides nothing; pure.

The body is read first: SOAP faults travel as HTTP 500. The status decides where the body does not.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from collector.domain.outcomes import FaultClass
from collector.errors import ConnectError, TransportError, WireError
from collector.outcomes.classification import (
    classify_error,
    classify_fault_at,
    classify_status,
    classify_unopened,
    is_outage,
    is_session_cap,
    is_web_page,
)
from collector.wire.body import decoded_body
from collector.wire.http_dates import date_us, retry_after_seconds
from collector.wire.operations import Operation
from collector.wire.replies import Fault, Payload, open_reply

__all__ = ["FAULT_TEXT_LIMIT", "Meaning", "meaning_of_error", "meaning_of_reply"]

FAULT_TEXT_LIMIT: Final = 500  # characters


class Meaning(NamedTuple):
    """What one request came to: an answer, or a class of fault.

    Attributes:
        payload: the operation's answer; None for a failure.
        fault_class: why there is no answer; None where there is one.
        text: what the service or the network said, at most 500 characters; credentials in it are not masked.
        status: HTTP status; None if nothing came.
        is_outage: this says that nobody is served: nothing came, or a page of something in front of the service.
        is_web_page: a web server answered that is not the service: a page, a redirect, 404.
        slows_everybody: the service itself is overloaded (503 with Retry-After), so everybody is to wait.
        asks_to_slow_down: requests come too fast; not said of too many open sessions.
        retry_after_seconds: how long the service asks to wait, if it does.
        was_sent: the request left this machine.
    """

    payload: Payload | None
    fault_class: FaultClass | None = None
    text: str = ""
    status: int | None = None
    is_outage: bool = False
    is_web_page: bool = False
    slows_everybody: bool = False
    asks_to_slow_down: bool = False
    retry_after_seconds: float | None = None
    was_sent: bool = True

    @property
    def is_denial(self) -> bool:
        """The service itself says that the session may not see this; a proxy's 401 or 403 says nothing of the kind."""
        return self.fault_class is FaultClass.AUTHORISATION and self.status not in _OF_PROXIES


_OF_PROXIES: Final = (401, 403)


def meaning_of_error(error: TransportError) -> Meaning:
    """What it means that no reply came."""
    return Meaning(
        None,
        classify_error(error),
        str(error)[:FAULT_TEXT_LIMIT],
        is_outage=True,
        was_sent=not isinstance(error, ConnectError),
    )


def meaning_of_reply(
    operation: Operation,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    received_at_us: int,
    is_cut: bool,
    max_bytes: int,
    max_wait_seconds: float,
) -> Meaning:
    """What a reply to `operation` means.

    Args:
        headers: names in lower case.
        body: as received, still encoded as `content-encoding` says.
        received_at_us: the client's clock; a date in Retry-After counts from the reply's own Date, else from here.
        is_cut: the body was longer than `max_bytes` and was not read to its end.
        max_bytes: the most that a body may have, as received and decompressed.
        max_wait_seconds: the longest Retry-After that is heeded.
    """
    has_retry_after = "retry-after" in headers
    now_us = date_us(headers.get("date")) or received_at_us
    wait = retry_after_seconds(headers.get("retry-after"), now_us / 1_000_000, max_wait_seconds)
    by_status = classify_status(status, has_retry_after=has_retry_after)
    is_cap = False
    if is_cut:
        return Meaning(None, FaultClass.TOO_LARGE, f"a body of more than {max_bytes} bytes", status)
    try:
        plain = decoded_body(body, headers.get("content-encoding"), max_bytes)
        content = open_reply(operation, status, headers.get("content-type", ""), plain)
    except WireError as error:
        fault_class = classify_unopened(error, status, has_retry_after=has_retry_after)
        text, outage = str(error), is_outage(error, status)
    else:
        outage = is_outage(None, status)
        if isinstance(content, Fault):
            fault_class = classify_fault_at(status, content, has_retry_after=has_retry_after)
            text, is_cap = str(content), is_session_cap(content)
        elif by_status is None:
            return Meaning(content, status=status)
        else:
            fault_class, text = by_status, f"an answer at status {status}"
    is_throttled = fault_class is FaultClass.THROTTLED
    return Meaning(
        None,
        fault_class,
        text[:FAULT_TEXT_LIMIT],
        status,
        is_outage=outage,
        is_web_page=is_web_page(fault_class, status),
        slows_everybody=is_throttled and status == 503,
        asks_to_slow_down=is_throttled and not (is_cap and status == 500),
        retry_after_seconds=wait,
    )
