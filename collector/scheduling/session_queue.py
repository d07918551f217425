"""The queue of one session: what remains to be sent, in what order, and where it stands. Decides nothing."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from collector.domain.calls import Call
from collector.domain.outcomes import Tries
from collector.scheduling.rate_gates import SessionGate

__all__ = [
    "NEVER_TRIED",
    "SessionQueue",
    "SessionStep",
    "Standing",
    "Unstarted",
    "WorkItem",
]


class SessionStep(Enum):
    """What a session needs besides its calls."""

    LOGIN = "Login"
    WHO_AM_I = "WhoAmI"
    LOGOUT = "Logout"


class Standing(Enum):
    """What a queue can do now."""

    FRESH = "never started"
    READY = "may give an item now"
    READY_SLOW = "may give an item now, and answers slowly"
    TIMED = "may give an item at a known time"
    BLOCKED = "waits for one of its own requests"
    DONE = "gave everything"


NEVER_TRIED: Final = Tries()


@dataclass(slots=True)
class WorkItem:
    """One call or step of a session, handed out to a worker.

    Attributes:
        tries: how often it was tried before.
        holds: how often all sending had been held when it was handed out.
    """

    queue: "SessionQueue"
    item: Call | SessionStep
    tries: Tries = NEVER_TRIED
    holds: int = 0


@dataclass(slots=True, eq=False)
class SessionQueue:
    """What remains to be sent for one session, and what it may send now.

    Attributes:
        calls: not tried in this invocation, with the tries of earlier ones.
        closing_steps: taken when every call is settled.
        needs_login: Login comes before anything else.
        delayed: a heap of what is to be tried again: (not before, number, item, tries).
        in_flight: items in the hands of workers.
        unsent: those of them whose request was not written yet.
        has_answered: a reply came since its last Login; before that it has one request in flight at a time.
        slow: its replies take much longer than is typical.
    """

    session: str
    gate: SessionGate
    calls: deque[tuple[Call, Tries]]
    closing_steps: deque[SessionStep]
    needs_login: bool = False
    delayed: list[tuple[float, int, Call | SessionStep, Tries]] = field(default_factory=list)
    in_flight: int = 0
    unsent: int = 0
    has_answered: bool = False
    slow: bool = False
    standing: Standing = Standing.FRESH


class Unstarted:
    """Sessions that were not started yet, in their order. A queue is made when its turn comes: most wait long."""

    def __init__(self, sessions: Iterable[str], start: Callable[[str], SessionQueue]) -> None:
        self._sessions = deque(sessions)
        self._start = start

    def __len__(self) -> int:
        return len(self._sessions)

    def popleft(self) -> SessionQueue:
        """The queue of the next session."""
        return self._start(self._sessions.popleft())
