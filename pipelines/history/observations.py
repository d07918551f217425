"""The buckets of many runs as observations: between which two instants, how many, and how true that is. Pure.

Arrays of all observations of some sessions, sorted by series, then start. A series is one traffic and direction of one
session.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "BUCKET_COLUMNS",
    "EDGE_US",
    "MINUTE_US",
    "SECOND_US",
    "Flags",
    "Integers",
    "Numbers",
    "Observations",
    "instants",
    "observations_of",
]

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

EDGE_US: Final = 30_000_000  # an edge is asked for to the nearest minute
SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60_000_000
_MICROSECONDS_PER_MILLISECOND: Final = 1_000
_STAMP_US: Final = 10_000  # a request may be on its way a moment before its time is taken

# what is read of `traffic_buckets`
BUCKET_COLUMNS: Final = (
    "run_id",
    "call_id",
    "from_call_id",
    "session",
    "network_id",
    "mailbox_id",
    "span_start",
    "span_end",
    "bucket_start",
    "bucket_end",
    "from_minutes",
    "to_minutes",
    "traffic",
    "direction",
    "exact",
    "low",
    "high",
    "estimate",
    "latency_ms",
)


@dataclass(frozen=True, slots=True)
class Observations:
    """What answers say, one entry each; instants in microseconds since 1970.

    Attributes:
        row: the row of the buckets that it is from.
        series: the number of its series.
        start: where it truly starts, by the service's clock to the second.
        end: where it truly ends.
        span_start: where the span starts that it is an observation of: the edge that was asked for, else `start`.
        span_end: where that ends.
        on_grid: both edges were asked for, and are within half a minute of these.
        can_be_row: it may be a row of the history; the others bound those.
        exact: one answer counted it.
        low: at least so many, and at most `high`; infinite where nothing bounds it.
        first_node: a number for the instant of an answer at which it starts; the same instant has the same one.
        last_node: that of its end.
        latency: of its answers, microseconds.
        ends_now: it ends when its answer was made.
        rank: the lower, the sooner it becomes a row: exact ones first, then the narrowest, then the latest.
    """

    row: Integers
    series: Integers
    start: Integers
    end: Integers
    span_start: Integers
    span_end: Integers
    on_grid: Flags
    can_be_row: Flags
    exact: Flags
    low: Numbers
    high: Numbers
    first_node: Integers
    last_node: Integers
    latency: Integers
    ends_now: Flags
    rank: Integers

    def __len__(self) -> int:
        return len(self.row)

    def some(self, which: npt.NDArray[np.generic]) -> "Observations":
        """Those of a mask, or of places."""
        return Observations(*(getattr(self, name)[which] for name in self.__slots__))

    @property
    def earliest(self) -> tuple[Integers, Integers]:
        """The true instants of start and end are not before these: the count is older than the Date of its reply."""
        slack = self.latency + _STAMP_US
        return self.start - slack, self.end - slack

    @property
    def latest(self) -> tuple[Integers, Integers]:
        """The true instants are not after these: a Date leaves out what is less than a second.

        A service that cuts its now to the minute and counts both ends of a window could count an event at its now and
        at the start of a window of another answer; so a now is only certainly before what is a minute later.
        """
        return self.start + SECOND_US, self.end + SECOND_US + MINUTE_US * self.ends_now


def observations_of(buckets: pd.DataFrame) -> Observations:
    """The observations among buckets of all runs, by `BUCKET_COLUMNS`; those that say nothing are left out.

    Returns:
        Sorted by series and start. The numbers of series are in the order of session, traffic and direction.
    """
    series = buckets.groupby(["session", "traffic", "direction"], sort=True).ngroup().to_numpy()
    start, end, span_start, span_end = (
        instants(buckets[name]) for name in ("bucket_start", "bucket_end", "span_start", "span_end")
    )
    exact = buckets["exact"].to_numpy(np.bool_)
    is_asked, is_closed = buckets["span_start"].notna(), buckets["span_end"].notna()
    on_grid = (
        (is_asked & is_closed).to_numpy(np.bool_)
        & (np.abs(start - span_start) <= EDGE_US + SECOND_US)
        & (np.abs(end - span_end) <= EDGE_US + SECOND_US)
    )
    from_minutes = buckets["from_minutes"].to_numpy(np.int64)
    to_minutes = buckets["to_minutes"].to_numpy(np.int64)
    # infinity is no whole number, so the column becomes one of fractions first
    bounds = buckets["high"].astype("double[pyarrow]")
    high = np.asarray(bounds.to_numpy(np.float64, na_value=np.inf), np.float64)
    latency = buckets["latency_ms"].to_numpy(np.float64, na_value=0) * _MICROSECONDS_PER_MILLISECOND
    codes = {
        name: pd.factorize(buckets[name], sort=True)[0].astype(np.int64)
        for name in ("run_id", "session")
    }
    calls = pd.factorize(pd.concat([buckets["call_id"], buckets["from_call_id"]]), sort=True)[0]
    call, from_call = calls[: len(buckets)], calls[len(buckets) :]
    node_of = {
        "first": codes["run_id"] * (int(calls.max(initial=0)) + 1) + call,
        "last": codes["run_id"] * (int(calls.max(initial=0)) + 1) + from_call,
    }
    minutes = 1 << 15  # more than a window may have
    span_start = np.where(on_grid, span_start, start)
    span_end = np.where(on_grid, span_end, end)
    asked_at = end + from_minutes * MINUTE_US
    order = np.lexsort((call, codes["run_id"], -asked_at, span_end - span_start, ~exact, series))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    found = Observations(
        row=np.arange(len(buckets)),
        series=series.astype(np.int64),
        start=start,
        end=end,
        span_start=span_start,
        span_end=span_end,
        on_grid=on_grid,
        # what starts at an edge that was asked for and ends at none is no span
        can_be_row=~(is_asked & ~is_closed).to_numpy(np.bool_) & np.isfinite(high),
        exact=exact,
        low=buckets["low"].to_numpy(np.float64),
        high=high,
        first_node=node_of["first"] * minutes + to_minutes,
        last_node=node_of["last"] * minutes + from_minutes,
        latency=latency.astype(np.int64),
        ends_now=from_minutes == 0,
        rank=rank,
    )
    found = found.some(start < end)
    return found.some(np.lexsort((found.rank, found.span_start, found.series)))


def instants(times: pd.Series) -> Integers:
    """Microseconds since 1970; 0 where there is none."""
    return np.asarray(times.astype("int64[pyarrow]").to_numpy(np.int64, na_value=0), np.int64)
