"""Runs with an exact answer for each hour, published as buckets."""

from collections.abc import Collection, Iterable
from datetime import date

import numpy as np
import pandas as pd

from pipelines.contract import TRAFFIC_BUCKETS
from pipelines.contract.casting import to_contract
from pipelines.lake import Lake
from tests.history.worlds import HOUR_US, MINUTE_US, SECOND_US, START_US, Answer, World, buckets_of

__all__ = ["DAY", "hours", "nights", "of_network", "publish"]

DAY = date(2026, 1, 31)
DAY_US = 24 * HOUR_US


def publish(lake: Lake, run_id: str, buckets: pd.DataFrame, day: date = DAY) -> None:
    """One run with these buckets, of a day."""
    rows = to_contract(buckets.assign(run_id=run_id), TRAFFIC_BUCKETS)
    with lake.publication(run_id, day) as publication:
        if rows.num_rows:
            publication.append("traffic_buckets", rows)
        publication.commit({})


def hours(made: Iterable[int], now: int, but: Collection[int] = ()) -> list[Answer]:
    """An exact answer for each hour after `START_US`, all asked for within a minute."""
    asked = []
    for number, hour in enumerate(each for each in made if each not in but):
        start, at = START_US + hour * HOUR_US, START_US + now * HOUR_US + (120 + number) * SECOND_US
        minutes = ((at - edge + MINUTE_US // 2) // MINUTE_US for edge in (start + HOUR_US, start))
        asked.append(Answer(at, tuple(minutes), (start, start + HOUR_US)))  # type: ignore[arg-type]
    return asked


def nights(*runs: list[Answer]) -> dict[str, pd.DataFrame]:
    """The buckets of runs, by run id, of a mailbox with an event every seven minutes."""
    at = np.arange(START_US - 40 * DAY_US, START_US + 40 * DAY_US, 7 * MINUTE_US)
    buckets = buckets_of(World(list(runs), [at] * 4))
    return {str(run_id): rows for run_id, rows in buckets.groupby("run_id")}


def of_network(buckets: pd.DataFrame) -> pd.DataFrame:
    """The same, as if a label for network 300 had asked for it."""
    asked = {
        name: "all:ReportInstantStatsEx:300,0,0,"
        + buckets[name].astype("string[pyarrow]").str.rsplit(":", n=1).str[-1]
        for name in ("call_id", "from_call_id")
    }
    return buckets.assign(session="all", **asked)
