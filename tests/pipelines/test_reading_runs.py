"""Which manifests `open_lake` reads for a question: those of runs that may have such rows, and no other."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import pipelines
from pipelines.contract import RUN_TABLES, TABLES, TRAFFIC_BUCKETS, arrow_schema
from pipelines.errors import PublicationError
from pipelines.lake import Lake
from pipelines.read import OpenLake
from pipelines.read.sql import queried
from tests.pipelines.lake_rows import manifest_of, stats
from tests.pipelines.test_reading import hour

FIRST, SECOND = "20260130T230000Z-aaaaaa", "20260131T230000Z-bbbbbb"
AGAIN = "20260131T235959Z-cccccc"  # of the same date: compacted into one file with the second
OTHER = "run-x"  # an id that does not say when the run started
DAYS = {
    FIRST: date(2026, 1, 30),
    SECOND: date(2026, 1, 31),
    AGAIN: date(2026, 1, 31),
    OTHER: date(2026, 1, 31),
}


def calls(run_id: str) -> pa.Table:
    """Two rows of the ledger; texts that may be null are so in one of them."""
    rows = [
        {
            "run_id": run_id,
            "call_id": f"{number:016x}",
            "session": session,
            "window1_minutes": 60,
            "window2_minutes": 120,
            "state": "failed",
            "fault_text": text,
            "attempts": 1,
        }
        for number, (session, text) in enumerate([("acme", None), ("beta", run_id)])
    ]
    return pa.Table.from_pylist(rows, arrow_schema(TABLES["calls"]))


def publish_calls(lake: Lake, run_id: str) -> None:
    """Publish a run once more, with the same rows of the ledger."""
    with lake.publication(run_id, DAYS[run_id]) as publication:
        publication.append("calls", calls(run_id))
        publication.commit({})


@pytest.fixture
def lake(tmp_path: Path) -> OpenLake:
    """Four runs of two dates, compacted; each has a bucket of the night after it, as a run resumed later has."""
    written = Lake(tmp_path / "lake")
    for run_id, day in DAYS.items():
        with written.publication(run_id, day) as publication:
            publication.append("instant_stats", stats(1, "acme", "beta", run_id=run_id))
            start = datetime(2026, 2, 1, 1, tzinfo=UTC)
            rows = pa.Table.from_pylist([hour(run_id, start)], arrow_schema(TRAFFIC_BUCKETS))
            publication.append("traffic_buckets", rows)
            publication.append("calls", calls(run_id))
            publication.commit({})
    written.compact()
    return pipelines.open_lake(tmp_path)


def damage(lake: OpenLake, run_id: str) -> None:
    """From now on whoever reads this manifest fails."""
    manifest_of(lake.lake.folder, run_id).write_text("damaged")


@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({"since": "2026-01-31"}, {SECOND, AGAIN, OTHER}),
        ({"since": "2026-01-30"}, set(DAYS)),
        ({"until": "2026-01-31"}, {FIRST}),
        ({"until": "2026-02-01"}, set(DAYS)),
        ({"since": "2026-01-30", "until": "2026-01-31"}, {FIRST}),
        ({"since": "2026-02-01"}, set()),
        ({"runs": [SECOND]}, {SECOND}),
        ({"runs": [OTHER]}, {OTHER}),
        ({"runs": [FIRST, OTHER, "20260131T000000Z-none", "no/run"]}, {FIRST, OTHER}),
        ({"runs": [SECOND], "since": "2026-02-01"}, set()),
        ({"runs": []}, set()),
    ],
)
def test_the_same_rows_as_without_choosing(
    lake: OpenLake, filters: dict[str, Any], runs: set[str]
) -> None:
    """Of files that are shared, too, and of runs whose ids say nothing."""
    found = lake.instant_stats(**filters)
    assert sorted(found["run_id"]) == sorted([*runs, *runs])
    condition = lake.condition("instant_stats", **filters)
    whole = [part.files.to_table(filter=condition) for part in lake.parts("instant_stats")[0]]
    assert pa.concat_tables(whole).num_rows == len(found)


@pytest.mark.parametrize("table", RUN_TABLES)
def test_texts_that_are_read_as_codes_are_the_same(lake: OpenLake, table: str) -> None:
    """With a condition of one's own they are read as they are: the same rows in the same order, types and nulls."""
    found = lake.table(table)
    assert found.equals(lake.table(table, where=pc.scalar(True)))  # a literal of Arrow's
    whole = [part.files.to_table() for part in lake.parts(table)[0]]
    assert found.equals(pa.concat_tables(whole).select(found.column_names))


ASKED = pytest.mark.parametrize(
    "asked",
    [
        lambda lake: lake.table("calls"),
        lambda lake: queried(lake, "FROM calls"),
    ],
    ids=["table", "sql"],
)


