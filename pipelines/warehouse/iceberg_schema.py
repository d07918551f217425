"""The contract's tables as Iceberg schemas, and their evolution. Knows no catalog."""

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
from pyiceberg import types
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table import Transaction

from pipelines.contract import Table
from pipelines.warehouse.shape import Alteration, Kind, is_wider

__all__ = ["ARROW", "evolve", "make_room", "schema_of"]

_ICEBERG: Final[Mapping[pa.DataType, types.PrimitiveType]] = {
    pa.string(): types.StringType(),
    pa.int32(): types.IntegerType(),
    pa.int64(): types.LongType(),
    pa.float32(): types.FloatType(),
    pa.float64(): types.DoubleType(),
    pa.bool_(): types.BooleanType(),
    pa.binary(): types.BinaryType(),
    pa.date32(): types.DateType(),
    pa.timestamp("us", "UTC"): types.TimestamptzType(),
}
ARROW: Final[Mapping[types.IcebergType, pa.DataType]] = {
    iceberg: arrow for arrow, iceberg in _ICEBERG.items()
}


def schema_of(table: Table) -> Schema:
    """The contract's columns with their sentences, field ids from 1, the key required and the identifier."""
    fields = [
        types.NestedField(
            number,
            column.name,
            _ICEBERG[column.type],
            doc=column.description,
            required=column.name in table.key,
        )
        for number, column in enumerate(table.columns, 1)
    ]
    keys = [field.field_id for field in fields if field.name in table.key]
    return Schema(*fields, identifier_field_ids=keys)


def evolve(there: IcebergTable, needed: Sequence[Alteration], table: Table) -> None:
    """Bring a table's schema to the contract, in one commit."""
    if not needed:
        return
    descriptions = {column.name: column.description for column in table.columns}
    with there.update_schema() as update:
        for each in needed:
            match each.kind:
                case Kind.ADD:
                    kind = _ICEBERG[each.type] if each.type is not None else types.StringType()
                    update.add_column(each.column, kind, doc=descriptions[each.column])
                case Kind.WIDEN if each.type is not None:
                    update.update_column(each.column, field_type=_ICEBERG[each.type])
                case _:
                    update.make_column_optional(each.column)


def make_room(change: Transaction, schema: Schema, columns: Mapping[str, pa.DataType]) -> None:
    """Let files of other versions in: add columns that only they have, widen those that are wider there."""
    there = {field.name: ARROW.get(field.field_type) for field in schema.fields}
    new = {name: kind for name, kind in columns.items() if name not in there}
    wider = {name: kind for name, kind in columns.items() if is_wider(kind, there.get(name))}
    if not new and not wider:
        return
    with change.update_schema() as update:
        for name, kind in new.items():
            update.add_column(name, _ICEBERG[kind], doc="A column of another version.")
        for name, kind in wider.items():
            update.update_column(name, field_type=_ICEBERG[kind])
