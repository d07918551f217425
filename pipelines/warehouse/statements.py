"""The SQL that both databases understand, made from the contract. Pure text; runs nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pyarrow as pa

from pipelines.contract import Column, Table
from pipelines.lake import Days
from pipelines.warehouse.shape import Alteration, Kind

__all__ = [
    "LOADS",
    "STAGE",
    "Merge",
    "alter",
    "comments",
    "create",
    "delete",
    "index",
    "literal",
    "merge",
    "of_days",
    "of_run",
    "quoted",
    "stage",
]

STAGE: Final = '"ecgrid_stage"'
_TYPES: Final[Mapping[pa.DataType, str]] = {
    pa.string(): "text",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}

LOADS: Final = Table(
    name="ecgrid_loads",
    version=1,
    description="Which publication of which run was loaded: the ledger of ecgrid-stats.",
    columns=(
        Column(
            "run_id",
            pa.string(),
            "The run; `history`, and `history` with a day, for what is of all runs.",
        ),
        Column("publication", pa.string(), "SHA-256 over what was published when it was loaded."),
        Column("rows", pa.int64(), "Rows of all tables in that publication."),
        Column("loaded_at", pa.timestamp("us", "UTC"), "When the load was committed."),
    ),
    key=("run_id",),
    sort=(),
)


def quoted(name: str) -> str:
    """The name as SQL wants it where it may be a word of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as SQL wants it."""
    return "'" + text.replace("'", "''") + "'"


def _type(arrow: pa.DataType, binary: str) -> str:
    return binary if arrow == pa.binary() else _TYPES[arrow]


def create(table: Table, name: str, *, binary: str, with_key: bool) -> str:
    """CREATE TABLE; `binary` is what the database calls bytes.

    Only the key may not be null: any other column may be absent from files of another version.
    """
    parts = [
        f"{quoted(column.name)} {_type(column.type, binary)}{' NOT NULL' if column.name in table.key else ''}"
        for column in table.columns
    ]
    if with_key:
        parts.append(f"PRIMARY KEY ({', '.join(map(quoted, table.key))})")
    return f"CREATE TABLE {name} ({', '.join(parts)})"


def index(table: Table, name: str) -> str:
    """CREATE INDEX of a table whose days are replaced, which come nearly in order."""
    return f"CREATE INDEX ON {name} USING brin ({quoted(table.partition_from or table.partition)})"


def comments(table: Table, name: str) -> list[str]:
    """What the contract says of the table and its columns."""
    return [
        f"COMMENT ON TABLE {name} IS {literal(table.description)}",
        *(
            f"COMMENT ON COLUMN {name}.{quoted(column.name)} IS {literal(column.description)}"
            for column in table.columns
        ),
    ]


def alter(alteration: Alteration, name: str, *, binary: str) -> str:
    """ALTER TABLE for one change."""
    column = quoted(alteration.column)
    match alteration.kind, alteration.type:
        case Kind.ADD, pa.DataType() as arrow:
            return f"ALTER TABLE {name} ADD COLUMN {column} {_type(arrow, binary)}"
        case Kind.WIDEN, pa.DataType() as arrow:
            return f"ALTER TABLE {name} ALTER COLUMN {column} TYPE {_type(arrow, binary)}"
        case _:
            return f"ALTER TABLE {name} ALTER COLUMN {column} DROP NOT NULL"


def stage(table: Table, *, binary: str) -> str:
    """A temporary table for the rows that come in."""
    columns = (f"{quoted(column.name)} {_type(column.type, binary)}" for column in table.columns)
    return f"CREATE TEMPORARY TABLE {STAGE} ({', '.join(columns)})"


@dataclass(frozen=True, slots=True)
class Merge:
    """The statements that bring some rows of a table, a run's or a day's, to what the stage holds, in this order.

    Attributes:
        present: counts those rows that are there.
        repeated: the keys that stand more than once in the stage.
        remove: those that are in the publication no more.
        update: rows that are there with other values.
        insert: rows that are not there.
    """

    present: str
    repeated: str
    remove: str
    update: str
    insert: str


def of_run(run_id: str) -> str:
    """The condition that rows `t` are of a run."""
    return f"t.{quoted('run_id')} = {literal(run_id)}"


def of_days(table: Table, days: Days) -> str:
    """The condition that rows `t` are of some days, by the column that the table is partitioned by."""
    column = f"t.{quoted(table.partition_from or table.partition)}"
    start, end = (f"{each}T00:00:00+00:00" for each in (days.first, days.last + timedelta(days=1)))
    return f"{column} >= {literal(start)} AND {column} < {literal(end)}"


def delete(name: str, own: str) -> str:
    """Remove some rows of a table."""
    return f"DELETE FROM {name} AS t WHERE {own}"  # noqa: S608  # names of the contract, quoted


def merge(table: Table, name: str, own: str) -> Merge:
    """The upsert by natural key, and the removal of what a publication lost.

    Args:
        own: the condition that rows `t` are those that the stage replaces; all of the stage meets it.
    """
    names = [column.name for column in table.columns]
    values = [each for each in names if each not in table.key]
    columns = ", ".join(map(quoted, names))
    same = _all_of(table.key, lambda column: f"t.{column} = s.{column}", " AND ")
    same = f"{own} AND {same}"  # lets the database look at these rows alone
    other = _all_of(values, lambda column: f"t.{column} IS DISTINCT FROM s.{column}", " OR ")
    sets = _all_of(values, lambda column: f"{column} = s.{column}", ", ")
    key = ", ".join(map(quoted, table.key))
    return Merge(
        present=f"SELECT count(*) FROM {name} AS t WHERE {own}",  # noqa: S608  # names of the contract, quoted
        repeated=f"SELECT {key} FROM {STAGE} GROUP BY {key} HAVING count(*) > 1 LIMIT 1",  # noqa: S608  # as above
        remove=f"{delete(name, own)}"  # noqa: S608  # as above
        f" AND NOT EXISTS (SELECT 1 FROM {STAGE} AS s WHERE {same})",
        update=f"UPDATE {name} AS t SET {sets} FROM {STAGE} AS s WHERE {same} AND ({other})",  # noqa: S608  # as above
        insert=f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {STAGE} AS s"  # noqa: S608  # as above
        f" WHERE NOT EXISTS (SELECT 1 FROM {name} AS t WHERE {same})",
    )


def _all_of(names: list[str] | tuple[str, ...], form: Callable[[str], str], between: str) -> str:
    return between.join(form(quoted(name)) for name in names)
