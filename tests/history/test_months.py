"""A month of the history in one file, once nothing can be observed of it any more: the same rows, whichever way."""

import os
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from pipelines.history import derive
from pipelines.lake import Days, Lake
from pipelines.read import OpenLake, open_lake
from tests.history.nights import hours, nights, publish
from tests.pipelines.ended import ended, without_exchange

FIRST, STEP = -9 * 24, 72  # hours from 2026-01-31, and those of a run
BEGIN, JANUARY = date(2026, 1, 22), "traffic_history/span_month=2026-01-01"
MISSED = range(-30, -27)  # 2026-01-29 18:00 to 21:00


def published(lake: Lake, count: int = 12, *, but: int = -1) -> dict[str, pd.DataFrame]:
    """So many runs of three days each, from BEGIN on; the twelfth closes January."""
    ends = [FIRST + STEP * (number + 1) for number in range(count)]
    made = nights(*[hours(range(end - STEP, end), end, MISSED) for end in ends])
    runs = {f"night-{name[3:]:0>3}": rows for name, rows in made.items()}
    for number, run_id in enumerate(sorted(runs)):
        if number != but:
            publish(lake, run_id, runs[run_id], BEGIN + timedelta(3 * number + 3))
    return runs


def healing() -> pd.DataFrame:
    """What was missed, as a run says that was landed in time and is published late."""
    (rows,) = nights(hours(MISSED, 0)).values()
    return rows


def files(lake: Lake) -> dict[str, bytes]:
    """Every file of the history."""
    found = (lake.folder / "traffic_history").rglob("*.parquet")
    return {str(path.relative_to(lake.folder)): path.read_bytes() for path in found}


def layout(lake: Lake) -> list[str]:
    """The days of the files."""
    return [str(each) for each in sorted(Days.of_file(path) for path in files(lake))]


def january(*days: int) -> list[str]:
    """Days of January as text."""
    return [f"2026-01-{day}" for day in days]


def made_anew(lake: Lake, folder: Path) -> dict[str, bytes]:
    """The files of a history that is derived once, of the runs that are published."""
    reader, fresh = OpenLake(lake), Lake(folder)
    for run_id in lake.run_ids():
        rows = reader.frame("traffic_buckets", runs=[run_id])
        publish(fresh, run_id, rows, BEGIN)
    derive(fresh)
    return files(fresh)


def test_a_month_becomes_one_file(tmp_path: Path) -> None:
    """Night by night: days at first; the whole of January after 24 days of silence; the same bytes as all at once."""
    lake, once = Lake(tmp_path / "nightly"), Lake(tmp_path / "once")
    runs = published(once)
    derive(once)
    for number, run_id in enumerate(sorted(runs)):
        publish(lake, run_id, runs[run_id], BEGIN + timedelta(3 * number + 3))
        before = files(lake)
        derive(lake)
        stays = [path for path in before if path in files(lake)]
        if number < 11:
            assert layout(lake)[0] == "2026-01-22"
            assert len(stays) >= len(before) - 1  # the last day of the night before goes on
    assert layout(lake)[:3] == ["2026-01", "2026-02-01", "2026-02-02"]
    assert files(lake) == files(once)
    rows = open_lake(lake.folder).traffic_history()
    assert len(rows) == 36 * 24 * 4
    assert (rows["state"] == "unseen").sum() == len(MISSED) * 4
    some = open_lake(lake.folder).traffic_history(since="2026-01-30", until="2026-02-02")
    assert len(some) == 3 * 24 * 4
    manifest = lake.published().derived
    assert manifest is not None
    counts = manifest.counts
    assert sum(counts.values()) == 36 * 24
    assert counts["2026-01-29 unseen"] == len(MISSED)


@pytest.mark.extended
def test_a_closed_month_is_healed(tmp_path: Path) -> None:
    """A run that was landed in time and published late: its hours come into the one file."""
    lake = Lake(tmp_path / "lake")
    published(lake)
    derive(lake)
    publish(lake, "late", healing(), date(2026, 1, 31))
    derive(lake)
    assert files(lake) == made_anew(lake, tmp_path / "anew")
    assert layout(lake)[:2] == ["2026-01", "2026-02-01"]
    assert (open_lake(lake.folder).traffic_history()["state"] == "exact").all()


