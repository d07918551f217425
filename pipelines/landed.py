"""Landed values -> columns of the published tables. One pass over a batch per column, nothing per row that is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.domain.calls import Argument, Span, Trailing, arguments_of
from collector.domain.outcomes import FaultClass, State
from collector.domain.whoami import WhoAmI
from collector.landing import CallColumns, ReplyColumns
from pipelines.contract import CALLS, RAW, SESSIONS, Table, arrow_schema
from pipelines.tidy import ANSWERS
from pipelines.tidy.answers import Flags, Integers

__all__ = ["AttemptResult", "Ledger", "answer_rows", "raw_rows", "session_rows"]

_PASSED: Final = np.array([State.EMPTY.value, State.OK.value], object)
_ANSWERED: Final = (State.OK.value, State.EMPTY.value)
_FROM_RAW: Final = {"requested_at": "sent_at", "raw_sha256": "body_sha256"}

_Objects = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What reading an answer and checking it made of its call, where it did not pass everything.

    Attributes:
        fault_text: why the answer is quarantined; None if it is not.
        quality: the checks that it did not pass.
        fault_class: of a call that is failed.
    """

    state: State
    fault_text: str | None = None
    quality: tuple[str, ...] = ()
    fault_class: FaultClass = FaultClass.QUARANTINED


class Ledger:
    """A stretch of the plan as collecting left it, and what its answers make of it; places are those in the stretch."""

    def __init__(self, calls: CallColumns) -> None:
        self._calls = calls
        self._ordinals = np.array(calls.ordinal, np.int64)
        self._states: _Objects = np.array(calls.state, object)
        self._faults: _Objects = np.array(calls.fault_class, object)
        self._texts: _Objects = np.array(calls.fault_text, object)
        self._quality: _Objects = np.full(len(calls), None)
        self._answers = np.array(
            [
                attempt if state in _ANSWERED and attempt is not None else 0
                for state, attempt in zip(calls.state, calls.answer_attempt, strict=True)
            ],
            np.int64,
        )
        self._waiting = np.isin(self._states, _ANSWERED)
        self.observed_at = pa.array(calls.observed_at_us, pa.timestamp("us", "UTC"))

    def places(self, replies: ReplyColumns) -> Integers:
        """Which call each of the replies belongs to."""
        return np.searchsorted(self._ordinals, np.array(replies.ordinal, np.int64))

    def are_answers(self, replies: ReplyColumns, places: Integers) -> Flags:
        """Which of the replies answer their call."""
        return np.asarray(self._answers[places] == np.array(replies.attempt, np.int64))

    def passed(self, places: Integers, with_counts: Flags) -> None:
        """These answers could be read; those with counts are `ok`, the others `empty`."""
        self._states[places] = _PASSED[with_counts.astype(np.int64)]
        self._faults[places] = self._texts[places] = None
        self._waiting[places] = False

    def judge(self, place: int, verdict: AttemptResult) -> None:
        """This answer did not pass everything."""
        is_failed = verdict.state is State.FAILED
        self._states[place] = verdict.state.value
        self._faults[place] = verdict.fault_class.value if is_failed else None
        self._texts[place] = verdict.fault_text
        self._quality[place] = ",".join(verdict.quality) or None
        self._waiting[place] = False

    def lost(self) -> list[int]:
        """The calls whose answer was not among the replies."""
        return [int(place) for place in np.flatnonzero(self._waiting)]

    @property
    def states(self) -> list[str]:
        """How each call stands."""
        found: list[str] = self._states.tolist()
        return found

    def rows(self, run_id: str) -> pa.Table:
        """The rows of `calls`."""
        calls = self._calls
        asked = [_asked(text) for text in calls.arguments]
        spans = [each if isinstance(each, Span) else None for each in asked]
        windows = [_minutes(each) for each in asked]
        latency = pa.array(calls.latency_us, pa.int64()).cast(pa.float64())
        return _table(
            CALLS,
            {
                "run_id": pa.repeat(run_id, len(calls)),
                "call_id": calls.call_id,
                "session": calls.session,
                "operation": calls.operation,
                "span_start": [span.start_us if span else None for span in spans],
                "span_end": [span.end_us if span else None for span in spans],
                "window1_minutes": _sent(calls.minutes1, [first for first, _ in windows]),
                "window2_minutes": _sent(calls.minutes2, [second for _, second in windows]),
                "state": self.states,
                "attempts": calls.attempts,
                "http_status": calls.http_status,
                "fault_class": self._faults.tolist(),
                "fault_text": self._texts.tolist(),
                "requested_at": calls.requested_at_us,
                "observed_at": self.observed_at,
                "latency_ms": pc.divide(latency, 1000.0),
                "reply_bytes": calls.reply_bytes,
                "quality": self._quality.tolist(),
            },
        )


