"""Collects one column's cells and turns them into Arrow, some thousand at a time.

Responsible for deciding between the quick conversion of all cells and the slow one that finds the
unfit; knows nothing of XML.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.dataset.codec import Codec
from pipelines.dataset.codecs import codec_for, codec_of_type
from pipelines.dataset.schema import Column

__all__ = ["Cell", "ColumnBuilder", "Typed", "Unfit", "arrow_table", "dropped_offsets", "picked"]


@dataclass(frozen=True, slots=True)
class Typed:
    """A value of an object column with its own .NET type."""

    net: str
    text: str


Cell = str | Typed | None


@dataclass(frozen=True, slots=True)
class Unfit:
    """A cell that cannot be what its column declares; `row` counts in document order."""

    row: int
    column: str
    value: str
    expected: str


class _Objects(Codec):
    """An object column: each value with the type it has."""

    expected = "a value of its own type"
    stored = pa.struct([("type", pa.string()), ("value", pa.string())])

    def __init__(self) -> None:
        self._codecs: dict[str, Codec] = {}

    def convert(self, texts: pa.Array) -> pa.Array:
        return pa.nulls(len(texts), self.stored)

    def value(self, cell: Typed) -> dict[str, str]:
        codec = self._codecs.setdefault(cell.net, codec_of_type(cell.net))
        try:
            return {"type": cell.net, "value": codec.canonical(cell.text)}
        except ValueError:
            raise ValueError(f"{codec.expected} ({cell.net})") from None


class ColumnBuilder:
    """One column's chunks.

    Attributes:
        chunks: values so far, in the codec's own form.
        length: rows added so far.
        offsets: once finished, the zones that values carried and the final type does not keep.
    """

    def __init__(self, column: Column, missing: int = 0) -> None:
        self.column = column
        self.holds_objects = column.type == "System.Object"
        self.codec: Codec = _Objects() if self.holds_objects else codec_for(column)
        self.chunks: list[pa.Array] = []
        self.length = 0
        self.offsets: tuple[str, ...] = ()
        if missing:
            self.append(self._nulls(missing))

    def add(self, cells: Sequence[Cell]) -> list[Unfit]:
        """Convert the cells of the next rows; unfit ones become null and are returned."""
        unfit: list[Unfit] = []
        if isinstance(self.codec, _Objects):
            self.append(self._objects(self.codec, cells, unfit))
            return unfit
        texts = pa.array(cells, pa.string())
        try:
            self.append(self.converted(texts))
        except ValueError:
            checked = [self._canonical(cell, row, unfit) for row, cell in enumerate(cells)]
            self.append(self.converted(pa.array(checked, pa.string())))
        return unfit

    def converted(self, texts: pa.Array, matched: bool = False) -> pa.Array:
        """Return the values of a string array, without adding them.

        Args:
            texts: one for each row.
            matched: all of them match the codec's pattern.

        Raises:
            ValueError: at least one is unfit, or in an unusual spelling.
        """
        return self.codec.matched(texts) if matched else self.codec.convert(texts)

    def _nulls(self, count: int) -> pa.Array:
        return pa.nulls(count, self.codec.convert(pa.array([], pa.string())).type)

    def _canonical(self, cell: Cell, row: int, unfit: list[Unfit]) -> str | None:
        if not isinstance(cell, str):
            return None
        try:
            return self.codec.canonical(cell)
        except ValueError:
            expected = f"{self.codec.expected} ({self.column.type})"
            unfit.append(Unfit(self.length + row, self.column.name, cell, expected))
            return None

    def _objects(self, codec: _Objects, cells: Sequence[Cell], unfit: list[Unfit]) -> pa.Array:
        found: list[dict[str, str] | None] = []
        for row, cell in enumerate(cells):
            value = None
            if cell is not None:
                typed = cell if isinstance(cell, Typed) else Typed("System.String", cell)
                try:
                    value = codec.value(typed)
                except ValueError as error:
                    place = self.length + row
                    unfit.append(Unfit(place, self.column.name, typed.text, str(error)))
            found.append(value)
        return pa.array(found, codec.stored)

    def append(self, chunk: pa.Array) -> None:
        """Add values that `converted` returned."""
        if len(chunk):
            self.chunks.append(chunk)
            self.length += len(chunk)

    def absorb(self, other: "ColumnBuilder") -> None:
        """Add another builder's values after the own ones."""
        for chunk in other.chunks:
            self.append(chunk)

    def finish(self) -> pa.ChunkedArray:
        """Return the whole column in its final type, and forget its values."""
        chunks, self.chunks = self.chunks, []
        self.offsets = self.codec.dropped(chunks)
        return self.codec.finish(chunks)


def arrow_table(builders: Sequence[ColumnBuilder], rows: int) -> pa.Table:
    """Return the columns as one table; without columns it still has rows."""
    if not builders:
        return _without_columns(rows)
    fields, arrays = [], []
    for builder in builders:
        values = builder.finish()
        metadata = {"net_type": builder.column.type}
        if not builder.column.declared:
            metadata["declared"] = "false"
        fields.append(pa.field(builder.column.name, values.type, metadata=metadata))
        arrays.append(values)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def picked(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return the given rows, in the given order; `take` alone forgets rows without columns."""
    return table.take(rows) if table.num_columns else _without_columns(len(rows))


def _without_columns(rows: int) -> pa.Table:
    return pa.table({"": pa.nulls(rows)}).select([])


def dropped_offsets(builders: Sequence[ColumnBuilder]) -> dict[str, tuple[str, ...]]:
    """Return, by column, the zones that values carried and the column's type does not keep."""
    found = {builder.column.name: builder.offsets for builder in builders}
    return {name: offsets for name, offsets in found.items() if offsets}
