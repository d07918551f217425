"""The session of a PostgreSQL server: COPY through ADBC, and errors that never repeat the DSN."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from collector.domain.secret import Secret, mask
from pipelines.contract import TRAFFIC_HISTORY, VIEWS
from pipelines.contract.views import postgres_views
from pipelines.errors import WarehouseError
from pipelines.lake import Lake
from pipelines.warehouse.shape import Existing
from pipelines.warehouse.statements import STAGE, literal, quoted
from pipelines.warehouse.target import PostgresServer

try:
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as adbc
except ImportError as error:  # the extra is not installed
    raise WarehouseError(
        "warehouse postgres: its driver is not installed; install ecgrid-stats[postgres]"
    ) from error

__all__ = ["PostgresSession"]

_ARROW: Final[Mapping[str, pa.DataType]] = {
    "text": pa.string(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}
_BOUNDS: Final = {  # what a DSN does not say itself: no wait without an end
    "connect_timeout": "15",
    "tcp_user_timeout": "60000",
    "keepalives_idle": "30",
    "fallback_application_name": "ecgrid-stats",
}
_LOCK_TIMEOUT: Final = "60s"
_ONE_LOADER: Final = 0x65636772  # the number of the advisory lock that loaders share
_AT_CONNECT: Final = re.compile(
    r"connection to server|could not translate host name|timeout expired"
)
# SQLSTATE, or what libpq says where there is none -> what to do
_ADVICE: Final = (
    ("DSN cannot be read", "mend it in the variable or file that holds it"),
    (
        "password authentication|no password supplied|28P01",
        "check the password in the DSN that it refers to",
    ),
    (
        "28000|role .* does not exist|pg_hba",
        "check the user in the DSN, and that the server lets it in",
    ),
    ("3D000|database .* does not exist", "check the database in the DSN"),
    (
        "25006|read-only transaction",
        "this server only reads (a standby?): name one that can be written",
    ),
    ("42501", "grant the user CREATE on the schema, and its tables"),
    ("53100|No space left", "free some space on the server, then load again"),
    ("55P03|57014", "another transaction holds its tables: end it, then load again"),
    (
        "connection to server|translate host name|timeout expired",
        "is the server running, and reachable from here?",
    ),
    (
        "server closed the connection|terminating connection|no connection|57P01|SSL SYSCALL",
        "the server went away",
    ),
)


class PostgresSession:
    """A connection, always in a transaction or about to begin one."""

    name = "postgres"
    binary = "bytea"
    with_key = True
    elsewhere = "set warehouse.postgres.schema to a schema of its own"

    def __init__(self, target: PostgresServer) -> None:
        self._secrets = _secrets(target.dsn)
        try:
            self._connection = adbc.connect(_bounded(target.dsn.reveal()))
        except adbc_driver_manager.Error as error:
            said = str(error).partition("Failed to connect:")[2]
            if not _AT_CONNECT.search(
                said
            ):  # libpq quotes what it cannot read, and that may be the password
                said = "the DSN cannot be read: must be key=value pairs, or postgresql://…"
            raise self._error(said) from None
        self._cursor = self._connection.cursor()
        try:
            self._schema = self._settle(target.schema)
        except BaseException:
            self.close()
            raise

    def run(self, sql: str) -> int:
        """Run a statement; the rows it changed."""
        with self._named():
            self._cursor.execute(sql)
            return int(self._cursor.rowcount)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        with self._named():
            self._cursor.execute(sql)
            return [tuple(row) for row in self._cursor.fetchall()]

    def ingest(self, reader: pa.RecordBatchReader) -> int:
        """COPY into the stage."""
        without_nul = pa.RecordBatchReader.from_batches(reader.schema, map(_without_nul, reader))
        with self._named():
            name = STAGE.strip('"')
            return int(self._cursor.adbc_ingest(name, without_nul, mode="append", temporary=True))

    def place(self, table: str) -> str:
        """With the schema, so that no search path leads elsewhere."""
        return f"{quoted(self._schema)}.{quoted(table)}"

    def columns(self, table: str) -> dict[str, Existing]:
        """From the system catalog; a view of that name has columns, too."""
        found = self.query(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull FROM pg_attribute a"  # noqa: S608  # quoted
            " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
            f" WHERE n.nspname = {literal(self._schema)} AND c.relname = {literal(table)}"
            " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return {
            str(name): Existing(_ARROW.get(str(said)), str(said), bool(nullable))
            for name, said, nullable in found
        }

    def views(self) -> list[str]:
        """Hours and days, and functions that take a time zone; one that had other columns is dropped before."""
        schema = f"{quoted(self._schema)}."
        names = {f"{name}_in": 1 + len(view.columns) for name, view in VIEWS.items()}
        found = self.query(
            "SELECT p.proname::text, cardinality(p.proargnames) FROM pg_proc p"  # noqa: S608  # quoted
            f" JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = {literal(self._schema)}"
            f" AND p.proname IN ({', '.join(map(literal, names))})"
        )
        dropped = [
            f"DROP FUNCTION {schema}{quoted(str(name))}(text)"
            for name, columns in found
            if columns != names[str(name)]
        ]
        return [*dropped, *postgres_views(self.place(TRAFFIC_HISTORY.name), schema)]

    def begin(self) -> None:
        """Wait for other loaders, with an end."""
        self.rollback()  # what was only read before
        self.run(f"SET LOCAL lock_timeout = {literal(_LOCK_TIMEOUT)}")
        self.query(
            f"SELECT pg_advisory_xact_lock({_ONE_LOADER}, hashtext({literal(self._schema)}))::text"
        )
        if not self.query(f"SELECT 1 FROM pg_namespace WHERE nspname = {literal(self._schema)}"):  # noqa: S608  # quoted
            self.run(f"CREATE SCHEMA {quoted(self._schema)}")

    def commit(self) -> None:
        """End the transaction."""
        with self._named():
            self._connection.commit()

    def rollback(self) -> None:
        """Undo the transaction."""
        with contextlib.suppress(adbc_driver_manager.Error):
            self._connection.rollback()

    def show(self, lake: Lake, tables: Sequence[str]) -> None:
        """The server does not see the lake."""

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        for each in (self._cursor, self._connection):
            with contextlib.suppress(adbc_driver_manager.Error):
                each.close()

    def _settle(self, schema: str | None) -> str:
        if schema is not None:
            return schema
        found = self.query("SELECT current_schema()::text")[0][0]
        if found is None:
            raise WarehouseError(
                "warehouse postgres: the user's search path names no schema that is there: set"
                " warehouse.postgres.schema"
            )
        return str(found)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except adbc_driver_manager.Error as error:
            raise self._error(str(error)) from error

    def _error(self, said: str) -> WarehouseError:
        said = " ".join(said.partition("Query was:")[0].split()) or "no reason given"
        said = re.sub(
            r"^.*?(?=(?:ERROR|FATAL): )", "", said
        )  # the statement comes first, and may be long
        said = mask(said.encode(), self._secrets)[0].decode(errors="replace")[:300]
        advice = next(
            (text for words, text in _ADVICE if re.search(words, said)),
            "see what the server says",
        )
        return WarehouseError(
            f"warehouse postgres: {advice} (warehouse.postgres.dsn: {said}); what was committed stays, load again"
        )


def _bounded(dsn: str) -> str:
    """The DSN with an end to every wait, unless it says so itself."""
    missing = [f"{name}={value}" for name, value in _BOUNDS.items() if name not in dsn]
    if "://" not in dsn:
        return " ".join((dsn, *missing))
    return dsn + ("&" if "?" in dsn else "?") + "&".join(missing) if missing else dsn


def _secrets(dsn: Secret) -> tuple[Secret, ...]:
    """The DSN, and the passwords in it."""
    text = dsn.reveal()
    found = re.findall(r"password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))", text)
    found += re.findall(r"://[^/@]*?:([^/]*)()@", text)
    return (dsn, *(Secret(one or other) for one, other in found if one or other))


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    """PostgreSQL's text cannot hold U+0000; U+FFFD stands for it."""
    columns = [
        pc.replace_substring(column, "\0", "\ufffd") if _has_nul(column) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _has_nul(column: pa.Array) -> bool:
    if column.type != pa.string():
        return False
    return bool(pc.any(pc.match_substring(column, "\0")).as_py())
