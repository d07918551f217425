"""The reading side of a landing store: a run as it was landed."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

from collector.errors import LandingError
from collector.landing.records import (
    call_of,
    check_identity,
    facts_of,
    named_errors,
    outcome_of,
    possible_contents,
    reply_of,
)
from collector.model import (
    Binding,
    Call,
    CallId,
    FaultClass,
    LandedReply,
    Outcome,
    RunInfo,
    RunSummary,
    SessionFacts,
    State,
)

__all__ = ["LandedRun", "landed_runs"]

_T = TypeVar("_T")

_REPLIES: Final = (
    "SELECT replies.call_id, attempt, session, window1, window2, binding, request, status, headers,"
    " body, sent_at_us, received_at_us, masked, cut FROM calls JOIN replies USING (call_id)"
)


class LandedRun:
    """The reading side: a run as it was landed. Iterators stream; nothing is held whole."""

    def __init__(self, path: Path, store: sqlite3.Connection) -> None:
        self.path = path
        self._store = store
        values = dict(store.execute("SELECT key, value FROM run").fetchall())
        self.info = RunInfo(
            run_id=values["run_id"],
            plan_digest=values["plan_digest"],
            service_url=values["service_url"],
            namespace=values["namespace"],
            binding=Binding(values["binding"]),
            started_at_us=int(values["started_at_us"]),
            finished_at_us=int(values["finished_at_us"]) if "finished_at_us" in values else None,
        )
        self.logins = int(values["logins"])

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a landing store for reading.

        Raises:
            LandingError: not a landing store, damaged, or not readable.
            LandingVersionError: another version wrote it.
        """
        with named_errors(path):
            if not path.is_file():
                raise LandingError(f"landing store {path}: no such file")
            store = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            try:
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
        query = "SELECT call_id, session, window1, window2 FROM calls ORDER BY ordinal"
        return self._values(query, call_of)

    def outcomes(self) -> Iterator[Outcome]:
        """How every planned call stands, in plan order; one that never came to a try is `not_attempted`."""
        query = (
            "SELECT calls.call_id, state, attempts, answer_attempt, http_status, fault_class, fault_text,"
            " requested_at_us, observed_at_us, latency_us, reply_bytes"
            " FROM calls LEFT JOIN outcomes USING (call_id) ORDER BY ordinal"
        )
        return self._values(query, outcome_of)

    def settled(self) -> Iterator[CallId]:
        """The calls with a final outcome, by id."""
        query = "SELECT call_id FROM outcomes WHERE final ORDER BY call_id"
        return (CallId(row[0]) for row in self._rows(query))

    def attempts(self) -> dict[CallId, int]:
        """Attempts so far of every call that is not settled and was tried."""
        query = "SELECT call_id, attempts FROM outcomes WHERE NOT final"
        return {CallId(call_id): attempts for call_id, attempts in self._rows(query)}

    def replies(self) -> Iterator[LandedReply]:
        """Every landed reply, in plan order, then by attempt."""
        return self._replies("")

    def answers(self) -> Iterator[LandedReply]:
        """The replies that are the answer of their call (`ok` or `empty`), in plan order."""
        return self._replies(
            "JOIN outcomes ON outcomes.call_id = replies.call_id AND answer_attempt = attempt"
        )

    def unjudged(self) -> Iterator[LandedReply]:
        """Replies whose outcome was not written before the program was killed."""
        return self._replies(
            "LEFT JOIN outcomes ON outcomes.call_id = replies.call_id"
            " WHERE attempt > coalesce(attempts, 0) AND NOT coalesce(final, 0)"
        )

    def session_facts(self) -> Iterator[SessionFacts]:
        """What WhoAmI said, by label."""
        query = (
            "SELECT session, asked_at_us, network_id, mailbox_id, user_id, timeout_seconds,"
            " open_sessions, fault_class, fault_text FROM session_facts ORDER BY session"
        )
        return self._values(query, facts_of)

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
            with possible_contents(self.path):
                value = value_of(row)
            yield value

    def _rows(self, query: str) -> Iterator[tuple]:  # type: ignore[type-arg]  # columns differ by query
        with named_errors(self.path):
            yield from self._store.execute(query)


def landed_runs(folder: Path) -> list[Path]:
    """The landing stores of a folder, oldest first; an absent folder has none."""
    return sorted(folder.glob("[!.]*.db")) if folder.is_dir() else []
