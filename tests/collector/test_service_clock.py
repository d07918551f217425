"""The service's clock as it is learned from Date headers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.runs.service_clock import ServiceClock

SECOND_US = 1_000_000
START_US = 1_769_860_800_123_456


def floor(instant_us: int) -> int:
    """As a Date header says it."""
    return instant_us - instant_us % SECOND_US


def test_nothing_is_known_before_the_first_reply() -> None:
    """The client's own clock is taken; a reply without a Date changes nothing."""
    clock = ServiceClock()
    clock.learn(None, START_US, START_US + 1)
    assert clock.offset_us is None
    assert clock.now_us(START_US) == START_US


def test_one_reply() -> None:
    """A Date header is the start of a second: half a second is the best guess for the rest of it."""
    clock = ServiceClock()
    clock.learn(40 * SECOND_US, 10 * SECOND_US, 10 * SECOND_US)
    assert clock.offset_us == 30 * SECOND_US + SECOND_US // 2
    clock = ServiceClock()
    clock.learn(40 * SECOND_US, 10 * SECOND_US, 14 * SECOND_US)  # somewhere in four seconds
    assert clock.offset_us == 28 * SECOND_US + SECOND_US // 2
    assert clock.now_us(0) == 28 * SECOND_US + SECOND_US // 2


@given(
    offset_us=st.integers(-(10**12), 10**12),
    seed=st.integers(0, 2**32),
    count=st.integers(1, 200),
)
def test_any_skew_and_latency(offset_us: int, seed: int, count: int) -> None:
    """Never further off than half a second and half of the shortest latency; more replies tell no less."""
    dice = random.Random(seed)
    clock, at_us, shortest = ServiceClock(), START_US, 10**12
    best = 10**12
    for number in range(count):
        before, after = dice.randrange(3 * SECOND_US), dice.randrange(3 * SECOND_US)
        date_us = floor(at_us + before + offset_us)
        clock.learn(date_us, at_us, at_us + before + after)
        if number < 64:
            shortest = min(shortest, before + after)
        assert clock.offset_us is not None
        best = abs(clock.offset_us - offset_us)
        if number < 64:
            assert best <= SECOND_US // 2 + shortest // 2 + 1
        at_us += dice.randrange(5 * SECOND_US)
        assert clock.now_us(at_us) == at_us + clock.offset_us


def test_many_replies_tell_more_than_one() -> None:
    """A quick connection, replies at all parts of a second: the offset is known far better than to a second."""
    dice, clock, offset_us = random.Random(1), ServiceClock(), 7_654_321
    for _ in range(64):
        at_us = START_US + dice.randrange(10**9)
        clock.learn(floor(at_us + 20_000 + offset_us), at_us, at_us + 40_000)
    assert clock.offset_us is not None
    assert abs(clock.offset_us - offset_us) < 60_000


@pytest.mark.parametrize("moved_us", [-3_600 * SECOND_US, 3 * SECOND_US])
def test_a_clock_that_is_moved(moved_us: int) -> None:
    """From the first reply that contradicts the others on, only the new time counts."""
    clock = ServiceClock()
    for number in range(10):
        at_us = START_US + number * SECOND_US
        clock.learn(floor(at_us), at_us, at_us + 1_000)
    clock.learn(floor(START_US + moved_us), START_US, START_US + 1_000)
    assert clock.offset_us is not None
    assert abs(clock.offset_us - moved_us) <= SECOND_US


def test_old_replies_are_forgotten() -> None:
    """A slow drift, less than a contradiction in itself, is followed."""
    clock, drift_us = ServiceClock(), 2_000
    for number in range(2_000):
        at_us = START_US + number * 1_017_000
        clock.learn(floor(at_us + number * drift_us), at_us, at_us + 10_000)
    assert clock.offset_us is not None
    assert abs(clock.offset_us - 2_000 * drift_us) < SECOND_US


def test_a_client_clock_that_is_set_back_while_a_reply_is_under_way() -> None:
    """Such a reply contradicts itself and is left out."""
    clock = ServiceClock()
    clock.learn(floor(START_US), START_US, START_US + 1_000)
    known = clock.offset_us
    clock.learn(floor(START_US), START_US + 3_600 * SECOND_US, START_US)
    assert clock.offset_us == known
