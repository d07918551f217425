"""Collecting as a process does it: an event loop, its signals, the deadline, and an end in any case."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Final

from collector.config import Credential, Settings
from collector.runs.run import Collected, Progress, Stop, collect
from pipelines.last_resort import LastResort, end_now

__all__ = ["DEADLINE", "collect_now"]

try:
    import uvloop
except ImportError:  # the extra `fast` is not installed
    _LOOP_FACTORY = asyncio.new_event_loop
else:
    _LOOP_FACTORY = uvloop.new_event_loop

DEADLINE: Final = "deadline"
_LEAST_GRACE_SECONDS: Final = 10.0  # to close the landing store, after the drain and Logout


def collect_now(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    progress: Progress,
    *,
    finish: bool,
) -> Collected:
    """Fan out and land, until it is done, a signal comes or the deadline; `finish` marks the run as complete."""
    drain = settings.run.drain_seconds
    last_resort = LastResort(2 * drain + max(drain, _LEAST_GRACE_SECONDS))

    async def work() -> Collected:
        seconds = deadline_seconds or settings.run.deadline_seconds
        stop = Stop(has_deadline=seconds is not None, on_ask=last_resort.arm)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _on_signal, stop, number)
        if seconds is not None:
            loop.call_later(seconds, stop.ask, DEADLINE)
        return await collect(settings, credentials, stop, progress, finish=finish)

    try:
        with last_resort, asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
            return runner.run(work())
    finally:  # the loop leaves the system's own handlers behind, which end a process without a word
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)


def _on_signal(stop: Stop, number: int) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(again, end_now)
    stop.ask(signal.Signals(number).name)
