"""How a call stands after a landed reply, or without one. Pure: a resumed run classifies what a crash left as well."""

from collector.domain.calls import Call
from collector.domain.outcomes import FaultClass, Outcome, State
from collector.domain.replies import LandedReply
from collector.outcomes.meaning import FAULT_TEXT_LIMIT, Meaning, meaning_of_reply
from collector.wire.http_dates import date_us
from collector.wire.operations import Operation

__all__ = ["classify_reply", "refused_outcome", "unanswered_outcome"]


def classify_reply(
    operation: Operation, landed: LandedReply, max_bytes: int, max_wait_seconds: float = 0.0
) -> tuple[Outcome, Meaning]:
    """How the call stands after this reply, and what the reply means.

    Args:
        operation: what was asked.
        max_bytes: the most that a body may have, as received and decompressed.
        max_wait_seconds: the longest Retry-After that is heeded.
    """
    meaning = meaning_of_reply(
        operation,
        landed.status,
        landed.headers,
        landed.body,
        received_at_us=landed.received_at_us,
        is_cut=landed.cut,
        max_bytes=max_bytes,
        max_wait_seconds=max_wait_seconds,
    )
    answer = meaning.payload
    state = State.FAILED
    if answer is not None:
        state = State.OK if answer.has_rows else State.EMPTY
    outcome = Outcome(
        landed.call_id,
        state,
        landed.attempt,
        minutes=landed.minutes,
        answer_attempt=None if answer is None else landed.attempt,
        http_status=landed.status,
        fault_class=meaning.fault_class,
        fault_text=meaning.text or None,
        requested_at_us=landed.sent_at_us,
        observed_at_us=date_us(landed.headers.get("date")),
        latency_us=landed.received_at_us - landed.sent_at_us,
        reply_bytes=len(landed.body),
    )
    return outcome, meaning


def unanswered_outcome(
    call: Call,
    attempts: int,
    meaning: Meaning,
    started_at_us: int,
    minutes: tuple[int, int] | None,
) -> Outcome:
    """How a call stands after an attempt that brought no reply.

    Args:
        attempts: requests sent for it so far.
        started_at_us: when the attempt began, by the client's clock.
        minutes: those that were sent; None if nothing was.
    """
    return Outcome(
        call.call_id,
        State.FAILED,
        attempts,
        minutes=minutes,
        fault_class=meaning.fault_class,
        fault_text=meaning.text,
        requested_at_us=started_at_us,
    )


def refused_outcome(call: Call, attempts: int, fault_class: FaultClass, text: str) -> Outcome:
    """How a call stands that is not sent, since its session is not let in."""
    return Outcome(
        call.call_id,
        State.FAILED,
        attempts,
        fault_class=fault_class,
        fault_text=text[:FAULT_TEXT_LIMIT],
    )
