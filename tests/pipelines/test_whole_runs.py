"""Whole runs: large ones, resumed ones, and those that cannot be read or published."""

import sqlite3
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from collector.errors import LandingError
from collector.landing import LandedRun
from pipelines.contract import RUN_TABLES, TABLES
from pipelines.errors import PublicationError
from pipelines.lake import Lake, Sizes
from pipelines.normalize import normalize
from tests.pipelines.night import COLUMNS, Night, answer, counts


def many() -> Night:
    """A thousand calls of ten sessions, one in ten of them faulted, in three schemas."""
    night = Night()
    for number in range(1_000):
        session, window = f"session-{number // 100:03}", number % 100 + 1
        if number % 10 == 3:
            night.faulted(session, window, 200)
        elif number % 10 == 4:
            row = {**counts(number, number + 10), "More": number}
            night.answered(answer(row, columns=(*COLUMNS, "More")), session, window, 200)
        elif number % 10 == 5:
            night.answered(answer(counts(number, number + 10), table="Other"), session, window, 200)
        else:
            night.answered(answer(counts(number, number + 10)), session, window, 200)
    return night


@pytest.mark.extended
def test_a_large_run_is_whole_sorted_and_byte_identical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across batches, row groups, files and schemas: each row once, and twice the same files."""
    monkeypatch.setattr("pipelines.normalize.normalization._CALLS", 110)
    monkeypatch.setattr("collector.landing.columns._MOST_REPLIES", 37)
    night, sizes = many(), Sizes(group_rows=500, file_rows=2_000)
    lakes = [Lake(tmp_path / name) for name in ("one", "two")]
    with night.land(tmp_path / "landing") as landed:
        normalized = [normalize(landed, lake, sizes=sizes) for lake in lakes]
    assert normalized[0] == normalized[1]
    for file in normalized[0].manifest.files:
        one, two = [(lake.folder / file.path).read_bytes() for lake in lakes]
        assert one == two, file.path
    rows = pq.read_table(lakes[0].folder / "instant_stats")
    assert rows.num_rows == normalized[0].rows == 900 * 8
    files = Counter(file.table for file in normalized[0].manifest.files)
    assert files.pop("instant_stats") == 4
    assert files.pop("traffic_buckets") > 1
    assert set(files.values()) == {1}
    keys = zip(*(rows[name].to_pylist() for name in TABLES["instant_stats"].key), strict=True)
    assert len(set(keys)) == rows.num_rows
    facts = rows.select(["session", "window_minutes", "window_slot", "count"]).to_pylist()
    for start in range(0, len(facts), 500):
        some = facts[start : start + 500]
        assert some == sorted(some, key=lambda row: (row["session"], row["window_minutes"]))
    for fact in facts:
        if fact["window_slot"] == 1:
            number = int(fact["session"][-3:]) * 100 + fact["window_minutes"] - 1
            assert number <= fact["count"] < number + 4
    assert pq.read_table(lakes[0].folder / "dataset_extras").num_rows == 100
    raw = pq.read_table(lakes[0].folder / "raw", columns=["call_id", "attempt"])
    assert raw.num_rows == 1_100
    assert raw["call_id"].to_pylist() == [reply.call_id for reply in night.replies]


def test_normalizing_again_after_resuming_replaces_everything(tmp_path: Path) -> None:
    """What was missing is there, and nothing is there twice."""
    lake, night = Lake(tmp_path / "lake"), Night()
    night.answered(answer(counts()), "a")
    later = night.plan("b")
    with night.land(tmp_path / "before") as landed:
        assert normalize(landed, lake).not_attempted == 1
    night.calls.remove(later)
    night.answered(answer(counts()), "b")
    with night.land(tmp_path / "after") as landed:
        assert normalize(landed, lake).ok == 2
    states = pq.read_table(lake.folder / "calls")["state"]
    assert states.to_pylist() == ["ok", "ok"]
    assert pq.read_table(lake.folder / "instant_stats").num_rows == 16
    assert len(list(lake.folder.rglob("*.parquet"))) == len(RUN_TABLES)


def test_a_damaged_landing_store_changes_nothing(tmp_path: Path) -> None:
    """An error half-way leaves what was published, and no draft."""
    lake, night = Lake(tmp_path / "lake"), Night()
    night.answered(answer(counts()), "a")
    with night.land(tmp_path / "landing") as landed:
        normalize(landed, lake)
        path = landed.path
    before = {p: p.read_bytes() for p in lake.folder.rglob("*") if p.is_file()}
    with sqlite3.connect(path) as store:
        store.execute("ALTER TABLE outcomes DROP COLUMN latency_us")
    store.close()
    with LandedRun.open(path) as landed, pytest.raises(LandingError, match="is damaged"):
        normalize(landed, lake)
    assert {p: p.read_bytes() for p in lake.folder.rglob("*") if p.is_file()} == before


def test_a_wrong_check_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The configuration is read first."""
    lake = Lake(tmp_path / "lake")
    with (
        Night().land(tmp_path / "landing") as landed,
        pytest.raises(ValueError, match="no_negatives"),
    ):
        normalize(landed, lake, {"no_negatives": "warn"})
    assert not lake.folder.exists()


def test_a_lake_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One error of the kind that the command line turns into exit code 5."""
    (tmp_path / "lake").write_text("a file")
    with (
        Night().land(tmp_path / "landing") as landed,
        pytest.raises(PublicationError, match=r"storage\.root must be a folder"),
    ):
        normalize(landed, Lake(tmp_path / "lake"))
