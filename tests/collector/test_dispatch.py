import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.calls import Call
from collector.domain.outcomes import Tries
from collector.scheduling.dispatch import Dispatch, SessionQueue, SessionStep, WorkItem
from collector.scheduling.rate_gates import SessionGate
from tests.collector.landing_by_hand import stats_call
from tests.collector.virtual_time import Clock, run

FREE = 10_000.0  # a session's rate that never holds anything up


def queue(
    name: str, calls: int, *, rate: float = FREE, steps: tuple[SessionStep, ...] = ()
) -> SessionQueue:
    """A session with so many calls, and steps for the end."""
    planned = deque((stats_call(name, n + 1, n + 1), Tries()) for n in range(calls))
    labels = deque([name] if calls else [])
    return SessionQueue(name, SessionGate(rate), labels, lambda _: planned, deque(steps))


@dataclass
class Crew:
    """Workers that take work items from a dispatch and write down what they did.

    Attributes:
        latency: how long a work's request takes.
        retries: how long until a work is to be tried again; None if it is settled.
    """

    dispatch: Dispatch
    clock: Clock
    latency: Callable[[WorkItem], float] = lambda _: 0.01
    retries: Callable[[WorkItem], float | None] = lambda _: None
    log: list[tuple[float, str, object]] = field(default_factory=list)
    settled: Counter[object] = field(default_factory=Counter)
    ended: dict[str, float] = field(default_factory=dict)
    out: Counter[str] = field(default_factory=Counter)
    most_out: Counter[str] = field(default_factory=Counter)

    async def work(self) -> None:
        """Serve until there is nothing left."""
        while (work := await self.dispatch.next()) is not None:
            name = work.queue.session
            self.out[name] += 1
            self.most_out[name] = max(self.most_out[name], self.out[name])
            if work.item is SessionStep.LOGIN:
                work.queue.needs_login = False
            await work.queue.gate.acquire()
            self.dispatch.sent(work)
            self.log.append((self.clock(), name, work.item))
            await asyncio.sleep(self.latency(work))
            self.out[name] -= 1
            wait = self.retries(work)
            if wait is None:
                self.settled[(name, work.item)] += 1
                self.ended[name] = self.clock()
                self.dispatch.done(work)
            else:
                self.dispatch.put_back(work, self.clock() + wait, Tries(work.tries.sent + 1))

    async def all_work(self, workers: int) -> None:
        """That many of them."""
        await asyncio.gather(*(self.work() for _ in range(workers)))


def everything(queues: list[SessionQueue]) -> Counter[object]:
    """What a crew has to settle: each item of each queue once."""
    calls = Counter(
        (one.session, call) for one in queues for each in one.labels for call, _ in one.start(each)
    )
    return Counter(calls) + Counter((one.session, e) for one in queues for e in one.closing_steps)


@settings(max_examples=60)
@given(
    shape=st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1.0, 5.0, FREE])), max_size=12),
    workers=st.integers(1, 9),
    per_session=st.integers(1, 3),
    seed=st.randoms(use_true_random=False),
)
def test_every_item_is_settled_exactly_once(
    shape: list[tuple[int, float]], workers: int, per_session: int, seed: object
) -> None:
    """Any latencies, retries and rates: nothing is lost, nothing comes twice, nobody exceeds its concurrency."""
    assert hasattr(seed, "random")
    queues = [
        queue(f"s{n}", calls, rate=rate, steps=(SessionStep.WHO_AM_I, SessionStep.LOGOUT)[: n % 3])
        for n, (calls, rate) in enumerate(shape)
        if calls or n % 3
    ]
    planned = everything(queues)

    async def main(clock: Clock) -> Crew:
        dispatch = Dispatch(queues, concurrency=workers, per_session=per_session)
        crew = Crew(
            dispatch,
            clock,
            latency=lambda _: seed.random() ** 4 * 20,
            retries=lambda t: (
                seed.random() * 9 if t.tries.sent < 3 and seed.random() < 0.4 else None
            ),
        )
        await crew.all_work(workers)
        assert await dispatch.next() is None
        return crew

    crew = run(main)
    assert crew.settled == planned
    assert max(crew.most_out.values(), default=0) <= per_session


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_lanes_at_their_own_limit_leave_the_workers_to_others(workers: int) -> None:
    """Sessions of 1/s each, ten of them: together they are served at 10/s, by however few workers."""

    async def main(clock: Clock) -> float:
        queues, start = [queue(f"s{n}", 6, rate=1) for n in range(10)], clock()
        await Crew(
            Dispatch(queues, concurrency=workers, per_session=2), clock, latency=lambda _: 0.001
        ).all_work(workers)
        return clock() - start

    assert run(main) < 6.5


