"""Which observations become rows: disjoint ones, exact ones first, then the narrowest, then the latest. Pure."""

from bisect import bisect_left
from typing import Final

import numpy as np
import pandas as pd

from pipelines.history.observations import EDGE_US, Flags, Integers, Observations

__all__ = ["closed_seams", "selected"]

_WIDE_US: Final = 2 * 60_000_000  # the edges of a span of so much may be moved by half a minute


def selected(found: Observations) -> Flags:
    """(K,) which are rows. An edge that nobody asked for may overlap a neighbour by half a minute."""
    chosen = found.can_be_row.copy()
    places = np.flatnonzero(chosen)
    if not len(places):
        return chosen
    some = found.some(places)
    loose = _loose(some)
    latest = _latest_before(some)
    overlaps = latest - some.span_start > 0
    for series in np.unique(some.series[overlaps]):
        first, last = np.searchsorted(some.series, [series, series + 1])
        chosen[places[first:last]] = _disjoint(some.some(slice(first, last)), loose[first:last])  # type: ignore[arg-type]
    return chosen


def _loose(found: Observations) -> Integers:
    """(K,) by how much the edges of each may be moved."""
    return np.where(found.on_grid | (found.span_end - found.span_start < _WIDE_US), 0, EDGE_US)


def _latest_before(found: Observations) -> Integers:
    """(K,) the latest end of those before it in its series."""
    latest = pd.Series(found.span_end).groupby(found.series).cummax().to_numpy()
    before = np.r_[found.span_start[:1], latest[:-1]]
    is_first = np.r_[True, found.series[1:] != found.series[:-1]]
    return np.where(is_first, found.span_start, before)


def _disjoint(found: Observations, loose: Integers) -> Flags:
    """Which of a series: taken by their rank, each if it overlaps none of those that are taken."""
    is_taken = np.zeros(len(found), np.bool_)
    starts: list[int] = []
    taken: list[tuple[int, int, int]] = []  # start, end, by how much the edges may be moved
    for place in np.argsort(found.rank).tolist():
        start, end = int(found.span_start[place]), int(found.span_end[place])
        moves = int(loose[place])
        at = bisect_left(starts, start)
        neighbours = taken[max(at - 1, 0) : at + 1]
        if all(
            min(end, other_end) - max(start, other_start) <= max(moves, other_moves)
            and not (start >= other_start and end <= other_end)
            and not (start <= other_start and end >= other_end)
            for other_start, other_end, other_moves in neighbours
        ):
            starts.insert(at, start)
            taken.insert(at, (start, end, moves))
            is_taken[place] = True
    return is_taken


def closed_seams(rows: Observations) -> tuple[Integers, Integers]:
    """The spans of the rows, where neighbours less than half a minute apart share an edge.

    An edge that was asked for stays, else that of the lower rank.
    """
    start, end = rows.span_start.copy(), rows.span_end.copy()
    loose = _loose(rows)
    gap = start[1:] - end[:-1]
    is_near = (rows.series[1:] == rows.series[:-1]) & (gap != 0) & (np.abs(gap) <= EDGE_US)
    first_moves = is_near & (loose[:-1] > 0) & ((loose[1:] == 0) | (rows.rank[1:] < rows.rank[:-1]))
    second_moves = is_near & ~first_moves & (loose[1:] > 0)
    end[:-1][first_moves] = start[1:][first_moves]
    start[1:][second_moves] = rows.span_end[:-1][second_moves]
    return start, end
