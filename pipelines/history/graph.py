"""Counts between instants as a graph, and what they imply: shortest paths, of many small graphs at once.

Let F(t) be all that ever happened until t. "At most w from u to v" is an edge u -> v of weight w, and F never falls.
The shortest path from u to v is the least upper bound of F(v) - F(u) that all of it allows; a negative cycle means that
the counts contradict each other (the algorithm is that of Bellman and Ford).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Flags", "Graphs", "Integers", "Numbers", "graphs_of"]

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Graphs:
    """Edges of many graphs, whose nodes are numbered through.

    Attributes:
        graph: (N,) of each node, the graph that it belongs to.
        tail: (E,) where each edge begins.
        head: (E,) where it ends; ascending.
        weight: (E,)
    """

    graph: Integers
    tail: Integers
    head: Integers
    weight: Numbers

    def contradictions(self, count: int) -> Flags:
        """(count,) which graphs have a negative cycle."""
        return self._relaxed(np.zeros(len(self.graph)), count)[1]

    def distances(self, sources: Integers, count: int) -> Numbers:
        """(N,) the length of the shortest path to each node from the source of its graph; infinite without a path.

        Args:
            sources: (count,) a node of each graph. No graph has a negative cycle.
        """
        start = np.full(len(self.graph), np.inf)
        start[sources] = 0
        return self._relaxed(start, count)[0]

    def _relaxed(self, start: Numbers, count: int) -> tuple[Numbers, Flags]:
        """Shortest distances, and which graphs have none because of a negative cycle."""
        found = start.copy()
        torn = np.zeros(count, np.bool_)
        if not len(self.head):
            return found, torn
        sizes = np.bincount(self.graph, minlength=count)
        tail, head, weight = self.tail, self.head, self.weight
        for number in range(int(sizes.max()) + 1):
            starts = np.flatnonzero(np.r_[True, head[1:] != head[:-1]])
            best = np.minimum.reduceat(found[tail] + weight, starts)
            nodes = head[starts]
            is_shorter = best < found[nodes]
            if not is_shorter.any():
                return found, torn
            found[nodes[is_shorter]] = best[is_shorter]
            moved = np.zeros(count, np.bool_)
            moved[self.graph[nodes[is_shorter]]] = True
            torn |= moved & (number >= sizes)  # a path without a cycle is no longer
            is_left = (moved & ~torn)[self.graph[head]]
            tail, head, weight = tail[is_left], head[is_left], weight[is_left]
            if not len(head):
                break
        return found, torn


def graphs_of(
    bounds: tuple[Integers, Integers, Numbers, Numbers],
    node_graph: Integers,
    earliest: Integers,
    latest: Integers,
) -> Graphs:
    """Graphs of what was counted, and of that F never falls.

    Args:
        bounds: the first node of each observation, its last one, at least so much between them, and at most.
        node_graph: (N,) of each node, the graph that it belongs to; ascending.
        earliest: (N,) the instant of the node is not before this; microseconds.
        latest: (N,) it is not after this.

    Returns:
        Behind the N nodes are others, for certain instants: a node that is certainly not later than another one is so
        by way of these.
    """
    start, end, low, high = bounds
    nodes = len(node_graph)
    both = np.concatenate([node_graph, node_graph])
    times = np.concatenate([earliest, latest])
    order = np.lexsort((times, both))
    is_new = np.r_[True, (np.diff(both[order]) != 0) | (np.diff(times[order]) != 0)]
    instant = np.empty(2 * nodes, np.int64)
    instant[order] = np.cumsum(is_new) - 1
    instant += nodes
    instant_graph = both[order][is_new]
    number = nodes + np.arange(len(instant_graph))
    follows = np.flatnonzero(np.diff(instant_graph) == 0)
    every = np.arange(nodes)
    tail = [start, end, number[follows + 1], every, instant[nodes:]]
    head = [end, start, number[follows], instant[:nodes], every]
    zero = np.zeros(len(follows) + 2 * nodes)
    weight = np.concatenate([high, -low, zero])
    tails, heads = np.concatenate(tail), np.concatenate(head)
    is_edge = np.isfinite(weight)
    tails, heads, weight = tails[is_edge], heads[is_edge], weight[is_edge]
    by_head = np.argsort(heads, kind="stable")
    return Graphs(
        np.concatenate([node_graph, instant_graph]),
        tails[by_head],
        heads[by_head],
        weight[by_head],
    )