def fast_ones_end(slow: set[int]) -> float:
    """When the last of the fast ones among 40 sessions has its 8 answers; the slow ones take half a minute each."""

    def latency(work: WorkItem) -> float:
        return 30.0 if work.queue.session.startswith("slow") else 0.1

    async def main(clock: Clock) -> float:
        queues = [queue(f"{'slow' if n in slow else 'fast'}{n}", 8) for n in range(40)]
        crew, start = Crew(Dispatch(queues, concurrency=8, per_session=2), clock, latency), clock()
        await crew.all_work(8)
        return max(end - start for name, end in crew.ended.items() if name.startswith("fast"))

    return run(main)


def test_slow_sessions_hold_up_no_other() -> None:
    """Four sessions answer after half a minute: the others end about as soon as if they were alone."""
    alone = fast_ones_end(set())
    assert alone < 5
    assert fast_ones_end({5, 11, 17, 23}) < 2 * alone
    assert fast_ones_end({1, 2, 3}) < 2 * alone


def test_slow_first_session_holds_up_no_other() -> None:
    """The first sessions of all answer after half a minute: the others do not wait for them."""
    assert fast_ones_end({0, 1, 2}) < 2 * fast_ones_end(set())


def test_fast_sessions_do_not_starve_the_slow_ones() -> None:
    """Slow sessions keep a share of the workers while the others have work for an hour."""

    async def main(clock: Clock) -> tuple[float, float]:
        queues = [queue("slow", 5), *(queue(f"fast{n}", 3_000) for n in range(6))]
        crew, start = (
            Crew(
                Dispatch(queues, concurrency=4, per_session=1),
                clock,
                lambda t: 5.0 if t.queue.session == "slow" else 0.1,
            ),
            clock(),
        )
        await crew.all_work(4)
        return crew.ended["slow"] - start, clock() - start

    slow, total = run(main)
    assert slow < 0.2 * total


def test_delayed_item_comes_back_no_earlier() -> None:
    """An item that is put back is given again at its instant, with its attempts, while others go on."""

    async def main(clock: Clock) -> list[tuple[float, int]]:
        queues, seen, start = [queue("a", 1), queue("b", 50)], list[tuple[float, int]](), clock()

        def retries(work: WorkItem) -> float | None:
            if work.queue.session != "a":
                return None
            seen.append((clock() - start, work.tries.sent))
            return 7.0 if len(seen) < 3 else None

        await Crew(Dispatch(queues, concurrency=4, per_session=1), clock, retries=retries).all_work(
            4
        )
        return seen

    (first, *_), (second, two), (third, three) = run(main)
    assert (two, three) == (1, 2)
    assert second - first == pytest.approx(7.0, abs=0.1)
    assert third - second == pytest.approx(7.0, abs=0.1)


def test_no_wake_ups_while_nothing_may_go_out() -> None:
    """A retry that is due while slow start holds it back does not keep the workers spinning."""

    async def main(clock: Clock) -> int:
        dispatch = Dispatch([queue(f"s{n}", 1) for n in range(4)], concurrency=8, per_session=1)
        work = await dispatch.next()
        assert work is not None
        dispatch.sent(work)
        dispatch.put_back(work, clock() + 0.1, Tries(1, 1))
        held = [await dispatch.next() for _ in range(2)]
        for one in held:
            assert one is not None
            dispatch.sent(one)
        waiting = [asyncio.ensure_future(dispatch.next()) for _ in range(4)]
        looks = clock.looks
        await asyncio.sleep(60)
        looks = clock.looks - looks
        dispatch.close()
        await asyncio.gather(*waiting)
        return looks

    assert run(main) < 30


