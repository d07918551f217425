"""A landed reply, or none -> the state of its call. Pure, so a resumed run can classify what a crash left."""

from collector.domain.calls import Call
from collector.domain.outcomes import FaultClass, Outcome, State, Tries
from collector.domain.replies import LandedReply
from collector.outcomes.meaning import FAULT_TEXT_LIMIT, Meaning, meaning_of_reply
from collector.wire.http_dates import date_us
from collector.wire.operations import Operation

__all__ = ["classify_reply", "unanswered_outcome", "unsent_outcome"]


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
    tries: Tries,
    meaning: Meaning,
    minutes: tuple[int, int] | None,
    requested_at_us: int | None,
) -> Outcome:
    """How a call stands after an attempt that brought no reply.

    Args:
        tries: what was sent for it before.
        minutes: those of this attempt.
        requested_at_us: when this attempt was to be sent, by the client's clock.
    """
    if not meaning.was_sent:
        minutes, requested_at_us = tries.minutes, tries.requested_at_us
    return Outcome(
        call.call_id,
        State.FAILED,
        tries.sent + meaning.was_sent,
        minutes=minutes,
        fault_class=meaning.fault_class,
        fault_text=meaning.text,
        requested_at_us=requested_at_us,
    )


def unsent_outcome(call: Call, tries: Tries, fault_class: FaultClass | None, text: str) -> Outcome:
    """How a call stands that is not sent any more: failed, or `not_attempted` where there is no class of fault.

    Args:
        tries: what was sent for it before.
        text: why, whatever its length.
    """
    return Outcome(
        call.call_id,
        State.FAILED if fault_class else State.NOT_ATTEMPTED,
        tries.sent,
        charged=tries.charged,
        minutes=tries.minutes,
        requested_at_us=tries.requested_at_us,
        fault_class=fault_class,
        fault_text=text[:FAULT_TEXT_LIMIT],
    )
