"""Trailing windows -> `traffic_buckets`: what happened between neighbouring windows. Pure, many sessions at a time."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract import TRAFFIC_BUCKETS, arrow_schema
from pipelines.tidy.answers import Flags, Integers, numbers
from pipelines.tidy.bounds import MOST_ANSWERS, at_most
from pipelines.tidy.facts import METRICS, Counts
from pipelines.tidy.ladder import MINUTE_US, Answers, Numbers, Rungs, rungs

__all__ = ["COUNTED", "counted", "probes_disagree", "traffic_buckets"]

_HALF: Final = len(METRICS) // 2
_TIME: Final = pa.timestamp("us", "UTC")
_FIELDS: Final[dict[str, pa.DataType]] = {
    "session": pa.string(),
    "call_id": pa.string(),
    "window1_minutes": pa.int32(),
    "window2_minutes": pa.int32(),
    "requested_at": _TIME,
    "received_at": _TIME,
    "observed_at": _TIME,
    "counts": pa.list_(pa.int64(), len(METRICS)),
}
COUNTED: Final = pa.schema(_FIELDS)  # one row per answer, counts in the order of METRICS

_DAY_US: Final = 86_400_000_000
_LARGEST: Final = 2**48  # sums of such counts are exact in a float
_CELLS: Final = 1 << 18  # of the largest array in work, so that it stays in the processor's cache
_TRAFFIC: Final = pa.array([metric.traffic for metric in METRICS[:_HALF]])
_DIRECTION: Final = pa.array([metric.direction for metric in METRICS[:_HALF]])


def counted(answers: pa.Table, counts: Counts, kept: Flags) -> pa.Table:
    """The kept answers with their counts, as `COUNTED`; `answers` as `pipelines.tidy.ANSWERS`."""
    calls = answers.take(counts.answer[kept])
    unknown = (counts.null | counts.missing)[kept]
    values = pa.array(counts.values[kept].ravel(), pa.int64(), mask=unknown.ravel())
    eight = pa.FixedSizeListArray.from_arrays(values, len(METRICS))
    columns = [calls[name] for name in COUNTED.names if name != "counts"]
    return pa.table([*columns, eight], schema=COUNTED)


def probes_disagree(answers: pa.Table, counts: Counts) -> bool:
    """Whether an answer for twice the same window has two counts: its halves do not share one now."""
    calls = answers.take(counts.answer)
    probes = numbers(calls["window1_minutes"]) == numbers(calls["window2_minutes"])
    unknown = counts.null | counts.missing
    both = ~(unknown[:, :_HALF] | unknown[:, _HALF:])
    differ = counts.values[:, :_HALF] != counts.values[:, _HALF:]
    return bool((both & differ)[probes].any())


def traffic_buckets(run_id: str, answers: pa.Table, *, one_now: bool = True) -> pa.Table:
    """The rows of `traffic_buckets` for whole sessions of one run.

    Args:
        answers: as `COUNTED`; all answers of a session are there.
        one_now: both halves of an answer are of the same moment. If not, nothing but the shortest window is exact.
    """
    used = answers.filter(pa.array(_same_day(answers)))
    parts = [arrow_schema(TRAFFIC_BUCKETS).empty_table()]
    for source, padded in _stretches(used, one_now=one_now):
        found = rungs(padded)
        low, high = _bounds(padded, found)
        shorter = used["call_id"].take(source[found.session, found.shorter])
        calls = used.select(["call_id", "session"]).take(source[found.session, found.longer])
        calls = calls.append_column("from_call_id", shorter)
        parts.append(_rows(run_id, padded, found, calls, (low, high)))
    return pa.concat_tables(parts)


def _same_day(answers: pa.Table) -> Flags:
    """The server's clock is there, and less than a day from ours: others would file rows under any date."""
    observed, requested = (
        answers[name].cast(pa.int64()).to_numpy() for name in ("observed_at", "requested_at")
    )
    return np.asarray(abs(observed - requested) < _DAY_US)  # an absent one is NaN


