"""What remains of a plan to be asked: which sessions, in which order, and a queue for each when its turn comes.

The plan is the one that was frozen in the landing store when the run began, whatever the configuration says by now. It
may have a million calls: what is held of each is the number of its pair of windows, and eight bytes if it is settled.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator

from collector.config import Settings
from collector.domain.values import Call, Outcome, State, Window
from collector.landing import LandedRun
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
        self._credentials = credentials
        self._settled = array("Q", landed.settled())
        self._tries = landed.tries()
        self._known = {each.session for each in landed.whoami() if each.fault_class is None}
        self._pairs: list[tuple[Window, Window]] = []
        self._pair_of = array("L")  # for each call of the plan
        self._places: dict[str, range] = {}  # of each session's calls in the plan
        self._read_plan(landed)
        self.gates: dict[str, SessionGate] = {}
        self.settled = len(self._settled)
        self.planned = landed.planned
        missing = [session for session, places in self._places.items() if self._is_missing(places)]
        self._gone = [session for session in missing if session not in credentials]
        # neighbours in a list of sessions are often neighbours in trouble
        here = (session for session in missing if session in credentials)
        self.queues = Unstarted(sorted(here, key=_digest), self._queue)

    def not_attempted(self) -> Iterator[Outcome]:
        """The calls of sessions that are not in the configuration any more, each with the reason."""
        for session in self._gone:
            said = f"session {session!r} is not in the configuration any more"
            for call, tries in self._missing(session):
                yield Outcome(
                    call.call_id,
                    State.NOT_ATTEMPTED,
                    tries.sent,
                    fault_text=said[:500],
                    charged=tries.charged,
                )

    def _read_plan(self, landed: LandedRun) -> None:
        numbers: dict[tuple[Window, Window], int] = {}
        for place, call in enumerate(landed.calls()):
            pair = (call.window1, call.window2)
            number = numbers.setdefault(pair, len(numbers))
            if number == len(self._pairs):
                self._pairs.append(pair)
            self._pair_of.append(number)
            before = self._places.get(call.session)
            self._places[call.session] = range(before.start if before else place, place + 1)

    def _queue(self, session: str) -> SessionQueue:
        has_login = self._credentials.has_login(session)
        steps = deque([] if session in self._known else [SessionStep.WHO_AM_I])
        gate = SessionGate(self._per_second)
        if has_login:
            steps.append(SessionStep.LOGOUT)
            self.gates[session] = gate
        return SessionQueue(
            session, gate, deque(self._missing(session)), steps, needs_login=has_login
        )

    def _missing(self, session: str) -> Iterator[tuple[Call, Tries]]:
        for place in self._places[session]:
            if not self._is_settled(place):
                call = Call.of(session, *self._pairs[self._pair_of[place]])
                yield call, Tries(*self._tries.get(call.call_id, ()))

    def _is_settled(self, place: int) -> bool:
        found = bisect_left(self._settled, place)
        return found < len(self._settled) and self._settled[found] == place

    def _is_missing(self, places: range) -> bool:
        settled = bisect_left(self._settled, places.stop) - bisect_left(self._settled, places.start)
        return settled < len(places)


def _digest(session: str) -> bytes:
    return hashlib.blake2b(session.encode(), digest_size=8).digest()
