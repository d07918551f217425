"""The history of random fortnights against what truly happened."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.contract import TRAFFIC_HISTORY
from pipelines.contract.casting import to_contract
from pipelines.history import reconcile
from tests.history.worlds import (
    HOUR_US,
    MINUTE_US,
    SERIES,
    START_US,
    Answer,
    World,
    buckets_of,
    world,
)

HALF_A_MINUTE = pd.Timedelta(seconds=31)
SOME, MANY = range(60), range(60, 10_000)


def history_of(buckets: pd.DataFrame) -> pd.DataFrame:
    """The rows as they would be published."""
    table = to_contract(reconcile(buckets), TRAFFIC_HISTORY)
    table.validate(full=True)
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def check(made: World, *, is_clock_moved: bool = False) -> None:
    """Spans without holes or overlaps; every count and bound holds what happened between its edges.

    Args:
        is_clock_moved: of a service whose clock is another one in each run, what two runs say together is not certain.
    """
    buckets = buckets_of(made)
    if not len(buckets):
        return
    history, instants = history_of(buckets), made.instants(buckets)
    assert is_clock_moved or not history["conflict"].any()
    latencies = [each.latency_us for answers in made.runs for each in answers]
    slowest = pd.Timedelta(microseconds=max(latencies))
    for number, (traffic, direction) in enumerate(SERIES):
        rows = history[(history["traffic"] == traffic) & (history["direction"] == direction)]
        assert (rows["span_start"] < rows["span_end"]).all()
        assert (rows["span_start"].to_numpy()[1:] == rows["span_end"].to_numpy()[:-1]).all()
        row: Any
        for row in rows.itertuples():
            if row.state == "unseen":
                assert row.low == 0
                assert all(
                    each is pd.NA for each in (row.count, row.high, row.estimate, row.run_id)
                )
                assert row.edge_start is pd.NaT or row.edge_start is pd.NA
                continue
            # half a minute, and what the answers took
            assert abs(row.edge_start - row.span_start) <= HALF_A_MINUTE + slowest
            assert abs(row.edge_end - row.span_end) <= HALF_A_MINUTE + slowest
            starts, ends = (instants[each.value // 1000] for each in (row.edge_start, row.edge_end))
            truths = {made.count(number, start, end) for start in starts for end in ends}
            assert row.low <= row.estimate <= row.high
            if row.state == "exact":
                assert row.count in truths
                assert row.low == row.count == row.high
            elif not is_clock_moved:
                assert row.count is pd.NA
                assert any(row.low <= each <= row.high for each in truths)


@pytest.mark.parametrize("seed", SOME)
def test_rows_hold_what_happened(seed: int) -> None:
    """Outages, failed calls, runs by hand, grids of hours and of quarters, and trailing windows, mixed."""
    check(world(seed))


@pytest.mark.parametrize("seed", range(20))
def test_a_service_whose_clock_is_moved(seed: int) -> None:
    """By up to twenty minutes from run to run: what one answer counted is true by its own clock; nothing is lost."""
    check(world(seed, clock_off_us=20 * MINUTE_US), is_clock_moved=True)


@pytest.mark.soak
@pytest.mark.extended
@pytest.mark.timeout(3600)
def test_rows_hold_what_happened_in_thousands_of_cases() -> None:
    """The same with more seeds."""
    for seed in MANY:
        check(world(seed))


@pytest.mark.parametrize("seed", range(20))
def test_order_and_other_sessions_have_no_influence(seed: int) -> None:
    """The same rows, whatever the buckets come after and beside."""
    buckets = buckets_of(world(seed))
    others = buckets_of(world(seed + 1000), "beta")
    alone = history_of(buckets)
    mixed = history_of(pd.concat([others, buckets]).sample(frac=1, random_state=seed))
    pd.testing.assert_frame_equal(
        mixed[mixed["session"] == "acme"].reset_index(drop=True), alone, check_exact=True
    )
    twice = history_of(pd.concat([buckets, buckets]))
    pd.testing.assert_frame_equal(twice, alone, check_exact=True)


def hours(*answers: Answer, events: int = 0) -> pd.DataFrame:
    """The history of incoming parcels of one run."""
    at = np.linspace(START_US - 30 * HOUR_US, START_US, events, dtype=np.int64)
    history = history_of(buckets_of(World([[each] for each in answers], [at] * 4)))
    return history[(history["traffic"] == "parcel") & (history["direction"] == "in")]


def asked(hours_back: int, now_us: int = START_US + 60_000_000, **changes: int) -> Answer:
    """An answer for the hour that began so many hours before midnight."""
    start = START_US - hours_back * HOUR_US
    since = tuple(
        (now_us - edge + MINUTE_US // 2) // MINUTE_US for edge in (start + HOUR_US, start)
    )
    return Answer(now_us, since, (start, start + HOUR_US), **changes)  # type: ignore[arg-type]


def test_hours_that_nobody_asked_for_are_unseen_one_by_one() -> None:
    """Between two answers that are four hours apart."""
    rows = hours(asked(6), asked(1), events=100)
    assert rows["state"].tolist() == ["exact", *["unseen"] * 4, "exact"]
    assert (rows["span_end"] - rows["span_start"]).unique().tolist() == [pd.Timedelta(hours=1)]


def test_restated_counts_are_found() -> None:
    """An answer says more for an hour than another one for the four hours around it: the row says so."""
    around = Answer(START_US + HOUR_US + 90_000_000, (60, 360))
    agreeing = hours(around, asked(3), asked(2), events=100)
    assert not agreeing["conflict"].any()
    rows = hours(around, asked(3, restated=50), asked(2), events=100)
    three = pd.Timestamp(START_US - 3 * HOUR_US, unit="us", tz="UTC")
    (restated,) = rows[rows["span_start"] == three].to_dict("records")
    (truth,) = agreeing[agreeing["span_start"] == three].to_dict("records")
    assert restated["count"] == truth["count"] + 50  # nothing is averaged
    assert restated["conflict"]
    assert not rows["conflict"].iloc[-1]


def test_buckets_that_nothing_bounds_are_no_rows() -> None:
    """Where nothing bounds what lies between two answers of a run, it is unseen; the hours they counted are not."""
    buckets = buckets_of(World([[asked(3), asked(1)]], [np.empty(0, np.int64)] * 4))
    is_between = ~buckets["exact"]
    assert is_between.any()
    buckets.loc[is_between, ["count", "high", "estimate"]] = pd.NA
    history = history_of(buckets)
    states = history[(history["traffic"] == "parcel") & (history["direction"] == "in")]["state"]
    assert states.tolist() == ["exact", "unseen", "exact"]
    assert not history["conflict"].any()


def test_a_night_of_trailing_windows_before_the_grid() -> None:
    """Hours that begin at a quarter past, then full hours: the seam is bounded, not lost and not counted twice."""
    first = START_US + 15 * MINUTE_US
    trailing = Answer(first, (60, 120))
    rows = hours(trailing, asked(0, START_US + 2 * HOUR_US), asked(-1, START_US + 3 * HOUR_US))
    assert rows["span_start"].is_monotonic_increasing
    assert (rows["span_end"].to_numpy()[:-1] == rows["span_start"].to_numpy()[1:]).all()
    assert set(rows["state"]) == {"exact", "bounded"}


def test_no_buckets_are_no_history() -> None:
    """Frames without rows."""
    empty = buckets_of(World([[]], [np.empty(0, np.int64)] * 4))
    assert isinstance(empty, pd.DataFrame)
    assert pa.Table.from_pandas(empty).num_rows == len(history_of(empty)) == 0
