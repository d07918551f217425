"""What a landed reply means for its call. Pure: a resumed run judges what was landed before it was killed."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from collector.errors import WireError
from collector.model import FaultClass, LandedReply, Outcome, State
from collector.policy import (
    classify_fault_at,
    classify_status,
    classify_unopened,
    http_date,
    is_outage,
)
from collector.wire.body import decoded_body
from collector.wire.operations import REPORT_INSTANT_STATS
from collector.wire.replies import Fault, open_reply

__all__ = ["FAULT_TEXT_LIMIT", "date_us", "judge", "judgement"]

FAULT_TEXT_LIMIT: Final = 500
_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>'
_ROWS_AT: Final = b"<diffgr:diffgram"
_NUMBER: Final = re.compile(rb">[0-9]{1,20}<")
_SHAPE_BYTES: Final = 8192
_MOST_SHAPES: Final = 64


class _Judged(NamedTuple):
    state: State
    fault_class: FaultClass | None = None
    text: str | None = None
    is_outage: bool = False


_Shape = tuple[int, str, bytes]
# answers that were parsed, without their numbers, and what came of it
_known: dict[_Shape, State] = {}


def judge(landed: LandedReply, limit: int) -> Outcome:
    """How the call stands after this reply.

    The body is read first: SOAP faults travel as HTTP 500. The status decides where the body does not.
    """
    outcome, _ = judgement(landed, limit)
    return outcome


def judgement(landed: LandedReply, limit: int) -> tuple[Outcome, bool]:
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
    shape = _shape(landed) if len(landed.body) <= limit else None
    if shape is not None and (known := _known.get(shape)) is not None:
        return _Judged(known)
    judged = _parsed(landed, limit)
    if shape is not None and judged.state is not State.FAILED:
        if len(_known) >= _MOST_SHAPES:
            _known.clear()
        _known[shape] = judged.state
    return judged


def _shape(landed: LandedReply) -> _Shape | None:
    """A small answer without its numbers; None where a number might be markup.

    In UTF-8, digits that have a ">" before and a "<" after them are text, or within what holds no element: other
    digits there (but not none) change neither whether the document is well-formed nor which elements it has. So an
    answer that differs from a parsed one in such digits alone needs no parser, which was a sixth of what a call cost.
    """
    headers, body = landed.headers, landed.body
    if len(body) > _SHAPE_BYTES or not body.startswith(_DECLARATION) or "retry-after" in headers:
        return None
    if headers.get("content-encoding") is not None:
        return None
    start = body.find(_ROWS_AT)
    if start < 0:
        return None
    numberless = body[:start] + _NUMBER.sub(b">0<", body[start:])
    return landed.status, headers.get("content-type", ""), numberless


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


@lru_cache(maxsize=16)  # all replies of one second have the same
def date_us(value: str | None) -> int | None:
    """An HTTP date in microseconds since 1970; None if absent or unreadable."""
    instant = http_date(value or "")
    return None if instant is None else int(instant) * 1_000_000
