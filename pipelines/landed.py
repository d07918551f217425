"""Landed values -> columns of the published tables. One pass over a batch per column, nothing per row that is kept."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.model import Call, CallId, FaultClass, LandedReply, Outcome, SessionFacts, State
from pipelines.contract import CALLS, RAW, SESSIONS, Table, arrow_schema
from pipelines.tidy import ANSWERS

__all__ = ["Verdict", "answer_rows", "digests_of", "ledger_rows", "raw_rows", "session_rows"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading an answer and checking it made of its call.

    Attributes:
        fault_text: why the answer is quarantined; None if it is not.
        quality: the checks that it did not pass.
        fault_class: of a call that is failed.
    """

    state: State
    fault_text: str | None = None
    quality: tuple[str, ...] = ()
    fault_class: FaultClass = FaultClass.QUARANTINED


def digests_of(replies: Sequence[LandedReply]) -> list[str]:
    """SHA-256 of every body as landed; the landing store has it."""
    return [(reply.sha256 or hashlib.sha256(reply.body).digest()).hex() for reply in replies]


def session_rows(run_id: str, facts: Sequence[SessionFacts]) -> pa.Table:
    """The rows of `sessions`."""
    return _table(
        SESSIONS,
        {
            "run_id": [run_id] * len(facts),
            "session": [one.session for one in facts],
            "network_id": [one.network_id for one in facts],
            "mailbox_id": [one.mailbox_id for one in facts],
            "user_id": [one.user_id for one in facts],
            "timeout_seconds": [one.timeout_seconds for one in facts],
            "open_sessions": [one.open_sessions for one in facts],
            "asked_at": [one.asked_at_us for one in facts],
            "fault_class": [one.fault_class for one in facts],
            "fault_text": [one.fault_text for one in facts],
        },
    )


def raw_rows(
    run_id: str, replies: Sequence[LandedReply], digests: Sequence[str], answers: set[int]
) -> pa.Table:
    """The rows of `raw`; `answers` are the places of those replies that answer their call."""
    return _table(
        RAW,
        {
            "run_id": [run_id] * len(replies),
            "call_id": [reply.call_id for reply in replies],
            "attempt": [reply.attempt for reply in replies],
            "session": [reply.session for reply in replies],
            "window1_minutes": [reply.window1_minutes for reply in replies],
            "window2_minutes": [reply.window2_minutes for reply in replies],
            "binding": [reply.binding.value for reply in replies],
            "request": [reply.request for reply in replies],
            "http_status": [reply.status for reply in replies],
            "headers": [_headers_text(tuple(reply.headers.items())) for reply in replies],
            "body": [reply.body for reply in replies],
            "masked": [reply.masked for reply in replies],
            "cut": [reply.cut for reply in replies],
            "sent_at": [reply.sent_at_us for reply in replies],
            "received_at": [reply.received_at_us for reply in replies],
            "body_sha256": digests,
            "is_answer": [place in answers for place in range(len(replies))],
        },
    )


def answer_rows(
    replies: Sequence[LandedReply],
    digests: Sequence[str],
    outcomes: Sequence[Outcome],
    sessions: pa.Table,
) -> pa.Table:
    """The calls of a batch of answers, with `pipelines.tidy.ANSWERS`; `sessions` are the run's `sessions` rows."""
    labels = pa.array([reply.session for reply in replies], pa.string())
    known = pc.index_in(labels, value_set=sessions["session"].combine_chunks())
    columns: dict[str, Any] = {
        "call_id": [reply.call_id for reply in replies],
        "session": labels,
        "network_id": sessions["network_id"].take(known),
        "mailbox_id": sessions["mailbox_id"].take(known),
        "window1_minutes": [reply.window1_minutes for reply in replies],
        "window2_minutes": [reply.window2_minutes for reply in replies],
        "requested_at": [reply.sent_at_us for reply in replies],
        "received_at": [reply.received_at_us for reply in replies],
        "observed_at": [outcome.observed_at_us for outcome in outcomes],
        "raw_sha256": digests,
    }
    return pa.table(columns, schema=ANSWERS)


def ledger_rows(
    run_id: str,
    calls: Sequence[Call],
    outcomes: Sequence[Outcome],
    verdicts: Mapping[CallId, Verdict],
) -> pa.Table:
    """The rows of `calls`: what collecting said of each call, with the verdict on its answer where there is one."""
    states, faults, texts, quality = [], [], [], []
    for outcome in outcomes:
        verdict = verdicts.get(outcome.call_id)
        state, fault, text = outcome.state, outcome.fault_class, outcome.fault_text
        if verdict is not None:
            state, text = verdict.state, verdict.fault_text
            fault = verdict.fault_class if state is State.FAILED else None
        states.append(state.value)
        faults.append(fault.value if fault else None)
        texts.append(text)
        quality.append(",".join(verdict.quality) or None if verdict else None)
    return _table(
        CALLS,
        {
            "run_id": [run_id] * len(calls),
            "call_id": [call.call_id for call in calls],
            "session": [call.session for call in calls],
            "window1_minutes": [call.window1.minutes for call in calls],
            "window2_minutes": [call.window2.minutes for call in calls],
            "state": states,
            "attempts": [outcome.attempts for outcome in outcomes],
            "http_status": [outcome.http_status for outcome in outcomes],
            "fault_class": faults,
            "fault_text": texts,
            "requested_at": [outcome.requested_at_us for outcome in outcomes],
            "observed_at": [outcome.observed_at_us for outcome in outcomes],
            "latency_ms": [
                None if outcome.latency_us is None else outcome.latency_us / 1000
                for outcome in outcomes
            ],
            "reply_bytes": [outcome.reply_bytes for outcome in outcomes],
            "quality": quality,
        },
    )


@lru_cache(maxsize=256)  # replies of one second have the same
def _headers_text(headers: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(dict(headers), sort_keys=True)


def _table(table: Table, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    return pa.table(dict(columns), schema=arrow_schema(table))
