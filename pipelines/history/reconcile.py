"""Observations of all runs -> the history: one row per span, without holes, each count once. Pure.

1. Disjoint observations become rows (`selection`): exact ones first, then the narrowest, then the latest.
2. What lies between them is bounded, if observations that became no row cover it, by the tightest bounds that all
   answers allow (`graph`); else it is unseen, cut at the hours of the grid.
3. Answers that contradict those that became rows are passed over, and the rows that they speak of say so.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.contract import TRAFFIC_HISTORY
from pipelines.contract.scopes import scope_of
from pipelines.history.conflicts import Clusters, clusters_of
from pipelines.history.observations import (
    Flags,
    Integers,
    Numbers,
    Observations,
    as_buckets,
    observations_of,
)
from pipelines.history.selection import closed_seams, selected

__all__ = ["CUT", "reconcile"]

CUT: Final = "cut"

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_MOST_CUTS: Final = 2_500  # 26 days of quarters: a longer gap of a finer grid is cut at full hours
_TIME: Final = pd.ArrowDtype(pa.timestamp("us", "UTC"))
_INTEGER: Final = pd.ArrowDtype(pa.int64())
_OF_SERIES: Final = ("session", "network_id", "mailbox_id", "traffic", "direction")


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of the history, one entry each; `row` is that of the buckets which the session's columns are from."""

    row: Integers
    series: Integers
    span_start: Integers
    span_end: Integers
    state: Integers  # a place in _STATES
    edge_start: Integers
    edge_end: Integers
    low: Numbers
    high: Numbers
    estimate: Numbers
    conflict: Flags
    cut: Flags


_STATES: Final = np.array(["exact", "bounded", "unseen"], np.object_)
_EXACT, _BOUNDED, _UNSEEN = range(3)


def reconcile(buckets: pd.DataFrame, kept: pd.DataFrame | None = None) -> pd.DataFrame:
    """The history of whole series, as rows of `traffic_history`, sorted by its key.

    Beside the table's columns there is `cut`: nothing before the row has any influence on it or on what follows, and
    nothing from it on has any on what is before.

    Args:
        buckets: every row of `traffic_buckets` of these series that is to count, with the columns of
            `observations.BUCKET_COLUMNS`, in any order.
        kept: known rows of the history whose buckets are not there any more.
    """
    buckets = buckets.assign(conflict=False)
    if kept is not None and len(kept):
        buckets = pd.concat([buckets, as_buckets(kept)])
    buckets = buckets.drop_duplicates(["run_id", "call_id", "to_minutes", "traffic", "direction"])
    buckets = buckets.reset_index(drop=True)
    found = observations_of(buckets)
    is_row = selected(found)
    clusters = clusters_of(found, is_row)
    parts = [
        _rows_of_observations(buckets, found, is_row, clusters),
        *_rows_between(found, is_row, clusters),
    ]
    columns = zip(
        *([getattr(part, name) for name in _Rows.__slots__] for part in parts), strict=True
    )
    rows = _Rows(*(np.concatenate(each) for each in columns))
    order = np.lexsort((rows.span_start, rows.series))
    return _frame(buckets, _Rows(*(getattr(rows, name)[order] for name in _Rows.__slots__)))


def _rows_of_observations(
    buckets: pd.DataFrame, found: Observations, is_row: Flags, clusters: Clusters
) -> _Rows:
    rows = found.some(is_row)
    span_start, span_end = closed_seams(rows)
    low, high = clusters.bounds(np.flatnonzero(is_row & ~found.exact))
    lows, highs = rows.low.copy(), rows.high.copy()
    lows[~rows.exact], highs[~rows.exact] = low, high
    estimate = buckets["estimate"].to_numpy(np.float64, na_value=0)[rows.row]
    return _Rows(
        row=rows.row,
        series=rows.series,
        span_start=span_start,
        span_end=span_end,
        state=np.where(rows.exact, _EXACT, _BOUNDED),
        edge_start=rows.start,
        edge_end=rows.end,
        low=lows,
        high=highs,
        estimate=np.clip(estimate, lows, highs),
        conflict=clusters.conflict[is_row],
        cut=clusters.begins[is_row],
    )


