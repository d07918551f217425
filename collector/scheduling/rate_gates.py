"""The rate gates: how often the whole service and each session may be sent to. Knows nothing of what is sent.

asyncio-throttle is the limiter: it grants. Around it stand four things, each for what the throttle cannot know: a
margin (what is sent evenly arrives bunched up), an even pace (it would let go of a whole window's sends at once), the
log of when requests were written (a grant may be written late, and other processes of the same storage root send too),
and pauses that the service asks for. The throttle polls, so one waiter at a time asks it, when a grant is near.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from asyncio_throttle import Throttler

from collector.scheduling.send_log import MOST_SENDS, SendLog

__all__ = ["MARGIN", "Permit", "ServiceGate", "SessionGate", "window_of"]

# Arrivals bunch up between here and the service. An evenly paced sender whose period was stretched by 0.4 % put 201
# arrivals into a second at a limit of 200; with 1.5 % it did not.
MARGIN: Final = 0.015
_SPREAD: Final = 0.95  # of a window, over which its sends are spread; what is left is the throttle's to make wait
_CATCH_UP_SECONDS: Final = 0.05  # a late grant is made up for within so much
_POLLS: Final = 400  # in each window of the throttle: how much later than due it grants, at most
_JUST_AFTER_SECONDS: Final = (
    1e-6  # the throttle grants after more than its period, not when it ends
)
_ROUNDING_SECONDS: Final = 0.001  # who asks when a session is due may be a rounding error early
_LOOK_UP_SECONDS: Final = 0.25  # a long wait looks up this often whether it is still wanted


def window_of(per_second: float) -> tuple[int, float]:
    """A rate as a count in a period of seconds: whole numbers of sends, so that a window can be checked.

    >>> window_of(500), window_of(1.5)
    ((500, 1.0), (3, 2.0))
    """
    count = max(1, Fraction(per_second).limit_denominator(60).numerator)
    count = min(
        count, MOST_SENDS
    )  # of a higher rate a shorter window is watched, which is stricter
    return count, count / per_second


@dataclass(slots=True)
class Permit:
    """Leave to send one request, now. Who sends it tells when it was written."""

    granted_at: float
    gate: "ServiceGate"
    mark: float
    session: "SessionGate | None" = None
    is_over: bool = False

    def sent(self) -> None:
        """The request has been written, at the latest now."""
        if not self.is_over:
            now = time.monotonic()
            self._over(now)
            if self.session is not None:
                self.session.wrote(now)

    def ended(self) -> None:
        """Nothing more will be heard; a request that was not written, as far as is known, counts from now."""
        if not self.is_over:
            self._over(time.monotonic())

    def _over(self, instant: float) -> None:
        self.is_over = True
        self.gate.log.sent(self.mark, instant)


class ServiceGate:
    """At most so many sends in any period, evenly paced, first come first served.

    Attributes:
        log: when requests were written.

    Args:
        per_second: the limit.
        shared: the file in which all processes of a storage root write down their sends; None for a gate of one's own.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, per_second: float, shared: Path | None = None) -> None:
        count, period = window_of(per_second)
        self.log = SendLog(count, period * (1 + MARGIN), shared)
        # a little longer than that of the log: the throttle decides as long as requests are written at once
        self._throttle = Throttler(count, period * (1 + 1.2 * MARGIN), period / _POLLS)
        self._spacing = period / count * _SPREAD
        self._due = 0.0
        self._turn = asyncio.Lock()
        self._paused_until = 0.0

    def close(self) -> None:
        """Let go of the shared file."""
        self.log.close()

    async def acquire(self) -> Permit:
        """Return when a request may be sent, at once."""
        permit = await self.acquire_while(lambda: True)
        if permit is None:
            raise AssertionError("unreachable: it is always wanted")
        return permit

    async def acquire_while(self, is_wanted: Callable[[], bool]) -> Permit | None:
        """Return when a request may be sent, at once; or None, soon after it is not wanted any more."""
        async with self._turn:
            while is_wanted():
                wait = max(self._due, self._paused_until) - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(min(wait, _LOOK_UP_SECONDS))
                elif await self._throttled():
                    now = time.monotonic()
                    # after a pause, or at the very start, there is nothing to make up for
                    base = self._due if now - self._due <= _CATCH_UP_SECONDS else now
                    self._due = base + self._spacing
                    return await self._reserved(is_wanted)
            return None

    async def _throttled(self) -> bool:
        """Whether the throttle grants a send within the time after which to look up."""
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                await self._throttle.acquire()
        except TimeoutError:
            return False
        return True

    async def _reserved(self, is_wanted: Callable[[], bool]) -> Permit | None:
        """A place in the log for a grant of the throttle: at once, unless others sent or requests were written late."""
        while True:
            now = time.monotonic()
            pause = self._paused_until - now
            wait, mark = (pause, 0.0) if pause > 0 else self.log.reserve(now)
            if not wait > 0:
                return Permit(now, self, mark)
            if not is_wanted():
                return None
            await asyncio.sleep(min(wait, _LOOK_UP_SECONDS))

    def pause_until(self, instant: float) -> None:
        """Send nothing before `instant` (monotonic seconds): what a Retry-After asks for."""
        self._paused_until = max(self._paused_until, instant)


class SessionGate:
    """The rate limit of one session. It does not queue: whoever schedules looks at `ready_at` first.

    Attributes:
        ready_at: when the throttle grants the next send (monotonic seconds).
    """

    __slots__ = ("_spacing", "_throttle", "ready_at")

    def __init__(self, per_second: float) -> None:
        spacing = (1 + MARGIN) / per_second
        self._throttle = Throttler(1, spacing, _ROUNDING_SECONDS)
        self._spacing = spacing + _JUST_AFTER_SECONDS
        self.ready_at = 0.0

    async def acquire(self) -> None:
        """Take a permit; immediate after `ready_at`."""
        await self._throttle.acquire()
        self.ready_at = max(self.ready_at, time.monotonic() + self._spacing)

    def wrote(self, instant: float) -> None:
        """A request was written then, which may be later than its permit."""
        self.ready_at = max(self.ready_at, instant + self._spacing)

    def pause_until(self, instant: float) -> None:
        """Send nothing before `instant` (monotonic seconds)."""
        self.ready_at = max(self.ready_at, instant)
