"""The reading side of a landing store: a run as it was landed."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

from collector.domain.calls import Call, CallId, arguments_of, ids_of
from collector.domain.outcomes import FaultClass, Outcome, State, Tries
from collector.domain.replies import LandedReply
from collector.domain.run import RunSummary
from collector.domain.whoami import WhoAmI
from collector.errors import LandingError
from collector.landing.columns import CallColumns, ReplyColumns, call_columns, reply_columns
from collector.landing.error_mapping import (
    IMPOSSIBLE,
    damaged,
    named_errors,
    not_possible,
    possible_contents,
)
from collector.landing.records import (
    call_of,
    check_identity,
    info_of,
    outcome_of,
    pair_of,
    reply_of,
    whoami_of,
)

__all__ = ["LandedRun"]

_T = TypeVar("_T")

_BUSY_SECONDS: Final = 2.0  # that another program may hold the store
_REPLIES: Final = "SELECT session, operation, replies.* FROM calls JOIN replies USING (call_id)"


class LandedRun:
    """The reading side: a run as it was landed. Iterators stream; nothing is held whole.

    Every record is held against its checksum, and every body against its SHA-256, as it is read: one that was changed
    on disk raises LandingDamagedError.
    """

    def __init__(self, path: Path, store: sqlite3.Connection) -> None:
        self.path = path
        self._store = store
        values = dict(store.execute("SELECT key, value FROM run").fetchall())
        self.info = info_of(values)
        self.logins = int(values["logins"])
        self.planned = int(values["planned"])

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a landing store for reading.

        Raises:
            LandingError: it cannot be read.
            LandingDamagedError: damaged, or no landing store.
            LandingVersionError: another version wrote it.
        """
        with named_errors(path):
            if not path.is_file():
                raise LandingError(f"landing store {path}: no such file")
            store = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY_SECONDS, uri=True
            )
            try:
                _roll_back(path, store)
                check_identity(path, store)
                with possible_contents(path):
                    return cls(path, store)
            except BaseException:
                store.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def calls(self) -> Iterator[Call]:
        """The plan, in its order."""
        query = "SELECT call_id, session, operation, arguments FROM calls ORDER BY ordinal"
        return self._values(query, call_of)

    def outcomes(self) -> Iterator[Outcome]:
        """How every planned call stands, in plan order; one that never came to a try is `not_attempted`."""
        query = (
            "SELECT calls.call_id, outcomes.* FROM calls LEFT JOIN outcomes USING (call_id)"
            " ORDER BY ordinal"
        )
        return self._values(query, outcome_of)

    def remaining(self) -> Iterator[Call]:
        """The calls that have no final outcome, in plan order."""
        query = (
            "SELECT calls.call_id, session, operation, arguments FROM calls"
            " LEFT JOIN outcomes USING (call_id) WHERE NOT coalesce(final, 0) ORDER BY ordinal"
        )
        return self._values(query, call_of)

    def tries(self) -> dict[CallId, Tries]:
        """What was sent so far for every call that was tried and is not settled."""
        query = (
            "SELECT call_id, attempts, charged, minutes1, minutes2, requested_at_us FROM outcomes"
            " WHERE NOT final"
        )
        return {
            CallId(call_id): Tries(sent, charged, pair_of(first, second), requested_at_us)
            for call_id, sent, charged, first, second, requested_at_us in self._rows(query)
        }

    def replies(self) -> Iterator[LandedReply]:
        """Every landed reply, in plan order, then by attempt."""
        return self._replies("")

    def unclassified(self) -> Iterator[LandedReply]:
        """Replies whose outcome was not written before the program was killed, in plan order, then by attempt."""
        return self._replies(
            "LEFT JOIN outcomes ON outcomes.call_id = replies.call_id"
            " WHERE attempt > coalesce(attempts, 0) AND NOT coalesce(final, 0)"
        )

    def call_columns(self, count: int) -> Iterator[CallColumns]:
        """What `calls` and `outcomes` give, as columns, so many calls at a time."""
        return self._columns(call_columns(self._store, count))

    def reply_columns(self, calls: CallColumns) -> Iterator[ReplyColumns]:
        """What `replies` gives for these calls, as columns, in batches of bounded size."""
        return self._columns(reply_columns(self._store, calls.ordinal[0], calls.ordinal[-1]))

    def whoami(self) -> Iterator[WhoAmI]:
        """What WhoAmI said, by label."""
        return self._values("SELECT * FROM whoami ORDER BY session", whoami_of)

    def named(self) -> dict[str, tuple[int, ...]]:
        """The network, mailbox and ECGridID that the calls of a label name, by label; only of those that name any."""
        query = "SELECT session, min(arguments) FROM calls WHERE instr(arguments, ',') > 0 GROUP BY session"
        found = {}
        for session, arguments in self._rows(query):
            with possible_contents(self.path):
                found[session] = ids_of(arguments_of(arguments))
        return found

    def verify(self) -> None:
        """Read all of it, to find damage before anything is built on it.

        Raises:
            LandingDamagedError: something is not what was written, or the answer of a call is not there.
        """
        (said,) = next(self._rows("PRAGMA integrity_check(1)"))
        if said != "ok":
            raise damaged(self.path, said.replace("\n", " "))
        for part in (self.replies(), self.whoami(), self.outcomes()):
            for _ in part:
                pass
        calls = sum(1 for _ in self.calls())
        if calls != self.planned:
            raise damaged(self.path, f"{calls} of {self.planned} planned calls are there")
        query = (
            "SELECT count(*) FROM outcomes WHERE answer_attempt IS NOT NULL AND NOT EXISTS (SELECT 1 FROM replies"
            " WHERE replies.call_id = outcomes.call_id AND attempt = answer_attempt)"
        )
        (missing,) = next(self._rows(query))
        if missing:
            raise damaged(self.path, f"{missing} answers are not there")

    def summary(self) -> RunSummary:
        """The sums of the ledger so far."""
        counts = dict.fromkeys(State, 0)
        attempts = 0
        query = "SELECT state, count(*), sum(attempts) FROM outcomes GROUP BY state"
        for state, count, tries in self._rows(query):
            with possible_contents(self.path):
                counts[State(state)] += count
                attempts += tries
        (planned,) = next(self._rows("SELECT count(*) FROM calls"))
        counts[State.NOT_ATTEMPTED] = planned - sum(
            count for state, count in counts.items() if state is not State.NOT_ATTEMPTED
        )
        return RunSummary(
            run_id=self.info.run_id,
            planned=planned,
            attempts=attempts,
            logins=self.logins,
            **{state.value: count for state, count in counts.items()},
        )

    def faults(self) -> dict[FaultClass, int]:
        """How many calls failed, by the class of their fault, the most frequent first."""
        query = (
            "SELECT fault_class, count(*) FROM outcomes WHERE state = 'failed'"
            " GROUP BY fault_class ORDER BY count(*) DESC, fault_class"
        )
        return {FaultClass(fault_class): count for fault_class, count in self._rows(query)}

    def _replies(self, clause: str) -> Iterator[LandedReply]:
        return self._values(f"{_REPLIES} {clause} ORDER BY ordinal, attempt", reply_of)

    def _values(self, query: str, value_of: Callable[[tuple], _T]) -> Iterator[_T]:  # type: ignore[type-arg]
        for row in self._rows(query):
            try:  # `possible_contents` by hand: it would be an eighth of what reading a reply costs
                value = value_of(row)
            except IMPOSSIBLE as error:
                raise not_possible(self.path, error) from error
            yield value

    def _columns(self, columns: Iterator[_T]) -> Iterator[_T]:
        with named_errors(self.path), possible_contents(self.path):
            yield from columns

    def _rows(self, query: str) -> Iterator[tuple]:  # type: ignore[type-arg]  # columns differ by query
        with named_errors(self.path):
            yield from self._store.execute(query)


def _roll_back(path: Path, store: sqlite3.Connection) -> None:
    """A kill in the middle of a switch of the journal leaves one that only a writer may roll back: let it be done."""
    try:
        store.execute("PRAGMA application_id").fetchall()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        with contextlib.closing(sqlite3.connect(path)) as writer:
            writer.execute("PRAGMA application_id").fetchall()
