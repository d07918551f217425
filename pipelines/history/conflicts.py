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
    _sizes: Integers = field(init=False)

    def __post_init__(self) -> None:
        self._sizes = np.bincount(self.of, minlength=1)

    def bounds(self, places: Integers) -> tuple[Numbers, Numbers]:
        """At least and at most, for some observations, by all that count in their clusters."""
        found = self.found
        return self._bounds(
            places, found.first_node[places], found.last_node[places], self.of[places]
        )

    def bounds_between(self, before: Integers, after: Integers) -> tuple[Numbers, Numbers]:
        """At least and at most, from the end of some observations to the start of others in the same clusters."""
        found = self.found
        return self._bounds(None, found.last_node[before], found.first_node[after], self.of[before])

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
        self, places: Integers | None, first: Integers, last: Integers, cluster: Integers
    ) -> tuple[Numbers, Numbers]:
        low = np.zeros(len(first)) if places is None else self.found.low[places].copy()
        high = np.full(len(first), np.inf) if places is None else self.found.high[places].copy()
        asked = np.flatnonzero(self._sizes[cluster] > 1)
        if not len(asked):
            return low, high
        # each question has a graph of its own: that of its cluster
        members = _members(self.of, self.counts, cluster[asked])
        question = np.repeat(np.arange(len(asked)), [len(each) for each in members])
        graphs, nodes = _graphs(self.found.some(np.concatenate(members)), question)
        start = nodes.place(np.arange(len(asked)), first[asked])
        end = nodes.place(np.arange(len(asked)), last[asked])
        is_there = (start >= 0) & (end >= 0)
        start, end, asked = start[is_there], end[is_there], asked[is_there]
        if not len(asked):
            return low, high
        there = graphs.distances(start, len(members))
        back = graphs.distances(end, len(members))
        high[asked] = np.minimum(high[asked], there[end])
        low[asked] = np.maximum(low[asked], -back[start])
        return low, high


def clusters_of(found: Observations, is_row: Flags) -> Clusters:
    """The clusters of whole series, and what contradicts what in them.

    Args:
        is_row: (K,) which observations become rows; what contradicts these does not count.
    """
    of, begins = _cuts(found, _near_gaps(found, is_row))
    every, none = np.ones(len(found), np.bool_), np.zeros(len(found), np.bool_)
    clusters = Clusters(found, of, every, none, begins, is_row)
    crowded = np.flatnonzero(np.bincount(of, minlength=1) > 1)
    members = _members(of, clusters.counts, crowded)
    if not members:
        return clusters
    number = np.repeat(np.arange(len(members)), [len(each) for each in members])
    graphs, _ = _graphs(found.some(np.concatenate(members)), number)
    for torn in np.flatnonzero(graphs.contradictions(len(members))).tolist():
        _pass_over(clusters, members[torn], is_row)
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


def _cuts(found: Observations, whole: Flags) -> tuple[Integers, Flags]:
    """(K,) the cluster of each observation, and whether it begins it.

    It does where no instant from it on is certainly before one that an observation before it reaches, and no two
    instants are of observations of both sides. Then all that is certain between the sides is that one is not later than
    the other, but for one instant at most; a path that leaves a side comes back by that one or never, so neither bounds
    nor contradictions cross.

    Args:
        whole: (K,) with which none begins.
    """
    order = np.lexsort((found.end, found.start, found.series))
    some = found.some(order)
    is_first = np.r_[True, some.series[1:] != some.series[:-1]]
    reach = pd.Series(some.earliest[1]).groupby(some.series).cummax().to_numpy()
    before = np.r_[0, reach[:-1]]
    # latencies differ: what starts later by its Date may truly start earlier
    backwards = pd.Series(some.latest[0][::-1]).groupby(some.series[::-1])
    following = backwards.cummin().to_numpy()[::-1]
    is_new = is_first | ((before < following) & ~whole[order] & (_shared(some) < 2))
    of = np.empty(len(found), np.int64)
    of[order] = np.cumsum(is_new) - 1
    begins = np.empty(len(found), np.bool_)
    begins[order] = is_new
    return of, begins


def _shared(some: Observations) -> Integers:
    """(K,) how many instants are both of an observation before this one and of one from it on."""
    count = len(some)
    place = np.tile(np.arange(count), 2)
    nodes = pd.DataFrame(
        {
            "series": np.tile(some.series, 2),
            "node": np.concatenate([some.first_node, some.last_node]),
            "place": place,
        }
    )
    ends = nodes.groupby(["series", "node"])["place"].agg(["min", "max"])
    change = np.bincount(ends["min"] + 1, minlength=count + 2)
    change -= np.bincount(ends["max"] + 1, minlength=count + 2)
    return np.asarray(np.cumsum(change)[:count], np.int64)


def _members(of: Integers, counts: Flags, clusters: Integers) -> list[Integers]:
    """The places of the observations of each cluster that count."""
    places = np.flatnonzero(counts)
    places = places[np.argsort(of[places], kind="stable")]
    first = np.searchsorted(of[places], clusters)
    last = np.searchsorted(of[places], clusters, "right")
    return [places[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The instants of answers in some graphs, each once; ascending by graph, then number."""

    graph: Integers
    number: Integers

    def place(self, graph: Integers, number: Integers) -> Integers:
        """Where they are; -1 where they are not."""
        known = pd.MultiIndex.from_arrays([self.graph, self.number])
        return np.asarray(known.get_indexer(pd.MultiIndex.from_arrays([graph, number])), np.int64)


def _graphs(some: Observations, graph: Integers) -> tuple[Graphs, _Nodes]:
    """A graph for each number, of the observations that have it, and its nodes."""
    both = np.concatenate([graph, graph])
    numbers = np.concatenate([some.first_node, some.last_node])
    earliest, latest = (np.concatenate(each) for each in (some.earliest, some.latest))
    table = pd.DataFrame({"graph": both, "number": numbers, "earliest": earliest, "latest": latest})
    # an instant of which two answers tell is where both say that it is
    merged = table.groupby(["graph", "number"], sort=True).agg({"earliest": "max", "latest": "min"})
    nodes = _Nodes(*(np.asarray(merged.index.get_level_values(n), np.int64) for n in range(2)))
    latest = np.maximum(merged["latest"].to_numpy(), merged["earliest"].to_numpy())
    first, last = (nodes.place(graph, each) for each in (some.first_node, some.last_node))
    bounds = first, last, some.low, some.high
    graphs = graphs_of(bounds, nodes.graph, merged["earliest"].to_numpy(), latest)
    return graphs, nodes


def _pass_over(clusters: Clusters, members: Integers, is_row: Flags) -> None:
    """Leave out what contradicts better observations of its cluster, and mark the rows that it speaks of."""
    found = clusters.found
    order = members[np.lexsort((found.rank[members], ~is_row[members]))]
    kept: list[int] = []
    rest = order.tolist()
    while rest:
        agreeing = _agreeing(found, kept, rest)
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


def _agreeing(found: Observations, kept: list[int], rest: list[int]) -> int:
    """How many of the rest, from its first on, can be true together with those that are kept."""
    least, most = 0, len(rest)
    if not _contradict(found, kept + rest):
        return most
    while most - least > 1:
        middle = (least + most) // 2
        if _contradict(found, kept + rest[:middle]):
            most = middle
        else:
            least = middle
    return least


def _contradict(found: Observations, places: list[int]) -> bool:
    some = found.some(np.asarray(places, np.int64))
    graphs, _ = _graphs(some, np.zeros(len(places), np.int64))
    return bool(graphs.contradictions(1)[0])
