"""What a landed reply means for its call. Pure: a resumed run judges what was landed before it was killed."""

from typing import Final, NamedTuple

from collector.domain.values import FaultClass, LandedReply, Outcome, State
from collector.errors import WireError
from collector.outcomes.policy import (
    classify_fault_at,
    classify_status,
    classify_unopened,
    is_outage,
)
from collector.wire.body import decoded_body
from collector.wire.http_dates import date_us
from collector.wire.operations import REPORT_INSTANT_STATS
from collector.wire.replies import Fault, open_reply

__all__ = ["FAULT_TEXT_LIMIT", "classified", "classify_reply"]

FAULT_TEXT_LIMIT: Final = 500


class _Judged(NamedTuple):
    state: State
    fault_class: FaultClass | None = None
    text: str | None = None
    is_outage: bool = False


def classify_reply(landed: LandedReply, limit: int) -> Outcome:
    """How the call stands after this reply.

    The body is read first: SOAP faults travel as HTTP 500. The status decides where the body does not.
    """
    outcome, _ = classified(landed, limit)
    return outcome


def classified(landed: LandedReply, limit: int) -> tuple[Outcome, bool]:
    """The same, and whether the reply says that the service is down for everybody."""
    judged = _judged(landed, limit)
    outcome = Outcome(
        landed.call_id,
        judged.state,
        landed.attempt,
        answer_attempt=None if judged.state is State.FAILED else landed.attempt,
        http_status=landed.status,
        fault_class=judged.fault_class,
        fault_text=judged.text,
        requested_at_us=landed.sent_at_us,
        observed_at_us=date_us(landed.headers.get("date")),
        latency_us=landed.received_at_us - landed.sent_at_us,
        reply_bytes=len(landed.body),
    )
    return outcome, judged.is_outage


def _judged(landed: LandedReply, limit: int) -> _Judged:
    if landed.cut:
        return _failed(FaultClass.TOO_LARGE, f"a body of more than {limit} bytes")
    return _parsed(landed, limit)


def _parsed(landed: LandedReply, limit: int) -> _Judged:
    has_retry_after = "retry-after" in landed.headers
    by_status = classify_status(landed.status, has_retry_after=has_retry_after)
    content_type = landed.headers.get("content-type", "")
    try:
        body = decoded_body(landed.body, landed.headers.get("content-encoding"), limit)
        content = open_reply(REPORT_INSTANT_STATS, landed.status, content_type, body)
    except WireError as error:
        fault_class = classify_unopened(error, landed.status, has_retry_after=has_retry_after)
        return _failed(fault_class, str(error), is_outage=is_outage(error, landed.status))
    if isinstance(content, Fault):
        fault_class = classify_fault_at(landed.status, content, has_retry_after=has_retry_after)
        return _failed(fault_class, str(content), is_outage=is_outage(None, landed.status))
    if by_status is not None:
        text = f"an answer at status {landed.status}"
        return _failed(by_status, text, is_outage=is_outage(None, landed.status))
    return _Judged(State.OK if content.has_rows else State.EMPTY)


def _failed(fault_class: FaultClass, text: str, *, is_outage: bool = False) -> _Judged:
    return _Judged(State.FAILED, fault_class, text[:FAULT_TEXT_LIMIT], is_outage)
