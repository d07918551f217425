"""Landed records as columns, many at a time: what is read by the hundred thousand. Every record is verified."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from collector.domain.binding import Binding
from collector.domain.calls import call_id_of
from collector.domain.outcomes import FaultClass, State
from collector.landing.records import changed_rows, outcome_of, reply_of

__all__ = ["CallColumns", "ReplyColumns", "call_columns", "reply_columns"]

_MOST_REPLIES: Final = 4096
_MOST_BYTES: Final = 8 << 20  # of bodies; one body may be larger
_STATES: Final = {each.value for each in State}
_FAULTS: Final = {None, *(each.value for each in FaultClass)}
_BINDINGS: Final = {each.value for each in Binding}

_CALLS: Final = (
    "SELECT ordinal, session, operation, arguments, calls.call_id, final, state, attempts, charged, answer_attempt,"
    " minutes1, minutes2, http_status, fault_class, fault_text, requested_at_us, observed_at_us, latency_us,"
    " reply_bytes, seal"
    " FROM calls LEFT JOIN outcomes USING (call_id) ORDER BY ordinal"
)
_CALL_ID: Final = 4  # where the call's id, and with it the outcome, begins in a row of these
_FINAL: Final = 5
_UNTRIED: Final = (None,) * 15  # no outcome

_REPLIES: Final = (
    "SELECT ordinal, session, operation, body, call_id, attempt, minutes1, minutes2, binding, request, status,"
    " headers, sha256, sent_at_us, received_at_us, masked, cut, seal FROM calls JOIN replies USING (call_id)"
    " WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal, attempt"
)
_BODY: Final = 3  # where the body is in a row of these, before the rest of the reply
_SHA256: Final = 12


@dataclass(frozen=True, slots=True)
class CallColumns:
    """Planned calls in plan order and how each stands, a column for each field of `Call` and `Outcome`.

    Attributes:
        ordinal: the call's place in the plan.
        arguments: as text; `collector.domain.calls.arguments_of` reads it.
        minutes1: Minutes1 of the last attempt.
        minutes2: Minutes2 of the last attempt.
    """

    ordinal: Sequence[int]
    session: Sequence[str]
    operation: Sequence[str]
    arguments: Sequence[str]
    call_id: Sequence[str]
    state: Sequence[str]
    attempts: Sequence[int]
    charged: Sequence[int]
    answer_attempt: Sequence[int | None]
    minutes1: Sequence[int | None]
    minutes2: Sequence[int | None]
    http_status: Sequence[int | None]
    fault_class: Sequence[str | None]
    fault_text: Sequence[str | None]
    requested_at_us: Sequence[int | None]
    observed_at_us: Sequence[int | None]
    latency_us: Sequence[int | None]
    reply_bytes: Sequence[int | None]

    def __len__(self) -> int:
        return len(self.ordinal)


@dataclass(frozen=True, slots=True)
class ReplyColumns:
    """Landed replies in plan order, then by attempt, a column for each field of `LandedReply`.

    Attributes:
        ordinal: the call's place in the plan.
        minutes1: Minutes1 as this attempt sent it.
        minutes2: Minutes2 as this attempt sent it.
        headers: a JSON object, names in lower case and in their order.
    """

    ordinal: Sequence[int]
    session: Sequence[str]
    operation: Sequence[str]
    body: Sequence[bytes]
    call_id: Sequence[str]
    attempt: Sequence[int]
    minutes1: Sequence[int | None]
    minutes2: Sequence[int | None]
    binding: Sequence[str]
    request: Sequence[str]
    status: Sequence[int]
    headers: Sequence[str]
    sha256: Sequence[bytes]
    sent_at_us: Sequence[int]
    received_at_us: Sequence[int]
    masked: Sequence[int]
    cut: Sequence[int]

    def __len__(self) -> int:
        return len(self.ordinal)


def call_columns(store: sqlite3.Connection, count: int) -> Iterator[CallColumns]:
    """The whole plan, so many calls at a time.

    Raises:
        ValueError: a record is not what was written; so do TypeError and LookupError say.
    """
    cursor = store.execute(_CALLS)
    while rows := cursor.fetchmany(count):
        _verify_calls(rows)
        columns = list(zip(*rows, strict=True))
        plan, (state, attempts, charged, *outcome) = columns[:_FINAL], columns[_FINAL + 1 : -1]
        if None in state:  # calls without an outcome
            state = tuple(each or State.NOT_ATTEMPTED.value for each in state)
            attempts = tuple(each or 0 for each in attempts)
            charged = tuple(each or 0 for each in charged)
        found = CallColumns(*[*plan, state, attempts, charged, *outcome])
        _verify_words(found.state, _STATES)
        _verify_words(found.fault_class, _FAULTS)
        yield found


def _verify_calls(rows: Sequence[tuple[Any, ...]]) -> None:
    id_of = call_id_of
    wrong = [row for row in rows if id_of(row[1], row[2], row[3]) != row[_CALL_ID]]
    for row in wrong:
        raise ValueError(f"planned call {row[_CALL_ID]!r} does not match its own id")
    tried = [row for row in rows if row[_FINAL:] != _UNTRIED]
    for row in changed_rows(tried, _CALL_ID):
        outcome_of((row[_CALL_ID], *row[_CALL_ID:]))  # says what is wrong


def reply_columns(store: sqlite3.Connection, first: int, last: int) -> Iterator[ReplyColumns]:
    """The replies to the calls with these places in the plan, in batches that are bounded in number and bytes.

    Raises:
        ValueError: a record is not what was written; so do TypeError and LookupError say.
    """
    rows = iter(store.execute(_REPLIES, (first, last)))
    for row in rows:
        batch = list(_some(chain([row], rows)))
        _verify_replies(batch)
        *columns, _ = zip(*batch, strict=True)
        found = ReplyColumns(*columns)
        _verify_words(found.binding, _BINDINGS)
        yield found


def _some(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    size = 0
    for number, row in enumerate(rows, start=1):
        yield row
        size += len(row[_BODY])
        if number == _MOST_REPLIES or size >= _MOST_BYTES:
            return


def _verify_replies(rows: Sequence[tuple[Any, ...]]) -> None:
    sha256 = hashlib.sha256
    wrong = changed_rows(rows, _BODY + 1)
    wrong += [row for row in rows if sha256(row[_BODY]).digest() != row[_SHA256]]
    for row in wrong:
        at = _BODY + 1
        reply_of(
            (*row[1:_BODY], *row[at:_SHA256], row[_BODY], *row[_SHA256:])
        )  # says what is wrong


def _verify_words(found: Iterable[Any], known: set[Any]) -> None:
    for odd in set(found) - known:
        raise LookupError(odd)
