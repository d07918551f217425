"""ADO.NET tables as values: what to write, nothing of how.

Python values of a cell, by column type (None is DBNull everywhere):

    Boolean                          bool
    Byte .. UInt64, BigInteger       int
    Single, Double                   float
    Decimal, SqlDecimal, SqlMoney    decimal.Decimal or int
    DateTime, SqlDateTime            datetime, or int: .NET ticks (100 ns since 0001-01-01), the wall clock
    DateTimeOffset                   aware datetime, or (ticks of the wall clock, offset in minutes)
    TimeSpan                         timedelta, or int: ticks (100 ns)
    Guid, SqlGuid                    uuid.UUID
    Char, String, Uri, SqlString     str
    Byte[], SqlBinary, SqlBytes      bytes
    Object                           Variant
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

__all__ = [
    "Column",
    "DataSet",
    "DateTimeMode",
    "Key",
    "Mapping",
    "NetType",
    "Relation",
    "Row",
    "RowState",
    "Scalar",
    "Table",
    "Value",
    "Variant",
]


class NetType(StrEnum):
    """The .NET type of a column."""

    BOOLEAN = "System.Boolean"
    BYTE = "System.Byte"
    SBYTE = "System.SByte"
    INT16 = "System.Int16"
    UINT16 = "System.UInt16"
    INT32 = "System.Int32"
    UINT32 = "System.UInt32"
    INT64 = "System.Int64"
    UINT64 = "System.UInt64"
    SINGLE = "System.Single"
    DOUBLE = "System.Double"
    DECIMAL = "System.Decimal"
    DATETIME = "System.DateTime"
    DATETIMEOFFSET = "System.DateTimeOffset"
    TIMESPAN = "System.TimeSpan"
    GUID = "System.Guid"
    CHAR = "System.Char"
    STRING = "System.String"
    BYTES = "System.Byte[]"
    URI = "System.Uri"
    OBJECT = "System.Object"
    BIGINTEGER = "System.Numerics.BigInteger"
    SQL_BINARY = "System.Data.SqlTypes.SqlBinary"
    SQL_BOOLEAN = "System.Data.SqlTypes.SqlBoolean"
    SQL_BYTE = "System.Data.SqlTypes.SqlByte"
    SQL_BYTES = "System.Data.SqlTypes.SqlBytes"
    SQL_CHARS = "System.Data.SqlTypes.SqlChars"
    SQL_DATETIME = "System.Data.SqlTypes.SqlDateTime"
    SQL_DECIMAL = "System.Data.SqlTypes.SqlDecimal"
    SQL_DOUBLE = "System.Data.SqlTypes.SqlDouble"
    SQL_GUID = "System.Data.SqlTypes.SqlGuid"
    SQL_INT16 = "System.Data.SqlTypes.SqlInt16"
    SQL_INT32 = "System.Data.SqlTypes.SqlInt32"
    SQL_INT64 = "System.Data.SqlTypes.SqlInt64"
    SQL_MONEY = "System.Data.SqlTypes.SqlMoney"
    SQL_SINGLE = "System.Data.SqlTypes.SqlSingle"
    SQL_STRING = "System.Data.SqlTypes.SqlString"


class Mapping(StrEnum):
    """Where a column's value stands in the XML of its row."""

    ELEMENT = "Element"
    ATTRIBUTE = "Attribute"
    HIDDEN = "Hidden"
    SIMPLE_CONTENT = "SimpleContent"


class DateTimeMode(StrEnum):
    """DataColumn.DateTimeMode: which zone a dateTime is written in."""

    LOCAL = "Local"
    UNSPECIFIED = "Unspecified"
    UNSPECIFIED_LOCAL = "UnspecifiedLocal"
    UTC = "Utc"


class RowState(StrEnum):
    """DataRow.RowState, in the words of the DiffGram."""

    UNCHANGED = "unchanged"
    INSERTED = "inserted"
    MODIFIED = "modified"
    DELETED = "deleted"


Scalar = bool | int | float | str | bytes | Decimal | datetime | timedelta | UUID | tuple[int, int]


@dataclass(frozen=True, slots=True)
class Variant:
    """A cell of an Object column: a value that brings its own type."""

    type: NetType
    value: Scalar


Value = Scalar | Variant | None


@dataclass(frozen=True, slots=True)
class Column:
    """One DataColumn.

    Attributes:
        caption: None where it equals the name.
        max_length: of a String; None is unlimited.
        default: what the schema declares; .NET does not apply it to absent values.
        auto_increment: (seed, step), or None.
        properties: ExtendedProperties, in order.
    """

    name: str
    type: NetType = NetType.STRING
    nullable: bool = True
    mapping: Mapping = Mapping.ELEMENT
    caption: str | None = None
    max_length: int | None = None
    default: Scalar | None = None
    read_only: bool = False
    expression: str | None = None
    auto_increment: tuple[int, int] | None = None
    date_time_mode: DateTimeMode = DateTimeMode.UNSPECIFIED_LOCAL
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One DataRow.

    Attributes:
        values: one per column, in column order; for a deleted row, what it held.
        before: the original values of a modified row.
        error: DataRow.RowError.
        column_errors: (column name, text) of DataRow.SetColumnError.
    """

    values: tuple[Value, ...]
    state: RowState = RowState.INSERTED
    before: tuple[Value, ...] | None = None
    error: str | None = None
    column_errors: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if (self.before is not None) != (self.state is RowState.MODIFIED):
            raise ValueError(
                f"a row in state {self.state}: `before` is for modified rows, and only for them"
            )


@dataclass(frozen=True, slots=True)
class Key:
    """A UniqueConstraint."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One DataTable; its columns' order is their ordinal."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    keys: tuple[Key, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row.values) != len(self.columns):
                raise ValueError(
                    f"table {self.name!r}, row {number}: {len(row.values)} values, "
                    f"must be one for each of the {len(self.columns)} columns"
                )
        if any(column.mapping is Mapping.SIMPLE_CONTENT for column in self.columns) and any(
            column.mapping is Mapping.ELEMENT for column in self.columns
        ):
            raise ValueError(
                f"table {self.name!r}: a SimpleContent column excludes Element columns"
            )


@dataclass(frozen=True, slots=True)
class Relation:
    """A DataRelation; with `constraint`, a foreign key that needs a Key of the parent on the same columns."""

    name: str
    parent: str
    parent_columns: tuple[str, ...]
    child: str
    child_columns: tuple[str, ...]
    nested: bool = False
    constraint: bool = True


@dataclass(frozen=True, slots=True)
class DataSet:
    """Tables, in order.

    Attributes:
        locale: None is the server's own (UseCurrentLocale).
        zone: the server's time zone, for dateTime columns in the modes Local and UnspecifiedLocal.
    """

    tables: tuple[Table, ...] = ()
    name: str = "NewDataSet"
    namespace: str = ""
    relations: tuple[Relation, ...] = ()
    case_sensitive: bool = False
    locale: str | None = None
    enforce_constraints: bool = True
    properties: tuple[tuple[str, str], ...] = ()
    zone: tzinfo = field(default=UTC)
