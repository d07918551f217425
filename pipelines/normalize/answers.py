"""The answers of a batch: what was asked, as a frame, and what their DataSets hold, as Arrow tables.

An answer is known by its number in the batch; frames have it as their index, called `answer`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipelines.contract import Table

__all__ = [
    "BOOLEAN",
    "INTEGER",
    "MINUTES",
    "TEXT",
    "TIME",
    "AnswerGroup",
    "Flags",
    "Integers",
    "TableRows",
    "answers_of",
    "column",
    "empty_of",
]

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TEXT: Final = pd.ArrowDtype(pa.string())
INTEGER: Final = pd.ArrowDtype(pa.int64())
MINUTES: Final = pd.ArrowDtype(pa.int32())
BOOLEAN: Final = pd.ArrowDtype(pa.bool_())
TIME: Final = pd.ArrowDtype(pa.timestamp("us", "UTC"))

_FROM_RAW: Final = {"sent_at": "requested_at", "body_sha256": "raw_sha256"}
_ASKED: Final = ["call_id", "session", "window1_minutes", "window2_minutes", "received_at"]
_PLANNED: Final = ["observed_at", "span_start", "span_end"]


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one DataTable, out of every answer of a group.

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


def column(
    values: Iterable[object] | pa.Array | pa.ChunkedArray, type_: pd.ArrowDtype
) -> pd.Series:
    """Values, None or masked where there is none, as a column with the index 0, 1, 2, ...

    Raises:
        ArrowInvalid: a value is not of the type, or it cannot hold it.
    """
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = pa.array(values, type_.pyarrow_dtype)
    return pd.Series(pd.arrays.ArrowExtensionArray(values.cast(type_.pyarrow_dtype)))


def empty_of(table: Table) -> pd.DataFrame:
    """No rows, with the columns of a table."""
    return pd.DataFrame(
        columns=[each.name for each in table.columns], dtype=pd.ArrowDtype(pa.null())
    )


def answers_of(raw: pd.DataFrame, calls: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """What was asked and when, one row for each answer.

    Args:
        raw: the answers as rows of `raw`, by ordinal.
        calls: by ordinal, `observed_at`, the server's clock in the last reply of each call, and the edges of those that
            ask for a span, `span_start` and `span_end`.
        sessions: by label, what is known of each session: `network_id, mailbox_id, other_label`, the last of them
            another label that has the same mailbox.

    Returns:
        `call_id, session, window1_minutes, window2_minutes, requested_at, received_at, raw_sha256`, and the columns of
        `calls` and `sessions`.
    """
    asked = raw.rename(columns=_FROM_RAW)[[*_ASKED, *_FROM_RAW.values()]]
    planned = asked.join(calls[_PLANNED]).reset_index(drop=True)
    known = sessions.reindex(asked["session"]).set_index(planned.index)
    return pd.concat([planned, known], axis=1).rename_axis("answer")