def _stretches(answers: pa.Table, *, one_now: bool) -> Iterator[tuple[Integers, Answers]]:
    """Some sessions at a time, padded, with the rows that the answers are from."""
    columns = [numbers(answers[name].cast(pa.int64())) for name in COUNTED.names[2:7]]
    windows, times = np.stack(columns[:2], axis=1), np.stack(columns[2:], axis=1)
    counts = _trusted(answers, windows, one_now=one_now)
    source = np.arange(len(windows))
    if not one_now:  # each half is an answer of its own; a minute is allowed for between them
        source, times = np.repeat(source, 2), np.repeat(times, 2, axis=0)
        windows = np.repeat(windows.ravel()[:, np.newaxis], 2, axis=1)
        counts = counts.swapaxes(1, 2).reshape(-1, 1, _HALF).swapaxes(1, 2)
        counts = np.concatenate([counts, np.full_like(counts, np.nan)], axis=2)
    sessions = answers["session"].combine_chunks().dictionary_encode().indices.to_numpy()
    session = sessions[source]
    order = np.argsort(session, kind="stable")
    sizes = np.bincount(session)
    ends = np.cumsum(sizes)
    first, most = 0, int(sizes.max(initial=1))
    step = max(1, _CELLS // (_HALF * min(most, MOST_ANSWERS) ** 2))
    while first < len(sizes):
        last = min(first + step, len(sizes))
        rows = order[ends[first] - sizes[first] : ends[last - 1]]
        placed, padded = _padded(
            source[rows], session[rows] - first, windows[rows], times[rows], counts[rows]
        )
        yield placed, padded if one_now else replace(padded, doubt_us=MINUTE_US)
        first = last


def _trusted(answers: pa.Table, windows: Integers, *, one_now: bool) -> Numbers:
    """(N, 4, 2): the counts; NaN where there is none, and where those of one answer contradict each other."""
    flat = pc.list_flatten(answers["counts"]).cast(pa.float64(), safe=False)
    halves = flat.to_numpy().reshape(-1, 2, _HALF)
    counts: Numbers = np.where((halves < 0) | (halves >= _LARGEST), np.nan, halves).swapaxes(1, 2)
    if one_now:
        same = (windows[:, 0] == windows[:, 1])[:, np.newaxis]
        first, second = counts[..., 0], counts[..., 1]
        counts[np.where(same, first != second, first > second) & ~np.isnan(first + second)] = np.nan
    return counts


def _padded(
    source: Integers, session: Integers, windows: Integers, times: Integers, counts: Numbers
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
    )
    return np.asarray(spread(source, -1), np.int64), answers


def _bounds(answers: Answers, found: Rungs) -> tuple[Numbers, Numbers]:
    """At least and at most, for each bucket; infinite where nothing bounds it."""
    low, high = found.difference.copy(), found.difference.copy()
    across = np.flatnonzero(~found.exact)
    if not len(across):
        return low, high
    session, metric = found.session[across], found.metric[across]
    shorter, longer = found.shorter[across], found.longer[across]
    if answers.sent.shape[1] <= MOST_ANSWERS:
        some, place = np.unique(session, return_inverse=True)
        most = at_most(answers.of(some))
        at = place, metric
    else:  # by the two answers alone
        most = at_most(_two(answers, session, metric, np.stack([shorter, longer], axis=1)))
        at = np.arange(len(across)), np.zeros(len(across), np.int64)
        shorter, longer = np.zeros_like(shorter), np.ones_like(longer)
    gained, lost = most[*at, longer, shorter], most[*at, shorter, longer]
    torn = np.any(np.diagonal(most, axis1=2, axis2=3) < 0, axis=2)[at]
    low[across] = np.where(torn, 0, np.maximum(low[across] - gained, 0))
    high[across] = np.where(torn, np.inf, np.maximum(high[across] + lost, 0))
    return low, high


def _two(answers: Answers, session: Integers, metric: Integers, pair: Integers) -> Answers:
    """The two answers of each bucket, as if each bucket were a session."""
    which = session[:, np.newaxis], pair
    counts = answers.counts[session[:, np.newaxis], metric[:, np.newaxis], pair]
    return Answers(
        answers.sent[which],
        answers.received[which],
        answers.observed[which],
        answers.minutes[which],
        counts[:, np.newaxis],
        answers.doubt_us,
    )


def _rows(
    run_id: str,
    padded: Answers,
    found: Rungs,
    calls: pa.Table,
    bounds: tuple[Numbers, Numbers],
) -> pa.Table:
    low, high = bounds
    start = padded.observed[found.session, found.longer] - found.to_minutes * MINUTE_US
    end = padded.observed[found.session, found.shorter] - found.from_minutes * MINUTE_US
    open_ = np.isinf(high)
    estimate = np.clip(found.difference, low, high)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "run_id": pa.repeat(run_id, len(low)),
        **{name: calls[name] for name in calls.column_names},
        "bucket_start": pa.array(start, _TIME),
        "bucket_end": pa.array(end, _TIME),
        "from_minutes": pa.array(found.from_minutes, pa.int32()),
        "to_minutes": pa.array(found.to_minutes, pa.int32()),
        "traffic": _TRAFFIC.take(found.metric),
        "direction": _DIRECTION.take(found.metric),
        "count": _whole(low, low != high),
        "exact": pa.array(found.exact),
        "low": _whole(low, np.zeros_like(open_)),
        "high": _whole(high, open_),
        "estimate": _whole(estimate, open_),
    }
    schema = arrow_schema(TRAFFIC_BUCKETS)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _whole(values: Numbers, null: Flags) -> pa.Array:
    return pa.array(np.where(null, 0, values).astype(np.int64), mask=null)
