"""Which request goes next: fair between sessions, so that a slow, limited or failing one holds up no other.

Each session is a lane. A lane gives its items one after the other, as its own rate limit, its own concurrency and
the waits of its retries allow; a lane that cannot give anything now costs nothing. Sends nothing itself.
"""

import asyncio
import heapq
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

from collector.lane import Errand, Lane, Place, Ticket, Unstarted
from collector.model import Call

__all__ = ["Dispatch", "Errand", "Lane", "Ticket", "Unstarted"]

_SLOW_SECONDS: Final = 0.25  # a session is never slow below this
_SLOW_FACTOR: Final = 4.0  # slow: this many times the typical latency


class Dispatch:
    """Hands out tickets to workers. A worker calls `next`, then `sent`, then one of `done` and `put_back`."""

    def __init__(
        self, lanes: Iterable[Lane] | Unstarted, *, concurrency: int, per_session: int
    ) -> None:
        self._concurrency = concurrency
        self._per_session = per_session
        self._fresh = lanes if isinstance(lanes, Unstarted) else deque(lanes)
        self._ready: deque[Lane] = deque()
        self._ready_slow: deque[Lane] = deque()
        self._timed: list[tuple[float, int, Lane]] = []
        self._number = 0
        self._open_lanes = len(self._fresh)
        self._in_flight: OrderedDict[int, float] = OrderedDict()  # id of ticket -> when sent
        self._out = 0  # tickets in the hands of workers
        # slow start: one request first, and one more in flight for each that ended. A service that wakes up, and
        # our own first connections, would otherwise bunch up what was sent evenly.
        self._most_out = 1
        self._slow_in_flight = 0
        self._typical: float | None = None
        self._idle: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.TimerHandle | None = None
        self._closed = False
        self._held_until: float | None = None
        self._holds = 0

    async def next(self) -> Ticket | None:
        """The next item that may be sent; None when nothing is left, or after `close`."""
        while True:
            if self._closed or not self._open_lanes:
                self._wake_all()
                return None
            ticket = self._pick(time.monotonic())
            if ticket is not None:
                if self._idle:
                    self._pass_on()
                return ticket
            if self._out >= self._most_out:
                self._open_up_later()
            self._set_timer()
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle

    def sent(self, ticket: Ticket) -> None:
        """The ticket's request goes out now."""
        if id(ticket) not in self._in_flight:  # else sent again, on a new connection
            ticket.lane.unsent -= 1
            self._in_flight[id(ticket)] = time.monotonic()
        self._place(ticket.lane)

    def done(self, ticket: Ticket) -> None:
        """The ticket's item is settled."""
        self._release(ticket)
        self._place(ticket.lane)
        self._pass_on()

    def put_back(self, ticket: Ticket, not_before: float, attempts: int) -> None:
        """The ticket's item is to be tried again, not before an instant (monotonic seconds)."""
        self._release(ticket)
        self._number += 1
        entry = (not_before, self._number, ticket.item, attempts)
        heapq.heappush(ticket.lane.delayed, entry)
        self._place(ticket.lane)
        self._pass_on()

    def close(self) -> None:
        """Hand out nothing more."""
        self._closed = True
        self._wake_all()

    def hold(self, until: float) -> None:
        """Hand out nothing before an instant (monotonic seconds), then one ticket at a time, until `release`."""
        self._held_until = until
        self._holds += 1
        self._most_out = 1

    def release(self) -> None:
        """Begin anew after `hold`, slowly."""
        self._held_until = None

    def wants(self, ticket: Ticket) -> bool:
        """The ticket's request may go out: nothing was closed or held since it was handed out."""
        return not self._closed and ticket.holds == self._holds

    @property
    def sessions_left(self) -> int:
        """How many sessions have something left to do."""
        return self._open_lanes

    @property
    def is_closed(self) -> bool:
        """`close` was called."""
        return self._closed

    def _release(self, ticket: Ticket) -> None:
        lane = ticket.lane
        self._out -= 1
        self._most_out += self._held_until is None
        lane.in_flight -= 1
        if lane.slow:
            self._slow_in_flight -= 1
        sent_at = self._in_flight.pop(id(ticket), None)
        if sent_at is None:
            lane.unsent -= 1  # it ended before it was sent
        elif isinstance(ticket.item, Call):
            self._learn(lane, time.monotonic() - sent_at)

    def _learn(self, lane: Lane, latency: float) -> None:
        """Tell slow sessions from the others by what is typical of the others."""
        was_slow = lane.slow
        lane.answered = True
        lane.slow = latency > self._slow_after
        if lane.slow != was_slow:
            self._slow_in_flight += lane.in_flight if lane.slow else -lane.in_flight
        if not lane.slow:
            typical = latency if self._typical is None else self._typical
            # a slow session may come first: the typical latency falls fast and rises slowly
            weight = 0.5 if latency < typical else 0.05
            self._typical = typical + weight * (latency - typical)

    @property
    def _slow_after(self) -> float:
        return max(_SLOW_SECONDS, _SLOW_FACTOR * (self._typical or float("inf")))

    def _pick(self, now: float) -> Ticket | None:
        if self._out >= self._most_out or (self._held_until or 0.0) > now:
            return None
        while self._timed and self._timed[0][0] <= now:
            self._place_anew(heapq.heappop(self._timed)[2])
        while (queue := self._next_queue(now)) is not None:
            lane = queue.popleft()
            # by the clock of this moment, as `_place` does: by an older one the same lane could come again for ever
            if queue is self._fresh or self._may_give(lane, time.monotonic()):
                return self._take(lane)
            self._place_anew(lane)
        return None

    def _next_queue(self, now: float) -> deque[Lane] | Unstarted | None:
        """Slow sessions have a share of the workers to themselves, and never get the last ones before the others."""
        share = max(1, self._concurrency // 4)
        most = max(1, self._concurrency - share)
        if self._ready_slow and self._slow_in_flight < share:
            return self._ready_slow
        if self._ready:
            return self._ready
        if self._fresh and (self._overdue(now) < most or not self._timed):
            return self._fresh
        if self._ready_slow and (self._slow_in_flight < most or not self._timed):
            return self._ready_slow
        return None

    def _may_give(self, lane: Lane, now: float) -> bool:
        """Still true? A reply to another of its requests may have changed things since it became ready."""
        instant = self._earliest(lane)
        return instant is not None and instant <= now and lane.in_flight < self._cap(lane)

    def _place_anew(self, lane: Lane) -> None:
        lane.place = Place.BLOCKED
        self._place(lane)

    def _overdue(self, now: float) -> int:
        """How many requests are out for longer than is usual."""
        count = 0
        for sent_at in self._in_flight.values():
            if now - sent_at <= self._slow_after:
                break
            count += 1
        return count

    def _take(self, lane: Lane) -> Ticket:
        item, attempts = self._next_item(lane)
        self._out += 1
        lane.in_flight += 1
        lane.unsent += 1
        self._slow_in_flight += lane.slow
        lane.place = Place.BLOCKED
        return Ticket(lane, item, attempts, self._holds)

    def _next_item(self, lane: Lane) -> tuple[Call | Errand, int]:
        if lane.needs_login and lane.in_flight == 0:
            return Errand.LOGIN, 0
        # a probe is a call that was not tried yet, if there is one: no call uses up its attempts in an outage
        by = time.monotonic() if self._held_until is None else 0.0
        if lane.delayed and (lane.delayed[0][0] <= by or not lane.calls):
            _, _, item, attempts = heapq.heappop(lane.delayed)
            return item, attempts
        if lane.calls:
            return lane.calls.popleft()
        return lane.finally_.popleft(), 0

    def _place(self, lane: Lane) -> None:
        """Put the lane where it belongs after something about it changed."""
        if lane.place is not Place.BLOCKED:
            return
        if lane.unsent or lane.in_flight >= self._cap(lane):
            return
        instant = self._earliest(lane)
        if instant is None:
            if not lane.in_flight:
                lane.place = Place.DONE
                self._open_lanes -= 1
            self._wake_one()
        elif instant <= time.monotonic():
            lane.place = Place.READY_SLOW if lane.slow else Place.READY
            (self._ready_slow if lane.slow else self._ready).append(lane)
            self._wake_one()
        else:
            lane.place = Place.TIMED
            self._number += 1
            heapq.heappush(self._timed, (instant, self._number, lane))
            if self._idle and self._timed[0][2] is lane:
                self._set_timer()

    def _cap(self, lane: Lane) -> int:
        """One request until the first reply, and while a login is due: then nobody waits beside a bad credential."""
        return self._per_session if lane.answered and not lane.needs_login else 1

    def _earliest(self, lane: Lane) -> float | None:
        """When the lane may give its next item; None if it has none for now."""
        if lane.needs_login or lane.calls:
            return lane.gate.ready_at
        if lane.delayed:
            return max(lane.gate.ready_at, lane.delayed[0][0])
        if lane.finally_ and not lane.in_flight:
            return lane.gate.ready_at
        return None

    def _open_up_later(self) -> None:
        """Slow start does not wait for ever for a first reply that may take a minute."""
        if self._opening is None and self._most_out < self._concurrency:
            loop = asyncio.get_running_loop()
            self._opening = loop.call_later(_SLOW_SECONDS, self._open_up)

    def _open_up(self) -> None:
        self._opening = None
        if self._held_until is None:
            self._most_out *= 2
            self._wake_one()

    def _pass_on(self) -> None:
        """Let another idle worker look, now or when the next lane is due."""
        if self._out >= self._most_out:
            self._open_up_later()
        elif self._ready or self._ready_slow or self._fresh:
            self._wake_one()
        else:
            self._set_timer()

    def _wake_one(self) -> None:
        while self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                return

    def _wake_all(self) -> None:
        while self._idle:
            self._wake_one()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, due = time.monotonic(), self._timed[0][0] if self._timed else None
        if self._held_until is not None and self._held_until > now:
            due = self._held_until
        if due is not None and self._out < self._most_out:  # else the end of a request looks again
            wait = max(0.0, due - now)
            self._timer = asyncio.get_running_loop().call_later(wait, self._wake_one)
