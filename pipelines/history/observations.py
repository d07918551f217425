"""The buckets of many runs as observations: between which two instants, how many, and how true that is. Pure.

Arrays of all observations of some sessions, sorted by series, then start. A series is one traffic and direction of one
session.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

__all__ = [
    "BUCKET_COLUMNS",
    "EDGE_US",
    "MINUTE_US",
    "SECOND_US",
    "Flags",
    "Integers",
    "Numbers",
    "Observations",
    "as_buckets",
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
_MOST_MINUTES: Final = 1 << 15  # more than a window has
_KEPT_LATENCY_MS: Final = 5_000.0  # of an observation whose answers are not there any more
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
        on_grid: both edges were asked for, and are as near to these as whole minutes and the latency allow.
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

    Args:
        buckets: those of the lake, and what `as_buckets` made of rows.

    Returns:
        Sorted by series and start. The numbers of series are in the order of session, traffic and direction.
    """
    series = buckets.groupby(["session", "traffic", "direction"], sort=True).ngroup().to_numpy()
    start, end, span_start, span_end = (
        instants(buckets[name]) for name in ("bucket_start", "bucket_end", "span_start", "span_end")
    )
    exact = buckets["exact"].to_numpy(np.bool_)
    is_asked, is_closed = buckets["span_start"].notna(), buckets["span_end"].notna()
    latency = buckets["latency_ms"].to_numpy(np.float64, na_value=0) * _MICROSECONDS_PER_MILLISECOND
    # the minutes are computed when a request is sent, and count back from when its answer is made
    off = np.minimum(EDGE_US + SECOND_US + latency, MINUTE_US)
    from_minutes = buckets["from_minutes"].to_numpy(np.int64)
    to_minutes = buckets["to_minutes"].to_numpy(np.int64)
    is_kept = from_minutes >= _MOST_MINUTES
    is_near = (np.abs(start - span_start) <= off) & (np.abs(end - span_end) <= off)
    on_grid = (is_asked & is_closed).to_numpy(np.bool_) & (is_near | is_kept)
    # infinity is no whole number, so the column becomes one of fractions first
    bounds = buckets["high"].astype("double[pyarrow]")
    high = np.asarray(bounds.to_numpy(np.float64, na_value=np.inf), np.float64)
    run = pd.factorize(buckets["run_id"], sort=True)[0].astype(np.int64)
    calls = pd.factorize(pd.concat([buckets["call_id"], buckets["from_call_id"]]), sort=True)[0]
    call, from_call = calls[: len(buckets)], calls[len(buckets) :]
    minutes = max(int(to_minutes.max(initial=0)) + 1, _MOST_MINUTES)
    first_node, last_node = (
        (run * (int(calls.max(initial=0)) + 1) + of) * minutes + at
        for of, at in ((call, to_minutes), (from_call, from_minutes))
    )
    span_start = np.where(on_grid, span_start, start)
    span_end = np.where(on_grid, span_end, end)
    asked_at = end + np.where(is_kept, 0, from_minutes) * MINUTE_US
    order = np.lexsort((call, run, -asked_at, span_end - span_start, ~exact, series))
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
        first_node=first_node,
        last_node=last_node,
        latency=latency.astype(np.int64),
        ends_now=from_minutes == 0,
        rank=rank,
    )
    found = found.some(start < end)
    return found.some(np.lexsort((found.rank, found.span_start, found.series)))


def as_buckets(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `traffic_history` whose buckets are not there any more, as buckets: what they say stays known.

    Each stands for itself: it shares no instant with another one, and its span stays what it was.
    """
    same = [
        *("run_id", "call_id", "session", "network_id", "mailbox_id", "span_start", "span_end"),
        *("traffic", "direction", "low", "high", "estimate", "conflict"),
    ]
    number = 2 * np.arange(len(rows)) + _MOST_MINUTES
    latency = np.full(len(rows), _KEPT_LATENCY_MS)
    return rows[same].assign(
        from_call_id=rows["call_id"],
        bucket_start=rows["edge_start"],
        bucket_end=rows["edge_end"],
        from_minutes=pd.arrays.ArrowExtensionArray(pa.array(number, pa.int32())),
        to_minutes=pd.arrays.ArrowExtensionArray(pa.array(number + 1, pa.int32())),
        exact=rows["state"] == "exact",
        latency_ms=pd.arrays.ArrowExtensionArray(pa.array(latency)),
    )


def instants(times: pd.Series) -> Integers:
    """Microseconds since 1970; 0 where there is none."""
    return np.asarray(times.astype("int64[pyarrow]").to_numpy(np.int64, na_value=0), np.int64)
