"""What `read_many` hands out.

Responsible for the values; knows nothing of how they came about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.dataset.errors import DataSetError
from pipelines.dataset.model import Reject
from pipelines.dataset.schema import Column, Schema, TableSchema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Batch", "Group", "Reject", "TableBatch"]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class TableBatch:
    """One table of a group: the rows of all its replies, ordered by reply, then by row.

    Attributes:
        arrow: all rows.
        reply: per row, the place of its reply.
        row: per row, its place in its reply's table.
        states: per row, as in `DataTable.states`.
        counts: rows per reply, in the order of `Group.replies`.
        offsets: as in `DataTable.offsets`.
    """

    schema: TableSchema
    arrow: pa.Table
    reply: np.ndarray
    row: np.ndarray
    states: pa.DictionaryArray
    counts: np.ndarray
    offsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name, decoded."""
        return self.schema.name

    @property
    def namespace(self) -> str:
        """Namespace URI, "" for none."""
        return self.schema.namespace

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns, in the order of `arrow`; undeclared ones last."""
        return self.schema.columns

    def pandas(self) -> "pd.DataFrame":
        """Return the rows as a frame with pyarrow-backed dtypes, indexed by reply and row."""
        import pandas as pd  # noqa: PLC0415  # beside DataTable.pandas

        frame = self.arrow.to_pandas(types_mapper=pd.ArrowDtype)
        frame.index = pd.MultiIndex.from_arrays([self.reply, self.row], names=["reply", "row"])
        return frame

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __repr__(self) -> str:
        return f"TableBatch({self.name!r}, {len(self)} rows, {len(self.columns)} columns)"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Group:
    """All replies whose DataSets have the same schema, undeclared tables and columns included.

    Attributes:
        replies: their places, ascending, replies without rows included.
    """

    schema: Schema
    replies: np.ndarray
    tables: tuple[TableBatch, ...]

    def __repr__(self) -> str:
        return f"Group({len(self.replies)} replies, {list(self.tables)!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What many replies held.

    Attributes:
        nulls: places of replies that hold a null DataSet.
        failures: places of replies that cannot be read, with the reason.
        rejects: in lenient mode, values left out, with the place of their reply.
    """

    groups: tuple[Group, ...]
    nulls: np.ndarray
    failures: tuple[tuple[int, DataSetError], ...] = ()
    rejects: tuple[tuple[int, Reject], ...] = ()