def test_slow_start() -> None:
    """One request is out at first; each reply lets one more out, so that a cold service meets no burst."""

    async def main(clock: Clock) -> list[int]:
        out = [0]

        def latency(_: WorkItem) -> float:
            out.append(sum(crew.out.values()))
            return 0.1

        queues = [queue(f"s{n}", 1) for n in range(40)]
        crew = Crew(Dispatch(queues, concurrency=16, per_session=1), clock, latency)
        await crew.all_work(16)
        return out

    out = run(main)
    assert out[1] == 1
    assert max(out) == 16
    assert out[2:4] == [1, 2]


def test_login_first_then_calls_then_closing_steps() -> None:
    """A session that needs a Login gives nothing else before it, and its steps after its last call."""

    async def main(clock: Clock) -> list[object]:
        one = queue("a", 3, steps=(SessionStep.WHO_AM_I, SessionStep.LOGOUT))
        one.needs_login = True

        def latency(work: WorkItem) -> float:
            assert isinstance(work.item, Call) or crew.out["a"] == 1, "a step goes alone"
            return 1.0 + crew.out["a"]

        crew = Crew(Dispatch([one], concurrency=4, per_session=3), clock, latency)
        await crew.all_work(4)
        return [item if isinstance(item, SessionStep) else "call" for _, _, item in crew.log]

    assert run(main) == [SessionStep.LOGIN, *["call"] * 3, SessionStep.WHO_AM_I, SessionStep.LOGOUT]


def test_lost_login_in_the_middle() -> None:
    """A session that loses its SessionID waits for its own requests in flight, then logs in, alone."""

    async def main(clock: Clock) -> list[tuple[object, int]]:
        one, log = queue("a", 8), list[tuple[object, int]]()

        def retries(work: WorkItem) -> float | None:
            if len(crew.log) == 4 and isinstance(work.item, Call) and work.tries.sent == 0:
                one.needs_login = True
                return 0.0
            return None

        def latency(work: WorkItem) -> float:
            log.append((work.item, crew.out["a"]))
            return 1.0

        crew = Crew(Dispatch([one], concurrency=4, per_session=2), clock, latency, retries)
        await crew.all_work(4)
        assert all(count == 1 for count in crew.settled.values())
        return log

    logins = [out for item, out in run(main) if item is SessionStep.LOGIN]
    assert logins
    assert set(logins) == {1}


def test_close_lets_everybody_go() -> None:
    """After `close` the workers that wait and those that come get nothing."""

    async def main(clock: Clock) -> list[WorkItem | None]:
        dispatch = Dispatch([queue("a", 5)], concurrency=4, per_session=1)
        held = await dispatch.next()
        assert held is not None
        waiting = [asyncio.ensure_future(dispatch.next()) for _ in range(3)]
        await asyncio.sleep(1)
        dispatch.close()
        dispatch.sent(held)
        dispatch.done(held)
        return [*await asyncio.gather(*waiting), await dispatch.next()]

    assert run(main) == [None] * 4


def test_cancelled_waiter_takes_no_wake_up_with_it() -> None:
    """A worker that is cancelled while it waits does not keep the others from the next work."""

    async def main(clock: Clock) -> WorkItem | None:
        dispatch = Dispatch([queue("a", 2)], concurrency=3, per_session=1)
        held = await dispatch.next()
        assert held is not None
        cancelled, patient = (asyncio.ensure_future(dispatch.next()) for _ in range(2))
        await asyncio.sleep(1)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        dispatch.sent(held)
        dispatch.done(held)
        return await asyncio.wait_for(patient, 10)

    assert run(main) is not None


def test_nothing_to_do() -> None:
    """No queues: every worker is sent home at once."""

    async def main(clock: Clock) -> WorkItem | None:
        return await Dispatch([], concurrency=2, per_session=1).next()

    assert run(main) is None


class TickingClock(Clock):
    """A clock that goes on by a second whenever somebody looks at it."""

    def __call__(self) -> float:
        self.now += 1.0
        assert self.now < 10_000.0, "the same queue comes again and again"
        return self.now


