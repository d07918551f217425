"""Parcels and interchanges as events, and how many fall into a span. Knows nothing of requests.

An event is a parcel that passes a mailbox at an instant; it holds one interchange or more. Instants are
microseconds since 1970 (`_us`), and are laid out by hour relative to an anchor, so that the same seed and
anchor give the same events. An hour is laid out when it is first needed: a count needs two hours and a
few sums, whatever the length of the span.
"""

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import Final, Protocol

__all__ = [
    "Counts",
    "Direction",
    "Event",
    "ListedTraffic",
    "SeededTraffic",
    "SummedTraffic",
    "Traffic",
    "TrafficKind",
]

_HOUR_US: Final = 3_600_000_000
_GROUP: Final = 64  # hours whose sizes come from one digest
_MAX_CACHED_HOURS: Final = 4_096  # per mailbox and direction, about 1 MB

# Events per hour of a mailbox, at most; mailboxes take these in turn by digest. One in eight is silent.
_BUSY: Final = (0, 1, 2, 3, 4, 6, 9, 14)


class TrafficKind(StrEnum):
    """What is counted."""

    PARCEL = "parcel"
    INTERCHANGE = "interchange"


class Direction(StrEnum):
    """Seen from the mailbox."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in one span."""

    parcels_in: int
    parcels_out: int
    interchanges_in: int
    interchanges_out: int


@dataclass(frozen=True, slots=True)
class Event:
    """One parcel, with the interchanges it holds."""

    at_us: int
    direction: Direction
    interchanges: int


class Traffic(Protocol):
    """Anything that knows a mailbox's events."""

    def counts(self, label: str, after_us: int, until_us: int) -> Counts:
        """What happened in (after, until]; nothing where that is empty or reversed."""
        ...

    def events(self, label: str, after_us: int, until_us: int) -> Iterator[Event]:
        """Every event in (after, until], by direction, in order of time."""
        ...


@dataclass(frozen=True, slots=True)
class _Hour:
    """The events of one hour: instants, and running sums of the interchanges before each."""

    instants: tuple[int, ...]
    sums: tuple[int, ...]


