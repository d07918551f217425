"""Puts a DataSet together from what the full reader collected.

Responsible for row order, states, old versions, errors and rejects; knows nothing of how rows were
found.
"""

import numpy as np
import pyarrow as pa

from pipelines.dataset.column_builder import arrow_table, dropped_offsets, picked
from pipelines.dataset.errors import ValueFormatError
from pipelines.dataset.model import DataSet, DataTable, Reject, RowError, Tables, state_array
from pipelines.dataset.names import decode_name, speakable
from pipelines.dataset.namespaces import local_name
from pipelines.dataset.reader import Reading, RowTexts
from pipelines.dataset.schema import Schema
from pipelines.dataset.table_builder import TableBuilder

__all__ = ["assembled", "checked"]


def checked(reading: Reading, strict: bool) -> list[Reject]:
    """Return all values that do not fit, or raise for the first one in strict mode."""
    found: list[Reject] = []
    for tag, builder in reading.current.items():
        found += _rejects(builder, before=False)
        if tag in reading.before:
            found += _rejects(reading.before[tag], before=True)
    if strict and found:
        first = found[0]
        raise ValueFormatError(first.table, first.row, first.column, first.value, first.expected)
    return found


def _rejects(builder: TableBuilder, before: bool) -> list[Reject]:
    builder.flush()
    if not builder.unfit:
        return []
    place_of = _places(builder)
    found = [
        Reject(builder.schema.name, int(place_of[u.row]), u.column, u.value, u.expected, before)
        for u in builder.unfit
    ]
    return sorted(found, key=lambda reject: reject.row)


def assembled(reading: Reading, strict: bool) -> DataSet:
    """Return the DataSet, or raise for its first unfit value in strict mode."""
    if reading.is_null or reading.schema is None:
        return DataSet(Schema(), Tables(()), is_null=True)
    rejects = checked(reading, strict)
    tables = [
        _table(builder, reading.before.get(tag), reading.errors.get(tag, []))
        for tag, builder in reading.current.items()
    ]
    return DataSet(reading.schema, Tables(tables), tuple(rejects))


def _table(builder: TableBuilder, before: TableBuilder | None, errors: list[RowTexts]) -> DataTable:
    place_of = _places(builder)
    arrow = _ordered(builder, place_of)
    original, original_rows, deleted = _old(builder, before, place_of, arrow)
    states = np.empty(len(builder), np.int8)
    states[place_of] = np.frombuffer(builder.states, np.int8)
    return DataTable(
        schema=builder.settled_schema(),
        arrow=arrow,
        states=state_array(states),
        before=original,
        before_rows=original_rows,
        deleted=deleted,
        errors=tuple(_row_errors(builder, place_of, errors)),
        nils={
            builder.columns[place].column.name: tuple(sorted(place_of[rows].tolist()))
            for place, rows in builder.nils.items()
        },
        offsets=dropped_offsets(builder.columns),
    )


def _old(
    builder: TableBuilder, before: TableBuilder | None, place_of: np.ndarray, arrow: pa.Table
) -> tuple[pa.Table, pa.Array, pa.Table]:
    """Return the old versions of modified rows, which rows those are, and deleted rows."""
    if before is None:
        none = arrow.slice(0, 0)
        return none, pa.array([], pa.int64()), none
    old_place_of = _places(before)
    old = _ordered(before, old_place_of)
    rows = np.empty(len(before), np.int64)
    for row, diff_id in enumerate(before.row_ids):
        owner = builder.ids.get(diff_id)
        rows[old_place_of[row]] = -1 if owner is None else place_of[owner]
    kept = rows >= 0
    modified, deleted = np.flatnonzero(kept), np.flatnonzero(~kept)
    return picked(old, modified), pa.array(rows[kept]), picked(old, deleted)


def _row_errors(
    builder: TableBuilder, place_of: np.ndarray, errors: list[RowTexts]
) -> list[RowError]:
    found = []
    for diff_id, texts in errors:
        row = builder.ids.get(diff_id)
        place = None if row is None else int(place_of[row])
        for tag, text in texts:
            column = None if tag is None else speakable(decode_name(local_name(tag)))
            found.append(RowError(place, column, text))
    return found


def _places(builder: TableBuilder) -> np.ndarray:
    """Return for each row of the document where msdata:rowOrder puts it."""
    builder.flush()
    orders = np.array(builder.orders, np.int64)
    if bool(np.all(orders[:-1] <= orders[1:])):
        return np.arange(len(orders))
    places = np.empty(len(orders), np.int64)
    places[np.argsort(orders, kind="stable")] = np.arange(len(orders))
    return places


def _ordered(builder: TableBuilder, place_of: np.ndarray) -> pa.Table:
    arrow = arrow_table(builder.columns, len(builder))
    if bool(np.all(place_of[:-1] < place_of[1:])):
        return arrow
    return picked(arrow, np.argsort(place_of))