@ASKED
def test_files_that_are_replaced_while_they_are_opened(
    asked: Callable[[OpenLake], pa.Table], lake: OpenLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads just then reads once more what the manifests name now."""
    before = asked(lake)
    listed = lake.lake.published
    times: list[int] = []

    def overtaken(*args: Any) -> Any:
        found = listed(*args)
        if not times:
            publish_calls(lake.lake, OTHER)  # out of the shared files
        times.append(len(found.manifests))
        return found

    monkeypatch.setattr(lake.lake, "published", overtaken)
    after = asked(lake)
    assert sorted(after["call_id"].to_pylist()) == sorted(before["call_id"].to_pylist())
    assert len(times) == 2


def test_files_that_are_replaced_while_sql_is_answered(
    lake: OpenLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB opens them later than the view was made."""
    before = queried(lake, "FROM calls")
    named = lake.parts
    times: list[str] = []

    def overtaken(name: str) -> Any:
        found = named(name)
        times.append(name)
        if len(times) == 1:
            publish_calls(lake.lake, OTHER)
        return found

    monkeypatch.setattr(lake, "parts", overtaken)
    after = queried(lake, "FROM calls")
    assert sorted(after["call_id"].to_pylist()) == sorted(before["call_id"].to_pylist())
    assert times == ["calls", "calls"]


def test_sql_reads_all_tables_of_one_state(lake: OpenLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is published again between two tables of one question: never one of them old and the other new."""
    named = lake.lake.published
    seen: list[int] = []

    def overtaken(*wanted: Any) -> Any:
        found = named(*wanted)
        seen.append(len(seen))
        if len(seen) < 4:
            with lake.lake.publication(OTHER, DAYS[OTHER]) as publication:
                count = len(seen) + 1
                publication.append("instant_stats", stats(count, "acme", run_id=OTHER))
                publication.append("calls", calls(OTHER).slice(0, 1))
                publication.commit({"count": count})
        return found

    monkeypatch.setattr(lake.lake, "published", overtaken)
    asked = (
        f"SELECT (SELECT sum(count) FROM instant_stats WHERE run_id = '{OTHER}') AS stats,"
        f" (SELECT count(*) FROM calls WHERE run_id = '{OTHER}') AS calls"
    )
    assert queried(lake, asked).to_pylist() == [{"stats": 4, "calls": 1}]
    assert len(seen) == 4


@ASKED
def test_a_file_that_is_missing_is_looked_for_once(
    asked: Callable[[OpenLake], pa.Table], lake: OpenLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is going to bring it back: the error says so at once."""
    for file in (lake.lake.folder / "calls").rglob("*.parquet"):
        file.unlink()
    listed = lake.lake.published
    times: list[None] = []

    def counted(*args: Any) -> Any:
        times.append(None)
        return listed(*args)

    monkeypatch.setattr(lake.lake, "published", counted)
    with pytest.raises(PublicationError, match=r"is missing: publish run .* again"):
        asked(lake)
    assert len(times) == 3  # the last time to say what it is


def test_texts_are_filtered_by_a_condition(lake: OpenLake) -> None:
    """Also those that would be codes without one."""
    found = lake.calls(where=pc.starts_with(pc.field("fault_text"), "2026"), sessions=["beta"])
    assert sorted(found["fault_text"]) == [FIRST, SECOND, AGAIN]
    assert len(lake.calls(where=pc.field("fault_text") == OTHER)) == 1


def test_other_days_manifests_are_not_read(lake: OpenLake) -> None:
    """A night two years ago costs nothing, and what is wrong with it is not even noticed."""
    damage(lake, FIRST)
    assert len(lake.instant_stats(since="2026-01-31")) == 6
    assert len(lake.instant_stats(runs=[AGAIN])) == 2
    for question in ({}, {"since": "2026-01-30"}, {"runs": [FIRST]}):
        with pytest.raises(PublicationError, match=f"{FIRST}-.*json"):
            lake.instant_stats(**question)
    with pytest.raises(PublicationError, match=f"{FIRST}-.*json"):
        lake.traffic_buckets(since="2026-02-01")  # the run has buckets of that day
    assert len(lake.traffic_buckets(since="2026-02-02")) == 0  # none has any of this one


def test_buckets_of_other_days_than_the_run(lake: OpenLake) -> None:
    """The date of a run does not say of what days its buckets are."""
    assert len(lake.traffic_buckets(since="2026-02-01")) == 4
    assert len(lake.traffic_buckets(runs=[FIRST])) == 1


def test_a_run_is_of_the_date_that_its_id_says(tmp_path: Path) -> None:
    """Readers go by it."""
    with pytest.raises(ValueError, match=f"run id '{FIRST}': must begin with the run's date"):
        Lake(tmp_path / "lake").publication(FIRST, date(2026, 1, 31))


def test_digits_that_are_no_date_say_nothing(tmp_path: Path) -> None:
    """Such a run may be of any date."""
    run_id = "20260230T000000Z-none"
    with Lake(tmp_path / "lake").publication(run_id, date(2026, 1, 31)) as publication:
        publication.append("instant_stats", stats(1, "acme", run_id=run_id))
        publication.commit({})
    assert len(pipelines.open_lake(tmp_path).instant_stats(since="2026-01-31")) == 1
