"""One large reply in .NET's own spelling, read without building a tree.

Responsible for bounded memory: rows are matched a quarter of a megabyte at a time. Gives up on
anything it does not recognise; the full reader then starts over.
"""

import numpy as np
import pyarrow as pa

from pipelines.dataset.column_builder import ColumnBuilder, arrow_table, dropped_offsets
from pipelines.dataset.limits import Limits
from pipelines.dataset.model import DataSet, DataTable, Tables, state_array
from pipelines.dataset.plan import Cut, Plan, cut, plan_for
from pipelines.dataset.schema import TableSchema
from pipelines.dataset.spelling import Rows

__all__ = ["read_large"]

# Below this the shell costs more than the rows.
_WORTHWHILE = 64 * 1024
# The part of a document that must be rows, as 1/n.
_MOSTLY = 2
_CHUNK = 1 << 19


def read_large(body: bytes, content_type: str | None, limits: Limits) -> DataSet | None:
    """Read a large body, or return None where the full reader must."""
    if not _WORTHWHILE <= len(body) <= limits.body_bytes or limits.text_chars < _CHUNK:
        return None
    where = cut(body)
    if where is None or (where.end - where.start) * _MOSTLY < len(body):
        return None
    plan = plan_for(body, where, content_type, limits)
    if plan is None:
        return None
    tables = [_Table(table) for table in plan.schema.tables]
    try:
        if not _match_all(body, where, plan, tables, limits.rows):
            return None
    except ValueError:  # not UTF-8, or a value that does not fit
        return None
    return DataSet(plan.schema, Tables([table.finish() for table in tables]))


def _match_all(body: bytes, where: Cut, plan: Plan, tables: list["_Table"], most: int) -> bool:
    start = where.start
    while start < where.end:
        end = _row_end(body, start, where.end, plan.spelling.row_end)
        text = body[start:end].decode()
        found = None if "\0" in text else plan.spelling.match(text)
        if found is None or not all(tables[rows.table].add(rows) for rows in found):
            return False
        if sum(table.length for table in tables) > most:
            return False
        start = end
    return True


def _row_end(body: bytes, start: int, end: int, marks: list[bytes]) -> int:
    """Return the end of a row about a chunk further on; a single row may be longer."""
    size = _CHUNK
    while start + size < end:
        last, length = max((body.rfind(mark, start, start + size), len(mark)) for mark in marks)
        if last >= 0:
            return last + length
        size *= 2
    return end


class _Table:
    """One table's rows so far."""

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._columns = [ColumnBuilder(column) for column in schema.columns]
        self._states: list[np.ndarray] = []
        self._order = -1
        self.length = 0

    def add(self, rows: Rows) -> bool:
        """Add rows; False if they are out of order.

        Raises:
            ValueError: a value does not fit.
        """
        orders = rows.orders
        if orders[0] < self._order or bool(np.any(orders[1:] < orders[:-1])):
            return False
        self._order = int(orders[-1])
        for builder, texts in zip(self._columns, rows.columns, strict=True):
            builder.append(builder.converted(texts, matched=True))
        self._states.append(rows.states)
        self.length += len(orders)
        return True

    def finish(self) -> DataTable:
        """Return the table."""
        arrow = arrow_table(self._columns, self.length)
        none = arrow.slice(0, 0)
        return DataTable(
            schema=self._schema,
            arrow=arrow,
            states=state_array(np.concatenate([*self._states, np.empty(0, np.int8)])),
            before=none,
            before_rows=pa.array([], pa.int64()),
            deleted=none,
            offsets=dropped_offsets(self._columns),
        )
