"""Which two counts make which bucket: those of neighbouring windows of a session, or of the edges of its spans.

Arrays of many sessions at once: `S` sessions, each with up to `M` answers of two windows, four metrics.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines.normalize.answers import Flags, Integers

__all__ = ["MINUTE_US", "Answers", "Numbers", "Rungs", "rungs", "rungs_of_spans"]

MINUTE_US: Final = 60_000_000

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of many sessions, padded to the same number each; times in microseconds.

    Attributes:
        sent: (S, M) the client's clock when the request had been written.
        received: (S, M) the same clock when the reply had come.
        observed: (S, M) the server's clock, to the second.
        minutes: (S, M, 2) the windows, the shorter one first.
        counts: (S, 4, M, 2) NaN where there is none.
        spans: (S, M, 2) the edges that were asked for, the older one first; 0 for trailing windows.
        doubt_us: how far the now of an answer may be outside of the time between `sent` and `received`.
    """

    sent: Integers
    received: Integers
    observed: Integers
    minutes: Integers
    counts: Numbers
    spans: Integers
    doubt_us: int = 0

    @property
    def present(self) -> Flags:
        """(S, M) which are answers and no padding."""
        return np.asarray(self.sent > 0)

    def of(self, sessions: npt.NDArray[np.intp], most: int) -> "Answers":
        """Those of some of the sessions, none of which has more than `most`."""
        return Answers(
            self.sent[sessions, :most],
            self.received[sessions, :most],
            self.observed[sessions, :most],
            self.minutes[sessions, :most],
            self.counts[sessions, :, :most],
            self.spans[sessions, :most],
            self.doubt_us,
        )


@dataclass(frozen=True, slots=True)
class Rungs:
    """Buckets, one entry each, by session, then length, then metric.

    Attributes:
        shorter: the answer that counted the shorter window, and `longer` the longer one; -1 where that is 0 minutes.
        exact: both are one answer, and what is next to it fits.
        difference: of the two counts.
    """

    session: Integers
    metric: Integers
    shorter: Integers
    longer: Integers
    from_minutes: Integers
    to_minutes: Integers
    difference: Numbers
    exact: Flags


def rungs(answers: Answers) -> Rungs:
    """Buckets between neighbouring trailing windows, of every session and metric.

    Windows are taken from the shortest up. One makes a bucket if it reaches further back than those before it. Where
    two answers counted the same window, the second one belongs to the same bucket if it says the same.
    """
    ladder = _Ladder(answers)
    steps = [ladder.step(at) for at in range(2 * answers.sent.shape[1])]
    taken = np.stack([step[0] for step in steps], axis=1)
    session, _, metric = where = np.nonzero(taken)

    def column(number: int) -> Integers:
        return np.stack([np.broadcast_to(s[number], s[0].shape) for s in steps], axis=1)[where]

    return Rungs(
        session=session,
        metric=metric,
        shorter=column(1),
        longer=column(2),
        from_minutes=column(3),
        to_minutes=column(4),
        difference=np.asarray(column(5), np.float64),
        exact=column(1) == column(2),
    )


