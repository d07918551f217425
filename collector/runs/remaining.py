"""What is left of a plan to do: which sessions, in which order, and a queue for each when its turn comes.

A plan may have a million calls. None of them is held here: the calls of a session are derived from the settings again,
as they were when the plan was made, and those that are settled are known by eight bytes each.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections import deque

from collector.config import Settings
from collector.domain.values import Call
from collector.landing import LandedRun
from collector.runs.plan import calls_of, pairs_of
from collector.scheduling.dispatch import SessionQueue, SessionStep, Tries, Unstarted
from collector.scheduling.rate_gates import SessionGate
from collector.sessions.credentials import Credentials

__all__ = ["Remaining"]


class Remaining:
    """The calls of a run that are missing.

    Attributes:
        planned: calls of the plan.
        settled: those of them that an earlier invocation settled.
        queues: the sessions that have something left to do.
        gates: of the sessions with a login that were started; their Logout may come after everything else.
    """

    def __init__(self, settings: Settings, credentials: Credentials, landed: LandedRun) -> None:
        self._per_second = settings.limits.per_session_per_second
        self._pairs = pairs_of(settings.windows.minutes, settings.windows.pairing)
        self._credentials = credentials
        self._settled = array("Q", landed.settled())
        self._attempts = landed.attempts()
        facts = landed.whoami()
        self._known = {each.session for each in facts if each.fault_class is None}
        self.gates: dict[str, SessionGate] = {}
        self.settled = len(self._settled)
        self.planned = landed.planned
        # the place in the plan of the first call of each
        self._first = {
            entry.label: first
            for number, entry in enumerate(settings.sessions)
            if self._count_from(first := number * len(self._pairs)) < len(self._pairs)
        }
        # Neighbours in a list of sessions are often neighbours in trouble
        self.queues = Unstarted(sorted(self._first, key=_digest), self._queue)

    def _queue(self, session: str) -> SessionQueue:
        has_login = self._credentials.has_login(session)
        steps = deque([] if session in self._known else [SessionStep.WHO_AM_I])
        gate = SessionGate(self._per_second)
        if has_login:
            steps.append(SessionStep.LOGOUT)
            self.gates[session] = gate
        planned = enumerate(calls_of(session, self._pairs), self._first[session])
        calls = deque(
            (call, self._tries(call)) for ordinal, call in planned if not self._is_settled(ordinal)
        )
        return SessionQueue(session, gate, calls, steps, needs_login=has_login)

    def _tries(self, call: Call) -> Tries:
        attempts = self._attempts.get(call.call_id, 0)
        return Tries(attempts, attempts)

    def _is_settled(self, ordinal: int) -> bool:
        place = bisect_left(self._settled, ordinal)
        return place < len(self._settled) and self._settled[place] == ordinal

    def _count_from(self, first: int) -> int:
        """How many calls of the session whose first one is there are settled."""
        settled = self._settled
        return bisect_left(settled, first + len(self._pairs)) - bisect_left(settled, first)


def _digest(session: str) -> bytes:
    return hashlib.blake2b(session.encode(), digest_size=8).digest()
