"""Nights that were published, targets of every kind, and a look into each with plain SQL."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog

from collector.domain.outcomes import FaultClass, State
from collector.domain.whoami import WhoAmI
from pipelines.contract import CALLS, RUN_TABLES, TABLES, Table, arrow_schema
from pipelines.lake import Lake, Manifest
from pipelines.lake.changing import Change, commit
from pipelines.normalize import normalize
from pipelines.warehouse.loading import Load, load_all
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target
from tests.pipelines.night import OBSERVED_US, SENT_US, Night, answer, counts

__all__ = [
    "Look",
    "bucket",
    "call_row",
    "compacted",
    "contents",
    "load",
    "night_of",
    "publish_calls",
    "publish_night",
    "publish_rows",
    "run_id_of",
]

FIRST = datetime(2026, 1, 18, 2, tzinfo=UTC)
LOADED = [name for name in RUN_TABLES if name != "raw"]


def run_id_of(number: int) -> str:
    """The run of a night, counted from 0."""
    return f"{FIRST + timedelta(days=number):%Y%m%dT%H%M%SZ}-1f2e3d"


def night_of(sessions: int = 3, first: int = 1, *, missing: int = 0) -> Night:
    """Two calls a session; `missing` sessions were never asked."""
    night = Night()
    for number in range(sessions):
        label = f"mailbox-{number:04}"
        night.answered(
            answer({**counts(first + number), "Note": "it's 'quoted'\\"}), label, 60, 120
        )
        night.faulted(label, 180, 240)
        night.facts.append(WhoAmI(label, SENT_US, 100 + number, None, 7, 600, 1))
    night.answered(answer(), "mailbox-void", 60, 120, observed_us=None, state=State.EMPTY)
    for number in range(missing):
        night.plan(f"mailbox-late-{number}")
    night.facts.append(
        WhoAmI("mailbox-void", SENT_US, fault_class=FaultClass.AUTHENTICATION, fault_text="no")
    )
    return night


def publish_night(
    lake: Lake, folder: Path, number: int = 0, night: Night | None = None
) -> Manifest:
    """Land the night and publish it under the date that is its own; a night may be published again."""
    made = night or night_of()
    shift = int(timedelta(days=number).total_seconds() * 1_000_000)
    made = replace(
        made,
        outcomes=[
            each._replace(observed_at_us=each.observed_at_us and OBSERVED_US + shift)
            for each in made.outcomes
        ],
    )
    store = folder / f"landing-{len(list(folder.glob('landing-*')))}"
    store.mkdir()
    start = int((FIRST + timedelta(days=number)).timestamp() * 1_000_000)
    with made.land(store, run_id_of(number), started_us=start) as landed:
        return normalize(landed, lake).manifest


def publish_rows(lake: Lake, number: int, table: Table, rows: list[dict[str, Any]]) -> Manifest:
    """A run with these rows of one table and none of the others."""
    run_id = run_id_of(number)
    with lake.publication(run_id, (FIRST + timedelta(days=number)).date()) as publication:
        filled = [{"run_id": run_id, **row} for row in rows]
        publication.append(table.name, pa.Table.from_pylist(filled, schema=arrow_schema(table)))
        return publication.commit({})


def call_row(call_id: str, **values: object) -> dict[str, Any]:
    """A row of the ledger."""
    return {
        "call_id": call_id,
        "session": "acme",
        "operation": "ReportInstantStats",
        "window1_minutes": 60,
        "window2_minutes": 120,
        "state": "failed",
        "attempts": 1,
        **values,
    }


def bucket(session: str, to_minutes: int) -> dict[str, Any]:
    """A row of the buckets; those of one run fall on several dates."""
    plain = {pa.string(): "0" * 16, pa.int32(): 0, pa.int64(): 3, pa.bool_(): False}
    end = FIRST.replace(tzinfo=UTC)
    row: dict[str, Any] = {
        column.name: plain.get(column.type, end)
        for column in TABLES["traffic_buckets"].columns
        if not column.nullable and column.name != "run_id"
    }
    start = end - timedelta(minutes=to_minutes)
    return row | {"session": session, "to_minutes": to_minutes, "bucket_start": start}


def publish_calls(lake: Lake, number: int, **texts: str | None) -> Manifest:
    """A run with a row of the ledger for each call id, which says this text."""
    rows = [call_row(name, fault_text=text) for name, text in texts.items()]
    return publish_rows(lake, number, CALLS, rows)


def compacted(lake: Lake, runs: list[str], table: Table) -> None:
    """One file for the rows of several runs, as their manifests say from now on."""
    manifests = [lake.manifest(run_id) for run_id in runs]
    files = [file for each in manifests for file in each.files if file.table == table.name]
    rows = pa.concat_tables(
        pq.read_table(lake.folder / file.path, partitioning=None) for file in files
    )
    draft = lake.folder / "_drafts" / "draft"
    draft.parent.mkdir(exist_ok=True)
    pq.write_table(rows, draft)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()
    path = f"{files[0].path.rpartition('/')[0]}/compacted-0-{digest[:16]}.parquet"
    place = lake.folder / "_drafts" / path
    place.parent.mkdir(parents=True)
    draft.rename(place)
    whole = {"path": path, "sha256": digest, "runs": tuple(runs)}
    changed = {}
    for each, file in zip(manifests, files, strict=True):
        kept = tuple(file for file in each.files if file.table != table.name)
        changed[each.run_id] = replace(each, files=(*kept, replace(file, **whole)))
    commit(lake.storage, Change([path], [file.path for file in files], changed))


def load(lake: Lake, target: Target, **options: Any) -> Load:
    """Into one target."""
    (found,) = load_all(lake, [target], **options).values()
    return found


class Look:
    """A target as its readers see it."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query that names tables without a schema."""
        with self._connected() as run:
            return run(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The same by way of Arrow, with times as such."""
        found = self._arrow(sql)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def arrow(self, table: str) -> pa.Table:
        """A table in the order of its key, with its columns in the contract's."""
        contract = TABLES[table]
        names = ", ".join(f'"{column.name}"' for column in contract.columns)
        keys = ", ".join(f'"{name}"' for name in contract.key)
        return self._arrow(f'SELECT {names} FROM "{table}" ORDER BY {keys}')

    def _arrow(self, sql: str) -> pa.Table:
        match self.target:
            case PostgresServer():
                with self._postgres() as cursor:
                    cursor.execute(sql)
                    return cursor.fetch_arrow_table().replace_schema_metadata(None)
            case _:
                with self._duckdb() as connection:
                    return connection.sql(sql).to_arrow_table()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        if isinstance(self.target, PostgresServer):
            with self._postgres() as cursor:

                def run(sql: str) -> list[tuple[Any, ...]]:
                    cursor.execute(sql)
                    return cursor.fetchall() if cursor.description else []

                yield run
        else:
            with self._duckdb() as connection:
                yield lambda sql: connection.execute(sql).fetchall()

    @contextlib.contextmanager
    def _postgres(self) -> Iterator[Any]:
        assert isinstance(self.target, PostgresServer)
        with adbc.connect(self.target.dsn.reveal()) as connection, connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            if self.target.schema is not None:
                cursor.execute(f'SET search_path = "{self.target.schema}"')
            yield cursor
            connection.commit()

    @contextlib.contextmanager
    def _duckdb(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if isinstance(self.target, DuckDbFile):
            with duckdb.connect(str(self.target.path)) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
            return
        assert isinstance(self.target, IcebergCatalog)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            catalog = load_catalog(
                "ecgrid",
                uri=self.target.uri.reveal(),
                warehouse=self.target.location,
                **{name: value.reveal() for name, value in self.target.properties.items()},
            )
            for _, name in catalog.list_tables(self.target.namespace):
                found = catalog.load_table(f"{self.target.namespace}.{name}").scan().to_arrow()
                connection.register(name, found)
            catalog.close()
            yield connection


def contents(look: Look) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that is loaded."""
    return {name: look.arrow(name).to_pylist() for name in LOADED}
