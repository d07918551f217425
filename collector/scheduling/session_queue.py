"""One session as `dispatch` sees it: what is left to do, in what order, and where it waits. Decides nothing."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from collector.domain.values import Call
from collector.scheduling.rate_gates import SessionGate

__all__ = ["NEVER_TRIED", "Place", "SessionQueue", "SessionStep", "Tries", "Unstarted", "WorkItem"]


class SessionStep(Enum):
    """What a session needs besides its calls."""

    LOGIN = "Login"
    WHO_AM_I = "WhoAmI"
    LOGOUT = "Logout"


class Place(Enum):
    """Where a queue waits."""

    FRESH = "never started"
    READY = "may give an item now"
    READY_SLOW = "may give an item now, and answers slowly"
    TIMED = "may give an item at a known time"
    BLOCKED = "waits for one of its own requests"
    DONE = "gave everything"


class Tries(NamedTuple):
    """How often an item was tried.

    Attributes:
        sent: requests sent for it.
        charged: attempts that count against its budget.
    """

    sent: int = 0
    charged: int = 0


NEVER_TRIED: Final = Tries()


@dataclass(slots=True)
class WorkItem:
    """One item in the hands of a worker.

    Attributes:
        tries: those of the item before this one.
        holds: how often everything had been held when it was handed out.
    """

    queue: "SessionQueue"
    item: Call | SessionStep
    tries: Tries = NEVER_TRIED
    holds: int = 0


@dataclass(slots=True, eq=False)
class SessionQueue:
    """One session: what is left to do, and what it may do now.

    Attributes:
        calls: not tried yet, with the attempts of an earlier invocation.
        delayed: a heap of (not before, number, item, attempts).
        finally_: steps for the time when every call is settled.
    """

    session: str
    gate: SessionGate
    calls: deque[tuple[Call, Tries]]
    finally_: deque[SessionStep]
    needs_login: bool = False
    delayed: list[tuple[float, int, Call | SessionStep, Tries]] = field(default_factory=list)
    in_flight: int = 0
    unsent: int = 0
    answered: bool = False
    slow: bool = False
    place: Place = Place.FRESH


class Unstarted:
    """Sessions that were not visited yet, in their order. A queue is made when its turn comes: most wait long."""

    def __init__(self, sessions: Iterable[str], start: Callable[[str], SessionQueue]) -> None:
        self._sessions = deque(sessions)
        self._start = start

    def __len__(self) -> int:
        return len(self._sessions)

    def popleft(self) -> SessionQueue:
        """The queue of the next session."""
        return self._start(self._sessions.popleft())
