"""Which stretches of time a set of spans covers, and what several sets cover in common. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["NOTHING", "Stretches", "common", "stretches_of"]


@dataclass(frozen=True, slots=True)
class Stretches:
    """Instants in microseconds since 1970.

    Attributes:
        starts: of each stretch, ascending; between two there is a gap.
        ends: where each ends.
    """

    starts: Sequence[int] = ()
    ends: Sequence[int] = ()

    @property
    def last(self) -> int:
        """Where the last one ends; 0 if there is none."""
        return self.ends[-1] if self.ends else 0

    def covers(self, start: int, end: int) -> bool:
        """Whether all of a span lies in one of them."""
        at = bisect_right(self.starts, start) - 1
        return at >= 0 and end <= self.ends[at]


NOTHING: Final = Stretches()


def common(some: Sequence[Stretches]) -> Stretches:
    """What all of them cover."""
    if all(each == some[0] for each in some):
        return some[0]
    if not all(each.starts for each in some):
        return NOTHING
    begin = ((at, 1) for each in some for at in each.starts)
    end = ((at, -1) for each in some for at in each.ends)
    starts: list[int] = []
    ends: list[int] = []
    depth = 0
    for at, step in sorted((*begin, *end)):
        if depth == len(some):
            ends.append(at)
        depth += step
        if depth == len(some):
            starts.append(at)
    return Stretches(starts, ends)


def stretches_of(
    sessions: pd.Series, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> dict[str, Stretches]:
    """By session, what its spans cover.

    Args:
        sessions: (N,) the label of each span's session.
        start: (N,) where it starts.
        end: (N,) where it ends.
    """
    if not len(sessions):
        return {}
    code, labels = pd.factorize(sessions.astype("object"))
    order = np.lexsort((start, code))
    code, start, end = code[order], start[order], end[order]
    reach = pd.Series(end).groupby(code).cummax().to_numpy()
    firsts = np.flatnonzero(np.r_[True, (code[1:] != code[:-1]) | (start[1:] > reach[:-1])])
    lasts = np.r_[firsts[1:], len(code)] - 1
    found: dict[str, tuple[list[int], list[int]]] = {str(label): ([], []) for label in labels}
    for at, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        starts, ends = found[str(labels[code[at]])]
        starts.append(int(start[at]))
        ends.append(int(reach[last]))
    return {session: Stretches(*both) for session, both in found.items()}
