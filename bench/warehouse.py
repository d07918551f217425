"""Loading beside its floors: rows of `instant_stats` a second into each target, and by hand into the same database.

Medians of 5 interleaved rounds, each into a target that is not there yet. By hand is one INSERT from the Parquet files
(DuckDB), one COPY of the decoded rows (PostgreSQL), both into a table without key or comments; for Iceberg, add_files
alone. PostgreSQL is left out unless ECGRID_TEST_PG_DSN names a server.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from pyiceberg.catalog import load_catalog

from bench.figures import Found, answer
from bench.process import ROOT
from collector.domain.secret import Secret
from pipelines.contract import INSTANT_STATS, arrow_schema
from pipelines.lake import Lake
from pipelines.warehouse.loading import load_all
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target

NIGHTS: Final = 5
SESSIONS: Final = 1_000
PAIRS: Final = 12
ROUNDS: Final = 5
SCHEMA: Final = "ecgrid_bench"
FIRST: Final = datetime(2026, 1, 12, 2, tzinfo=UTC)


def night_rows(run_id: str, start: datetime, sessions: int) -> pa.Table:
    """A night of instant_stats: 8 rows for each call."""
    calls = sessions * PAIRS
    number = np.repeat(np.arange(calls), 8)
    slot, series = np.tile(np.arange(8) // 4, calls), np.tile(np.arange(4), calls * 2)
    minutes = (number % PAIRS * 2 + slot + 1) * 60
    end = np.full(len(number), np.datetime64(start.replace(tzinfo=None), "us"))
    text = {
        "run_id": np.full(len(number), run_id),
        "call_id": np.char.mod("%016x", number),
        "session": np.char.mod("mailbox-%05d", number // PAIRS),
        "traffic": np.where(series < 2, "parcel", "interchange"),
        "direction": np.where(series % 2, "out", "in"),
        "raw_sha256": np.char.mod("%064x", number),
    }
    other = {
        "network_id": number // PAIRS,
        "mailbox_id": number // PAIRS,
        "window_minutes": minutes.astype(np.int32),
        "window_start": end - minutes.astype("timedelta64[m]"),
        "window_end": end,
        "count": (number * 31 + series) % 997,
        "window_slot": (slot + 1).astype(np.int32),
        "requested_at": end,
        "observed_at": end,
    }
    schema = arrow_schema(INSTANT_STATS)
    columns = {**text, **other}
    return pa.table(
        {name: pa.array(columns[name]).cast(schema.field(name).type) for name in schema.names}
    ).cast(schema)


def published(folder: Path, sessions: int) -> tuple[Lake, int]:
    """A lake with some nights, and the rows in it."""
    lake, rows = Lake(folder), 0
    for night in range(NIGHTS):
        start = FIRST + timedelta(days=night)
        run_id = f"{start:%Y%m%dT%H%M%SZ}-bench"
        with lake.publication(run_id, start.date()) as publication:
            made = night_rows(run_id, start, sessions)
            publication.append(INSTANT_STATS.name, made)
            publication.commit({})
            rows += made.num_rows
    return lake, rows


def loaded(target: Target) -> Callable[[Lake, Path], None]:
    """The product, into this target."""

    def work(lake: Lake, _: Path) -> None:
        (load,) = load_all(lake, [target]).values()
        assert load.caught_up, load.error

    return work


def into_duckdb(lake: Lake, folder: Path) -> None:
    """One statement."""
    with duckdb.connect(str(folder / "by-hand.duckdb")) as connection:
        files = f"{lake.folder}/instant_stats/*/*.parquet"
        connection.execute(f"CREATE TABLE instant_stats AS SELECT * FROM read_parquet('{files}')")  # noqa: S608  # our folder


def into_postgres(dsn: str) -> Callable[[Lake, Path], None]:
    """COPY of every file's rows, one transaction."""

    def work(lake: Lake, _: Path) -> None:
        with adbc.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {SCHEMA}")
            for number, path in enumerate(sorted(lake.folder.glob("instant_stats/*/*.parquet"))):
                rows = pq.read_table(path, partitioning=None)
                mode = "append" if number else "create"
                cursor.adbc_ingest("instant_stats", rows, mode=mode, db_schema_name=SCHEMA)  # type: ignore[arg-type]
            connection.commit()

    return work


def into_iceberg(lake: Lake, folder: Path) -> None:
    """add_files of everything at once."""
    catalog = load_catalog(
        "hand", uri=f"sqlite:///{folder}/hand.db", warehouse=f"file://{folder}/hand"
    )
    catalog.create_namespace("hand")
    table = catalog.create_table("hand.instant_stats", arrow_schema(INSTANT_STATS))
    table.add_files([f"file://{path}" for path in lake.folder.glob("instant_stats/*/*.parquet")])
    catalog.close()


def works(folder: Path, dsn: str | None) -> dict[str, Callable[[Lake, Path], None]]:
    """What is measured, each floor before what it is the floor of."""
    catalog = IcebergCatalog(Secret(f"sqlite:///{folder}/c.db"), f"file://{folder}/w", "ecgrid", {})
    found: dict[str, Callable[[Lake, Path], None]] = {
        "duckdb by hand: INSERT from Parquet": into_duckdb,
        "duckdb": loaded(DuckDbFile(folder / "warehouse.duckdb")),
        "iceberg by hand: add_files": into_iceberg,
        "iceberg": loaded(catalog),
    }
    if dsn:
        found["postgres by hand: COPY"] = into_postgres(dsn)
        found["postgres"] = loaded(PostgresServer(Secret(dsn), SCHEMA))
    return found


def without_schema(dsn: str | None) -> None:
    """Remove what a round left on the server."""
    if dsn:
        with adbc.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def measure(full: bool) -> Found:
    """Rows a second, each beside its floor; with `full`, ten times the sessions."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))  # warnings only
    dsn = os.environ.get("ECGRID_TEST_PG_DSN")
    sessions = SESSIONS * 10 if full else SESSIONS
    rates: dict[str, list[float]] = {}
    (ROOT / ".cache").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="bench-") as made:
        lake, rows = published(Path(made) / "lake", sessions)
        for number in range(ROUNDS):
            folder = Path(made) / str(number)
            folder.mkdir()
            for name, work in works(folder, dsn).items():
                without_schema(dsn)
                begun = time.perf_counter()
                work(lake, folder)
                rates.setdefault(name, []).append(rows / (time.perf_counter() - begun))
        without_schema(dsn)
    shown = [["loading instant_stats", "rows/s", "of the floor"]]
    floor = 1.0
    for name, found in rates.items():
        rate = statistics.median(found)
        floor = rate if "by hand" in name else floor
        shown.append([name, f"{rate:,.0f}", f"{rate / floor:.2f}"])
    if not dsn:
        shown.append(["postgres", "not measured: ECGRID_TEST_PG_DSN names no server", ""])
    return Found(f"Loading {rows:,} rows in {NIGHTS} runs into each warehouse", rows=shown)


if __name__ == "__main__":
    answer(measure)
