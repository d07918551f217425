"""Counts are those of the events, whatever the span; the events are those of the seed."""

import random
from collections.abc import Iterable

import pytest

from collector.simulator import Counts, Direction, Event, ListedTraffic, SeededTraffic

ANCHOR_US = 1_700_000_000_000_000
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000


def counted(events: Iterable[Event]) -> Counts:
    """The counts, one event at a time."""
    parcels = {Direction.IN: 0, Direction.OUT: 0}
    interchanges = {Direction.IN: 0, Direction.OUT: 0}
    for event in events:
        parcels[event.direction] += 1
        interchanges[event.direction] += event.interchanges
    return Counts(
        parcels[Direction.IN],
        parcels[Direction.OUT],
        interchanges[Direction.IN],
        interchanges[Direction.OUT],
    )


def spans(number: int) -> list[tuple[str, int, int]]:
    """Random mailboxes and spans of up to the longest window, around the anchor."""
    drawn = random.Random(20_240_115)
    found = []
    for _ in range(number):
        start = ANCHOR_US + drawn.randrange(-40 * DAY_US, 40 * DAY_US)
        length = drawn.choice((1, MINUTE_US, 60 * MINUTE_US, 32_767 * MINUTE_US))
        label = f"mailbox-{drawn.randrange(1, 30):04d}"
        found.append((label, start, start + drawn.randrange(length + 1)))
    return found


def test_counts_equal_a_count_over_the_events() -> None:
    """Sums over hours and a search in two of them agree with counting one by one."""
    traffic = SeededTraffic(7, ANCHOR_US)
    for label, start, end in spans(400):
        every = traffic.events(label, start - DAY_US, end + DAY_US)
        inside = [event for event in every if start < event.at_us <= end]
        assert traffic.counts(label, start, end) == counted(inside)


def test_adjacent_spans_add_up() -> None:
    """No event is lost or counted twice where two spans meet, even at an event."""
    traffic = SeededTraffic(7, ANCHOR_US)
    for label, start, end in spans(100):
        edges = [event.at_us for event in traffic.events(label, start, end)][:3]
        for middle in (*edges, (start + end) // 2):
            whole = counted(traffic.events(label, start, end))
            first, second = (
                traffic.counts(label, start, middle),
                traffic.counts(label, middle, end),
            )
            assert first.parcels_in + second.parcels_in == whole.parcels_in
            assert first.interchanges_out + second.interchanges_out == whole.interchanges_out


def test_an_event_is_in_the_span_that_ends_with_it() -> None:
    """At the very microsecond of an event: inside up to it, outside after it."""
    traffic = SeededTraffic(7, ANCHOR_US)
    for label, start, end in spans(60):
        for event in [*traffic.events(label, start, end)][:3]:
            at_us = event.at_us
            together = [each for each in traffic.events(label, start, end) if each.at_us == at_us]
            assert traffic.counts(label, at_us - 1, at_us) == counted(together)
            assert [*traffic.events(label, at_us - 1, at_us)] == together
            assert event not in [*traffic.events(label, at_us, at_us + MINUTE_US)]
            later = counted(traffic.events(label, at_us, end))
            assert traffic.counts(label, at_us, end) == later


def test_a_seed_gives_the_same_events_and_another_does_not() -> None:
    """The order in which mailboxes are asked does not matter."""
    labels = [f"mailbox-{number:04d}" for number in range(1, 21)]
    span = (ANCHOR_US - 2 * DAY_US, ANCHOR_US)
    first, again, other = (SeededTraffic(seed, ANCHOR_US) for seed in (1, 1, 2))
    forwards = {label: [*first.events(label, *span)] for label in labels}
    backwards = {label: [*again.events(label, *span)] for label in reversed(labels)}
    assert forwards == backwards
    assert forwards != {label: [*other.events(label, *span)] for label in labels}


def test_mailboxes_differ_and_some_are_silent() -> None:
    """A population has busy, slow and silent mailboxes; a parcel holds one interchange or more."""
    traffic = SeededTraffic(0, ANCHOR_US)
    found = [
        traffic.counts(f"mailbox-{number:04d}", ANCHOR_US - DAY_US, ANCHOR_US)
        for number in range(1, 101)
    ]
    silent = [each for each in found if each == Counts(0, 0, 0, 0)]
    assert 2 <= len(silent) <= 30
    assert len({each.parcels_in for each in found}) > 40
    assert all(each.interchanges_in >= each.parcels_in for each in found)
    assert any(each.interchanges_in > each.parcels_in for each in found)


def test_an_empty_or_reversed_span_holds_nothing() -> None:
    """There is no negative count."""
    traffic = SeededTraffic(1, ANCHOR_US)
    for end in (ANCHOR_US, ANCHOR_US - DAY_US):
        assert traffic.counts("mailbox-0002", ANCHOR_US, end) == Counts(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("after_us", "until_us", "parcels"), [(99, 100, 1), (100, 101, 0), (98, 99, 0), (99, 99, 0)]
)
def test_a_span_is_open_at_its_start_and_closed_at_its_end(
    after_us: int, until_us: int, parcels: int
) -> None:
    """An event at 100 is in (99, 100] and not in (100, 101]."""
    traffic = ListedTraffic({"x": [Event(100, Direction.IN, 3)]})
    assert traffic.counts("x", after_us, until_us) == Counts(parcels, 0, 3 * parcels, 0)
