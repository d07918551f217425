"""The session of a DuckDB file: loading, and the views straight over the lake."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import duckdb
import pyarrow as pa
import structlog

from pipelines.contract import TRAFFIC_HISTORY
from pipelines.contract.views import duckdb_views
from pipelines.errors import WarehouseError
from pipelines.lake import Lake
from pipelines.warehouse.publications import is_local
from pipelines.warehouse.shape import Existing
from pipelines.warehouse.statements import STAGE, literal, quoted
from pipelines.warehouse.target import DuckDbFile

__all__ = ["DuckDbSession"]

_LOG: Final = structlog.get_logger("warehouse")
_ARROW: Final[Mapping[str, pa.DataType]] = {
    "VARCHAR": pa.string(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
_VIEWS: Final = "lake"
_INCOMING: Final = "ecgrid_incoming"
# what DuckDB says -> what to do
_ADVICE: Final = (
    ("Could not set lock", "another program has it open: close it there, then load again"),
    ("not a valid DuckDB", "name another file as warehouse.duckdb.path"),
    (
        "newer version|older version|storage version",
        "use the DuckDB that wrote it, or name another file",
    ),
    ("read-only|Permission denied|Read-only", "must be a file that this user may write"),
    ("No space left|Disk quota", "free some space, then load again"),
    ("Is a directory|Not a directory|No such file", "warehouse.duckdb.path must be a file"),
)


class DuckDbSession:
    """A DuckDB file, opened to write. Tables have no primary key: its index is far larger than the data."""

    name = "duckdb"
    binary = "BLOB"
    with_key = False
    elsewhere = "name another file as warehouse.duckdb.path"

    def __init__(self, target: DuckDbFile) -> None:
        self._path = target.path
        with self._named():
            try:
                target.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                is_new = not target.path.exists()
                self._connection = duckdb.connect(
                    str(target.path), config={"autoinstall_known_extensions": False}
                )
                if is_new:
                    target.path.chmod(0o600)
            except OSError as error:
                raise WarehouseError(
                    f"warehouse duckdb: {target.path}: {error.strerror}; warehouse.duckdb.path must be a file that"
                    " this user may write"
                ) from error
            self._connection.execute("SET TimeZone = 'UTC'")

    def run(self, sql: str) -> int:
        """Run a statement; the rows it changed."""
        with self._named():
            changed = self._connection.execute(sql).fetchone()
        return int(changed[0]) if changed else 0

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        with self._named():
            return self._connection.execute(sql).fetchall()

    def ingest(self, reader: pa.RecordBatchReader) -> int:
        """Append to the stage, straight from Arrow."""
        with self._named():
            self._connection.register(_INCOMING, reader)
            try:
                return self.run(f"INSERT INTO {STAGE} SELECT * FROM {_INCOMING}")  # noqa: S608  # names of ours
            finally:
                self._connection.unregister(_INCOMING)

    def place(self, table: str) -> str:
        """In the schema that DuckDB begins with."""
        return f"main.{quoted(table)}"

    def columns(self, table: str) -> dict[str, Existing]:
        """From DuckDB's own catalog."""
        found = self.query(
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns()"  # noqa: S608  # quoted
            " WHERE database_name = current_database() AND schema_name = 'main'"
            f" AND table_name = {literal(table)} ORDER BY column_index"
        )
        return {
            str(name): Existing(_ARROW.get(str(said)), str(said).lower(), bool(nullable))
            for name, said, nullable in found
        }

    def views(self) -> list[str]:
        """Hours and days, and macros that take a time zone."""
        return duckdb_views(self.place(TRAFFIC_HISTORY.name), "main.")

    def begin(self) -> None:
        """The file is locked by whoever has it open to write, so this is the only loader."""
        self.run("BEGIN")

    def commit(self) -> None:
        """End the transaction."""
        self.run("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction, if one is open."""
        with contextlib.suppress(duckdb.Error):
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(duckdb.Error):
            self._connection.close()

    def show(self, lake: Lake, tables: Sequence[str]) -> None:
        """A view in the schema `lake` for every published table, over its files as they are when it is read."""
        if not is_local(lake):  # DuckDB would need an extension, and credentials of its own
            return
        try:
            self.run(f"CREATE SCHEMA IF NOT EXISTS {_VIEWS}")
            for table in tables:
                files = lake.folder.absolute() / table / "*" / "*.parquet"
                if next((lake.folder / table).glob("*/[!.]*.parquet"), None) is not None:
                    self.run(
                        f"CREATE OR REPLACE VIEW {_VIEWS}.{quoted(table)} AS SELECT * FROM read_parquet("  # noqa: S608  # quoted
                        f"{literal(str(files))}, hive_partitioning = true, union_by_name = true)"
                    )
        except WarehouseError as error:  # a damaged file, perhaps; the tables do not depend on it
            _LOG.warning("the views over the lake are not renewed", said=str(error))

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            said = " ".join(str(error).partition("\nLINE ")[0].split())[:300]
            advice = next(
                (text for words, text in _ADVICE if re.search(words, said)),
                "what was committed stays; load again",
            )
            raise WarehouseError(f"warehouse duckdb: {self._path}: {advice} ({said})") from error