def rungs_of_spans(answers: Answers) -> Rungs:
    """What the answers for spans say: of each span, of the time between neighbours, and since the youngest edge.

    Neighbours are bounded by two answers where they do not share an edge.
    """
    starts = np.where(answers.present, answers.spans[..., 0], np.iinfo(np.int64).max)
    order = np.argsort(starts, axis=1, kind="stable")
    edges = answers.observed[..., np.newaxis] - answers.minutes * MINUTE_US
    is_known = answers.present[:, np.newaxis] & ~np.isnan(answers.counts).any(axis=3)
    is_known &= (answers.minutes[..., 0] < answers.minutes[..., 1])[:, np.newaxis]
    every = np.arange(len(order))
    shape = is_known.shape[:2]
    before = np.full(shape, -1)  # the answer for the span before
    sessions, metrics = np.indices(shape)
    parts: list[tuple[Integers, ...]] = []

    def add(where: Flags, shorter: Integers, longer: Integers, halves: tuple[int, int]) -> None:
        """Buckets from a window of `shorter` to one of `longer`; half -1 is the time of asking."""
        session, metric = np.asarray(sessions)[where], np.asarray(metrics)[where]
        first, second = shorter[where], longer[where]
        least = halves[0] >= 0
        from_minutes = answers.minutes[session, first, halves[0]] * least
        counted = np.where(least, answers.counts[session, metric, first, halves[0]], 0.0)
        difference = answers.counts[session, metric, second, halves[1]] - counted
        to_minutes = answers.minutes[session, second, halves[1]]
        parts.append((session, metric, first, second, from_minutes, to_minutes, difference))

    for place in range(order.shape[1]):
        answer = np.broadcast_to(order[:, place, np.newaxis], shape)
        known = is_known[every[:, np.newaxis], np.arange(shape[1]), answer]
        is_apart = (
            known
            & (before >= 0)
            & (answers.spans[sessions, answer, 0] > answers.spans[sessions, before, 1])
            & (edges[sessions, answer, 1] > edges[sessions, before, 0])
        )
        add(is_apart, answer, before, (1, 0))
        add(known, answer, answer, (0, 1))
        before = np.where(known, answer, before)
    add(before >= 0, before, before, (-1, 0))
    columns = [np.concatenate(each) for each in zip(*parts, strict=True)]
    session, metric, shorter, longer, from_minutes, to_minutes, difference = columns
    return Rungs(
        session=session,
        metric=metric,
        shorter=shorter,
        longer=longer,
        from_minutes=from_minutes,
        to_minutes=to_minutes,
        difference=np.asarray(difference, np.float64),
        exact=shorter == longer,
    )


class _Ladder:
    """One step for each window of each session, all sessions and metrics (S, 4) side by side."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        sessions, most = answers.sent.shape
        # of the same window, the second half of the answer before comes first, so that a chain goes on with the next
        order = answers.minutes * 2 + np.array([1, 0])
        order[~answers.present] = np.iinfo(np.int64).max
        self._order = np.argsort(order.reshape(sessions, 2 * most), axis=1, kind="stable")
        shape = sessions, answers.counts.shape[1]
        self._at = np.full(shape, -1)  # the answer of the last window that made a bucket
        self._twin = np.full(shape, -1)  # another one that counted the same there
        self._minutes = np.zeros(shape, np.int64)
        self._count = np.zeros(shape)
        self._edge = np.zeros(shape, np.int64)  # where that window begins, in time

    def step(self, number: int) -> tuple[npt.NDArray[np.generic], ...]:
        """Which have a bucket here, and its columns as in `Rungs`."""
        every = np.arange(len(self._order))
        answer, half = np.divmod(self._order[:, number], 2)
        minutes = self._answers.minutes[every, answer, half][:, np.newaxis]
        edge = self._answers.observed[every, answer][:, np.newaxis] - minutes * MINUTE_US
        count = self._answers.counts[every, :, answer, half]
        answer = np.broadcast_to(answer[:, np.newaxis], count.shape)
        known, begun = ~np.isnan(count), self._at >= 0

        further = known & (~begun | ((minutes > self._minutes) & (edge < self._edge)))
        is_twin = known & begun & (minutes == self._minutes) & (count == self._count)
        is_twin &= edge >= self._edge - MINUTE_US  # no hole of more than a minute
        one = ~begun | (answer == self._at) | (answer == self._twin)
        shorter = np.where(one, answer, self._at)
        found = (further, shorter, answer, self._minutes, minutes, count - self._count)
        self._twin = np.where(further, -1, np.where(is_twin, answer, self._twin))
        self._at = np.where(further, answer, self._at)
        self._minutes = np.where(further, minutes, self._minutes)
        self._count = np.where(further, count, self._count)
        self._edge = np.where(further, edge, self._edge)
        return found
