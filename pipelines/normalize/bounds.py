"""What may have happened between two answers: the tightest bounds that counting allows.

Let F(t) be all that ever happened until t. An answer at its own now n says F(n) - F(n - w) for both its windows. F
never falls, so wherever one of these instants is certainly not later than one of another answer, that bounds the
difference of both answers' F(n); and bounds add up along the way from answer to answer (shortest paths).
"""

from itertools import product
from typing import Final

import numpy as np

from pipelines.normalize.answers import Flags, Integers
from pipelines.normalize.neighbouring_windows import MINUTE_US, Answers, Numbers

__all__ = ["MOST_ANSWERS", "at_most"]

MOST_ANSWERS: Final = 40  # the work grows with its cube

_DATE_US: Final = 1_000_000  # what the Date header leaves out
_STAMP_US: Final = 10_000  # a request may be on its way a moment before its time is taken


def at_most(answers: Answers) -> Numbers:
    """(S, 4, M, M): F at the now of the first answer less F at the now of the second is at most this; inf: unknown.

    Below zero on the diagonal: the answers contradict each other.
    """
    sessions, metrics, most, _ = answers.counts.shape
    found = np.full((sessions, metrics, most, most), np.inf)
    steady = _steady(answers)
    for one, other in product(range(3), repeat=2):
        certain = (_not_later(answers, one, other) & steady)[:, np.newaxis]
        known = (
            _counted(answers, one)[..., np.newaxis] - _counted(answers, other)[..., np.newaxis, :]
        )
        np.fmin(found, np.where(certain, known, np.inf), out=found)  # fmin passes over NaN
    itself = np.arange(most)
    found[:, :, itself, itself] = np.minimum(found[:, :, itself, itself], 0)
    for middle in range(most):
        way = found[..., middle, np.newaxis] + found[..., middle, :][..., np.newaxis, :]
        np.minimum(found, way, out=found)
    return found


def _not_later(answers: Answers, one: int, other: int) -> Flags:
    """(S, M, M): by our clock, a point of the first answer is certainly not later than a point of the second."""
    first, second = (_minutes(answers, point) * MINUTE_US for point in (one, other))
    # a service that cuts its now to the minute and counts both ends of a window could count an event at both points
    margin = _STAMP_US + (MINUTE_US if other and not one else 0)
    latest = answers.received - first + margin + 2 * answers.doubt_us
    return np.asarray(latest[..., np.newaxis] <= (answers.sent - second)[:, np.newaxis])


def _steady(answers: Answers) -> Flags:
    """(S, M, M) neither clock was put forward or back between the two answers, as far as the other can tell.

    Without this, two answers of the same second would be in any order that a moved clock gives them.
    """
    ahead = (
        answers.observed - answers.sent
    )  # too small by up to a second, too large by up to the latency
    most = ahead + _DATE_US
    least = ahead - (answers.received - answers.sent)
    overlap = least[..., np.newaxis] <= most[:, np.newaxis]
    return np.asarray(overlap & overlap.swapaxes(1, 2))


def _minutes(answers: Answers, point: int) -> Integers:
    """How far back the point is: 0 for now, 1 and 2 for the start of each window."""
    return answers.minutes[..., point - 1] if point else np.zeros_like(answers.sent)


def _counted(answers: Answers, point: int) -> Numbers:
    """(S, 4, M): what was counted from the point to now."""
    if point:
        return answers.counts[..., point - 1]
    now = np.where(answers.present, 0.0, np.nan)[:, np.newaxis]
    return np.broadcast_to(now, answers.counts.shape[:3])
