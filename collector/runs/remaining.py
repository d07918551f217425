"""What remains of a run: which sessions, in which order, and a queue for each when its turn comes. Sends nothing.

The plan is the one that was frozen in the landing store when the run began, whatever the configuration says by now. It
may have a million calls: a call waits as a few numbers, four bytes each, and becomes a `Call` when the queue of its
session starts.
"""

import hashlib
from array import array
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from collector.config import Settings
from collector.domain.calls import Argument, Call, CallId, Span
from collector.domain.outcomes import Outcome, Tries
from collector.errors import LandingVersionError
from collector.landing import LandedRun
from collector.outcomes.classify_reply import unsent_outcome
from collector.runs.reports import report_of
from collector.scheduling.rate_gates import SessionGate
from collector.scheduling.session_queue import SessionQueue, SessionStep, Unstarted
from collector.sessions.credentials import Credentials

__all__ = ["Remaining"]

_T = TypeVar("_T", bound=Hashable)


class Remaining:
    """The calls of a run that have no final outcome.

    Attributes:
        planned: calls of the plan.
        settled: those of them that an earlier invocation settled.
        has_spans: some of the others ask for what lies between instants, so the service's clock matters.
        queues: the sessions that have something left to do, one for each credential.
        gates: of the logins that were started, by the label that stands for each; their Logout may come after
            everything else.

    Raises:
        LandingVersionError: the plan asks for a report that this program does not know.
        LandingError: the store cannot be read.
    """

    def __init__(self, settings: Settings, credentials: Credentials, landed: LandedRun) -> None:
        self._per_second = settings.limits.per_session_per_second
        self._credentials = credentials
        self._known = {each.session for each in landed.whoami() if each.fault_class is None}
        self._tries: dict[CallId, Tries] = landed.tries()
        self._waiting = _WaitingCalls()
        for call in landed.remaining():
            self._waiting.append(call)
        _refuse_unknown_reports(landed, self._waiting.operations)
        self.gates: dict[str, SessionGate] = {}
        self.planned = landed.planned
        self.settled = self.planned - len(self._waiting)
        self.has_spans = self._waiting.has_spans
        sessions = self._waiting.sessions
        self._gone = [session for session in sessions if session not in credentials]
        # neighbours in a list of sessions are often neighbours in trouble; those with one credential stay together
        here = sorted((each for each in sessions if each in credentials), key=_digest)
        here.sort(key=lambda label: _digest(credentials.session_of(label)))
        self.queues = Unstarted(here, credentials.session_of, self._queue)

    def given_up(self) -> Iterator[tuple[Call, Outcome]]:
        """The calls of sessions that are not in the configuration any more, each with the reason; once."""
        for session in self._gone:
            said = f"session {session!r} is not in the configuration any more"
            for call in self._waiting.pop(session):
                tries = self._tries.get(call.call_id, Tries())
                yield call, unsent_outcome(call, tries, None, said)

    def _queue(self, labels: deque[str]) -> SessionQueue:
        """The queue of the credential that these labels share."""
        session = self._credentials.session_of(labels[0])
        has_login = self._credentials.has_login(session)
        steps = deque([] if self._known.issuperset(labels) else [SessionStep.WHO_AM_I])
        gate = SessionGate(self._per_second)
        if has_login:
            steps.append(SessionStep.LOGOUT)
            self.gates[session] = gate
        return SessionQueue(session, gate, labels, self._calls, steps, needs_login=has_login)

    def _calls(self, label: str) -> deque[tuple[Call, Tries]]:
        return deque(
            (call, self._tries.get(call.call_id, Tries())) for call in self._waiting.pop(label)
        )


def _refuse_unknown_reports(landed: LandedRun, operations: set[str]) -> None:
    for operation in operations:
        try:
            report_of(operation)
        except LookupError as error:
            raise LandingVersionError(
                f"landing store {landed.path}: {error}; use the program that planned this run"
            ) from error


class _Distinct(Generic[_T]):
    """Values that are there once, however often they are wanted; each is known by its place."""

    def __init__(self) -> None:
        self.values: list[_T] = []
        self._places: dict[_T, int] = {}

    def place(self, value: _T) -> int:
        """The place of this value."""
        place = self._places.setdefault(value, len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place


class _WaitingCalls:
    """Calls by session, in the order in which they were appended; each is a few places of what it has in common."""

    def __init__(self) -> None:
        self._forms = _Distinct[tuple[str, int]]()  # operation, number of arguments
        self._arguments = _Distinct[Argument]()
        self._by_session: dict[str, array[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def sessions(self) -> list[str]:
        """The labels of the sessions that have calls."""
        return list(self._by_session)

    @property
    def operations(self) -> set[str]:
        """The names of the operations that are asked."""
        return {operation for operation, _ in self._forms.values}

    @property
    def has_spans(self) -> bool:
        """A call asks for a span."""
        return any(isinstance(argument, Span) for argument in self._arguments.values)

    def append(self, call: Call) -> None:
        """Keep one more call."""
        places = self._by_session.get(call.session)
        if places is None:
            places = self._by_session[call.session] = array("I")
        places.append(self._forms.place((call.operation, len(call.arguments))))
        places.extend(map(self._arguments.place, call.arguments))
        self._count += 1

    def pop(self, session: str) -> Iterator[Call]:
        """The calls of a session, which are kept no longer."""
        places = iter(self._by_session.pop(session))
        for form in places:
            operation, count = self._forms.values[form]
            arguments = tuple(self._arguments.values[next(places)] for _ in range(count))
            yield Call.of(session, operation, arguments)


def _digest(session: str) -> bytes:
    return hashlib.blake2b(session.encode(), digest_size=8).digest()
