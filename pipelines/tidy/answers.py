"""Decoded answers as columns. An answer is known by its number in the batch that it was read in."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["ANSWERS", "AnswerGroup", "Flags", "Integers", "TableRows", "numbers"]

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# the calls that a batch answers, one row each; named as in the published tables
_TYPES: Final[dict[str, pa.DataType]] = {
    "call_id": pa.string(),
    "session": pa.string(),
    "network_id": pa.int64(),
    "mailbox_id": pa.int64(),
    "window1_minutes": pa.int32(),
    "window2_minutes": pa.int32(),
    "requested_at": pa.timestamp("us", "UTC"),
    "received_at": pa.timestamp("us", "UTC"),
    "observed_at": pa.timestamp("us", "UTC"),
    "raw_sha256": pa.string(),
}
ANSWERS: Final = pa.schema(_TYPES)


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one table, out of every answer of a group.

    Attributes:
        types: the columns' .NET types, `System.Int32` for instance.
        answer: of each row, the answer it is from.
        row: of each row, its number in its table and answer, from 0.
        state: `current`, `before` (the old version of the row of that number) or `deleted`.
    """

    name: str
    rows: pa.Table
    types: tuple[str, ...]
    answer: Integers
    row: Integers
    state: str = "current"


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """Answers that share a schema, and their tables in the schema's order."""

    answers: Integers
    tables: tuple[TableRows, ...]

    def with_rows(self) -> Integers:
        """The answers that have any current row, ascending."""
        current = [table.answer for table in self.tables if table.state == "current"]
        return np.unique(np.concatenate([np.empty(0, np.int64), *current]))


def numbers(column: pa.ChunkedArray | pa.Array) -> Integers:
    """A column of integers without nulls."""
    return np.asarray(column.to_numpy(), np.int64)
