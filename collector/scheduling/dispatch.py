"""Which request goes next: fair between sessions, so that a slow, limited or failing one holds up no other.

Each session has a queue, in which the labels that share the session take turns. It gives its items one after the other,
as the session's rate limit and concurrency and the waits of its retries allow. A queue that can give nothing now costs
nothing. Sends nothing itself.
"""

import asyncio
import heapq
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

from collector.domain.calls import Call
from collector.domain.outcomes import Tries
from collector.scheduling.session_queue import (
    SessionQueue,
    SessionStep,
    Standing,
    Unstarted,
    WorkItem,
)

__all__ = ["Dispatch", "SessionQueue", "SessionStep", "Unstarted", "WorkItem"]

_SLOW_SECONDS: Final = 0.25  # a session is never slow below this
_SLOW_FACTOR: Final = 4.0  # slow: this many times the typical latency


class Dispatch:
    """Hands out work items to workers. A worker calls `next`, then `sent`, then one of `done` and `put_back`."""

    def __init__(
        self, queues: Iterable[SessionQueue] | Unstarted, *, concurrency: int, per_session: int
    ) -> None:
        self._concurrency = concurrency
        self._per_session = per_session
        self._fresh = queues if isinstance(queues, Unstarted) else deque(queues)
        self._ready: deque[SessionQueue] = deque()
        self._ready_slow: deque[SessionQueue] = deque()
        self._timed: list[tuple[float, int, SessionQueue]] = []
        self._number = 0
        self._open_queues = len(self._fresh)
        fresh = (self._fresh,) if isinstance(self._fresh, Unstarted) else self._fresh
        self._labels_left = sum(each.labels_left for each in fresh)
        self._in_flight: OrderedDict[int, float] = OrderedDict()  # id of work -> when sent
        self._out = 0  # work items in the hands of workers
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

    async def next(self) -> WorkItem | None:
        """The next item that may be sent; None when nothing is left, or after `close`."""
        while True:
            if self._closed or not self._open_queues:
                self._wake_all()
                return None
            work = self._pick(time.monotonic())
            if work is not None:
                if self._idle:
                    self._pass_on()
                return work
            if self._out >= self._most_out:
                self._open_up_later()
            self._set_timer()
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle

    def sent(self, work: WorkItem) -> None:
        """The work's request goes out now."""
        if id(work) not in self._in_flight:  # else sent again, on a new connection
            work.queue.unsent -= 1
            self._in_flight[id(work)] = time.monotonic()
        self._place(work.queue)

    def done(self, work: WorkItem) -> None:
        """The work's item is settled."""
        self._release(work)
        if work.label is not None:
            self._labels_left -= work.queue.settled(work.label)
            work.queue.ended(work.label)
        self._place(work.queue)
        self._pass_on()

    def put_back(self, work: WorkItem, not_before: float, tries: Tries) -> None:
        """The work's item is to be tried again, not before an instant (monotonic seconds)."""
        self._release(work)
        self._number += 1
        again = WorkItem(work.queue, work.session, work.item, tries, work.label)
        heapq.heappush(work.queue.delayed, (not_before, self._number, again))
        if work.label is not None:
            work.queue.ended(work.label)
        self._place(work.queue)
        self._pass_on()

    def close(self) -> None:
        """Hand out nothing more."""
        self._closed = True
        self._wake_all()

    def hold(self, until: float) -> None:
        """Hand out nothing before an instant (monotonic seconds), then one work at a time, until `release`."""
        self._held_until = until
        self._holds += 1
        self._most_out = 1

    def release(self) -> None:
        """Begin anew after `hold`, slowly."""
        self._held_until = None

    def wants(self, work: WorkItem) -> bool:
        """The work's request may go out: nothing was closed or held since it was handed out."""
        return not self._closed and work.holds == self._holds

    @property
    def sessions_left(self) -> int:
        """How many labels have calls left, in whatever sessions."""
        return self._labels_left

    def _release(self, work: WorkItem) -> None:
        queue = work.queue
        self._out -= 1
        self._most_out += self._held_until is None
        queue.in_flight -= 1
        if queue.slow:
            self._slow_in_flight -= 1
        sent_at = self._in_flight.pop(id(work), None)
        if sent_at is None:
            queue.unsent -= 1  # it ended before it was sent
        elif isinstance(work.item, Call):
            self._learn(work, time.monotonic() - sent_at)

    def _learn(self, work: WorkItem, latency: float) -> None:
        """Tell slow sessions from the others by what is typical of the others."""
        queue = work.queue
        was_slow = queue.slow
        queue.has_answered = True
        queue.slow = latency > self._slow_after
        if work.label is not None:
            work.label.slow = queue.slow
        if queue.slow != was_slow:
            self._slow_in_flight += queue.in_flight if queue.slow else -queue.in_flight
        if not queue.slow:
            typical = latency if self._typical is None else self._typical
            # a slow session may come first: the typical latency falls fast and rises slowly
            weight = 0.5 if latency < typical else 0.05
            self._typical = typical + weight * (latency - typical)

    @property
    def _slow_after(self) -> float:
        return max(_SLOW_SECONDS, _SLOW_FACTOR * (self._typical or float("inf")))

    def _pick(self, now: float) -> WorkItem | None:
        if self._out >= self._most_out or (self._held_until or 0.0) > now:
            return None
        while self._timed and self._timed[0][0] <= now:
            instant, _, queue = heapq.heappop(self._timed)
            if queue.standing is Standing.TIMED and queue.due_at == instant:
                self._place_anew(queue)
        while (ready := self._next_ready(now)) is not None:
            queue = ready.popleft()
            # by the clock of this moment, as `_place` does: by an older one the same queue could come again for ever
            if ready is self._fresh or self._may_give(queue, time.monotonic()):
                work = self._take(queue)
                if work is not None:
                    return work
            self._place_anew(queue)
        return None

    def _next_ready(self, now: float) -> deque[SessionQueue] | Unstarted | None:
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

    def _may_give(self, queue: SessionQueue, now: float) -> bool:
        """Still true? A reply to another of its requests may have changed things since it became ready."""
        instant = self._earliest(queue)
        return instant is not None and instant <= now and queue.in_flight < self._cap(queue)

    def _place_anew(self, queue: SessionQueue) -> None:
        queue.standing = Standing.BLOCKED
        self._place(queue)

    def _overdue(self, now: float) -> int:
        """How many requests are out for longer than is usual."""
        count = 0
        for sent_at in self._in_flight.values():
            if now - sent_at <= self._slow_after:
                break
            count += 1
        return count

    def _take(self, queue: SessionQueue) -> WorkItem | None:
        """The queue's next item; None where it is a retry whose label waits for a reply."""
        work = self._next_item(queue)
        if work is None:
            return None
        work.holds = self._holds
        self._out += 1
        queue.in_flight += 1
        queue.unsent += 1
        self._slow_in_flight += queue.slow
        queue.standing = Standing.BLOCKED
        return work

    def _next_item(self, queue: SessionQueue) -> WorkItem | None:
        if queue.needs_login and queue.in_flight == 0:
            return queue.take_login()
        now, work = time.monotonic(), None
        if self._held_until is not None:
            # a probe is a call that was not tried yet, if there is one: no call uses up its attempts in an outage
            work = queue.take_call(0.0)
        return work or queue.take_call(now) or queue.take_step()

    def _place(self, queue: SessionQueue) -> None:
        """Put the queue where it belongs after something about it changed."""
        if queue.standing not in (Standing.BLOCKED, Standing.TIMED):
            return
        if queue.unsent or queue.in_flight >= self._cap(queue):
            return
        instant = self._earliest(queue)
        if queue.standing is Standing.TIMED and (instant is None or instant >= queue.due_at):
            return
        if instant is None:
            if not queue.in_flight:
                queue.standing = Standing.DONE
                self._open_queues -= 1
            self._wake_one()
        elif instant <= time.monotonic():
            queue.standing = Standing.READY_SLOW if queue.slow else Standing.READY
            (self._ready_slow if queue.slow else self._ready).append(queue)
            self._wake_one()
        else:
            queue.standing, queue.due_at = Standing.TIMED, instant
            self._number += 1
            heapq.heappush(self._timed, (instant, self._number, queue))
            if self._idle and self._timed[0][2] is queue:
                self._set_timer()

    def _cap(self, queue: SessionQueue) -> int:
        """One request until the first reply, and while a login is due: then nobody waits beside a bad credential."""
        return self._per_session if queue.has_answered and not queue.needs_login else 1

    def _earliest(self, queue: SessionQueue) -> float | None:
        """When the queue may give its next item; None if it has none for now."""
        if queue.needs_login or queue.has_call:
            return queue.gate.ready_at
        if queue.delayed:
            return max(queue.gate.ready_at, queue.delayed[0][0])
        if queue.closing_steps and not queue.in_flight:
            return queue.gate.ready_at
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
        """Let another idle worker look, now or when the next queue is due."""
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
