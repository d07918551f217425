"""Collecting as a process does it: an event loop, its signals, the deadline, and an end in any case."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeVar

from collector.config import Credential, Settings
from collector.domain.calls import Call
from collector.errors import LandingError
from collector.events import Observer
from collector.runs.run import Collected, Stop, collect
from pipelines.job.last_resort import LastResort, end_now

__all__ = ["DEADLINE", "collect_now", "until_stopped"]

_T = TypeVar("_T")

try:
    import uvloop
except ImportError:  # the extra `fast` is not installed
    _LOOP_FACTORY = asyncio.new_event_loop
else:
    _LOOP_FACTORY = uvloop.new_event_loop

DEADLINE: Final = "deadline"
_SIGNALS: Final = (signal.SIGINT.name, signal.SIGTERM.name)
_LEAST_GRACE_SECONDS: Final = 10.0  # to close the landing store, after the drain and Logout


def collect_now(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    observers: Iterable[Observer],
    *,
    finish: bool,
    planned: Callable[[], Iterable[Call]] | None = None,
) -> Collected:
    """Fan out and land, until it is done, a signal comes or the deadline.

    Args:
        finish: mark the run as complete.
        planned: what a run asks that is begun; by default, all trailing windows.
    """
    seconds = deadline_seconds or settings.run.deadline_seconds

    def work(stop: Stop) -> Awaitable[Collected]:
        return collect(settings, credentials, stop, observers, finish=finish, planned=planned)

    return until_stopped(work, settings, seconds)


def until_stopped(
    work: Callable[[Stop], Awaitable[_T]], settings: Settings, deadline_seconds: float | None = None
) -> _T:
    """What `work` comes to in an event loop; SIGINT, SIGTERM and the deadline ask it to stop.

    A second signal ends the process at once, and so does the clock where something hangs after the first.
    """
    drain = settings.run.drain_seconds
    last_resort = LastResort(2 * drain + max(drain, _LEAST_GRACE_SECONDS))

    async def main() -> _T:
        stop = Stop(has_deadline=deadline_seconds is not None, on_ask=last_resort.arm)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _on_signal, stop, number)
        if deadline_seconds is not None:
            loop.call_later(deadline_seconds, stop.ask, DEADLINE)
        try:
            return await work(stop)
        except LandingError:
            if stop.reason in _SIGNALS:  # the store was waited for when the signal came
                raise KeyboardInterrupt from None
            raise

    try:
        with last_resort, asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
            return runner.run(main())
    finally:  # the loop leaves the system's own handlers behind, which end a process without a word
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)


def _on_signal(stop: Stop, number: int) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(again, end_now)
    stop.ask(signal.Signals(number).name)