@pytest.mark.parametrize("seconds", [0.5 + looks for looks in range(8)])
def test_a_queue_that_is_ready_a_moment_later(seconds: float) -> None:
    """A gate that opens between two looks at the clock: the queue is handed out, not looked at for ever."""

    async def main(clock: Clock) -> WorkItem | None:
        one = queue("a", 2)
        dispatch = Dispatch([one], concurrency=1, per_session=1)
        first = await dispatch.next()
        assert first is not None
        dispatch.sent(first)
        dispatch.done(first)
        one.gate.ready_at = clock.now + seconds
        return await dispatch.next()

    assert run(main, TickingClock()) is not None


def shared_queue(labels: int, calls: int, *, rate: float = FREE) -> SessionQueue:
    """One credential that so many labels share, each with so many calls."""

    def start(label: str) -> deque[tuple[Call, Tries]]:
        return deque((stats_call(label, n + 1, n + 1), Tries()) for n in range(calls))

    names = deque(f"label-{n}" for n in range(labels))
    return SessionQueue("label-0", SessionGate(rate), names, start, deque([SessionStep.WHO_AM_I]))


@settings(max_examples=40)
@given(
    labels=st.integers(1, 6),
    calls=st.integers(1, 4),
    per_session=st.integers(1, 4),
    seed=st.randoms(use_true_random=False),
)
def test_labels_of_one_credential(labels: int, calls: int, per_session: int, seed: object) -> None:
    """Each call is settled once, in the credential's concurrency; a label's first call is alone until it is settled."""
    assert hasattr(seed, "random")
    out, settled, wrong = Counter[str](), Counter[str](), list[str]()

    def latency(work: WorkItem) -> float:
        if isinstance(work.item, Call):
            out[work.session] += 1
            if out[work.session] > 1 and not settled[work.session]:
                wrong.append(work.session)
        return float(seed.random() ** 4 * 20)

    def retries(work: WorkItem) -> float | None:
        if isinstance(work.item, Call):
            out[work.session] -= 1
        if work.tries.sent < 3 and seed.random() < 0.4:
            return float(seed.random() * 9)
        settled[work.session] += 1
        return None

    async def main(clock: Clock) -> Crew:
        dispatch = Dispatch([shared_queue(labels, calls)], concurrency=8, per_session=per_session)
        assert dispatch.sessions_left == labels
        crew = Crew(dispatch, clock, latency, retries)
        await crew.all_work(8)
        assert dispatch.sessions_left == 0
        return crew

    crew = run(main)
    assert not wrong
    assert len(crew.settled) == crew.settled.total() == labels * calls + 1
    assert crew.most_out["label-0"] <= per_session


@pytest.mark.parametrize("per_session", [1, 2])
def test_a_slow_label_holds_up_no_neighbour(per_session: int) -> None:
    """Nine labels behind one key are done long before the tenth, whose mailbox takes half a minute for each call."""

    async def main(clock: Clock) -> dict[str, float]:
        ended, start = dict[str, float](), clock()

        def retries(work: WorkItem) -> None:
            ended[work.session] = clock() - start

        crew = Crew(
            Dispatch([shared_queue(10, 5)], concurrency=8, per_session=per_session),
            clock,
            lambda work: 30.0 if work.session == "label-3" else 0.1,
            retries,
        )
        await crew.all_work(8)
        return ended

    ended = run(main)
    slow = ended.pop("label-3")
    assert max(at for label, at in ended.items() if label != "label-0") < 40.0
    assert slow > 74.0


def test_a_retry_of_one_label_leaves_the_turn_to_others() -> None:
    """While a call waits to be tried again, the other labels of its credential are served at the full rate."""

    async def main(clock: Clock) -> float:
        start = clock()
        crew = Crew(
            Dispatch([shared_queue(10, 3, rate=10.0)], concurrency=4, per_session=2),
            clock,
            retries=lambda work: (
                60.0 if work.session == "label-1" and work.tries.sent == 0 else None
            ),
        )
        await crew.all_work(4)
        others = [
            at for at, _, item in crew.log if isinstance(item, Call) and item.session != "label-1"
        ]
        return max(others) - start

    assert run(main) < 4.0
