"""SQL over the lake: DuckDB with a view per table, that can neither change anything nor reach anything else.

The history is there by the hour and the day as well: `traffic_days`, and `traffic_days_in('America/New_York')`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import duckdb
import pyarrow as pa

from pipelines.contract import TABLES, TRAFFIC_HISTORY, VIEWS
from pipelines.contract.views import duckdb_views
from pipelines.errors import PublicationError, QueryError
from pipelines.lake.local import LocalStorage
from pipelines.read import TRIES, OpenLake, Part

__all__ = ["of_one_state", "queried"]

_Found = TypeVar("_Found")
_HISTORY: Final = TRAFFIC_HISTORY.name
_NAMES: Final = ", ".join((*TABLES, *VIEWS))
_READING: Final = "reading the Arrow source failed"
_READS: Final = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
_LOCKED: Final = (
    "SET TimeZone = 'UTC'",
    "SET python_enable_replacements = false",  # no variable of this process is a table
    "SET enable_external_access = false",  # no files, no network, no extensions
    "SET lock_configuration = true",
)

_LEAN: Final = (  # a night's machine has other work: a quarter less memory, hardly slower
    "SET threads = 1",
    "SET enable_external_file_cache = false",
    "SET preserve_insertion_order = false",
    "SET allocator_flush_threshold = '1MB'",
    "SET allocator_bulk_deallocation_flush_threshold = '1MB'",
)


def queried(lake: OpenLake, sql: str) -> pa.Table:
    """The rows that one SELECT gives; every table of the lake is a view under its name.

    Filters on partitions and columns are passed on to where the files are.

    Raises:
        QueryError: the SQL is wrong or no SELECT; the message says where, and which tables there are.
        PublicationError: a file or manifest cannot be read, or does not fit this program.
    """
    return _of_one_state(lake, _named(sql), lambda ask: ask(sql))


def of_one_state(
    lake: OpenLake, tables: Sequence[str], work: Callable[[Callable[[str], pa.Table]], _Found]
) -> _Found:
    """What `work` makes of several SELECTs, all of one state of the lake.

    Files of this machine are read by DuckDB itself, in half the time and a third of the memory of Arrow's reader, and
    without looking at the checksums of their pages.

    Args:
        tables: those that the SELECTs speak of, by name.
        work: is given the function that asks one SELECT. It is called again, from its beginning, where a change of the
            lake took files away meanwhile.

    Raises:
        QueryError: as `queried`.
        PublicationError: as `queried`.
    """
    return _of_one_state(lake, tables, work, by_name=isinstance(lake.lake.storage, LocalStorage))


def _of_one_state(
    lake: OpenLake,
    tables: Sequence[str],
    work: Callable[[Callable[[str], pa.Table]], _Found],
    *,
    by_name: bool = False,
) -> _Found:
    before: list[str] = []
    for tries_left in range(TRIES - 1, -1, -1):
        views = dict(zip(tables, lake.parts(*tables), strict=True))
        try:
            return _worked(lake, views, work, by_name=by_name)
        except duckdb.Error as error:
            if _READING not in str(error) and not isinstance(error, duckdb.IOException):
                raise QueryError(_said(error)) from error
            read = [path for parts in views.values() for part in parts for path in part.files.files]
            if tries_left and read != before:
                # perhaps a change took some away before they were opened: the lake's state tells
                before = read
                continue
            if said := next(filter(None, map(lake.lake.damage, tables)), None):
                raise PublicationError(said) from error
            raise QueryError(_said(error)) from error
    raise AssertionError("unreachable: the last try returns or raises")


def _worked(
    lake: OpenLake,
    views: Mapping[str, Sequence[Part]],
    work: Callable[[Callable[[str], pa.Table]], _Found],
    *,
    by_name: bool,
) -> _Found:
    with duckdb.connect(":memory:") as connection, ThreadPoolExecutor(1) as pool:
        for statement in _LEAN if by_name else ():
            connection.execute(statement)
        for name, parts in views.items():
            (_register_files if by_name else _register)(connection, lake, name, parts)
        if _HISTORY in views:
            for statement in duckdb_views(_HISTORY):
                connection.execute(statement)
        for statement in _LOCKED:
            connection.execute(statement)
        return work(partial(_asked, connection, pool))


def _asked(connection: duckdb.DuckDBPyConnection, pool: ThreadPoolExecutor, sql: str) -> pa.Table:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in _READS:
        raise QueryError("sql: must be one SELECT; nothing in the lake is changed by it")
    return _answer(connection, pool, sql)


def _answer(connection: duckdb.DuckDBPyConnection, pool: ThreadPoolExecutor, sql: str) -> pa.Table:
    """The rows. DuckDB does not hear of a signal while it works in the main thread, so that one waits."""
    found: Future[pa.Table] = pool.submit(lambda: connection.sql(sql).to_arrow_table())
    try:
        return found.result()
    except KeyboardInterrupt:
        connection.interrupt()
        raise


def _named(sql: str) -> list[str]:
    """The tables that the SQL speaks of, all if of none: a manifest is a request to object storage."""
    named = {name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)}
    if any(re.search(rf"\b{view}(_in)?\b", sql, re.IGNORECASE) for view in VIEWS):
        named.add(_HISTORY)
    return [name for name in TABLES if name in named or not named]


def _register(
    connection: duckdb.DuckDBPyConnection, lake: OpenLake, name: str, parts: Sequence[Part]
) -> None:
    """The table as a view; of files that several runs share, the rows of those that count."""
    rows: duckdb.DuckDBPyRelation | None = None
    for part in parts:
        of_part = connection.from_arrow(part.files)
        if part.only is not None:
            # a run id has neither quotes nor spaces
            runs = ", ".join(f"'{run}'" for run in part.only)
            of_part = of_part.filter(f"run_id IN ({runs})")
        rows = of_part if rows is None else rows.union(of_part)
    if rows is None:
        rows = connection.from_arrow(lake.table(name))
    rows.create_view(name)


def _register_files(
    connection: duckdb.DuckDBPyConnection, lake: OpenLake, name: str, parts: Sequence[Part]
) -> None:
    """The table as a view over files of this machine, read by DuckDB, if there are any and all are of this version."""
    if not parts or any(part.version != TABLES[name].version for part in parts):
        _register(connection, lake, name, parts)
        return
    paths = [str(path) for part in parts for path in part.files.files]
    allowed = connection.sql("SELECT current_setting('allowed_paths')").fetchall()[0][0]
    connection.execute(f"SET allowed_paths = [{_list([*allowed, *paths])}]")
    selects = [
        f"SELECT * FROM read_parquet([{_list(part.files.files)}], hive_partitioning = true)"  # noqa: S608  # our paths
        + ("" if part.only is None else f" WHERE run_id IN ({_list(part.only)})")
        for part in parts
    ]
    connection.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(selects)}")


def _list(texts: Sequence[str]) -> str:
    """Texts as SQL, in quotes, with commas."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def _said(error: duckdb.Error) -> str:
    said = str(error).strip()
    if isinstance(error, duckdb.CatalogException) and "Table with name" in said:
        first = said.splitlines()[0]
        return f"sql: {first} The tables are {_NAMES}"
    if isinstance(error, duckdb.PermissionException):
        return f"sql: {said}"[:2000] + f"; only the tables can be read, by name: {_NAMES}"
    return f"sql: {said}"[:2000]
