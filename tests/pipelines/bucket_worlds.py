"""Random nights against the simulator's events: what the service would answer, and what truly happened."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from collector.domain.calls import Pairing
from collector.runs.plan import pairs_of
from collector.simulator.traffic import Direction, SeededTraffic
from pipelines.normalize.buckets import COUNTED

__all__ = ["NOW_US", "SERIES", "Events", "Night"]

NOW_US: Final = 1_769_824_800_000_000  # 2026-01-31T02:00:00Z
DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000
SERIES: Final = (("parcel", "in"), ("parcel", "out"), ("interchange", "in"), ("interchange", "out"))

Integers = npt.NDArray[np.int64]


class Events:
    """All events of some mailboxes over a month, so that any number of instants can be asked at once."""

    def __init__(self, seed: int, mailboxes: int, days: int = 26) -> None:
        self.traffic = SeededTraffic(seed, NOW_US - 400 * DAY_US)
        self.labels = [f"mailbox-{number:04}" for number in range(mailboxes)]
        self._first_us = NOW_US - days * DAY_US
        found = [
            (number * 2 + (event.direction is Direction.OUT), event.at_us, event.interchanges)
            for number, label in enumerate(self.labels)
            for event in self.traffic.events(label, self._first_us, NOW_US + 2 * DAY_US)
        ]
        stream, at, held = np.array(found, np.int64).T
        self._keys = self._key(stream, at)
        order = np.argsort(self._keys, kind="stable")
        self._keys = self._keys[order]
        self._sums = np.concatenate([[0], np.cumsum(held[order])])

    def until(self, mailbox: Integers, series: int, at_us: Integers, side: str) -> Integers:
        """How many there were before an instant (`left`), or with it (`right`); differences mean something."""
        key = self._key(mailbox * 2 + series % 2, at_us)
        place = np.searchsorted(self._keys, key, side)
        return np.asarray(self._sums[place] if series >= 2 else place, np.int64)

    def _key(self, stream: Integers, at_us: Integers) -> Integers:
        return stream * (100 * DAY_US) + (at_us - self._first_us)


@dataclass
class Night:
    """Many sessions asked by the same plan; all that may differ between services and nights is drawn by chance.

    Attributes:
        edges: (side of the start, side of the end) of the service's windows, as numpy names sides.
        nows: (sessions, calls, 2) the service's now of each half.
    """

    chance: np.random.Generator
    events: Events
    sessions: int
    two_nows: bool = False

    def __post_init__(self) -> None:
        chance = self.chance
        self.pairing = Pairing(chance.choice(list(Pairing)))
        self.pairs = np.array(
            [(pair.minutes1, pair.minutes2) for pair in pairs_of(self._minutes(), self.pairing)]
        )
        self.edges = (("right", "right"), ("left", "right"), ("left", "left"))[chance.integers(3)]
        self.shape = (self.sessions, len(self.pairs))
        self.mailbox = chance.integers(0, len(self.events.labels), self.sessions)
        self._draw_times()
        self.counts = self._counts()
        self._spoil()

    def _minutes(self) -> list[int]:
        chance, size = self.chance, int(self.chance.integers(1, 17))
        styles = (
            [60 * (n + 1) for n in range(size)],
            [n + 1 for n in range(size)],
            [int(n) for n in chance.integers(1, 2000, size)],
            [int(n) for n in chance.integers(1, 32_768, size)],
            [int(n) for n in chance.integers(1, 20, size)],
        )
        return styles[chance.integers(len(styles))]

    def _draw_times(self) -> None:
        chance, shape = self.chance, self.shape
        gap = 10.0 ** chance.uniform(3, 8)  # from a millisecond to a hundred seconds
        steps = chance.exponential(gap, shape)
        if chance.random() < 0.3:  # resumed hours later
            steps += (chance.random(shape) < 0.1) * chance.uniform(0, 4 * 3600e6, shape)
        sent = NOW_US + np.cumsum(steps, axis=1).astype(np.int64)
        match chance.integers(3):  # else in the plan's order
            case 0:
                sent = sent[:, ::-1]
            case 1:
                sent = chance.permuted(sent, axis=1)
        latency = chance.exponential(10.0 ** chance.uniform(3, 7), shape).astype(np.int64) + 2
        asked = sent + (chance.random(shape) * latency).astype(np.int64)
        stamped = asked + (chance.random(shape) * (sent + latency - asked)).astype(np.int64)
        offset = int(chance.integers(-3600, 3600) * 1_000_000 + chance.integers(1_000_000))
        self.observed = (stamped + offset) // 1_000_000 * 1_000_000
        # our own clock may be put back or forward in the middle of the night
        step = (chance.random() < 0.1) * chance.choice([-1, 1]) * chance.integers(900, 7200) * 10**6
        moved = np.where(sent > np.median(sent), step, 0)
        self.sent, self.received = sent + moved, sent + latency + moved
        now = asked + offset - int(chance.integers(2)) * int(chance.integers(0, 300_000_000))
        if chance.random() < 0.2:
            now -= now % MINUTE_US
        later = chance.integers(0, 30_000_000, shape) if self.two_nows else 0
        self.nows = np.stack([now, now + later], axis=2)

    def _counts(self) -> Integers:
        """(sessions, calls, 2, 4) what the service answers."""
        start, end = self.edges
        mailbox = self.mailbox[:, np.newaxis, np.newaxis]
        begin = self.nows - self.pairs * MINUTE_US
        return np.stack(
            [
                self.events.until(mailbox, n, self.nows, end)
                - self.events.until(mailbox, n, begin, start)
                for n in range(4)
            ],
            axis=3,
        )

    def _spoil(self) -> None:
        """Some calls have no answer, some counts are null."""
        self.answered = self.chance.random(self.shape) < self.chance.choice([1, 0.9, 0.5])
        share = self.chance.choice([0, 0.03])
        self.null = self.chance.random(self.counts.shape) < share

    def answers(self) -> pd.DataFrame:
        """As the buckets are made from; the call's id is its place in the plan."""
        session, call = np.nonzero(self.answered)
        counts = self.counts[session, call].reshape(-1, 8)
        null = self.null[session, call].reshape(-1, 8)
        time = pa.timestamp("us", "UTC")
        none = pa.nulls(len(session))
        columns = [
            pa.array(session).cast(pa.string()),
            none.cast(pa.int64()),
            none.cast(pa.int64()),
            pa.array(call).cast(pa.string()),
            none.cast(time),
            none.cast(time),
            pa.array(self.pairs[call, 0], pa.int32()),
            pa.array(self.pairs[call, 1], pa.int32()),
            pa.array(self.sent[session, call], time),
            pa.array(self.received[session, call], time),
            pa.array(self.observed[session, call], time),
            *(pa.array(counts[:, n], mask=null[:, n]) for n in range(8)),
        ]
        return pa.table(columns, schema=COUNTED).to_pandas(types_mapper=pd.ArrowDtype)

    def truth(self, buckets: pd.DataFrame) -> Integers:
        """What happened in each bucket, by the events alone."""
        numbers = {pair: number for number, pair in enumerate(SERIES)}
        series = [numbers[each] for each in zip(buckets.traffic, buckets.direction, strict=True)]
        place = buckets["session"].to_numpy(np.int64), np.array(series)
        longer = buckets["call_id"].to_numpy(np.int64), buckets["to_minutes"].to_numpy(np.int64)
        shorter = (
            buckets["from_call_id"].to_numpy(np.int64),
            buckets["from_minutes"].to_numpy(np.int64),
        )
        is_now = shorter[1] == 0
        starts = self._until(*place, *longer, np.False_ & is_now)
        ends = np.where(
            is_now,
            self._until(*place, *longer, is_now),
            self._until(*place, *shorter, np.False_ & is_now),
        )
        return np.maximum(ends - starts, 0)

    def _until(
        self, session: Integers, series: Integers, call: Integers, minutes: Integers, now: Any
    ) -> Integers:
        """What happened until the start of the window that a call counted, or until its end."""
        half = (self.pairs[call, 0] != minutes) | self.null[session, call, 0, series]
        at = self.nows[session, call, half.astype(int)] - np.where(now, 0, minutes) * MINUTE_US
        found = np.zeros(len(at), np.int64)
        for number in range(4):
            for is_now in (False, True):
                some = (series == number) & (now == is_now)
                side = self.edges[int(is_now)]
                found[some] = self.events.until(self.mailbox[session[some]], number, at[some], side)
        return found

    def counted(self, buckets: pd.DataFrame) -> Integers:
        """The counts of the windows that the buckets reach back to, as answered."""
        session, call = (buckets[name].to_numpy(np.int64) for name in ("session", "call_id"))
        series = [
            SERIES.index(each) for each in zip(buckets.traffic, buckets.direction, strict=True)
        ]
        minutes = buckets["to_minutes"].to_numpy(np.int64)
        half = (self.pairs[call, 0] != minutes) | self.null[session, call, 0, series]
        return self.counts[session, call, half.astype(int), series]
