"""A damaged landing store -> a whole one with every record that is still what was written; the damaged one is kept.

Records are looked up one at a time, so that a damaged page costs only what stands on it.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from collector.domain.values import Call, CallId, FaultClass, Outcome, RunInfo, State
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
    "plan_digest",
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
        lost_calls: planned calls of which nothing is known any more.
        damaged: calls whose answer was lost.
    """

    info: RunInfo
    aside: Path
    replies: int = 0
    lost_replies: int = 0
    lost_calls: int = 0
    damaged: list[CallId] = field(default_factory=list)


def salvage(path: Path, plan: Iterable[Call] = (), plan_digest: str = "") -> Salvage:
    """Put a whole store in the place of a damaged one.

    A call whose answer is lost becomes failed with the class `damaged`; it is not settled while the run may be resumed.

    Args:
        plan: the calls of the plan with that digest, to be used where the store's own plan cannot be read.

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
        planned = int(values.get("planned") or 0)
        calls = _calls(store, planned)
        if len(calls) != planned and info.plan_digest == plan_digest:
            calls = list(plan)
        saved = Salvage(info, path, lost_calls=max(0, planned - len(calls)))
        draft = recovered_draft(path)
        with drafted(draft, info, calls) as whole:
            for key in ("planned", "logins", "finished_at_us"):
                if (value := values.get(key)) is not None:
                    whole.execute(PUT_VALUE, (key, str(_number(value))))
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


def _calls(store: sqlite3.Connection, planned: int) -> list[Call]:
    calls = []
    query = "SELECT call_id, session, window1, window2 FROM calls WHERE ordinal = ?"
    for ordinal in range(planned):
        row = _row(store, query, ordinal)
        with contextlib.suppress(*_ERRORS):
            calls.append(call_of(row or ()))
    return calls


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
            reply_of((call.session, call.window1.minutes, call.window2.minutes, *row))
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
        found = _row(store, "SELECT * FROM whoami WHERE session = ?", session)
        with contextlib.suppress(*_ERRORS):
            whoami_of(found or ())
            whole.execute(PUT_WHOAMI, found or ())


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
    return Outcome(
        call.call_id,
        State.FAILED,
        attempts,
        http_status=known.http_status if known else None,
        fault_class=FaultClass.DAMAGED,
        fault_text="what was landed of this call was damaged on disk afterwards",
        requested_at_us=known.requested_at_us if known else None,
        observed_at_us=known.observed_at_us if known else None,
        latency_us=known.latency_us if known else None,
        charged=known.charged if known else attempts,
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