@dataclass(slots=True)
class _Stream:
    """One mailbox, one direction."""

    key: bytes
    anchor_us: int
    most: int
    _groups: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    _hours: dict[int, _Hour] = field(default_factory=dict)

    def count(self, after_us: int, until_us: int) -> tuple[int, int]:
        """Parcels and interchanges in (after, until]."""
        if until_us <= after_us or self.most == 0:
            return 0, 0
        first, parcels_before, interchanges_before = self._position(after_us)
        last, parcels, interchanges = self._position(until_us)
        for group in range(first, last):
            sizes, extras = self._group(group)
            parcels += sizes[-1]
            interchanges += sizes[-1] + extras[-1]
        return parcels - parcels_before, interchanges - interchanges_before

    def events(self, direction: Direction, after_us: int, until_us: int) -> Iterator[Event]:
        """The events one by one, from the same hours that `count` sums up."""
        if self.most == 0:
            return
        first, last = ((at - self.anchor_us) // _HOUR_US for at in (after_us, until_us))
        for number in range(first, last + 1):
            hour = self._hour(number)
            for at, instant in enumerate(hour.instants):
                if after_us < instant <= until_us:
                    yield Event(instant, direction, hour.sums[at + 1] - hour.sums[at])

    # An hour's events and its sums come from digests of its number, so any hour can be asked for first.
    def _position(self, at_us: int) -> tuple[int, int, int]:
        """The group an instant is in, and the parcels and interchanges of that group up to it."""
        number = (at_us - self.anchor_us) // _HOUR_US
        group, within = divmod(number, _GROUP)
        sizes, extras = self._group(group)
        hour = self._hour(number)
        here = bisect_right(hour.instants, at_us)
        return group, sizes[within] + here, sizes[within] + extras[within] + hour.sums[here]

    def _digest(self, kind: bytes, number: int) -> bytes:
        """Sixty-four random bytes for one number, the same in every process."""
        return hashlib.blake2b(
            struct.pack("<q", number), key=self.key, salt=kind, digest_size=64
        ).digest()

    def _group(self, number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Running sums over the hours of a group: parcels, and interchanges beyond one for each parcel."""
        known = self._groups.get(number)
        if known is None:
            sizes = [byte % (self.most + 1) for byte in self._digest(b"size", number)]
            extras = [
                byte % (size + 1)
                for byte, size in zip(self._digest(b"more", number), sizes, strict=True)
            ]
            known = tuple(accumulate(sizes, initial=0)), tuple(accumulate(extras, initial=0))
            self._groups[number] = known
        return known

    def _hour(self, number: int) -> _Hour:
        """The events of an hour, laid out when first needed."""
        known = self._hours.get(number)
        if known is None:
            if len(self._hours) >= _MAX_CACHED_HOURS:
                self._hours.clear()
            known = self._hours[number] = self._laid_out(number)
        return known

    def _laid_out(self, number: int) -> _Hour:
        """Places the parcels of an hour, and hands out the interchanges beyond one for each."""
        group, within = divmod(number, _GROUP)
        sizes, extras = self._group(group)
        size, extra = sizes[within + 1] - sizes[within], extras[within + 1] - extras[within]
        # 64 bytes are 16 numbers, and no hour has more parcels than that.
        fractions = struct.unpack("<16I", self._digest(b"when", number))[:size]
        start_us = self.anchor_us + number * _HOUR_US
        instants = sorted(start_us + (fraction * _HOUR_US >> 32) for fraction in fractions)
        held = [1] * size
        for byte in self._digest(b"held", number)[:extra]:
            held[byte % size] += 1
        return _Hour(tuple(instants), tuple(accumulate(held, initial=0)))


class SeededTraffic:
    """Events drawn from a seed.

    Args:
        anchor_us: where the hours start.
    """

    def __init__(self, seed: int, anchor_us: int) -> None:
        self._seed = seed
        self._anchor_us = anchor_us
        self._streams: dict[tuple[str, Direction], _Stream] = {}

    def counts(self, label: str, after_us: int, until_us: int) -> Counts:
        """What happened in (after, until]."""
        parcels_in, interchanges_in = self._stream(label, Direction.IN).count(after_us, until_us)
        parcels_out, interchanges_out = self._stream(label, Direction.OUT).count(after_us, until_us)
        return Counts(parcels_in, parcels_out, interchanges_in, interchanges_out)

    def events(self, label: str, after_us: int, until_us: int) -> Iterator[Event]:
        """Every event in (after, until]."""
        for direction in Direction:
            yield from self._stream(label, direction).events(direction, after_us, until_us)

    def _stream(self, label: str, direction: Direction) -> _Stream:
        """The stream of a mailbox and direction; both directions share how busy the mailbox is."""
        known = self._streams.get((label, direction))
        if known is None:
            mailbox = hashlib.blake2b(f"{self._seed}\0{label}".encode(), digest_size=32).digest()
            key = hashlib.blake2b(mailbox + direction.encode(), digest_size=32).digest()
            known = _Stream(key, self._anchor_us, _BUSY[mailbox[0] % len(_BUSY)])
            self._streams[label, direction] = known
        return known


class ListedTraffic:
    """Events given one by one, for tests of the edges."""

    def __init__(self, events: dict[str, Iterable[Event]]) -> None:
        self._events = {
            label: tuple(sorted(listed, key=lambda e: e.at_us)) for label, listed in events.items()
        }

    def counts(self, label: str, after_us: int, until_us: int) -> Counts:
        """What happened in (after, until]."""
        found = list(self.events(label, after_us, until_us))
        incoming = [event.interchanges for event in found if event.direction is Direction.IN]
        outgoing = [event.interchanges for event in found if event.direction is Direction.OUT]
        return Counts(len(incoming), len(outgoing), sum(incoming), sum(outgoing))

    def events(self, label: str, after_us: int, until_us: int) -> Iterator[Event]:
        """Every event in (after, until]."""
        for direction in Direction:
            for event in self._events.get(label, ()):
                if event.direction is direction and after_us < event.at_us <= until_us:
                    yield event


@dataclass(frozen=True, slots=True)
class SummedTraffic:
    """The events of several mailboxes together, whatever label is asked for.

    Attributes:
        labels: those of the mailboxes.
    """

    traffic: Traffic
    labels: tuple[str, ...]

    def counts(self, label: str, after_us: int, until_us: int) -> Counts:  # noqa: ARG002  # it has one sum
        """What happened in (after, until] in all of them."""
        each = [self.traffic.counts(label, after_us, until_us) for label in self.labels]
        return Counts(
            sum(one.parcels_in for one in each),
            sum(one.parcels_out for one in each),
            sum(one.interchanges_in for one in each),
            sum(one.interchanges_out for one in each),
        )

    def events(self, label: str, after_us: int, until_us: int) -> Iterator[Event]:  # noqa: ARG002
        """Every event in (after, until], mailbox by mailbox."""
        for each in self.labels:
            yield from self.traffic.events(each, after_us, until_us)
