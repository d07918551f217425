"""What happens in a run, as values, and the stream that hands them to observers. Knows nothing of who observes.

A run emits; observers (progress, counters, log lines, metrics) are any callables that take an event. Each is called in
a thread of its own, so that one that fails or is slow disturbs neither the run nor the others.
No event holds a credential: texts are masked before they become part of one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self

import structlog

from collector.domain.calls import CallId
from collector.domain.outcomes import FaultClass, State

__all__ = [
    "AllDenied",
    "BreakerClosed",
    "BreakerOpened",
    "BreakerStillOpen",
    "Event",
    "EventStream",
    "KeyRefused",
    "LoggedIn",
    "LoggedOut",
    "LoginFailed",
    "LogoutFailed",
    "Observer",
    "OutageGaveUp",
    "Paused",
    "Replied",
    "Retried",
    "RunBegan",
    "RunStopping",
    "Sent",
    "Settled",
    "StaysOpen",
    "WrongServiceFound",
]


@dataclass(frozen=True, slots=True)
class RunBegan:
    """Calls are about to be made.

    Attributes:
        planned: calls of the plan.
        settled: those of them that an earlier invocation settled.
    """

    run_id: str
    planned: int
    settled: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A request was written to the network."""

    session: str
    operation: str


@dataclass(frozen=True, slots=True)
class Replied:
    """A reply came, or the attempt ended without one.

    Attributes:
        status: HTTP status; None if nothing came.
        fault_class: why it is no answer; None for an answer.
        seconds: from the request to the end of the reply; None if nothing came.
    """

    session: str
    operation: str
    status: int | None
    fault_class: FaultClass | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Retried:
    """A request will be made again, not before `wait_seconds` have passed."""

    session: str
    operation: str
    fault_class: FaultClass
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing is sent for a while: to this session, or to anybody where it is None."""

    session: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Login gave a SessionID."""

    session: str


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """There is no SessionID for this session, and there will be none in this run."""

    session: str
    said: str


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """The service refuses this session's key, which is not sent any more in this run."""

    session: str
    said: str


@dataclass(frozen=True, slots=True)
class AllDenied:
    """Not one of the labels that share a credential may see what it asks for.

    Attributes:
        sessions: the first few labels.
        of: how many labels there are.
    """

    sessions: tuple[str, ...]
    of: int


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The session was ended at the service."""

    session: str


@dataclass(frozen=True, slots=True)
class LogoutFailed:
    """Logout failed for now."""

    session: str
    said: str


@dataclass(frozen=True, slots=True)
class StaysOpen:
    """Logout was given up: the session stays open at the service until that ends it."""

    session: str


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """The service does not answer anybody: the run waits and probes now and then; `said` is the last failure."""

    said: str


@dataclass(frozen=True, slots=True)
class BreakerStillOpen:
    """A probe failed; the next one goes out in `next_in_seconds`."""

    said: str
    next_in_seconds: float


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    """The service answers again, `after_seconds` after the breaker opened."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class OutageGaveUp:
    """The service did not come back within `after_seconds`: the run ends early."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class WrongServiceFound:
    """Everything is answered by a web server that is not the service: the run ends early."""

    url: str
    said: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A planned call reached its final state in this run.

    Attributes:
        asked: its arguments as text, as in its id.
        attempts: requests sent for it, in all invocations.
        fault_class, said: why it failed, and in whose words.
    """

    call_id: CallId
    session: str
    operation: str
    asked: str
    state: State
    attempts: int
    fault_class: FaultClass | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class RunStopping:
    """The run was asked to end: what is in flight is awaited, nothing more is sent but Logout."""

    reason: str


Event = (
    RunBegan
    | Sent
    | Replied
    | Retried
    | Paused
    | LoggedIn
    | LoginFailed
    | KeyRefused
    | AllDenied
    | LoggedOut
    | LogoutFailed
    | StaysOpen
    | BreakerOpened
    | BreakerStillOpen
    | BreakerClosed
    | OutageGaveUp
    | WrongServiceFound
    | Settled
    | RunStopping
)
Observer = Callable[[Event], None]

_LOG = structlog.get_logger("collector")
_LOOK_SECONDS: Final = (
    0.05  # how often an observer's thread looks for events: none is woken for a single one
)
_MOST_WAITING: Final = 100_000  # events; a stuck observer costs no more memory than these take
_CLOSE_SECONDS: Final = 2.0


class EventStream:
    """Hands the events of one run to its observers, in order: a context manager around the run."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._deliveries = [_Delivery(observer) for observer in observers]
        self._emitted = 0

    def __enter__(self) -> Self:
        for delivery in self._deliveries:
            delivery.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the observers see what is waiting, for a bounded time."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        for delivery in self._deliveries:
            delivery.end(deadline, self._emitted)

    def emit(self, event: Event) -> None:
        """Hand an event over; returns at once, whatever the observers do."""
        self._emitted += 1
        for delivery in self._deliveries:
            delivery.waiting.append(event)


class _Delivery:
    """One observer, the events that wait for it, and the thread in which it sees them.

    Attributes:
        waiting: the latest events that it has not seen; of a stuck one the older are forgotten.
    """

    def __init__(self, observer: Observer) -> None:
        self.waiting: deque[Event] = deque(maxlen=_MOST_WAITING)
        self._observer = observer
        self._is_ending = threading.Event()
        self._seen = 0
        self._has_failed = False
        self._thread = threading.Thread(target=self._deliver, name="events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, deadline: float, emitted: int) -> None:
        """Return when all events that were emitted have been seen, or at an instant (monotonic seconds)."""
        self._is_ending.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        unseen = emitted - self._seen
        if unseen > 0:
            _LOG.warning(
                "an observer of the run was too slow", observer=repr(self._observer), unseen=unseen
            )

    def _deliver(self) -> None:
        while not self._is_ending.wait(_LOOK_SECONDS):
            self._hand_over()
        self._hand_over()

    def _hand_over(self) -> None:
        waiting, observer = self.waiting, self._observer
        while waiting:
            self._seen += 1
            try:
                observer(waiting.popleft())
            except Exception as error:  # noqa: BLE001  # what goes wrong in an observer does not concern the run
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Once: it may fail at every event."""
        if not self._has_failed:
            self._has_failed = True
            said = f"{type(error).__name__}: {error}"
            _LOG.error("an observer of the run failed", observer=repr(self._observer), said=said)
