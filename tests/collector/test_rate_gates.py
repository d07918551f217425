import asyncio
import random
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.scheduling.rate_gates import (
    MARGIN,
    Permit,
    ServiceGate,
    SessionGate,
    window_of,
)
from tests.collector.virtual_time import Clock, run

RATES = (0.05, 0.5, 1.5, 5.0, 7.3, 50.0, 500.0)


def most_in_a_window(instants: list[float], period: float) -> int:
    """The greatest number of instants in any half-open span of `period` seconds."""
    ordered, most, first = sorted(instants), 0, 0
    for last, instant in enumerate(ordered):
        while ordered[first] <= instant - period:
            first += 1
        most = max(most, last - first + 1)
    return most


def lags_of(seed: int, share: float, longest: float) -> Iterator[float]:
    """Delays of a busy machine: most waits end in time, a share of them up to `longest` seconds later."""
    dice = random.Random(seed)
    while True:
        yield dice.uniform(0, longest) if dice.random() < share else 0.0


async def answered(permit: Permit, latency: float) -> None:
    """Send the request of a permit, and have its reply so much later."""
    await asyncio.sleep(0.0001)
    permit.sent()
    await asyncio.sleep(0.0001 + latency)
    permit.ended()


@given(st.floats(min_value=0.001, max_value=10_000))
def test_window_is_the_rate(per_second: float) -> None:
    """A whole number of sends, in exactly the period that makes it the configured rate."""
    count, period = window_of(per_second)
    assert 1 <= count <= 500
    assert count / period == pytest.approx(per_second, rel=1e-12)


def test_window_of_round_rates() -> None:
    """A rate of whole sends is counted by the second, a half one by two seconds."""
    assert window_of(500) == (500, 1.0)
    assert window_of(1) == (1, 1.0)
    assert window_of(1.5) == (3, 2.0)
    assert window_of(0.1) == (1, 10.0)
    assert window_of(100_000) == (500, 0.005)


@pytest.mark.parametrize("rate", RATES)
def test_service_gate_uses_its_limit_and_never_more(rate: float) -> None:
    """Sixteen workers that always want: at least 98 % of the limit is used, and no window holds more than it."""

    async def main(clock: Clock) -> list[float]:
        gate, sends = ServiceGate(rate), list[float]()

        async def worker() -> None:
            while len(sends) < 600:
                permit = await gate.acquire()
                sends.append(clock())
                await answered(permit, 0.4 / rate)

        await asyncio.gather(*(worker() for _ in range(16)))
        return sends

    sends = run(main)
    count, period = window_of(rate)
    assert most_in_a_window(sends, period) <= count
    last = (
        (len(sends) - 1) // count * count
    )  # as far into its window as the first send is into its own
    used = last / (sends[last] - sends[0]) / rate
    assert 0.98 <= used <= 1.0


@settings(max_examples=40)
@given(
    rate=st.sampled_from([1.5, 5.0, 50.0, 400.0]),
    workers=st.integers(1, 24),
    latency=st.floats(0.001, 2.0),
    seed=st.integers(0, 2**32),
    longest=st.sampled_from([0.0, 0.002, 0.04, 0.7]),
)
def test_no_window_above_the_limit(
    rate: float, workers: int, latency: float, seed: int, longest: float
) -> None:
    """Whatever replies take and however the machine stalls, no window of sends holds more than the limit."""

    async def main(clock: Clock) -> list[float]:
        gate, sends, dice = ServiceGate(rate), list[float](), random.Random(seed)

        async def worker() -> None:
            while len(sends) < 150:
                permit = await gate.acquire()
                sends.append(clock())
                await answered(permit, dice.expovariate(1 / latency))

        await asyncio.gather(*(worker() for _ in range(workers)))
        return sends

    count, period = window_of(rate)
    assert most_in_a_window(run(main, Clock(lags_of(seed, 0.1, longest))), period) <= count


def test_sends_are_spaced_and_nothing_is_saved_up() -> None:
    """After a quiet hour the gate lets go of one request at a time, not of a burst."""

    async def main(clock: Clock) -> list[float]:
        gate, sends = ServiceGate(10), list[float]()
        for _ in range(3):
            (await gate.acquire()).sent()
        await asyncio.sleep(3_600)
        for _ in range(20):
            (await gate.acquire()).sent()
            sends.append(clock())
        return sends

    gaps = [later - earlier for earlier, later in pairwise(run(main))]
    assert min(gaps) >= 0.1 * 0.94


def test_pause_holds_everybody_and_is_never_shortened() -> None:
    """A Retry-After holds all sends until then; a shorter one that follows changes nothing."""

    async def main(clock: Clock) -> list[float]:
        gate, sends, start = ServiceGate(100), list[float](), clock()
        gate.pause_until(start + 30)
        gate.pause_until(start + 5)

        async def one() -> None:
            (await gate.acquire()).sent()
            sends.append(clock() - start)

        await asyncio.gather(*(one() for _ in range(10)))
        return sends

    sends = run(main)
    assert min(sends) >= 30
    assert max(sends) < 30.2