def _rows_between(found: Observations, is_row: Flags, clusters: Clusters) -> tuple[_Rows, _Rows]:
    """What lies between rows: bounded where others cover it, else unseen."""
    places = np.flatnonzero(is_row)
    rows = found.some(places)
    start, end = closed_seams(rows)
    gap = np.flatnonzero((rows.series[1:] == rows.series[:-1]) & (end[:-1] < start[1:]))
    before, after = places[gap], places[gap + 1]
    starts, ends = end[gap], start[gap + 1]
    is_covered = clusters.covers(before, after)
    covered = np.flatnonzero(is_covered)
    low, high = clusters.bounds_between(before[covered], after[covered])
    is_bounded = np.isfinite(high)
    covered, low, high = covered[is_bounded], low[is_bounded], high[is_bounded]
    first, last = before[covered], after[covered]
    bounded = _Rows(
        row=found.row[first],
        series=found.series[first],
        span_start=starts[covered],
        span_end=ends[covered],
        state=np.full(len(covered), _BOUNDED),
        edge_start=found.end[first],
        edge_end=found.start[last],
        low=low,
        high=high,
        estimate=np.floor((low + high) / 2),
        conflict=clusters.conflict[first] | clusters.conflict[last],
        cut=np.zeros(len(covered), np.bool_),
    )
    is_open = np.ones(len(gap), np.bool_)
    is_open[covered] = False
    return bounded, _unseen(found, before[is_open], after[is_open], starts[is_open], ends[is_open])


def _unseen(
    found: Observations, before: Integers, after: Integers, starts: Integers, ends: Integers
) -> _Rows:
    """Gaps, cut at the grid of the row before them, else of that after, else at full hours."""
    width = np.full(len(starts), _HOUR_US)
    for row in (after, before):
        length = found.span_end[row] - found.span_start[row]
        is_of_grid = (
            found.on_grid[row] & (_DAY_US % length == 0) & (found.span_start[row] % length == 0)
        )
        width = np.where(is_of_grid, length, width)
    width = np.where(ends - starts > _MOST_CUTS * width, np.maximum(width, _HOUR_US), width)
    first_cut = starts // width + 1
    cuts = np.maximum((ends - 1) // width - first_cut + 1, 0)
    gap = np.repeat(np.arange(len(starts)), cuts + 1)
    number = np.arange(len(gap)) - np.repeat(np.cumsum(cuts + 1) - (cuts + 1), cuts + 1)
    cut = (first_cut[gap] + number) * width[gap]
    span_start = np.where(number == 0, starts[gap], cut - width[gap])
    span_end = np.where(number == cuts[gap], ends[gap], cut)
    none = np.zeros(len(gap))
    return _Rows(
        row=found.row[before][gap],
        series=found.series[before][gap],
        span_start=span_start,
        span_end=span_end,
        state=np.full(len(gap), _UNSEEN),
        edge_start=none.astype(np.int64),
        edge_end=none.astype(np.int64),
        low=none,
        high=none + np.inf,
        estimate=none,
        conflict=none.astype(np.bool_),
        cut=none.astype(np.bool_),
    )


def _frame(buckets: pd.DataFrame, rows: _Rows) -> pd.DataFrame:
    """The rows with the columns of the table."""
    is_unseen = rows.state == _UNSEEN
    whose = buckets.take(rows.row)
    columns = {name: whose[name].array for name in _OF_SERIES}
    columns |= {
        "scope": scope_of(whose["call_id"]).array,
        "span_start": _times(rows.span_start),
        "span_end": _times(rows.span_end),
        "state": pd.arrays.ArrowExtensionArray(pa.array(_STATES[rows.state], pa.string())),
        "count": _counts(rows.low, rows.state != _EXACT),
        "low": _counts(rows.low),
        "high": _counts(rows.high, np.isinf(rows.high)),
        "estimate": _counts(rows.estimate, is_unseen),
        "edge_start": _times(rows.edge_start, is_unseen),
        "edge_end": _times(rows.edge_end, is_unseen),
        "conflict": rows.conflict | (whose["conflict"].to_numpy(np.bool_) & ~is_unseen),
        "run_id": whose["run_id"].mask(is_unseen).array,
        "call_id": whose["call_id"].mask(is_unseen).array,
    }
    names = [column.name for column in TRAFFIC_HISTORY.columns]
    return pd.DataFrame(columns)[names].assign(**{CUT: rows.cut})


def _times(instants: Integers, null: Flags | None = None) -> pd.api.extensions.ExtensionArray:
    return pd.arrays.ArrowExtensionArray(
        pa.array(instants, pa.int64(), mask=null).cast(_TIME.pyarrow_dtype)
    )


def _counts(values: Numbers, null: Flags | None = None) -> pd.api.extensions.ExtensionArray:
    whole = np.where(np.isfinite(values), values, 0).astype(np.int64)
    return pd.arrays.ArrowExtensionArray(pa.array(whole, _INTEGER.pyarrow_dtype, mask=null))
