"""Observations that touch each other: what they bound together, and which of them contradict each other. Pure.

A cluster is a stretch of a series between two instants of answers that no other observation crosses, so that nothing
outside of it says more about what is inside.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from pipelines.history.graph import Graphs, graphs_of
from pipelines.history.observations import (
    EDGE_US,
    SECOND_US,
    Flags,
    Integers,
    Numbers,
    Observations,
)

__all__ = ["Clusters", "clusters_of"]

_NEAR_US: Final = EDGE_US + SECOND_US
_NEVER: Final = -(1 << 62)
_NEAR: Final = 48  # observations on each side that bound a row; what is farther away costs more than it ever said
_AT_ONCE: Final = 500  # questions, whose graphs are in memory together


@dataclass(frozen=True, slots=True)
class _Instants:
    """The instants of answers of some series, each once.

    Attributes:
        start: (K,) the number of the instant at which each observation starts.
        end: (K,) that of its end.
        earliest: (I,) no answer that tells of the instant lets it be before this; microseconds.
        latest: (I,) none lets it be after this.
    """

    start: Integers
    end: Integers
    earliest: Integers
    latest: Integers


@dataclass(slots=True)
class Clusters:
    """The clusters of some series.

    Attributes:
        of: (K,) the cluster of each observation.
        counts: (K,) which observations count: those that contradict better ones do not.
        conflict: (K,) which are contradicted by another one.
        begins: (K,) which are the first ones of their cluster.
    """

    found: Observations
    of: Integers
    counts: Flags
    conflict: Flags
    begins: Flags
    _is_row: Flags
    _instants: _Instants
    _sizes: Integers = field(init=False)

    def __post_init__(self) -> None:
        self._sizes = np.bincount(self.of, minlength=1)

    def bounds(self, places: Integers) -> tuple[Numbers, Numbers]:
        """At least and at most, for some observations, by all that count in their clusters."""
        known = self._instants
        between = known.start[places], known.end[places]
        own = self.found.low[places].copy(), self.found.high[places].copy()
        return self._bounds((places, places), between, own)

    def bounds_between(self, before: Integers, after: Integers) -> tuple[Numbers, Numbers]:
        """At least and at most, from the end of some observations to the start of others in the same clusters."""
        known = self._instants
        between = known.end[before], known.start[after]
        nothing = np.zeros(len(before)), np.full(len(before), np.inf)
        return self._bounds((before, after), between, nothing)

    def covers(self, before: Integers, after: Integers) -> Flags:
        """Whether observations that are no rows cover all that lies between two rows."""
        found, result = self.found, np.zeros(len(before), np.bool_)
        others = np.flatnonzero(self.counts & ~self._is_row & found.can_be_row)
        cluster = self.of[others]
        for number in np.flatnonzero(self.of[before] == self.of[after]).tolist():
            first, last = np.searchsorted(
                cluster, [self.of[before[number]], self.of[before[number]] + 1]
            )
            reached, until = found.end[before[number]], found.start[after[number]]
            for other in others[first:last].tolist():  # by their start
                if found.start[other] <= reached + SECOND_US + EDGE_US:
                    reached = max(reached, found.end[other])
            result[number] = reached >= until - EDGE_US - SECOND_US
        return result

    def _bounds(
        self,
        places: tuple[Integers, Integers],
        between: tuple[Integers, Integers],
        known: tuple[Numbers, Numbers],
    ) -> tuple[Numbers, Numbers]:
        """At least and at most between instants.

        Args:
            places: the first and the last observation that each question is about, of one cluster.
            between: its two instants.
            known: at least and at most, without what other observations say; is changed.
        """
        asked = np.flatnonzero(self._sizes[self.of[places[0]]] > 1)
        for begin in range(0, len(asked), _AT_ONCE):
            self._ask(asked[begin : begin + _AT_ONCE], places, between, known)
        return known

    def _ask(
        self,
        asked: Integers,
        places: tuple[Integers, Integers],
        between: tuple[Integers, Integers],
        known: tuple[Numbers, Numbers],
    ) -> None:
        """The bounds of some questions; each has a graph of its own, of what is near it in its cluster."""
        low, high = known
        cluster = self.of[places[0][asked]]
        members = [
            _near(each, first, last)
            for each, first, last in zip(
                _members(self.of, self.counts, cluster),
                places[0][asked].tolist(),
                places[1][asked].tolist(),
                strict=True,
            )
        ]
        question = np.repeat(np.arange(len(asked)), [len(each) for each in members])
        graphs, nodes = _graphs(self.found, self._instants, np.concatenate(members), question)
        start, end = (nodes.place(np.arange(len(asked)), each[asked]) for each in between)
        is_there = (start >= 0) & (end >= 0)
        start, end, asked = start[is_there], end[is_there], asked[is_there]
        if not len(asked):
            return
        there = graphs.distances(start, len(members))
        back = graphs.distances(end, len(members))
        high[asked] = np.minimum(high[asked], there[end])
        low[asked] = np.maximum(low[asked], -back[start])


def clusters_of(found: Observations, is_row: Flags) -> Clusters:
    """The clusters of whole series, and what contradicts what in them.

    Args:
        is_row: (K,) which observations become rows; what contradicts these does not count.
    """
    instants = _instants(found)
    of, begins = _cuts(found, instants, _near_gaps(found, is_row))
    every, none = np.ones(len(found), np.bool_), np.zeros(len(found), np.bool_)
    clusters = Clusters(found, of, every, none, begins, is_row, instants)
    crowded = np.flatnonzero(np.bincount(of, minlength=1) > 1)
    members = _members(of, clusters.counts, crowded)
    if not members:
        return clusters
    number = np.repeat(np.arange(len(members)), [len(each) for each in members])
    graphs, _ = _graphs(found, instants, np.concatenate(members), number)
    for torn in np.flatnonzero(graphs.contradictions(len(members))).tolist():
        _pass_over(clusters, instants, members[torn], is_row)
    return clusters


def _near_gaps(found: Observations, is_row: Flags) -> Flags:
    """(K,) which start in or at a gap between two rows that others may cover: such a gap is not cut."""
    result = np.zeros(len(found), np.bool_)
    rows = np.flatnonzero(is_row)
    before, after = rows[:-1], rows[1:]
    is_gap = found.series[before] == found.series[after]
    is_gap &= found.span_start[after] - found.span_end[before] > EDGE_US
    gaps = pd.DataFrame(
        {
            "series": found.series[before],
            "from": found.end[before] - _NEAR_US,
            "to": found.start[after] + _NEAR_US,
        }
    )[is_gap].sort_values("to", kind="stable")
    starts = pd.DataFrame({"series": found.series, "start": found.start})
    starts = starts.reset_index(names="place").sort_values("start", kind="stable")
    # the first gap of its series that ends after it starts
    met = pd.merge_asof(
        starts, gaps, left_on="start", right_on="to", by="series", direction="forward"
    )
    is_near = (met["from"] <= met["start"]).to_numpy(np.bool_)
    result[met["place"].to_numpy()] = is_near
    others = found.series[~is_row & found.can_be_row]
    return result & np.isin(found.series, others)


def _cuts(found: Observations, known: _Instants, whole: Flags) -> tuple[Integers, Flags]:
    """(K,) the cluster of each observation, and whether it begins it.

    It does where nothing that is certain leads from one side to the other and back. Either no instant is of
    observations of both sides, and none of this side is certainly before one of the side before it: all that may be
    certain between them is that one is not later than the other. Or one instant is of both, and all others are
    certainly not after it there, and not before it here: a way over to the other side that comes back by it is no
    shorter than what that order says. So neither bounds nor contradictions cross.

    Args:
        whole: (K,) with which none begins.
    """
    order = np.lexsort((found.end, found.start, found.series))
    count, series = len(order), found.series[order]
    earliest, latest = known.earliest, known.latest
    both = np.concatenate([known.start[order], known.end[order]])
    place = np.tile(np.arange(count), 2)
    first, last = np.full(len(earliest), count), np.full(len(earliest), -1)
    np.minimum.at(first, both, place)
    np.maximum.at(last, both, place)

    def before(values: Integers) -> Integers:
        """(K,) the greatest of the instants that are only of observations before this one."""
        result = np.full(count, _NEVER)
        np.maximum.at(result, last, values)
        result[1:] = _cumulated(result, series)[:-1]
        return result

    def following(values: Integers) -> Integers:
        """(K,) the least of those that are only of observations from this one on."""
        result = np.full(count, -_NEVER)
        np.minimum.at(result, first, values)
        return -_cumulated(-result[::-1], series[::-1])[::-1]

    def shared(values: Integers) -> Integers:
        """(K,) the sum over those that are of both sides."""
        change = np.zeros(count + 1, np.int64)
        np.add.at(change, first + 1, values)
        np.subtract.at(change, last + 1, values)
        return np.asarray(np.cumsum(change)[:count], np.int64)

    how_many = shared(np.ones(len(earliest), np.int64))
    is_apart = (how_many == 0) & (before(earliest) < following(latest))
    is_hinged = (how_many == 1) & (before(latest) <= shared(earliest))
    is_hinged &= shared(latest) <= following(earliest)
    is_new = np.r_[True, series[1:] != series[:-1]] | ((is_apart | is_hinged) & ~whole[order])
    of = np.empty(count, np.int64)
    of[order] = np.cumsum(is_new) - 1
    begins = np.empty(count, np.bool_)
    begins[order] = is_new
    return of, begins


def _instants(found: Observations) -> _Instants:
    """Those of all observations; all answers that tell of one narrow down when it is."""
    told = pd.DataFrame(
        {
            "series": np.tile(found.series, 2),
            "node": np.concatenate([found.first_node, found.last_node]),
            "earliest": np.concatenate(found.earliest),
            "latest": np.concatenate(found.latest),
        }
    ).groupby(["series", "node"], sort=False)
    number, earliest, latest = (
        np.asarray(each, np.int64)
        for each in (told.ngroup(), told["earliest"].max(), told["latest"].min())
    )
    start, end = number[: len(found)], number[len(found) :]
    return _Instants(start, end, earliest, np.maximum(earliest, latest))


def _cumulated(values: Integers, series: Integers) -> Integers:
    """(K,) the greatest so far, of each series."""
    return pd.Series(values).groupby(series, sort=False).cummax().to_numpy(np.int64)


def _members(of: Integers, counts: Flags, clusters: Integers) -> list[Integers]:
    """The places of the observations of each cluster that count."""
    places = np.flatnonzero(counts)
    places = places[np.argsort(of[places], kind="stable")]
    first = np.searchsorted(of[places], clusters)
    last = np.searchsorted(of[places], clusters, "right")
    return [places[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]


def _near(members: Integers, first: int, last: int) -> Integers:
    """Those of a cluster from so many before an observation to so many after another one."""
    begin, end = np.searchsorted(members, (first, last + 1)).tolist()
    return members[max(0, begin - _NEAR) : end + _NEAR]


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The instants of answers in some graphs, each once; ascending by graph, then number."""

    graph: Integers
    number: Integers

    def place(self, graph: Integers, number: Integers) -> Integers:
        """Where they are; -1 where they are not."""
        known = pd.MultiIndex.from_arrays([self.graph, self.number])
        return np.asarray(known.get_indexer(pd.MultiIndex.from_arrays([graph, number])), np.int64)


