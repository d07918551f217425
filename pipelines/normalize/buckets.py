"""Answers -> `traffic_buckets`: what happened between neighbouring edges. Pure, many sessions at a time.

Frames are prepared and labelled here; between them numpy computes, in `neighbouring_windows` and `bounds`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipelines.contract import TRAFFIC_BUCKETS
from pipelines.normalize.answers import (
    BOOLEAN,
    INTEGER,
    MINUTES,
    TEXT,
    TIME,
    Flags,
    Integers,
    column,
    empty_of,
)
from pipelines.normalize.bounds import MOST_ANSWERS, at_most
from pipelines.normalize.counts import COLUMNS, Counts
from pipelines.normalize.neighbouring_windows import (
    MINUTE_US,
    Answers,
    Numbers,
    Rungs,
    rungs,
    rungs_of_spans,
)
from pipelines.normalize.pairs import SERIES

__all__ = ["COUNTED", "counted_of", "probes_disagree", "traffic_buckets"]

_Places = npt.NDArray[np.intp]

_HALF: Final = len(SERIES)
_CALL: Final[dict[str, pa.DataType]] = {
    "session": pa.string(),
    "network_id": pa.int64(),
    "mailbox_id": pa.int64(),
    "call_id": pa.string(),
    "span_start": TIME.pyarrow_dtype,
    "span_end": TIME.pyarrow_dtype,
    "window1_minutes": pa.int32(),
    "window2_minutes": pa.int32(),
    "requested_at": TIME.pyarrow_dtype,
    "received_at": TIME.pyarrow_dtype,
    "observed_at": TIME.pyarrow_dtype,
}
# one row per answer with counts
COUNTED: Final = pa.schema({**_CALL, **dict.fromkeys(COLUMNS, pa.int64())})

_WINDOWS: Final = ["window1_minutes", "window2_minutes"]
_SPAN: Final = ["span_start", "span_end"]
_CLOCKS: Final = ["requested_at", "received_at", "observed_at"]
_DAY_US: Final = 86_400_000_000
_MICROSECONDS_PER_MILLISECOND: Final = 1000.0
_LARGEST: Final = 2**48  # sums of such counts are exact in a float
_CELLS: Final = 1 << 18  # of the largest array in work, so that it stays in the processor's cache
_TRAFFIC: Final = np.array([traffic for traffic, _ in SERIES])
_DIRECTION: Final = np.array([direction for _, direction in SERIES])


def counted_of(answers: pd.DataFrame, counts: Counts) -> pd.DataFrame:
    """The answers that have counts, with them: the columns of `COUNTED`."""
    return answers.loc[counts.wide.index, list(_CALL)].join(counts.wide)


def probes_disagree(counted: pd.DataFrame) -> bool:
    """Whether an answer for twice the same window has two counts: its halves do not share one now."""
    probes = counted[counted["window1_minutes"] == counted["window2_minutes"]]
    pairs = zip(COLUMNS[:_HALF], COLUMNS[_HALF:], strict=True)
    return any((probes[first] != probes[second]).any() for first, second in pairs)


def traffic_buckets(counted: pd.DataFrame, *, one_now: bool = True) -> pd.DataFrame:
    """The rows of `traffic_buckets` for whole sessions of one run.

    Args:
        counted: the columns of `COUNTED`; all answers of a session are there.
        one_now: both halves of an answer are of the same moment. If not, nothing but the shortest window is exact.
    """
    used = counted[_is_same_day(counted)]
    is_trailing = used["span_start"].isna() if one_now else pd.Series(True, used.index)
    kinds = ((used[is_trailing], rungs), (used[~is_trailing], rungs_of_spans))
    parts = [
        _labelled(some, source, padded, rungs_of(padded))
        for some, rungs_of in ((some.reset_index(drop=True), each) for some, each in kinds)
        for source, padded in _stretches(some, one_now=one_now)
    ]
    return pd.concat(parts) if parts else empty_of(TRAFFIC_BUCKETS)


def _is_same_day(counted: pd.DataFrame) -> pd.Series:
    """The server's clock is there, and less than a day from ours: others would file rows under any date."""
    off = counted["observed_at"].astype(INTEGER) - counted["requested_at"].astype(INTEGER)
    return (off.abs() < _DAY_US).fillna(value=False)


