"""A frame as rows of a published table: cast exactly, or refused with the table, the row, the column and the value."""

from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract.tables import Column, Table, arrow_schema
from pipelines.errors import TableSchemaError

__all__ = ["to_contract"]

# kinds of types between which a cast keeps what a value means; within a kind it is exact or fails
_KINDS: Final = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    lambda type_: pa.types.is_string(type_) or pa.types.is_large_string(type_),
    lambda type_: pa.types.is_binary(type_) or pa.types.is_large_binary(type_),
)


def to_contract(frame: pd.DataFrame, table: Table) -> pa.Table:
    """The rows of a frame as those of `table`, in their order, with exactly its schema.

    Args:
        frame: a column for each of the table's; others are left out, and so is the index.

    Raises:
        TableSchemaError: a column is absent, of another kind of type, or holds a value that the table's type cannot
            hold exactly, or a null where there may be none.
    """
    absent = [column.name for column in table.columns if column.name not in frame.columns]
    if absent:
        raise TableSchemaError(
            f"{table.name}: the frame has no column {', '.join(absent)}; it has {', '.join(frame.columns)}"
        )
    schema = arrow_schema(table)
    columns = [_cast(frame[column.name], column, table.name) for column in table.columns]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(series: pd.Series, column: Column, table: str) -> pa.ChunkedArray:
    values = _arrow(series)
    if not (pa.types.is_null(values.type) or _is_of_kind(values.type, column.type)):
        raise TableSchemaError(
            f"{table}: column {column.name} is {values.type}, which is no {column.type}"
        )
    if values.null_count and not column.nullable:
        place = pc.index(values.is_null(), value=True).as_py()
        raise TableSchemaError(
            f"{table}: row {place}: column {column.name} is null; it must have a value"
        )
    try:
        return values.cast(column.type)
    except pa.ArrowInvalid as error:
        place = _first_that_does_not_fit(values, column.type)
        raise TableSchemaError(
            f"{table}: row {place}: column {column.name} is {values[place].as_py()!r}, which {column.type} cannot hold"
        ) from error


def _arrow(series: pd.Series) -> pa.ChunkedArray:
    """The values as they are, a dictionary's decoded."""
    found = pa.array(series, from_pandas=True)
    values = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values


def _is_of_kind(given: pa.DataType, wanted: pa.DataType) -> bool:
    return any(is_kind(given) and is_kind(wanted) for is_kind in _KINDS)


def _first_that_does_not_fit(values: pa.ChunkedArray, type_: pa.DataType) -> int:
    """The place of the first value that cannot be cast; half of what is left is looked at, again and again."""
    first, last = 0, len(values)
    while last - first > 1:
        middle = (first + last) // 2
        try:
            values.slice(first, middle - first).cast(type_)
        except pa.ArrowInvalid:
            last = middle
        else:
            first = middle
    return first
