"""What is left of a plan to do: which sessions, in which order, and a lane for each when its turn comes.

A plan may have a million calls. None of them is held here: the calls of a session are derived from the settings again,
as they were when the plan was made, and those that are settled are known by eight bytes each.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections import deque

from collector.config import Settings
from collector.credentials import Credentials
from collector.dispatch import Errand, Lane, Unstarted
from collector.landing import LandedRun
from collector.limits import SessionGate
from collector.plan import calls_of, pairs_of

__all__ = ["Left"]


class Left:
    """The calls of a run that are missing.

    Attributes:
        planned: calls of the plan.
        settled: those of them that an earlier invocation settled.
        lanes: the sessions that have something left to do.
        gates: of the sessions with a login that were started; their Logout may come after everything else.
    """

    def __init__(self, settings: Settings, credentials: Credentials, landed: LandedRun) -> None:
        self._per_second = settings.limits.per_session_per_second
        self._pairs = pairs_of(settings.windows.minutes, settings.windows.pairing)
        self._credentials = credentials
        self._settled = array("Q", landed.settled())
        self._attempts = landed.attempts()
        facts = landed.session_facts()
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
        self.lanes = Unstarted(sorted(self._first, key=_digest), self._lane)

    def _lane(self, session: str) -> Lane:
        has_login = self._credentials.has_login(session)
        errands = deque([] if session in self._known else [Errand.WHO_AM_I])
        gate = SessionGate(self._per_second)
        if has_login:
            errands.append(Errand.LOGOUT)
            self.gates[session] = gate
        planned = enumerate(calls_of(session, self._pairs), self._first[session])
        calls = deque(
            (call, self._attempts.get(call.call_id, 0))
            for ordinal, call in planned
            if not self._is_settled(ordinal)
        )
        return Lane(session, gate, calls, errands, needs_login=has_login)

    def _is_settled(self, ordinal: int) -> bool:
        place = bisect_left(self._settled, ordinal)
        return place < len(self._settled) and self._settled[place] == ordinal

    def _count_from(self, first: int) -> int:
        """How many calls of the session whose first one is there are settled."""
        settled = self._settled
        return bisect_left(settled, first + len(self._pairs)) - bisect_left(settled, first)


def _digest(session: str) -> bytes:
    return hashlib.blake2b(session.encode(), digest_size=8).digest()
