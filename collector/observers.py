"""The observers that come with the collector: progress, counts and log lines of a run. They change nothing about it."""

import logging
import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import structlog

from collector.domain.outcomes import FaultClass, State
from collector.events import (
    AllDenied,
    BreakerClosed,
    BreakerOpened,
    BreakerStillOpen,
    Event,
    KeyRefused,
    LoginFailed,
    LogoutFailed,
    OutageGaveUp,
    Paused,
    Retried,
    RunBegan,
    RunStopping,
    Sent,
    Settled,
    StaysOpen,
    WrongServiceFound,
)

__all__ = ["Counts", "EventLog", "Progress"]

_LOG: Final = structlog.get_logger("collector")


@dataclass(slots=True)
class Progress:
    """How far a run is; read it while the run goes on.

    Attributes:
        planned: calls of the plan; 0 until the run has begun.
        settled: calls in their final state, those of earlier invocations included.
        failed: calls that failed in this invocation.
        is_waiting: the service is down, and the run waits for it.
    """

    planned: int = 0
    settled: int = 0
    failed: int = 0
    is_waiting: bool = False

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case Settled():
                self.settled += 1
                self.failed += event.state is State.FAILED
            case RunBegan():
                self.planned, self.settled = event.planned, event.settled
            case BreakerOpened():
                self.is_waiting = True
            case BreakerClosed():
                self.is_waiting = False
            case _:
                pass


@dataclass(slots=True)
class Counts:
    """What this invocation of a run did, in numbers.

    Attributes:
        sent: requests by operation.
        retried: requests that were to be made again, by class of fault.
        paused_seconds: waits that the service asked for, added up; those of different sessions may overlap.
    """

    sent: Counter[str] = field(default_factory=Counter)
    retried: Counter[FaultClass] = field(default_factory=Counter)
    paused_seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """The numbers as JSON can hold them."""
        return {
            "sent": dict(self.sent),
            "retried": {fault.value: number for fault, number in self.retried.items()},
            "paused_seconds": round(self.paused_seconds, 3),
        }

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case Sent():
                self.sent[event.operation] += 1
            case Retried():
                self.retried[event.fault_class] += 1
            case Paused():
                self.paused_seconds += event.seconds
            case _:
                pass


class EventLog:
    """The log lines of a run: what a person at night needs to read, once each.

    Args:
        requests_per_second: the limit, by which the first line says how long the calls take at least.
    """

    def __init__(self, requests_per_second: float) -> None:
        self._rate = requests_per_second
        self._told: set[tuple[str, FaultClass | None]] = set()
        self._refusals: set[str] = set()  # why credentials are not sent any more; a line told each
        self._longest_pause = 0.0
        self._is_stopping = False

    def __call__(self, event: Event) -> None:
        """Write the line that belongs to an event, if one does."""
        if isinstance(event, Settled):
            self._settled(event)
        elif isinstance(event, RunBegan):
            self._began(event)
        elif isinstance(event, Paused):
            self._paused(event)
        elif isinstance(event, BreakerClosed) and self._is_stopping:
            pass  # a Logout was answered, which brings no call back
        elif (line := _LINES.get(type(event))) is not None:
            self._is_stopping |= isinstance(event, RunStopping)
            if isinstance(event, LoginFailed | KeyRefused):
                self._refusals.add(event.said)
            level, text = line
            _LOG.log(level, text, **_readable(event))

    def _began(self, event: RunBegan) -> None:
        calls = event.planned - event.settled
        minutes, seconds = divmod(math.ceil(calls / self._rate), 60)
        done = {"done": event.settled} if event.settled else {}
        _LOG.info(
            "the run begins",
            run_id=event.run_id,
            calls=calls,
            **done,
            at_least=f"{minutes} min {seconds} s",
        )

    def _paused(self, event: Paused) -> None:
        """Of all pauses a log needs the longest so far; the last lines of the run add them up."""
        if event.session is not None:
            return
        seconds = round(event.seconds, 1)
        level = logging.WARNING if seconds > self._longest_pause else logging.DEBUG
        self._longest_pause = max(seconds, self._longest_pause)
        _LOG.log(level, "the service asks for a pause", seconds=seconds)

    def _settled(self, event: Settled) -> None:
        """The ledger has every failed call; a log needs one of each kind for each session."""
        if event.state not in _SHORT:
            return
        kind = (event.session, event.fault_class)
        is_known = kind in self._told or event.said in self._refusals
        level = logging.DEBUG if is_known else logging.WARNING
        self._told.add(kind)
        _LOG.log(
            level,
            _SHORT[event.state],
            session=event.session,
            operation=event.operation,
            asked=event.asked,
            fault=event.fault_class.value if event.fault_class else None,
            attempts=event.attempts,
            said=event.said,
        )


_SHORT: Final = {State.FAILED: "call failed", State.NOT_ATTEMPTED: "call given up"}
# event -> level and text of its line; its fields follow
_LINES: Final[dict[type[Event], tuple[int, str]]] = {
    LoginFailed: (logging.ERROR, "no Login for this session: its calls fail"),
    KeyRefused: (logging.ERROR, "the service refuses the key of this session: its calls fail"),
    AllDenied: (
        logging.ERROR,
        "every mailbox behind one credential was denied: ask for the right to see them, or take these labels out",
    ),
    LogoutFailed: (logging.WARNING, "Logout failed for now"),
    StaysOpen: (
        logging.ERROR,
        "not logged out: the session stays open at the service until that ends it",
    ),
    BreakerOpened: (
        logging.WARNING,
        "the service does not answer: the run waits, and asks now and then",
    ),
    BreakerStillOpen: (logging.INFO, "the service still does not answer"),
    BreakerClosed: (logging.WARNING, "the service answers again"),
    OutageGaveUp: (logging.ERROR, "the service did not come back: the run ends early"),
    WrongServiceFound: (
        logging.ERROR,
        "a web server answers that is not the service: the run ends early; is service.url right?",
    ),
    RunStopping: (logging.WARNING, "stopping: nothing more is sent but Logout"),
}


def _readable(event: Event) -> dict[str, Any]:
    """The fields of an event, seconds to a tenth."""
    return {
        name: round(value, 1) if isinstance(value, float) else value
        for name, value in asdict(event).items()
    }