def _asked(arguments: str) -> Argument | None:
    """The windows or the span among a call's arguments; None if it has neither."""
    asked = arguments_of(arguments)
    return next((each for each in asked if isinstance(each, Trailing | Span)), None)


def _minutes(asked: Argument | None) -> tuple[int | None, int | None]:
    """The windows that were planned; those of a span are known when it is asked for."""
    return (asked.minutes1, asked.minutes2) if isinstance(asked, Trailing) else (None, None)


def _sent(sent: Sequence[int | None], planned: Sequence[int | None]) -> list[int | None]:
    """The minutes that were sent, else those that were planned."""
    return [
        before if minutes is None else minutes
        for minutes, before in zip(sent, planned, strict=True)
    ]


def session_rows(run_id: str, whoami: Sequence[WhoAmI]) -> pa.Table:
    """The rows of `sessions`."""
    return _table(
        SESSIONS,
        {
            "run_id": [run_id] * len(whoami),
            "session": [one.session for one in whoami],
            "network_id": [one.network_id for one in whoami],
            "mailbox_id": [one.mailbox_id for one in whoami],
            "user_id": [one.user_id for one in whoami],
            "timeout_seconds": [one.timeout_seconds for one in whoami],
            "open_sessions": [one.open_sessions for one in whoami],
            "asked_at": [one.asked_at_us for one in whoami],
            "fault_class": [one.fault_class for one in whoami],
            "fault_text": [one.fault_text for one in whoami],
        },
    )


def raw_rows(run_id: str, replies: ReplyColumns, are_answers: Flags) -> pa.Table:
    """The rows of `raw`."""
    return _table(
        RAW,
        {
            "run_id": pa.repeat(run_id, len(replies)),
            "call_id": replies.call_id,
            "attempt": replies.attempt,
            "session": replies.session,
            "window1_minutes": replies.minutes1,
            "window2_minutes": replies.minutes2,
            "binding": replies.binding,
            "request": replies.request,
            "http_status": replies.status,
            "headers": replies.headers,
            "body": replies.body,
            "masked": pa.array(replies.masked, pa.int8()).cast(pa.bool_()),
            "cut": pa.array(replies.cut, pa.int8()).cast(pa.bool_()),
            "sent_at": replies.sent_at_us,
            "received_at": replies.received_at_us,
            "body_sha256": [digest.hex() for digest in replies.sha256],
            "is_answer": pa.array(are_answers),
        },
    )


def answer_rows(raw: pa.Table, observed_at: pa.Array, sessions: pa.Table) -> pa.Table:
    """The calls of a batch of answers, with `pipelines.tidy.ANSWERS`.

    Args:
        raw: the rows of `raw` of the answers.
        observed_at: the server's clock in each of them.
        sessions: the run's rows of `sessions`.
    """
    known = _places(raw["session"], sessions["session"])
    columns: dict[str, Any] = {
        "network_id": sessions["network_id"].take(known),
        "mailbox_id": sessions["mailbox_id"].take(known),
        "observed_at": observed_at,
    }
    for name in ANSWERS.names:
        if name not in columns:
            columns[name] = raw[_FROM_RAW.get(name, name)]
    return pa.table([columns[name] for name in ANSWERS.names], schema=ANSWERS)


def _places(labels: pa.ChunkedArray, known: pa.ChunkedArray) -> pa.Array:
    """Where each of the labels is among those that are known; null where it is not."""
    # a batch has few of them: looked for among those, not among all that are known
    few = labels.unique()
    places = pc.indices_nonzero(pc.is_in(known, value_set=few))
    return places.take(
        pc.index_in(labels.combine_chunks(), value_set=known.take(places).combine_chunks())
    )


def _table(table: Table, columns: Mapping[str, Any]) -> pa.Table:
    return pa.table(dict(columns), schema=arrow_schema(table))
