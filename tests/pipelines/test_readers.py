"""What readers who know nothing of this program get from the lake."""

import contextlib
import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.contract import INSTANT_STATS, RUN_TABLES, TABLES, arrow_schema
from pipelines.lake import Lake
from tests.pipelines.lake_rows import file_of, stats
from tests.pipelines.publish_forever import DAY, SIZES, rows

DAYS = (date(2026, 1, 30), date(2026, 1, 31))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two nights; on the second, one count is null, and every kind of draft lies about."""
    lake = Lake(tmp_path / "lake")
    for day, count in zip(DAYS, (5, None), strict=True):
        with lake.publication(f"run-{day.day}", day) as publication:
            publication.append("instant_stats", stats(count, "acme", "beta"))
            publication.commit({})
    for path in list(lake.folder.rglob("*.parquet")):
        path.with_name(f".{path.name}.new").write_bytes(b"half a file")
        draft = lake.folder / "_drafts" / path.relative_to(lake.folder)
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(b"half a file")
    (lake.folder / "_manifest" / ".live.json.draft").write_bytes(b"{")
    return lake.folder


def test_pandas_reads_a_table_with_the_contracts_types(lake: Path) -> None:
    """Counts that may be null are Int64, never float, and times know that they are UTC."""
    frame = pd.read_parquet(lake / "instant_stats")
    assert len(frame) == 4
    assert frame["count"].dtype == pd.Int64Dtype()
    assert frame["count"].tolist() == [5, 5, pd.NA, pd.NA]
    assert frame["network_id"].dtype == pd.Int64Dtype()
    assert frame["window_minutes"].dtype == np.dtype("int32")
    assert str(frame["requested_at"].dtype) == "datetime64[us, UTC]"
    assert isinstance(frame["session"].dtype, pd.StringDtype)
    assert frame["run_date"].tolist() == ["2026-01-30"] * 2 + ["2026-01-31"] * 2
    assert list(frame.columns) == [*arrow_schema(INSTANT_STATS).names, "run_date"]


def test_pandas_reads_one_night_only(lake: Path) -> None:
    """A filter on run_date reads no other partition."""
    file_of(lake, "run-31").write_bytes(b"damaged")
    frame = pd.read_parquet(lake / "instant_stats", filters=[("run_date", "=", "2026-01-30")])
    assert frame["run_id"].tolist() == ["run-a"] * 2


@pytest.mark.parametrize("table", RUN_TABLES)
def test_pyarrow_reads_every_table_with_its_exact_schema(lake: Path, table: str) -> None:
    """Tables without rows too; the partition comes from the path, as text or as a date."""
    schema, partition = arrow_schema(TABLES[table]), TABLES[table].partition
    found = ds.dataset(lake / table, partitioning="hive").to_table().schema
    assert found.equals(schema.append(pa.field(partition, pa.string())))
    partitioning = ds.partitioning(pa.schema([pa.field(partition, pa.date32())]), flavor="hive")
    dated = ds.dataset(lake / table, partitioning=partitioning).to_table()
    assert dated.schema.equals(schema.append(pa.field(partition, pa.date32())))
    assert dated.num_rows == (4 if table == "instant_stats" else 0)
    assert pq.read_table(lake / table).schema.names == [*schema.names, partition]


@pytest.mark.parametrize("pattern", ["**/*.parquet", "*/*.parquet"])
def test_duckdb_reads_a_table_with_its_types(lake: Path, pattern: str) -> None:
    """Its glob takes hidden files too, so drafts must not end in .parquet."""
    found = duckdb.read_parquet(f"{lake}/instant_stats/{pattern}", hive_partitioning=True)
    types = {str(name): str(kind) for name, kind in zip(found.columns, found.types, strict=True)}
    assert types["count"] == types["network_id"] == "BIGINT"
    assert types["window_minutes"] == "INTEGER"
    assert types["requested_at"] == types["window_end"] == "TIMESTAMP WITH TIME ZONE"
    assert types["session"] == "VARCHAR"
    assert types["run_date"] == "DATE"
    total = duckdb.sql("SELECT run_date, count(*), sum(count) FROM found GROUP BY ALL ORDER BY ALL")
    assert total.fetchall() == [(DAYS[0], 2, 10), (DAYS[1], 2, None)]


def test_duckdb_reads_the_whole_lake_by_table(lake: Path) -> None:
    """Every table, those without rows too."""
    for table in RUN_TABLES:
        found = duckdb.read_parquet(f"{lake}/{table}/**/*.parquet", hive_partitioning=True)
        assert found.columns == [*arrow_schema(TABLES[table]).names, TABLES[table].partition]


def counts(lake: Path) -> list[int]:
    """The distinct counts that a reader sees, and that every session is there once."""
    seen = listed_and_read(lake)
    assert seen.num_rows == 300
    assert len(seen["session"].unique()) == 300
    return sorted(count for count in seen["count"].unique().to_pylist() if count is not None)


def listed_and_read(lake: Path) -> pa.Table:
    """The files that are listed; once more, if one went away before it was opened."""
    for _ in range(50):
        with contextlib.suppress(FileNotFoundError):
            return pq.read_table(lake / "instant_stats", columns=["session", "count"])
    raise AssertionError("files went away fifty times")


def publisher(lake: Path, first: int) -> subprocess.Popen[str]:
    """A process that publishes 300 rows over and over, with `first` and up as every count."""
    program = [sys.executable, "-m", "tests.pipelines.publish_forever", str(lake), str(first)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kills", [4, pytest.param(12, marks=pytest.mark.extended)])
def test_readers_see_whole_files_while_a_run_is_published_and_killed(
    tmp_path: Path, kills: int
) -> None:
    """Killed at some moments: every read works, has every row once, and nothing that was never published."""
    lake, chance, first = tmp_path / "lake", random.Random(7), 1
    for _ in range(kills):
        with publisher(lake, first) as process:
            assert process.stdout is not None
            done = int(process.stdout.readline())
            for _ in range(10):
                (count,) = counts(lake)
                assert count >= done
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.05))
            process.kill()
            rest = process.stdout.read().split()
            done = int(rest[-1]) if rest else done
        assert counts(lake) in ([done], [done + 1])
        first = done + 2
    with Lake(lake).publication("run-a", DAY, SIZES) as publication:
        publication.append("instant_stats", rows(0))
        publication.commit({})
    assert counts(lake) == [0]
    assert not list(lake.rglob(".*"))
