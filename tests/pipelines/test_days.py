"""A table by a date of its own: one run publishes several partitions of it, with every promise kept."""

import contextlib
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.contract import RUN_TABLES, TRAFFIC_BUCKETS, arrow_schema
from pipelines.lake import Lake, Manifest, Sizes
from tests.pipelines.lake_rows import file_of

DAY = date(2026, 1, 31)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that does not exist yet."""
    return Lake(tmp_path / "lake")


def buckets(*starts: datetime, count: int = 1) -> pa.Table:
    """An hour of traffic from each of these instants."""
    rows = [
        {
            "run_id": "run-a",
            "call_id": "0" * 16,
            "from_call_id": "0" * 16,
            "session": "acme",
            "bucket_start": start,
            "bucket_end": start + timedelta(hours=1),
            "from_minutes": 60 * number,
            "to_minutes": 60 * number + 60,
            "traffic": "parcel",
            "direction": "in",
            "count": count,
            "exact": True,
            "low": count,
            "high": count,
            "estimate": count,
        }
        for number, start in enumerate(starts)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(TRAFFIC_BUCKETS))


def publish(lake: Lake, *parts: pa.Table, run_id: str = "run-a", day: date = DAY) -> Manifest:
    """Publish these rows of `traffic_buckets`."""
    with lake.publication(run_id, day) as publication:
        for rows in parts:
            publication.append("traffic_buckets", rows)
        return publication.commit({})


def files(lake: Lake) -> set[str]:
    """All that is under the table's folder, folders too; of our files without the end of their names."""
    root = lake.folder / "traffic_buckets"
    return {
        re.sub(r"-\w{16}\.parquet$", "", str(path.relative_to(root))) for path in root.rglob("*")
    }


def hours(*before_noon: int) -> list[datetime]:
    """So many hours before noon."""
    return [NOON - timedelta(hours=each) for each in before_noon]


def test_a_row_is_in_the_partition_of_its_day(lake: Lake) -> None:
    """Midnight belongs to the day that it begins; the run's own date does not matter."""
    manifest = publish(lake, buckets(*hours(1, 12, 13)), buckets(*hours(36, 37)))
    days = {"bucket_date=2026-01-29": 1, "bucket_date=2026-01-30": 2, "bucket_date=2026-01-31": 2}
    listed = [file for file in manifest.files if file.table == "traffic_buckets"]
    assert {file.partition: file.rows for file in listed} == days
    assert [file.partition for file in listed] == sorted(days)
    assert manifest == lake.manifest("run-a")
    assert manifest.rows("traffic_buckets") == 5
    found = ds.dataset(lake.folder / "traffic_buckets", partitioning="hive").to_table()
    for row in found.to_pylist():
        assert row["bucket_date"] == row["bucket_start"].date().isoformat()


def test_without_rows_there_is_a_file_under_the_runs_date(lake: Lake) -> None:
    """So that readers find columns and types."""
    publish(lake)
    assert files(lake) == {"bucket_date=2026-01-31", "bucket_date=2026-01-31/run-a-0"}
    assert pq.read_table(lake.folder / "traffic_buckets").num_rows == 0


def test_publishing_again_replaces_the_run_in_every_partition(lake: Lake) -> None:
    """Also where it has no rows any more: that folder goes, unless others have files there."""
    publish(lake, buckets(*hours(1, 20, 40)))
    publish(lake, buckets(*hours(20), count=7), run_id="run-b")
    path = file_of(lake.folder, "run-b", table="traffic_buckets")
    theirs = path.read_bytes()
    manifest = publish(lake, buckets(*hours(1), count=2))
    assert files(lake) == {
        "bucket_date=2026-01-30",
        "bucket_date=2026-01-30/run-b-0",
        "bucket_date=2026-01-31",
        "bucket_date=2026-01-31/run-a-0",
    }
    assert path.read_bytes() == theirs
    assert len(manifest.files) == len(RUN_TABLES)
    assert sorted(pq.read_table(lake.folder / "traffic_buckets")["count"].to_pylist()) == [2, 7]


def test_leaving_without_commit_leaves_no_folder(lake: Lake) -> None:
    """An error on the way leaves no partition without files."""
    publish(lake, buckets(*hours(1)))
    before = files(lake)
    with contextlib.suppress(KeyError), lake.publication("run-c", DAY) as publication:
        publication.append("traffic_buckets", buckets(*hours(20, 40)))
        raise KeyError
    assert files(lake) == before


def test_what_waits_has_one_bound_for_all_partitions(lake: Lake) -> None:
    """However many days there are: rows of a month of them are written before a day fills a row group."""
    sizes = Sizes(waiting_bytes=100_000)
    hourly = buckets(*hours(*range(24 * 30)))
    of_session = [
        hourly.set_column(3, hourly.schema.field(3), pa.repeat(f"s-{number:02}", hourly.num_rows))
        for number in range(20)
    ]
    rows, most = pa.concat_tables(of_session), 0
    before = pa.total_allocated_bytes()
    with lake.publication("run-a", DAY, sizes) as publication:
        for start in range(0, rows.num_rows, 1000):
            publication.append("traffic_buckets", rows.slice(start, 1000))
            most = max(most, pa.total_allocated_bytes() - before)
        publication.commit({})
    assert rows.nbytes > 20 * sizes.waiting_bytes
    assert most < 10 * sizes.waiting_bytes
    assert pq.read_table(lake.folder / "traffic_buckets").num_rows == rows.num_rows