def _labelled(used: pd.DataFrame, source: Integers, padded: Answers, found: Rungs) -> pd.DataFrame:
    """Buckets with their calls, instants and bounds.

    Args:
        source: the rows of `used` that the padded answers are from.
    """
    low, high = _bounds(padded, found)
    start = padded.observed[found.session, found.longer] - found.to_minutes * MINUTE_US
    end = padded.observed[found.session, found.shorter] - found.from_minutes * MINUTE_US
    is_open = np.isinf(high)
    span_start, span_end = _asked_edges(padded, found)
    latency = padded.received - padded.sent
    longest = np.maximum(
        latency[found.session, found.shorter], latency[found.session, found.longer]
    )
    calls = used.take(source[found.session, found.longer])
    shorter = used["call_id"].take(source[found.session, found.shorter])
    return pd.DataFrame(
        {
            "session": calls["session"].array,
            "network_id": calls["network_id"].array,
            "mailbox_id": calls["mailbox_id"].array,
            "call_id": calls["call_id"].array,
            "from_call_id": shorter.array,
            "span_start": column(span_start, INTEGER).astype(TIME),
            "span_end": column(span_end, INTEGER).astype(TIME),
            "bucket_start": column(start, INTEGER).astype(TIME),
            "bucket_end": column(end, INTEGER).astype(TIME),
            "from_minutes": column(found.from_minutes, MINUTES),
            "to_minutes": column(found.to_minutes, MINUTES),
            "traffic": column(_TRAFFIC[found.metric], TEXT),
            "direction": column(_DIRECTION[found.metric], TEXT),
            "count": _whole(low, low != high),
            "exact": column(found.exact, BOOLEAN),
            "low": _whole(low, np.zeros_like(is_open)),
            "high": _whole(high, is_open),
            "estimate": _whole(np.clip(found.difference, low, high), is_open),
            "latency_ms": longest / _MICROSECONDS_PER_MILLISECOND,
        }
    )


def _asked_edges(padded: Answers, found: Rungs) -> tuple[pa.Array, pa.Array]:
    """The edges that were asked for, at the start and at the end of each bucket; none of trailing windows.

    Where answers are missing between two others, which are further apart then than either span is long, the end is
    none: what lies between is no span.
    """
    older, younger = (padded.spans[found.session, each] for each in (found.longer, found.shorter))
    is_span = found.exact & (found.from_minutes > 0)
    start = np.where(is_span, older[:, 0], older[:, 1])
    end = np.where(is_span, older[:, 1], younger[:, 0])
    longest = np.maximum(older[:, 1] - older[:, 0], younger[:, 1] - younger[:, 0])
    is_trailing = older[:, 1] == 0
    is_rest = found.exact & ~is_span
    is_open = is_rest | (~found.exact & (end - start > longest))
    return pa.array(start, mask=is_trailing), pa.array(end, mask=is_trailing | is_open)


