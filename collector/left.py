"""What is left of a plan to do: which sessions, in which order, and a lane for each when its turn comes.

A plan may have a million calls. None of them is held here: the calls of a session are derived from the settings again,
as they were when the plan was made, and those that are settled are known by eight bytes each.
"""

from array import array
from bisect import bisect_left
from collections import deque

from collector.config import Settings
from collector.credentials import Credentials
from collector.dispatch import Errand, Lane, Unstarted
from collector.landing import LandedRun
from collector.limits import SessionGate
from collector.model import CallId
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
        self._settled = array("Q", (int(call_id, 16) for call_id in landed.settled()))
        self._attempts = landed.attempts()
        facts = landed.session_facts()
        self._known = {each.session for each in facts if each.fault_class is None}
        self.gates: dict[str, SessionGate] = {}
        self.planned = self.settled = 0
        self.lanes = Unstarted(self._sessions(landed), self._lane)

    def _sessions(self, landed: LandedRun) -> list[str]:
        """Those with a missing call, in the order of their first missing calls' ids.

        Neighbours in a list of sessions are often neighbours in trouble, and the ids are digests.
        """
        first: dict[str, CallId] = {}
        for call in landed.calls():
            self.planned += 1
            if self._is_settled(call.call_id):
                self.settled += 1
            else:
                first.setdefault(call.session, call.call_id)
        return sorted(first, key=first.__getitem__)

    def _is_settled(self, call_id: CallId) -> bool:
        number = int(call_id, 16)
        place = bisect_left(self._settled, number)
        return place < len(self._settled) and self._settled[place] == number

    def _lane(self, session: str) -> Lane:
        has_login = self._credentials.has_login(session)
        errands = deque([] if session in self._known else [Errand.WHO_AM_I])
        gate = SessionGate(self._per_second)
        if has_login:
            errands.append(Errand.LOGOUT)
            self.gates[session] = gate
        calls = deque(
            (call, self._attempts.get(call.call_id, 0))
            for call in calls_of(session, self._pairs)
            if not self._is_settled(call.call_id)
        )
        return Lane(session, gate, calls, errands, needs_login=has_login)