def _graphs(
    found: Observations, known: _Instants, places: Integers, graph: Integers
) -> tuple[Graphs, _Nodes]:
    """A graph for each number, of the observations at the places that have it, and its nodes."""
    start, end = known.start[places], known.end[places]
    each = pd.DataFrame({"graph": np.tile(graph, 2), "number": np.concatenate([start, end])})
    each = each.drop_duplicates().sort_values(["graph", "number"])
    nodes = _Nodes(each["graph"].to_numpy(np.int64), each["number"].to_numpy(np.int64))
    bounds = (
        nodes.place(graph, start),
        nodes.place(graph, end),
        found.low[places],
        found.high[places],
    )
    graphs = graphs_of(
        bounds, nodes.graph, known.earliest[nodes.number], known.latest[nodes.number]
    )
    return graphs, nodes


def _pass_over(clusters: Clusters, known: _Instants, members: Integers, is_row: Flags) -> None:
    """Leave out what contradicts better observations of its cluster, and mark the rows that it speaks of."""
    found = clusters.found
    order = members[np.lexsort((found.rank[members], ~is_row[members]))]
    kept: list[int] = []
    rest = order.tolist()
    while rest:
        agreeing = _agreeing(found, known, kept, rest)
        kept += rest[:agreeing]
        if agreeing == len(rest):
            break
        wrong = rest[agreeing]
        clusters.counts[wrong] = False
        touched = members[
            (found.start[members] < found.end[wrong]) & (found.end[members] > found.start[wrong])
        ]
        clusters.conflict[touched] = True
        rest = rest[agreeing + 1 :]


def _agreeing(found: Observations, known: _Instants, kept: list[int], rest: list[int]) -> int:
    """How many of the rest, from its first on, can be true together with those that are kept."""
    least, most = 0, len(rest)
    if not _contradict(found, known, kept + rest):
        return most
    while most - least > 1:
        middle = (least + most) // 2
        if _contradict(found, known, kept + rest[:middle]):
            most = middle
        else:
            least = middle
    return least


def _contradict(found: Observations, known: _Instants, places: list[int]) -> bool:
    graphs, _ = _graphs(found, known, np.asarray(places, np.int64), np.zeros(len(places), np.int64))
    return bool(graphs.contradictions(1)[0])
