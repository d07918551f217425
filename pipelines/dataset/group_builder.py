"""Collects the rows of many replies of one schema.

Responsible for columns, row numbers and states of a group; knows nothing of bytes or XML.
"""

import numpy as np

from pipelines.dataset.batch_result import Group, TableBatch
from pipelines.dataset.column_builder import ColumnBuilder, arrow_table, dropped_offsets, picked
from pipelines.dataset.model import state_array
from pipelines.dataset.schema import Schema, TableSchema
from pipelines.dataset.spelling import Rows
from pipelines.dataset.table_builder import TableBuilder

__all__ = ["GroupBuilder"]


class _Rows:
    """One table's rows so far, in the order they came."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.columns = [ColumnBuilder(column) for column in schema.columns]
        self.replies: list[np.ndarray] = []
        self.orders: list[np.ndarray] = []
        self.states: list[np.ndarray] = []

    def finish(self, replies: np.ndarray) -> TableBatch:
        reply, order, states = (
            np.concatenate(parts) if parts else np.empty(0, np.int64)
            for parts in (self.replies, self.orders, self.states)
        )
        arrow = arrow_table(self.columns, len(reply))
        if not _in_order(reply, order):
            sequence = np.lexsort((order, reply))
            arrow = picked(arrow, sequence)
            reply, states = reply[sequence], states[sequence]
        counts = np.searchsorted(reply, replies, "right") - np.searchsorted(reply, replies, "left")
        starts = np.cumsum(counts) - counts
        return TableBatch(
            schema=self.schema,
            arrow=arrow,
            reply=reply,
            row=np.arange(len(reply)) - np.repeat(starts, counts),
            states=state_array(states),
            counts=counts,
            offsets=dropped_offsets(self.columns),
        )


def _in_order(reply: np.ndarray, order: np.ndarray) -> bool:
    steps = np.diff(reply)
    return bool(np.all((steps > 0) | ((steps == 0) & (np.diff(order) >= 0))))


class GroupBuilder:
    """The replies of one schema.

    Attributes:
        replies: places of all replies in the group, in the order they were read.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.replies: list[int] = []
        self._tables = [_Rows(table) for table in schema.tables]

    def add_matched(self, replies: list[int], counts: list[np.ndarray], found: list[Rows]) -> None:
        """Add the rows that several replies were matched to; all of them, or none.

        Args:
            replies: their places.
            counts: per table, the rows of each reply.
            found: the rows of all of them, in their order.

        Raises:
            ValueError: a value does not fit; nothing was added.
        """
        converted = [
            [
                builder.converted(texts, matched=True)
                for builder, texts in zip(
                    self._tables[rows.table].columns, rows.columns, strict=True
                )
            ]
            for rows in found
        ]
        for rows, arrays in zip(found, converted, strict=True):
            table = self._tables[rows.table]
            for builder, values in zip(table.columns, arrays, strict=True):
                builder.append(values)
            table.replies.append(np.repeat(np.array(replies, np.int64), counts[rows.table]))
            table.orders.append(rows.orders)
            table.states.append(rows.states)
        self.replies += replies

    def add_reading(self, reply: int, tables: list[TableBuilder]) -> None:
        """Add the rows of one reply that the full reader read."""
        for rows, builder in zip(self._tables, tables, strict=True):
            for own, other in zip(rows.columns, builder.columns, strict=True):
                own.absorb(other)
            rows.replies.append(np.full(len(builder), reply, np.int64))
            rows.orders.append(np.array(builder.orders, np.int64))
            rows.states.append(np.frombuffer(bytes(builder.states), np.int8))
        self.replies.append(reply)

    def finish(self) -> Group:
        """Return the group; its rows sorted by reply, then by row order."""
        replies = np.unique(np.array(self.replies, np.int64))
        return Group(self.schema, replies, tuple(rows.finish(replies) for rows in self._tables))
