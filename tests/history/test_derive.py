"""The history in the lake: the same bytes whichever way it came about, and nothing is lost on the way."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from pipelines.contract import TRAFFIC_BUCKETS
from pipelines.contract.casting import to_contract
from pipelines.history import derive, reconcile
from pipelines.lake import Lake
from pipelines.read import open_lake
from tests.history.worlds import buckets_of, world

DAY = date(2026, 1, 31)


def publish(lake: Lake, run_id: str, buckets: pd.DataFrame) -> None:
    """One run with these buckets."""
    rows = to_contract(buckets.assign(run_id=run_id), TRAFFIC_BUCKETS)
    with lake.publication(run_id, DAY) as publication:
        if rows.num_rows:
            publication.append("traffic_buckets", rows)
        publication.commit({})


def runs_of(seed: int) -> dict[str, pd.DataFrame]:
    """The buckets of three sessions, by run."""
    some = [buckets_of(world(seed * 3 + number, 8), f"s{number}") for number in range(3)]
    every = pd.concat(some, ignore_index=True)
    return {str(run_id): rows for run_id, rows in every.groupby("run_id")}


def files(lake: Lake) -> dict[str, bytes]:
    """Every file of the history."""
    found = (lake.folder / "traffic_history").rglob("*.parquet")
    return {str(path.relative_to(lake.folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.few(2)
def test_night_by_night_and_all_at_once(tmp_path: Path, seed: int) -> None:
    """Derived after every run, in their order and in another one, and once after all of them."""
    runs = runs_of(seed)
    nightly, once = Lake(tmp_path / "nightly"), Lake(tmp_path / "once")
    mixed, order = Lake(tmp_path / "mixed"), sorted(runs, key=lambda run_id: (run_id[-1:], run_id))
    for run_id in order[1::2] + order[::2]:
        publish(mixed, run_id, runs[run_id])
        derive(mixed)
    for run_id, buckets in runs.items():
        publish(nightly, run_id, buckets)
        derive(nightly)
    for run_id, buckets in reversed(runs.items()):
        publish(once, run_id, buckets)
    derive(once)
    assert files(nightly) == files(mixed) == files(once) != {}
    columns = ["session", "traffic", "direction", "span_start"]
    found = open_lake(tmp_path / "once").traffic_history().drop(columns="span_month")
    every = pd.concat([rows.assign(run_id=name) for name, rows in runs.items()])
    wanted = reconcile(every).drop(columns="cut")
    pd.testing.assert_frame_equal(
        found.sort_values(columns, ignore_index=True),
        wanted.sort_values(columns, ignore_index=True).astype(found.dtypes),
    )


def test_nothing_new_changes_nothing(tmp_path: Path) -> None:
    """Neither a file nor the lake's state."""
    lake = Lake(tmp_path)
    assert derive(lake) is None
    for run_id, buckets in runs_of(1).items():
        publish(lake, run_id, buckets)
    first = derive(lake)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert derive(lake) == first
    assert {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()
    } == before


def test_what_is_lost_or_damaged_is_made_anew(tmp_path: Path) -> None:
    """A file, the whole folder, or the manifest."""
    lake = Lake(tmp_path)
    for run_id, buckets in runs_of(2).items():
        publish(lake, run_id, buckets)
    derive(lake)
    before = files(lake)
    (tmp_path / next(iter(before))).unlink()
    derive(lake)
    assert files(lake) == before
    shutil.rmtree(tmp_path / "traffic_history")
    derive(lake)
    assert files(lake) == before
    (manifest,) = (tmp_path / "_manifest").glob("history-*.json")
    manifest.write_bytes(b"{}")
    derive(lake)
    assert files(lake) == before
    assert lake.wrong_files() == {}
    assert len(open_lake(tmp_path).traffic_history()) > 0


def test_a_run_that_is_published_again_with_other_rows(tmp_path: Path) -> None:
    """The history is that of the buckets that are there now."""
    runs = runs_of(3)
    lake, other = Lake(tmp_path / "lake"), Lake(tmp_path / "other")
    for run_id, buckets in runs.items():
        publish(lake, run_id, buckets)
    derive(lake)
    name = next(iter(runs))
    runs[name] = runs[name].iloc[::2]
    publish(lake, name, runs[name])
    derive(lake)
    for run_id, buckets in runs.items():
        publish(other, run_id, buckets)
    derive(other)
    assert files(lake) == files(other)


def test_what_was_made_of_pruned_buckets_stays(tmp_path: Path) -> None:
    """Also when the next run comes; nothing is made anew for it."""
    runs = runs_of(5)
    lake = Lake(tmp_path)
    *old, last = runs
    for run_id in old:
        publish(lake, run_id, runs[run_id])
    derive(lake)
    before, kept = files(lake), open_lake(tmp_path).traffic_history()
    lake.prune(date.max, ["traffic_buckets"])
    derive(lake)
    assert files(lake) == before
    publish(lake, last, runs[last])
    derive(lake)
    after = open_lake(tmp_path).traffic_history()
    first = runs[last].groupby("session")["bucket_start"].min()
    for session, rows in kept.groupby("session"):
        until = first.get(session, kept["span_end"].max())
        early = rows[rows["span_end"] < until - pd.Timedelta(days=1)]
        key = ["session", "traffic", "direction", "span_start", "state"]
        assert len(early[key].merge(after[key])) == len(early)
    derived = derive(lake)
    assert derived is not None
    assert list(derived.sources) == sorted(runs)


def test_filters_are_of_the_span(tmp_path: Path) -> None:
    """Days and instants within a month."""
    lake = Lake(tmp_path)
    for run_id, buckets in runs_of(4).items():
        publish(lake, run_id, buckets)
    derive(lake)
    reader = open_lake(tmp_path)
    every = reader.traffic_history()
    middle = every["span_start"].sort_values().iloc[len(every) // 2].to_pydatetime()
    since = reader.traffic_history(since=middle)
    until = reader.traffic_history(until=middle)
    assert len(since) + len(until) == len(every)
    assert (since["span_start"] >= middle).all()
    day = middle.date()
    at_midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert len(reader.traffic_history(since=day)) == (every["span_start"] >= at_midnight).sum()
    assert len(reader.traffic_history(sessions=["s1"])) == (every["session"] == "s1").sum()
