"""Bounds against an independent solver: a linear program of everything that the answers say."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from collector.domain.calls import Pairing
from collector.runs.plan import spans_of
from pipelines.history import reconcile
from tests.history.worlds import (
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    SERIES,
    START_US,
    Answer,
    World,
    buckets_of,
    world,
)

STAMP_US = 10_000
SOME, MANY = (*range(10), 146, 912, 1_764), range(10, 2_000)


class Instants:
    """The instants of answers, each with when it is at the earliest and at the latest."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.number: dict[tuple[str, str, int], int] = {}
        self.bounds: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int, float, float]] = []
        row: Any
        for row in rows.itertuples():
            latency = int(row.latency_ms * 1000) + STAMP_US
            start, end = (each.value // 1000 for each in (row.bucket_start, row.bucket_end))
            first = self._place((row.run_id, row.call_id, row.to_minutes), start, latency, 0)
            is_now = row.from_minutes == 0
            key = (row.run_id, row.from_call_id, row.from_minutes)
            last = self._place(key, end, latency, MINUTE_US if is_now else 0)
            high = np.inf if row.high is pd.NA else float(row.high)
            self.ends.append((first, last, float(row.low), high))

    def _place(self, key: tuple[str, str, int], label: int, latency: int, margin: int) -> int:
        earliest, latest = label - latency, label + SECOND_US + margin
        place = self.number.setdefault(key, len(self.bounds))
        if place == len(self.bounds):
            self.bounds.append((earliest, latest))
        else:
            before = self.bounds[place]
            self.bounds[place] = max(before[0], earliest), min(before[1], latest)
        return place

    def program(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """`A @ F <= b`: what every pair of instants that are certainly in order says, and every observation."""
        lines: list[tuple[int, int, float]] = []
        for one, (_, latest) in enumerate(self.bounds):
            lines += [
                (one, other, 0.0)
                for other, (earliest, _) in enumerate(self.bounds)
                if one != other and latest <= earliest
            ]
        for first, last, low, high in self.ends:
            lines.append((first, last, -low))
            if np.isfinite(high):
                lines.append((last, first, high))
        matrix, limits = np.zeros((len(lines), len(self.bounds))), np.zeros(len(lines))
        for number, (more, less, limit) in enumerate(lines):
            matrix[number, more] += 1
            matrix[number, less] -= 1
            limits[number] = limit
        return matrix, limits


def check(seed: int) -> int:
    """Compare the bounded rows of one series; how many there were."""
    buckets = buckets_of(world(seed))
    if not len(buckets):
        return 0
    history, compared = reconcile(buckets), 0
    traffic, direction = SERIES[seed % 4]
    own = (buckets["traffic"] == traffic) & (buckets["direction"] == direction)
    rows = history[(history["traffic"] == traffic) & (history["direction"] == direction)]
    instants = Instants(buckets[own])
    matrix, limits = instants.program()
    instants_at = _labels(buckets[own], instants)
    for place in np.flatnonzero((rows["state"] == "bounded").to_numpy()):
        row: Any = rows.iloc[place]
        first, last = (_the_one(instants_at, edge) for edge in (row.edge_start, row.edge_end))
        if first is None or last is None:
            continue
        goal = np.zeros(matrix.shape[1])
        goal[last] += 1
        goal[first] -= 1
        least, most = (
            linprog(sign * goal, matrix, limits, bounds=(None, None), method="highs")
            for sign in (1, -1)
        )
        assert least.status == most.status == 0
        assert (row.low, row.high) == (round(least.fun), round(-most.fun)), (seed, row)
        compared += 1
    return compared


def _labels(rows: pd.DataFrame, instants: Instants) -> dict[int, set[int]]:
    """By label, the instants that have it."""
    found: dict[int, set[int]] = {}
    row: Any
    for row in rows.itertuples():
        first = instants.number[row.run_id, row.call_id, row.to_minutes]
        last = instants.number[row.run_id, row.from_call_id, row.from_minutes]
        found.setdefault(row.bucket_start.value, set()).add(first)
        found.setdefault(row.bucket_end.value, set()).add(last)
    return found


def _the_one(instants_at: dict[int, set[int]], edge: pd.Timestamp) -> int | None:
    """The instant of an edge, if no second answer has one in the same second."""
    found = instants_at.get(edge.value, set())
    return next(iter(found)) if len(found) == 1 else None


@pytest.mark.parametrize("seed", SOME)
def test_bounds_are_the_tightest(seed: int) -> None:
    """As the solver finds them, out of all answers of the session at once."""
    check(seed)


@pytest.mark.soak
@pytest.mark.extended
@pytest.mark.timeout(3600)
def test_bounds_are_the_tightest_in_thousands_of_rows() -> None:
    """The same with more seeds, and enough of them had something to compare."""
    assert sum(map(check, MANY)) > 1000


def test_three_weeks_that_were_asked_for_twice() -> None:
    """Two chains of answers that nothing cuts: each row is bounded by what is near it, in a moment and not in hours."""
    edges = [START_US - number * HOUR_US for number in range(22 * 24)]
    runs = []
    for begun in (START_US + 10 * MINUTE_US, START_US + 20 * MINUTE_US + SECOND_US // 3):
        answers = []
        for number, span in enumerate(spans_of(edges, Pairing.PAIRS)):
            now = begun + number * SECOND_US // 2
            since = [
                (now - edge + MINUTE_US // 2) // MINUTE_US for edge in (span.end_us, span.start_us)
            ]
            answers.append(Answer(now, (since[0], since[1]), (span.start_us, span.end_us)))
        runs.append(answers)
    at = np.linspace(edges[-1], START_US, 3_000, dtype=np.int64)
    made = World(runs, [at] * 4)
    history = reconcile(buckets_of(made))
    own = history[(history["traffic"] == "parcel") & (history["direction"] == "in")]
    assert not own["cut"].iloc[48:-48].any()
    assert set(own["state"]) == {"exact", "bounded"}
    row: Any
    for row in own[own["state"] == "bounded"].itertuples():
        start, end = row.edge_start.value // 1000, row.edge_end.value // 1000
        assert row.low <= made.count(0, start, end) + 1
        assert row.high >= made.count(0, start, end) - 1
