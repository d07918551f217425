"""The history in the lake: the same bytes whichever way it came about, and nothing is lost on the way."""

import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from pipelines.contract import TRAFFIC_HISTORY
from pipelines.errors import LakeVersionError, StorageError
from pipelines.history import derive, reconcile
from pipelines.lake import DerivedPublication, Lake
from pipelines.read import open_lake
from tests.history.nights import DAY, hours, nights, publish
from tests.history.worlds import (
    buckets_of,
    world,
)

FAR = pd.Timestamp("2100-01-01", tz="UTC")
KEY = ["session", "traffic", "direction", "span_start", "span_end"]


def runs_of(seed: int) -> dict[str, pd.DataFrame]:
    """The buckets of three sessions, by run."""
    some = [buckets_of(world(seed * 3 + number, 8), f"s{number}") for number in range(3)]
    every = pd.concat(some, ignore_index=True)
    return {str(run_id): rows for run_id, rows in every.groupby("run_id")}


def files(lake: Lake) -> dict[str, bytes]:
    """Every file of the history."""
    found = (lake.folder / "traffic_history").rglob("*.parquet")
    return {str(path.relative_to(lake.folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.few(1)
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


def known(lake: Lake) -> pd.DataFrame:
    """The known rows, sorted."""
    rows = open_lake(lake.folder).traffic_history().sort_values(KEY, ignore_index=True)
    starts, ends = rows["span_start"].to_numpy()[1:], rows["span_end"].to_numpy()[:-1]
    follows = (rows[KEY[:3]].to_numpy()[1:] == rows[KEY[:3]].to_numpy()[:-1]).all(axis=1)
    assert (starts == ends)[follows].all(), "a history without holes or overlaps"
    return rows[rows["state"] != "unseen"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.few(1)
def test_what_was_made_of_pruned_buckets_stays(tmp_path: Path, seed: int) -> None:
    """Whatever comes later: what was known stays known, and the rows of what is not touched stay as they are."""
    runs = runs_of(seed)
    lake = Lake(tmp_path)
    for number, (run_id, buckets) in enumerate(runs.items()):
        before = known(lake) if number else None
        if number > 1:
            lake.prune(DAY + timedelta(number - 1), ["traffic_buckets"])
            stays = files(lake)
            derive(lake)
            assert files(lake) == stays
        publish(lake, run_id, buckets, DAY + timedelta(number))
        derived = derive(lake)
        assert derived is not None
        assert len(derived.sources) == number + 1
        if before is None:
            continue
        after = known(lake)
        new = buckets.groupby("session").agg(
            first=("bucket_start", "min"), last=("bucket_end", "max")
        )
        for session, rows in before.groupby("session"):
            first, last = new.loc[session] if session in new.index else (FAR, FAR)
            untouched = rows[(rows["span_end"] < first) | (rows["span_start"] > last)]
            assert len(untouched[KEY].merge(after[KEY])) == len(untouched)


@pytest.mark.extended
def test_an_older_day_is_healed_after_its_buckets_were_pruned(tmp_path: Path) -> None:
    """Twelve nights, hours missing in the fourth; the buckets of the first week are gone when they are healed."""
    missed = range(3 * 24 + 9, 3 * 24 + 13)
    every = [hours(range(24 * n, 24 * n + 24), 24 * n + 24, missed) for n in range(12)]
    healing = hours(range(12 * 24, 13 * 24), 13 * 24) + hours(missed, 13 * 24)
    runs = list(nights(*every, healing).items())
    runs.sort(key=lambda run: int(run[0][3:]))
    lake = Lake(tmp_path)
    for number, (run_id, buckets) in enumerate(runs[:-1]):
        publish(lake, run_id, buckets, DAY + timedelta(number))
        derive(lake)
    lake.prune(DAY + timedelta(7), ["traffic_buckets"])
    run_id, buckets = runs[-1]
    publish(lake, run_id, buckets, DAY + timedelta(13))
    derive(lake)
    assert len(known(lake)) == 13 * 24 * 4
    assert set(known(lake)["state"]) == {"exact"}


def test_a_lost_file_costs_its_day_alone(tmp_path: Path) -> None:
    """Where the buckets are pruned: the day is unseen afterwards, and all others are what they were."""
    runs = nights(*[hours(range(24 * n, 24 * n + 24), 24 * n + 24) for n in range(6)])
    lake = Lake(tmp_path)
    for number, (run_id, buckets) in enumerate(runs.items()):
        publish(lake, run_id, buckets, DAY + timedelta(number))
    derive(lake)
    before = files(lake)
    lake.prune(DAY + timedelta(4), ["traffic_buckets"])
    lost = [sorted(before)[2], sorted(before)[5]]
    for path in lost:
        (tmp_path / path).unlink()
    derive(lake)
    assert lake.wrong_files() == {}
    after = files(lake)
    assert [path for path in before if before[path] != after.get(path)] == lost[:1]
    assert len(known(lake)) == 5 * 24 * 4


def test_a_damaged_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    """Its size is right, and its bytes are not: its day is made anew."""
    runs = nights(*[hours(range(24 * n, 24 * n + 24), 24 * n + 24) for n in range(3)])
    *old, last = runs
    lake = Lake(tmp_path)
    for run_id in old:
        publish(lake, run_id, runs[run_id])
    derive(lake)
    path = tmp_path / max(files(lake))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    publish(lake, last, runs[last])
    derive(lake)
    assert len(known(lake)) == 3 * 24 * 4


def test_a_lost_manifest_costs_nothing(tmp_path: Path) -> None:
    """Where buckets are pruned, too: the files of the history say by their names what they hold."""
    runs = nights(*[hours(range(24 * n, 24 * n + 24), 24 * n + 24) for n in range(6)])
    lake = Lake(tmp_path)
    for number, (run_id, buckets) in enumerate(runs.items()):
        publish(lake, run_id, buckets, DAY + timedelta(number))
    derived = derive(lake)
    assert derived is not None
    lake.prune(DAY + timedelta(4), ["traffic_buckets"])
    before = files(lake)
    for damage in (Path.unlink, lambda path: path.write_bytes(b"{}")):
        (manifest,) = (tmp_path / "_manifest").glob("history-*.json")
        damage(manifest)
        again = derive(lake)
        assert again is not None
        assert again.counts == derived.counts
        assert files(lake) == before
        assert len(known(lake)) == 6 * 24 * 4


def test_a_damaged_manifest_of_an_old_run_holds_up_nobody(tmp_path: Path) -> None:
    """Its rows stay; a new session, and one that must be made anew from its beginning, go on."""
    runs = nights(*[hours(range(24 * n, 24 * n + 24), 24 * n + 24) for n in range(5)])
    *old, last = runs
    lake = Lake(tmp_path)
    for run_id in old:
        publish(lake, run_id, runs[run_id])
    derive(lake)
    (manifest,) = (tmp_path / "_manifest").glob(f"{old[1]}-*.json")
    manifest.write_bytes(b"{}")
    new = runs[last].assign(session="new", run_id=last)
    publish(lake, last, pd.concat([runs[last], new]))
    derive(lake)
    assert known(lake).groupby("session").size().to_dict() == {"acme": 5 * 24 * 4, "new": 24 * 4}


def test_a_run_that_is_published_again_beside_pruned_ones(tmp_path: Path) -> None:
    """What was between its answers before does not count any more."""
    every = [
        hours(range(24 * n, 24 * n + 24), 24 * n + 24, range(24 * n, 24 * n + 24, 2))
        for n in range(3)
    ]
    right, wrong = nights(*every), nights(*every)
    lake, other = Lake(tmp_path / "lake"), Lake(tmp_path / "other")
    *_, last = right
    wrong[last] = wrong[last].assign(
        **{name: wrong[last][name] + 100 for name in ("count", "low", "high", "estimate")}
    )
    for each, runs in ((lake, wrong), (other, right)):
        for number, (run_id, buckets) in enumerate(runs.items()):
            publish(each, run_id, buckets, DAY + timedelta(number))
        derive(each)
    for each in (lake, other):
        each.prune(DAY + timedelta(2), ["traffic_buckets"])
    publish(lake, last, right[last], DAY + timedelta(2))
    derive(lake)
    assert files(lake) == files(other)


def test_a_chain_of_hours_leaves_cuts(tmp_path: Path) -> None:
    """A night of calls a second apart touches the days of that night, not the session's whole history."""
    runs = nights(*[hours(range(24 * n, 24 * n + 24), 24 * n + 24) for n in range(12)])
    *old, last = runs
    lake = Lake(tmp_path)
    for run_id in old:
        publish(lake, run_id, runs[run_id])
    derive(lake)
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in files(lake)}
    publish(lake, last, runs[last])
    derive(lake)
    after = {path: (tmp_path / path).stat().st_mtime_ns for path in files(lake)}
    changed = [path for path in before if after.get(path) != before[path]]
    assert len(changed) <= 2
    cuts = reconcile(pd.concat([runs[each].assign(run_id=each) for each in old]))["cut"]
    assert cuts.mean() > 0.8


def test_a_history_of_a_newer_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has columns that this one would leave out."""
    lake = Lake(tmp_path)
    one, other = nights(hours(range(3), 3), hours(range(3, 6), 6)).items()
    publish(lake, *one)
    derive(lake)
    before = files(lake)
    publish(lake, *other)
    older = replace(TRAFFIC_HISTORY, version=0)
    monkeypatch.setattr(sys.modules["pipelines.history.derive"], "TRAFFIC_HISTORY", older)
    with pytest.raises(
        LakeVersionError, match="traffic_history has version 2 and this program knows version 0"
    ):
        derive(lake)
    assert files(lake) == before


def test_a_store_that_fails_for_a_moment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history stays as it was, with what was made of pruned buckets; the next time it is brought up to date."""
    runs = nights(*[hours(range(24 * n, 24 * n + 24), 24 * n + 24) for n in range(4)])
    *old, last = runs
    lake = Lake(tmp_path)
    for number, run_id in enumerate(old):
        publish(lake, run_id, runs[run_id], DAY + timedelta(number))
    derive(lake)
    lake.prune(DAY + timedelta(2), ["traffic_buckets"])
    publish(lake, last, runs[last], DAY + timedelta(9))
    before = files(lake)
    with monkeypatch.context() as patch:
        patch.setattr(DerivedPublication, "commit", failing)
        with pytest.raises(StorageError):
            derive(lake)
    assert files(lake) == before
    derive(lake)
    assert len(known(lake)) == 4 * 24 * 4


def failing(*_: object, **__: object) -> None:
    """A store of objects that times out."""
    raise StorageError("it timed out")


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
