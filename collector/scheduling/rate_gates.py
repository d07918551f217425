"""The rate gates: how often the whole service and each session may be sent to. Knows nothing of what is sent.

asyncio-throttle is the arbiter of the sliding window, and it polls: each waiter wakes every few milliseconds. So a
gate lets one waiter at a time ask it, and lets that one sleep until an answer is due.
"""

import asyncio
import time
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from asyncio_throttle import Throttler

__all__ = ["MARGIN", "Permit", "ServiceGate", "SessionGate", "window_of"]

# Arrivals bunch up between here and the service. An evenly paced sender whose period was stretched by 0.4 % put 201
# arrivals into a second at a limit of 200; with 1.5 % it did not.
MARGIN: Final = 0.015
_POLL_SECONDS: Final = 0.001
_LOOK_UP_SECONDS: Final = 0.25  # a long wait looks up this often whether it is still wanted
_LOOK_AGAIN_SECONDS: Final = 0.005
_LATENCIES: Final = 64
_FEW: Final = 8
_UNHEARD: Final = 4096
_TELLING: Final = 0.01  # the share of a period that waiting for signs of life may cost
_MOST_LATE_SECONDS: Final = 0.1
_CATCH_UP_SECONDS: Final = (
    0.05  # a late grant may be made up for within this much, never beyond the window
)


def window_of(per_second: float) -> tuple[int, float]:
    """A rate as a count in a period of seconds: whole numbers of sends, so that a window can be checked.

    >>> window_of(500), window_of(1.5)
    ((500, 1.0), (3, 2.0))
    """
    count = max(1, Fraction(per_second).limit_denominator(60).numerator)
    return count, count / per_second


@dataclass(slots=True)
class Permit:
    """Leave to send one request, now. Who sends it tells when it was written, and when its reply was there."""

    granted_at: float
    gate: "ServiceGate"
    counted_at: float = 0.0
    sent_at: float = 0.0
    session: "SessionGate | None" = None
    is_over: bool = False

    def sent(self) -> None:
        """The request has been written, at the latest now."""
        if not self.is_over:
            self.is_over = True
            self.sent_at = time.monotonic()
            self.gate.wrote(self)
            if self.session is not None:
                self.session.wrote(self.sent_at)

    def replied(self) -> None:
        """The reply is here: the gate learns by when this request, and those before it, had arrived."""
        self.sent()
        if self.sent_at:
            self.gate.learn(self, time.monotonic())

    def ended(self) -> None:
        """Nothing more will be heard; a request that was not written, as far as is known, counts from now."""
        if not self.is_over:
            self.is_over = True
            self.gate.gave_up(self, time.monotonic())