@pytest.mark.extended
def test_what_came_last_is_gone(tmp_path: Path) -> None:
    """The last run is published again without a row: January may change again, and is a file a day."""
    lake = Lake(tmp_path / "lake")
    runs = published(lake)
    derive(lake)
    assert layout(lake)[0] == "2026-01"
    last = max(runs)
    publish(lake, last, runs[last].iloc[:0], BEGIN + timedelta(36))
    derive(lake)
    assert layout(lake)[:11] == [*january(*range(22, 32)), "2026-02-01"]
    assert files(lake) == made_anew(lake, tmp_path / "anew")


@pytest.mark.parametrize("harm", ["lost", "cut", "manifest"])
@pytest.mark.few(1)
def test_damage_is_mended(tmp_path: Path, harm: str) -> None:
    """A month's file that is lost or damaged, and the manifest of all."""
    lake = Lake(tmp_path / "lake")
    published(lake)
    derived = derive(lake)
    before = files(lake)
    if harm == "manifest":
        (path,) = (lake.folder / "_manifest").glob("history-*.json")
    else:
        (path,) = (lake.folder / JANUARY).iterdir()
    if harm == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9])
    again = derive(lake)
    assert files(lake) == before
    assert derived is not None
    assert again is not None
    assert again.counts == derived.counts


Seen = list[tuple[str, ...]]


def of(rows: pa.Table) -> Seen:
    """What tells rows of January apart, sorted."""
    rows = rows.filter(ds.field("span_start") < pd.Timestamp("2026-02-01", tz="UTC"))
    names = ("session", "traffic", "direction", "span_start", "state", "run_id")
    return sorted(zip(*(map(str, rows[name].to_pylist()) for name in names), strict=True))


def by_name(lake: Lake) -> Seen:
    """What readers of file names see."""
    return of(ds.dataset(lake.folder / "traffic_history", partitioning=None).to_table())


def by_manifest(lake: Lake) -> Seen:
    """What readers see who go through the manifests."""
    return of(OpenLake(lake).table("traffic_history"))


def heal(lake: Lake) -> None:
    """January is closed, and a run comes late."""
    published(lake)
    derive(lake)
    publish(lake, "late", healing(), date(2026, 1, 31))


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    "every",
    [
        pytest.param(17, id="few", marks=pytest.mark.extended),
        pytest.param(1, id="every", marks=[pytest.mark.extended, pytest.mark.soak]),
    ],
)
@pytest.mark.parametrize(
    "exchanges",
    [
        pytest.param(True, id="exchange"),
        pytest.param(False, id="renames", marks=pytest.mark.extended),
    ],
)
@pytest.mark.parametrize("name", ["close", pytest.param("heal", marks=pytest.mark.extended)])
def test_ended_after_any_step(
    tmp_path: Path, name: str, exchanges: bool, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers see January as it was or as it becomes, each row once; the next derivation completes it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # for speed; no power is cut here
    if not exchanges:
        without_exchange(monkeypatch)
    before, after, lake = (Lake(tmp_path / each) for each in ("before", "after", "copy"))
    if name == "heal":
        heal(before)
        heal(after)
    else:
        published(before, 11)
        derive(before)
        published(before)
        published(after)
    derive(after)
    told, done, points = (by_manifest(before), by_manifest(after)), files(after), 0
    assert len(told[0]) == len(told[1]) == 10 * 24 * 4
    for _ in ended(before, lake, derive, every, monkeypatch):
        points += 1
        seen = by_manifest(lake)
        assert seen in told
        if exchanges:
            assert by_name(lake) in told
        lake.settle()
        assert by_name(lake) == by_manifest(lake) == seen
        assert lake.wrong_files() == {}
        derive(lake)
        assert files(lake) == done
    assert points > 2
