"""A damaged landing store -> a whole one with every record that is still what was written; the damaged one is kept.

Records are looked up one at a time, so that a damaged page costs only what stands on it.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from collector.domain.calls import Call, CallId
from collector.domain.outcomes import FaultClass, Outcome, State
from collector.domain.run import RunInfo
from collector.errors import LandingDamagedError
from collector.landing.error_mapping import named_errors
from collector.landing.places import drafted, recovered_draft, set_aside, sync_folder
from collector.landing.records import (
    PUT_OUTCOME,
    PUT_REPLY,
    PUT_VALUE,
    PUT_WHOAMI,
    call_of,
    info_of,
    outcome_of,
    outcome_row,
    reply_of,
    whoami_of,
)

__all__ = ["Salvage", "salvage"]

_ANSWERED: Final = (State.OK, State.EMPTY)
_KEYS: Final = (
    "run_id",
    "service_url",
    "namespace",
    "binding",
    "started_at_us",
    "seal",
    "planned",
    "logins",
    "finished_at_us",
)
_HOLE: Final = (
    2_000  # unreadable rows after which a table of unknown length ends; a page names some 400
)
_ERRORS: Final = (sqlite3.Error, LookupError, TypeError, ValueError)


@dataclass(slots=True)
class Salvage:
    """What was saved of a store, and what was not.

    Attributes:
        aside: where the damaged store is now.
        lost_replies: replies of which something was read, but not what was written.
        restored_calls: planned calls that were lost, and known from the ids of replies or outcomes.
        lost_calls: planned calls of which nothing is known any more.
        damaged: calls whose answer was lost.
    """

    info: RunInfo
    aside: Path
    replies: int = 0
    lost_replies: int = 0
    restored_calls: int = 0
    lost_calls: int = 0
    damaged: list[CallId] = field(default_factory=list)


def salvage(path: Path) -> Salvage:
    """Put a whole store in the place of a damaged one.

    A call whose answer is lost becomes failed with the class `damaged`; it is not settled while the run may be resumed.

    Raises:
        LandingDamagedError: nothing can be read; the store was set aside.
        LandingError: the folder cannot be written; the store is where it was.
    """
    with named_errors(path), contextlib.closing(_opened(path)) as store:
        values = _values(store)
        try:
            info = info_of(values)
        except _ERRORS as error:
            store.close()
            aside = set_aside(path)
            raise LandingDamagedError(
                f"landing store {path} is damaged and nothing in it can be read; it was moved to {aside}:"
                " put a good copy of it back to use it, or remove it"
            ) from error
        plan = _plan(store, _number(values.get("planned", "")))
        lost = plan.count(None)
        calls = _restored(store, plan) if lost else [call for call in plan if call is not None]
        lost_calls = len(plan) - len(calls)
        saved = Salvage(info, path, restored_calls=lost - lost_calls, lost_calls=lost_calls)
        draft = recovered_draft(path)
        with drafted(draft, info, calls) as whole:
            whole.execute(PUT_VALUE, ("logins", str(_number(values.get("logins", "")))))
            if finished := _number(values.get("finished_at_us", "")):
                whole.execute(PUT_VALUE, ("finished_at_us", str(finished)))
            _copy(store, whole, calls, saved)
    saved.aside = set_aside(path)
    with named_errors(path):
        draft.rename(path)
        sync_folder(path.parent)
    return saved


def _opened(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    with contextlib.suppress(sqlite3.Error):
        # a file that is shorter than its header says is refused otherwise; nothing is written
        store.execute("PRAGMA writable_schema = ON")
    store.text_factory = lambda text: text.decode("utf-8", "replace")
    return store


def _values(store: sqlite3.Connection) -> dict[str, str]:
    found = {}
    for key in _KEYS:
        if (row := _row(store, "SELECT value FROM run WHERE key = ?", key)) is not None:
            found[key] = str(row[0])
    return found


def _plan(store: sqlite3.Connection, planned: int) -> list[Call | None]:
    """The plan; None for each call that cannot be read. Where its length is lost, it ends with its last call."""
    with contextlib.suppress(sqlite3.Error, TypeError):
        ((last,),) = store.execute("SELECT max(ordinal) FROM calls").fetchall()
        planned = planned or int(last) + 1
    plan: list[Call | None] = []
    indexed: dict[int, str] | None = None
    query = "SELECT call_id, session, operation, arguments FROM calls WHERE ordinal = ?"
    for ordinal in range(planned):
        row = _row(store, query, ordinal)
        try:
            plan.append(call_of(row or ()))
        except _ERRORS:
            indexed = _indexed(store) if indexed is None else indexed
            plan.append(_planned(row, indexed.get(ordinal)))
    return plan


def _indexed(store: sqlite3.Connection) -> dict[int, str]:
    """The ids of the plan by their places, out of the index that keeps them unique, as far as it can be read."""
    found: dict[int, str] = {}
    query = "SELECT ordinal, call_id FROM calls INDEXED BY sqlite_autoindex_calls_1"
    with contextlib.suppress(sqlite3.Error):
        found.update(store.execute(query))  # what comes before an error stays
    return found


def _planned(row: tuple[Any, ...] | None, indexed: str | None) -> Call | None:
    """The call that two of its three records agree on (id, parts, place in the index), or the only one there is."""
    told = [indexed] if indexed else []
    if row is not None:
        told += [row[0], f"{row[1]}:{row[2]}:{row[3]}"]
    with contextlib.suppress(*_ERRORS):
        ((call_id, count),) = Counter(told).most_common(1)
        if count > 1 or len(told) == 1:
            return Call.of_id(call_id)
    return None


def _restored(store: sqlite3.Connection, plan: Sequence[Call | None]) -> list[Call]:
    """The plan with calls in its holes that are known from the ids of replies and outcomes, as far as there are any."""
    known = {call.call_id for call in plan if call is not None}
    found: dict[CallId, Call] = {}
    for call in _called(store):
        if call.call_id not in known:
            found.setdefault(call.call_id, call)
    others = iter(found.values())
    places = (next(others, None) if call is None else call for call in plan)
    return [call for call in places if call is not None]


def _called(store: sqlite3.Connection) -> Iterator[Call]:
    """The calls to which whole replies and outcomes belong, by their ids."""
    for row in _reply_rows(store):
        with contextlib.suppress(*_ERRORS):
            call = Call.of_id(row[0])
            reply_of((call.session, call.operation, *row))
            yield call
    with contextlib.suppress(sqlite3.Error):
        for row in store.execute("SELECT * FROM outcomes"):
            with contextlib.suppress(*_ERRORS):
                outcome_of((row[0], *row))
                yield Call.of_id(row[0])


def _copy(
    store: sqlite3.Connection, whole: sqlite3.Connection, calls: Sequence[Call], saved: Salvage
) -> None:
    """Replies first, since they say which outcomes still stand."""
    call_by_id = {call.call_id: call for call in calls}
    landed: dict[CallId, set[int]] = {}
    tried: dict[CallId, int] = {}  # the last attempt of which a damaged reply tells
    for row in _reply_rows(store):
        call_id, attempt = CallId(row[0]), row[1]
        call = call_by_id.get(call_id)
        try:
            if call is None:
                raise LookupError(call_id)  # damage like any other
            reply_of((call.session, call.operation, *row))
            whole.execute(PUT_REPLY, row)
        except _ERRORS:
            saved.lost_replies += 1
            if call is not None and isinstance(attempt, int) and 0 < attempt < 1_000:
                tried[call_id] = max(attempt, tried.get(call_id, 0))
        else:
            landed.setdefault(call_id, set()).add(attempt)
            saved.replies += 1
    is_final = saved.info.finished_at_us is not None
    for call in calls:
        known = _row(store, "SELECT * FROM outcomes WHERE call_id = ?", call.call_id)
        outcome, kept = _outcome(call, known, landed.get(call.call_id, set()), tried, is_final)
        if kept is not None:
            whole.execute(PUT_OUTCOME, kept)
        if outcome is not None:
            whole.execute(PUT_OUTCOME, outcome_row(outcome, final=is_final))
            saved.damaged.append(call.call_id)
    for session in dict.fromkeys(call.session for call in calls):
        said = _row(store, "SELECT * FROM whoami WHERE session = ?", session)
        with contextlib.suppress(*_ERRORS):
            whoami_of(said or ())
            whole.execute(PUT_WHOAMI, said or ())


def _outcome(
    call: Call,
    row: tuple[Any, ...] | None,
    landed: set[int],
    tried: dict[CallId, int],
    is_final: bool,
) -> tuple[Outcome | None, tuple[Any, ...] | None]:
    """The outcome `damaged`, or the row as it was; neither where landed replies will be classified again."""
    attempts = tried.get(call.call_id, 0)
    with contextlib.suppress(*_ERRORS):
        known = outcome_of((call.call_id, *(row or ())))
        if known.state not in _ANSWERED or known.answer_attempt in landed:
            return None, row
        attempts = max(attempts, known.attempts)
        return _damaged(call, attempts, known), None
    if landed and max(landed) >= attempts:
        return None, None
    if attempts or is_final:
        return _damaged(call, max(attempts, *landed, 0), None), None
    return None, None


def _damaged(call: Call, attempts: int, known: Outcome | None) -> Outcome:
    lost = Outcome(
        call.call_id,
        State.FAILED,
        attempts,
        charged=known.charged if known else attempts,
        fault_class=FaultClass.DAMAGED,
        fault_text="what was landed of this call was damaged on disk afterwards",
    )
    if known is None:
        return lost
    return lost._replace(
        minutes=known.minutes,
        http_status=known.http_status,
        requested_at_us=known.requested_at_us,
        observed_at_us=known.observed_at_us,
        latency_us=known.latency_us,
    )


def _reply_rows(store: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    try:
        ((last,),) = store.execute("SELECT max(rowid) FROM replies").fetchall()
    except sqlite3.Error:
        last = None
    number = hole = 0
    while number < (last or 0) if isinstance(last, int) else hole < _HOLE:
        number += 1
        hole += 1
        row = _row(store, "SELECT * FROM replies WHERE rowid = ?", number)
        if row is not None:
            hole = 0
            yield row


def _row(store: sqlite3.Connection, query: str, key: object) -> tuple[Any, ...] | None:
    """The row of this key, or None if it is not there or cannot be read."""
    try:
        row: tuple[Any, ...] | None = store.execute(query, (key,)).fetchone()
    except sqlite3.DatabaseError:
        return None
    return row


def _number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        return 0