class ServiceGate:
    """At most so many sends in any period, evenly spaced, first come first served.

    asyncio-throttle counts what was granted. What the service counts is what arrives, so the gate keeps a second log,
    of the latest instants at which requests may have arrived, and a request that was held up counts as that much
    later; one that was not written yet is in every window until it is. When the reply to a request comes, that
    request and all that were written before it had arrived; the least latency seen is taken off for the way back.
    """

    def __init__(self, per_second: float) -> None:
        self._count, period = window_of(per_second)
        self._period = period * (1 + MARGIN)
        self._spacing = self._period / self._count
        self._throttler = Throttler(self._count, self._period, _POLL_SECONDS)
        self._turn = asyncio.Lock()
        self._unwritten = 0  # granted, and perhaps still to be written: in every window until then
        self._arrivals: list[float] = []  # of all others, ascending
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        # written, and no sign yet that they arrived; in that order
        self._unheard: deque[Permit] = deque(maxlen=_UNHEARD)
        self._silence = 0.0  # from a grant to the sign that it arrived, a running mean
        self._due = 0.0
        self._paused_until = 0.0

    async def acquire(self) -> Permit:
        """Return when a request may be sent, at once."""
        permit = await self.acquire_while(lambda: True)
        if permit is None:
            raise AssertionError("unreachable: it is always wanted")
        return permit

    async def acquire_while(self, is_wanted: Callable[[], bool]) -> Permit | None:
        """The same, or None as soon as it is not wanted any more."""
        async with self._turn:
            while (wait := self._ready_at() - time.monotonic()) > 0:
                if not is_wanted():
                    return None
                await asyncio.sleep(min(wait, _LOOK_UP_SECONDS))
            if not is_wanted():
                return None
            await self._throttler.acquire()
            now = time.monotonic()
            # after a pause, or at the very start, there is nothing to make up for
            base = self._due if now - self._due <= _CATCH_UP_SECONDS else now
            self._due = base + self._spacing
            self._unwritten += 1
            return Permit(now, self, now)

    def pause_until(self, instant: float) -> None:
        """Send nothing before `instant` (monotonic seconds): what a Retry-After asks for."""
        self._paused_until = max(self._paused_until, instant)

    def wrote(self, permit: Permit) -> None:
        """The request of a permit is on its way."""
        self._unheard.append(permit)
        self.gave_up(permit, permit.sent_at)

    def gave_up(self, permit: Permit, instant: float) -> None:
        """The request of a permit is not waited for any more, and counts from an instant."""
        self._unwritten -= 1
        permit.counted_at = instant
        insort(self._arrivals, instant)

    def _count_from(self, permit: Permit, instant: float) -> None:
        """The request may have arrived as late as `instant`, and counts from then."""
        if instant <= permit.counted_at:
            return
        place = bisect_left(self._arrivals, permit.counted_at)
        if place < len(self._arrivals) and self._arrivals[place] == permit.counted_at:
            del self._arrivals[place]  # else the log has forgotten it
        insort(self._arrivals, instant)
        permit.counted_at = instant

    def learn(self, permit: Permit, replied_at: float) -> None:
        """A reply came: by now its request had arrived, and so had those that were written before it.

        Where replies are too rare for that to tell much (it would leave part of the limit unused), a request was late
        by no more than its own reply took longer than usual.
        """
        latency = replied_at - permit.sent_at
        self._latencies.append(latency)
        arrived_by = replied_at - min(self._latencies)
        is_telling = self._silence <= _TELLING * self._period
        while self._unheard and self._unheard[0].sent_at <= permit.sent_at:
            heard = self._unheard.popleft()
            self._silence += 0.05 * (arrived_by - heard.granted_at - self._silence)
            if is_telling:
                self._count_from(heard, min(arrived_by, heard.granted_at + _MOST_LATE_SECONDS))
        if not is_telling:
            late = min(latency - self._usual_latency(), _MOST_LATE_SECONDS)
            self._count_from(permit, permit.sent_at + late)

    def _ready_at(self) -> float:
        """When the next request may go out."""
        now = time.monotonic()
        del self._arrivals[: bisect_right(self._arrivals, now - self._period)]
        excess = len(self._arrivals) + self._unwritten - self._count
        if excess < 0:
            full_until = 0.0
        elif excess < len(self._arrivals):
            full_until = self._arrivals[excess] + self._period
        else:  # all of them are still to be written: look again soon
            full_until = now + _LOOK_AGAIN_SECONDS
        return max(self._due, self._paused_until, full_until)

    def _usual_latency(self) -> float:
        """The median, unless latencies differ so much that this would leave the limit unused; then the 9th decile."""
        if len(self._latencies) < _FEW:
            return float("inf")
        ordered = sorted(self._latencies)
        median, most = ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10]
        return median if most - median <= 0.01 * self._period else most


class SessionGate:
    """The rate limit of one session. It does not queue: whoever schedules looks at `ready_at` first."""

    __slots__ = ("_spacing", "_throttler", "ready_at")

    def __init__(self, per_second: float) -> None:
        count, period = window_of(per_second)
        stretched = period * (1 + MARGIN)
        self._spacing = stretched / count
        self._throttler = Throttler(count, stretched, _POLL_SECONDS)
        self.ready_at = 0.0

    async def acquire(self) -> None:
        """Take a permit; immediate after `ready_at`."""
        await self._throttler.acquire()
        self.ready_at = max(self.ready_at, time.monotonic() + self._spacing)

    def wrote(self, instant: float) -> None:
        """A request was written then, which may be later than its permit."""
        self.ready_at = max(self.ready_at, instant + self._spacing)

    def pause_until(self, instant: float) -> None:
        """Send nothing before `instant` (monotonic seconds)."""
        self.ready_at = max(self.ready_at, instant)
