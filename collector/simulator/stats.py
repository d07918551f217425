"""The answer of ReportInstantStats: eight counts as a DataSet, and the ways it may look different.

Knows nothing of where the counts come from.
"""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final

from collector.domain.binding import Binding
from collector.simulator.dataset import Column, DataSet, NetType, Row, Table, Value
from collector.simulator.operations import STATS
from collector.simulator.replies import Answer, answer_reply

__all__ = ["ALTERATIONS", "COUNT_COLUMNS", "EightCounts", "altered", "plain_body", "stats_dataset"]

COUNT_COLUMNS: Final = (
    "ParcelsIn1",
    "ParcelsOut1",
    "InterchangesIn1",
    "InterchangesOut1",
    "ParcelsIn2",
    "ParcelsOut2",
    "InterchangesIn2",
    "InterchangesOut2",
)

EightCounts = tuple[int, int, int, int, int, int, int, int]

# No MaxLength, keys or captions: what a query's result looks like.
_INT_COLUMNS: Final = tuple(Column(name, NetType.INT32) for name in COUNT_COLUMNS)
_NAME_COLUMN: Final = Column("Note to self (1)", NetType.STRING)
# Unlikely in any envelope, and of eight kinds: where the counts go in a rendered answer.
_MARKS: Final = tuple(1_987_000_000 + at for at in range(8))


def stats_dataset(*rows: tuple[Value, ...]) -> DataSet:
    """The documented table with these rows."""
    return DataSet((Table("Table", _INT_COLUMNS, tuple(Row(row) for row in rows)),))


def plain_body(
    counts: EightCounts, binding: Binding, namespace: str, operation: str = STATS
) -> bytes:
    """The documented answer, from a template: the same bytes the writer gives."""
    return _template(binding, namespace, operation) % counts


@lru_cache(maxsize=64)
def _template(binding: Binding, namespace: str, operation: str) -> bytes:
    """The documented answer as a format of eight %d."""
    body = answer_reply(Answer(operation, stats_dataset(_MARKS)), binding, namespace).body.replace(
        b"%", b"%%"
    )
    for mark in _MARKS:
        body = body.replace(str(mark).encode(), b"%d")
    return body


def altered(
    data: DataSet, hits: frozenset[str], now: datetime, windows: tuple[int, int]
) -> DataSet | None:
    """The answer after every data switch that hits; None is a null DataSet.

    Args:
        now: the service's clock, for columns that show it.
        windows: Minutes1 and Minutes2.
    """
    if "null_dataset" in hits:
        return None
    # First, as it needs the eight columns and leaves none of them.
    if "direction_rows" in hits:
        data = _by_direction(data, windows)
    for name, alter in _ALTERATIONS.items():
        if name in hits:
            data = alter(data)
    if "extra_columns" in hits:
        data = _with_columns(data, now)
    return data


def _rows(data: DataSet, change: Callable[[tuple[Value, ...]], tuple[Value, ...]]) -> DataSet:
    """The DataSet with the rows of its first table changed."""
    first = data.tables[0]
    rows = tuple(dataclasses.replace(row, values=change(row.values)) for row in first.rows)
    return _first(data, dataclasses.replace(first, rows=rows))


def _first(data: DataSet, table: Table) -> DataSet:
    return dataclasses.replace(data, tables=(table, *data.tables[1:]))


def _zero_rows(data: DataSet) -> DataSet:
    return _first(data, dataclasses.replace(data.tables[0], rows=()))


def _two_rows(data: DataSet) -> DataSet:
    first = data.tables[0]
    return _first(data, dataclasses.replace(first, rows=first.rows * 2))


def _missing_column(data: DataSet) -> DataSet:
    """Without InterchangesOut2, the last one."""
    first = data.tables[0]
    rows = tuple(dataclasses.replace(row, values=row.values[:-1]) for row in first.rows)
    return _first(data, dataclasses.replace(first, columns=first.columns[:-1], rows=rows))


def _extra_table(data: DataSet) -> DataSet:
    """A second table, with a null in it."""
    columns = (Column("Source"), Column("Generation", NetType.INT64))
    extra = Table("Provenance", columns, (Row(("replica-2", 41)), Row(("replica-3", None))))
    return dataclasses.replace(data, tables=(*data.tables, extra))


def _encoded_names(data: DataSet) -> DataSet:
    """A table and an extra column whose names need escaping."""
    first = data.tables[0]
    rows = tuple(dataclasses.replace(row, values=(*row.values, "a note")) for row in first.rows)
    columns = (*first.columns, _NAME_COLUMN)
    return _first(
        data, dataclasses.replace(first, name="Instant Stats", columns=columns, rows=rows)
    )


def _null_counts(data: DataSet) -> DataSet:
    return _rows(data, lambda values: (None, *values[1:5], None, *values[6:]))


def _negative_count(data: DataSet) -> DataSet:
    return _rows(data, lambda values: (-1, *values[1:]))


def _decreasing(data: DataSet) -> DataSet:
    """The first window counts more than the second, whichever is longer."""

    def change(values: tuple[Value, ...]) -> tuple[Value, ...]:
        second = [int(value) for value in values[4:8] if isinstance(value, int)]
        return (*(count + 1 for count in second), *second, *values[8:])

    return _rows(data, change)


def _halves_disagree(data: DataSet) -> DataSet:
    """ParcelsIn2 is one more than it is: a probe's halves differ."""

    def change(values: tuple[Value, ...]) -> tuple[Value, ...]:
        count = values[4]
        return (*values[:4], count + 1 if isinstance(count, int) else count, *values[5:])

    return _rows(data, change)


def _with_columns(data: DataSet, now: datetime) -> DataSet:
    """More columns before, after and between the documented ones."""
    first = data.tables[0]
    columns = (
        Column("NetworkID", NetType.INT32),
        *first.columns,
        Column("ParcelsInBytes", NetType.INT64),
        Column("AsOf", NetType.DATETIME),
    )
    rows = tuple(
        dataclasses.replace(row, values=(314, *row.values, 123_456_789_012, now))
        for row in first.rows
    )
    return _first(data, dataclasses.replace(first, columns=columns, rows=rows))


def _by_direction(data: DataSet, windows: tuple[int, int]) -> DataSet:
    """One row for each direction and window, instead of one row with eight columns."""
    columns = (
        Column("Direction"),
        Column("Minutes", NetType.INT16),
        Column("Parcels", NetType.INT32),
        Column("Interchanges", NetType.INT32),
    )
    rows: list[Row] = []
    for row in data.tables[0].rows:
        for half, minutes in enumerate(windows):
            for at, direction in enumerate(("In", "Out")):
                first = half * 4 + at
                rows.append(Row((direction, minutes, row.values[first], row.values[first + 2])))
    return DataSet((Table("Table", columns, tuple(rows)),))


# In the order they are applied; those that need the eight columns stand first.
_ALTERATIONS: Final = {
    "null_counts": _null_counts,
    "negative_count": _negative_count,
    "decreasing_windows": _decreasing,
    "halves_disagree": _halves_disagree,
    "missing_column": _missing_column,
    "two_rows": _two_rows,
    "zero_rows": _zero_rows,
    "encoded_names": _encoded_names,
    "extra_table": _extra_table,
}

ALTERATIONS: Final = frozenset(_ALTERATIONS) | {"null_dataset", "direction_rows", "extra_columns"}