def _stretches(counted: pd.DataFrame, *, one_now: bool) -> Iterator[tuple[Integers, Answers]]:
    """Some sessions at a time, padded, with the rows that the answers are from."""
    windows, times = (
        counted[names].astype(INTEGER).to_numpy(np.int64) for names in (_WINDOWS, _CLOCKS)
    )
    spans = counted[_SPAN].astype(INTEGER).to_numpy(np.int64, na_value=0)
    counts = _trusted(counted, windows, one_now=one_now)
    source = np.arange(len(windows))
    if not one_now:  # each half is an answer of its own; a minute is allowed for between them
        source, times = np.repeat(source, 2), np.repeat(times, 2, axis=0)
        spans = np.zeros((len(source), 2), np.int64)
        windows = np.repeat(windows.ravel()[:, np.newaxis], 2, axis=1)
        counts = counts.swapaxes(1, 2).reshape(-1, 1, _HALF).swapaxes(1, 2)
        counts = np.concatenate([counts, np.full_like(counts, np.nan)], axis=2)
    session = pd.factorize(counted["session"])[0][source]
    order = np.argsort(session, kind="stable")
    sizes = np.bincount(session)
    ends = np.cumsum(sizes)
    first, most = 0, int(sizes.max(initial=1))
    step = max(1, _CELLS // (_HALF * min(most, MOST_ANSWERS) ** 2))
    while first < len(sizes):
        last = min(first + step, len(sizes))
        rows = order[ends[first] - sizes[first] : ends[last - 1]]
        placed, padded = _padded(
            source[rows],
            session[rows] - first,
            windows[rows],
            times[rows],
            counts[rows],
            spans[rows],
        )
        yield placed, padded if one_now else replace(padded, doubt_us=MINUTE_US)
        first = last


def _trusted(counted: pd.DataFrame, windows: Integers, *, one_now: bool) -> Numbers:
    """(N, 4, 2): the counts; NaN where there is none, and where those of one answer contradict each other."""
    halves = counted[COLUMNS].to_numpy(np.float64, na_value=np.nan).reshape(-1, 2, _HALF)
    counts: Numbers = np.where((halves < 0) | (halves >= _LARGEST), np.nan, halves).swapaxes(1, 2)
    if one_now:
        same = (windows[:, 0] == windows[:, 1])[:, np.newaxis]
        first, second = counts[..., 0], counts[..., 1]
        counts[np.where(same, first != second, first > second) & ~np.isnan(first + second)] = np.nan
    return counts


def _padded(
    source: Integers,
    session: Integers,
    windows: Integers,
    times: Integers,
    counts: Numbers,
    spans: Integers,
) -> tuple[Integers, Answers]:
    sizes = np.bincount(session)
    place = np.arange(len(session)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shape = len(sizes), int(sizes.max())

    def spread(values: npt.NDArray[np.generic], empty: float) -> npt.NDArray[np.generic]:
        filled = np.full((*shape, *values.shape[1:]), empty, values.dtype)
        filled[session, place] = values
        return filled

    clocks = np.asarray(spread(times, 0), np.int64)
    answers = Answers(
        clocks[..., 0],
        clocks[..., 1],
        clocks[..., 2],
        np.asarray(spread(windows, 0), np.int64),
        np.asarray(spread(counts, np.nan), np.float64).swapaxes(1, 2),
        np.asarray(spread(spans, 0), np.int64),
    )
    return np.asarray(spread(source, -1), np.int64), answers


def _bounds(answers: Answers, found: Rungs) -> tuple[Numbers, Numbers]:
    """At least and at most, for each bucket; infinite where nothing bounds it. A session's depend on it alone."""
    low, high = found.difference.copy(), found.difference.copy()
    across = np.flatnonzero(~found.exact)
    is_small = (answers.present.sum(axis=1) <= MOST_ANSWERS)[found.session[across]]
    for some, changes in (
        (across[is_small], _changes_by_all_answers),
        (across[~is_small], _changes_by_few_answers),
    ):
        if len(some):
            gained, lost, is_torn = changes(answers, found, some)
            low[some] = np.where(is_torn, 0, np.maximum(low[some] - gained, 0))
            high[some] = np.where(is_torn, np.inf, np.maximum(high[some] + lost, 0))
    return low, high


_Changes = tuple[Numbers, Numbers, Flags]


def _changes_by_all_answers(answers: Answers, found: Rungs, some: _Places) -> _Changes:
    """What may have happened between the two answers of some buckets, by all answers of their sessions.

    Returns:
        At most so much from the shorter one's now to the longer one's, at most so much the other way, and whether the
        answers contradict each other.
    """
    sessions, place = np.unique(found.session[some], return_inverse=True)
    most = at_most(answers.of(sessions, MOST_ANSWERS))
    return _changes(most, (place, found.metric[some]), found.shorter[some], found.longer[some])


def _changes_by_few_answers(answers: Answers, found: Rungs, some: _Places) -> _Changes:
    """What may have happened between the two answers of some buckets, by these and the one with the shortest window."""
    shortest = np.where(answers.present, answers.minutes[..., 0], np.iinfo(np.int64).max).argmin(1)
    few = np.stack([found.shorter[some], found.longer[some], shortest[found.session[some]]], axis=1)
    most = at_most(_few(answers, found.session[some], found.metric[some], few))
    first = np.zeros(len(some), np.int64)
    return _changes(most, (np.arange(len(some)), first), first, first + 1)


def _changes(
    most: Numbers, at: tuple[_Places, _Places], shorter: _Places, longer: _Places
) -> _Changes:
    is_torn = np.any(np.diagonal(most, axis1=2, axis2=3) < 0, axis=2)[at]
    return most[*at, longer, shorter], most[*at, shorter, longer], is_torn


def _few(answers: Answers, session: Integers, metric: Integers, few: Integers) -> Answers:
    """A few answers for each bucket, as if each bucket were a session."""
    which = session[:, np.newaxis], few
    counts = answers.counts[session[:, np.newaxis], metric[:, np.newaxis], few]
    return Answers(
        answers.sent[which],
        answers.received[which],
        answers.observed[which],
        answers.minutes[which],
        counts[:, np.newaxis],
        answers.spans[which],
        answers.doubt_us,
    )


def _whole(values: Numbers, null: Flags) -> pd.Series:
    """As integers, and null where there is none to tell."""
    whole = np.where(null, 0, values).astype(np.int64)
    return column(pa.array(whole, mask=null), INTEGER)
