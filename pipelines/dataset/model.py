"""What a reader gets: a DataSet, its tables, and what could not be read.

Responsible for the values handed out; knows nothing of XML.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.dataset.schema import Column, Relation, Schema, TableSchema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STATES", "DataSet", "DataTable", "Reject", "RowError", "Tables", "state_array"]

# A row's state is one of these; deleted rows are not among a table's rows.
STATES = ("unchanged", "inserted", "modified")


def state_array(codes: np.ndarray) -> pa.DictionaryArray:
    """Return states from their places in `STATES`."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(STATES))


@dataclass(frozen=True, slots=True)
class Reject:
    """One value that does not fit, in lenient mode.

    Attributes:
        row: zero-based in the table, or in its old versions if `before` is set.
    """

    table: str
    row: int
    column: str
    value: str
    expected: str
    before: bool = False


@dataclass(frozen=True, slots=True)
class RowError:
    """An error text that the server attached to a row, or to one column of it.

    Attributes:
        row: zero-based in the table; None for a row that is not among the current ones.
    """

    row: int | None
    column: str | None
    message: str


@dataclass(frozen=True, slots=True, repr=False)
class DataTable:
    """One table: its current rows as Arrow, in the DataSet's row order.

    Attributes:
        arrow: one Arrow column per column, in order.
        states: per row one of `STATES`, as a dictionary array.
        before: original versions of modified rows; `before_rows` says which rows.
        deleted: original versions of deleted rows.
        nils: per column the rows whose null was written as xsi:nil instead of left out.
        offsets: per column the zones its values carried and its type does not keep.
    """

    schema: TableSchema
    arrow: pa.Table
    states: pa.DictionaryArray
    before: pa.Table
    before_rows: pa.Array
    deleted: pa.Table
    errors: tuple[RowError, ...] = ()
    nils: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
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

    @property
    def declared(self) -> bool:
        """False where rows exist but the schema does not know the table."""
        return self.schema.declared

    def pandas(self) -> "pd.DataFrame":
        """Return the rows as a frame with pyarrow-backed dtypes."""
        import pandas as pd  # noqa: PLC0415  # 0.15 s and 37 MB that only those pay who ask for a frame

        return self.arrow.to_pandas(types_mapper=pd.ArrowDtype)

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __repr__(self) -> str:
        return f"DataTable({self.name!r}, {len(self)} rows, {len(self.columns)} columns)"


class Tables(Sequence[DataTable]):
    """Tables in the DataSet's order; by position, by name, or by (name, namespace)."""

    def __init__(self, tables: Sequence[DataTable]) -> None:
        self._tables = tuple(tables)

    def __getitem__(self, key: int | str | tuple[str, str]) -> DataTable:  # type: ignore[override]
        if isinstance(key, int):
            return self._tables[key]
        name, namespace = (key, None) if isinstance(key, str) else key
        found = [
            table
            for table in self._tables
            if table.name == name and namespace in (None, table.namespace)
        ]
        if len(found) == 1:
            return found[0]
        names = ", ".join(repr(table.name) for table in self._tables) or "none"
        if found:
            spaces = ", ".join(repr(table.namespace) for table in found)
            raise KeyError(f"{len(found)} tables are named {name!r}; add a namespace: {spaces}")
        raise KeyError(f"no table {key!r}; the DataSet has: {names}")

    def __len__(self) -> int:
        return len(self._tables)

    def __iter__(self) -> Iterator[DataTable]:
        return iter(self._tables)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, DataTable):
            return any(table is key for table in self._tables)
        return any(key in (table.name, (table.name, table.namespace)) for table in self._tables)

    def __repr__(self) -> str:
        return f"Tables({list(self._tables)!r})"


@dataclass(frozen=True, slots=True, repr=False)
class DataSet:
    """A DataSet as it was read.

    Attributes:
        is_null: the service answered no DataSet at all; there are no tables then.
        rejects: values left out of the tables; always empty in strict mode.
    """

    schema: Schema
    tables: Tables
    rejects: tuple[Reject, ...] = ()
    is_null: bool = False

    @property
    def name(self) -> str:
        """Name, decoded."""
        return self.schema.name

    @property
    def namespace(self) -> str:
        """Namespace URI, "" for none."""
        return self.schema.namespace

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Relations between tables, nested ones included."""
        return self.schema.relations

    def __iter__(self) -> Iterator[DataTable]:
        return iter(self.tables)

    def __repr__(self) -> str:
        return f"DataSet({'null' if self.is_null else list(self.tables)!r})"