def test_pause_that_comes_while_somebody_waits() -> None:
    """Who waits already when the pause is asked for waits it out too."""

    async def main(clock: Clock) -> float:
        gate, start = ServiceGate(1), clock()
        (await gate.acquire()).sent()
        waiting = asyncio.ensure_future(gate.acquire())
        await asyncio.sleep(0.5)
        gate.pause_until(start + 60)
        await waiting
        return clock() - start

    assert run(main) >= 60


@pytest.mark.parametrize("after", [0.0, 0.01, 0.3, 0.999])
def test_cancelled_waiters_leave_the_gate_usable(after: float) -> None:
    """Whoever gives up, at the head of the queue or behind, takes no send with it and blocks nobody."""

    async def main(clock: Clock) -> float:
        gate, start = ServiceGate(1), clock()
        (await gate.acquire()).sent()
        waiting = [asyncio.ensure_future(gate.acquire()) for _ in range(3)]
        await asyncio.sleep(after)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        (await gate.acquire()).sent()
        return clock() - start

    assert run(main) == pytest.approx(1 + MARGIN, abs=0.01)


def test_unwanted_request_is_given_up_soon() -> None:
    """A run that ends does not wait for a permit that is an hour away, and the send is not used up."""

    async def main(clock: Clock) -> tuple[float, object, object]:
        gate, start = ServiceGate(10), clock()
        gate.pause_until(start + 3_600)
        wanted = True
        waiting = asyncio.ensure_future(gate.acquire_while(lambda: wanted))
        await asyncio.sleep(10)
        wanted = False
        answer, waited = await waiting, clock() - start
        return waited, answer, await ServiceGate(10).acquire_while(lambda: False)

    waited, answer, never_wanted = run(main)
    assert answer is None
    assert never_wanted is None
    assert waited <= 10.5


@pytest.mark.parametrize("rate", RATES)
def test_session_gate_is_immediate_when_ready(rate: float) -> None:
    """Who waits for `ready_at` and then asks is let through at once, at the full rate and no more."""

    async def main(clock: Clock) -> tuple[list[float], float]:
        gate, sends, waited = SessionGate(rate), list[float](), 0.0
        for _ in range(100):
            await asyncio.sleep(max(0.0, gate.ready_at - clock()))
            before = clock()
            await gate.acquire()
            waited = max(waited, clock() - before)
            sends.append(clock())
        return sends, waited

    sends, waited = run(main)
    count, period = window_of(rate)
    assert most_in_a_window(sends, period) <= count
    assert (len(sends) - 1) / (sends[-1] - sends[0]) / rate >= 0.97
    assert waited <= 0.002


def test_session_gate_pause() -> None:
    """A pause moves `ready_at`, never back."""

    async def main(clock: Clock) -> None:
        gate = SessionGate(1)
        gate.pause_until(clock() + 9)
        gate.pause_until(clock() + 3)
        assert gate.ready_at == clock() + 9
        await gate.acquire()
        assert gate.ready_at == clock() + 9

    run(main)


def test_requests_that_were_held_up_move_the_window() -> None:
    """A window's worth of requests was written late: the next one waits for the first of them to leave it."""

    async def main(clock: Clock) -> float:
        gate, written = ServiceGate(10), list[float]()

        async def held_up(permit: Permit) -> None:
            await asyncio.sleep(0.09)
            permit.sent()
            written.append(clock())

        permits, tasks = [], []
        for _ in range(10):
            permits.append(await gate.acquire())
            tasks.append(asyncio.ensure_future(held_up(permits[-1])))
        (await gate.acquire()).sent()
        await asyncio.gather(*tasks)
        return clock() - written[0]

    assert run(main) >= 1.0


@pytest.mark.parametrize("end", [Permit.sent, Permit.ended], ids=["written", "given up"])
def test_requests_that_are_still_to_be_written(end: Callable[[Permit], None]) -> None:
    """Requests whose connections take longer than the period are in the window until they were written, or were not."""

    async def main(clock: Clock) -> tuple[bool, float]:
        gate = ServiceGate(10)
        late = [await gate.acquire() for _ in range(10)]
        waiting = asyncio.ensure_future(gate.acquire())
        await asyncio.sleep(3)
        was_done, end_at = waiting.done(), clock()
        for permit in late:
            end(permit)
            permit.ended()
        await waiting
        return was_done, clock() - end_at

    was_done, waited = run(main)
    assert not was_done
    assert waited >= 1.0


def test_session_gate_counts_from_the_writing() -> None:
    """A session whose request was written late is ready so much later."""

    async def main(clock: Clock) -> float:
        gate = SessionGate(1)
        permit = await ServiceGate(100).acquire()
        await gate.acquire()
        permit.session = gate
        await asyncio.sleep(0.4)
        permit.sent()
        return gate.ready_at - clock()

    assert run(main) >= 1.0
