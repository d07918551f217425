"""Which codec a column has: the type table from .NET to Arrow.

Responsible for the choice only; the codecs themselves are in their own modules.
"""

import pyarrow as pa

from pipelines.dataset.codec import (
    Base64,
    Boolean,
    Character,
    Codec,
    EscapedText,
    Floating,
    Guid,
    Integer,
    Text,
)
from pipelines.dataset.codec_decimal import BigInteger, Decimal, SqlDecimal
from pipelines.dataset.codec_time import DateTime, DateTimeOffset, TimeOfDay, TimeSpan, UtcDateTime
from pipelines.dataset.schema import Column, DateTimeMode

__all__ = ["codec_for", "codec_of_type"]

_INTEGERS = {
    "System.SByte": pa.int8(),
    "System.Byte": pa.uint8(),
    "System.Int16": pa.int16(),
    "System.UInt16": pa.uint16(),
    "System.Int32": pa.int32(),
    "System.UInt32": pa.uint32(),
    "System.Int64": pa.int64(),
    "System.UInt64": pa.uint64(),
    "SqlByte": pa.uint8(),
    "SqlInt16": pa.int16(),
    "SqlInt32": pa.int32(),
    "SqlInt64": pa.int64(),
}
_FLOATS = {
    "System.Single": pa.float32(),
    "System.Double": pa.float64(),
    "SqlSingle": pa.float32(),
    "SqlDouble": pa.float64(),
}
_OTHERS: dict[str, type[Codec]] = {
    "System.Boolean": Boolean,
    "SqlBoolean": Boolean,
    "System.Byte[]": Base64,
    "SqlBinary": Base64,
    "SqlBytes": Base64,
    "SqlString": EscapedText,
    "SqlChars": EscapedText,
    "System.Char": Character,
    "System.Guid": Guid,
    "SqlGuid": Guid,
    "System.Decimal": Decimal,
    "SqlMoney": Decimal,
    "SqlDecimal": SqlDecimal,
    "System.Numerics.BigInteger": BigInteger,
    "System.DateTime": DateTime,
    "SqlDateTime": DateTime,
    "System.DateTimeOffset": DateTimeOffset,
    "System.TimeSpan": TimeSpan,
}
_SQL_TYPES = "System.Data.SqlTypes."
# A day or month without a year is no moment; .NET invents the rest from today's date.
_PARTIAL_DATES = frozenset({"gDay", "gMonth", "gMonthDay"})


def codec_for(column: Column) -> Codec:
    """Return a codec of its own for a column."""
    if column.type == "System.DateTime":
        return _date_time(column)
    return codec_of_type(column.type)


def codec_of_type(net_type: str) -> Codec:
    """Return a codec for a .NET type; what is not in the table stays text."""
    name = net_type.removeprefix(_SQL_TYPES)
    if name in _INTEGERS:
        return Integer(_INTEGERS[name])
    if name in _FLOATS:
        return Floating(_FLOATS[name])
    return _OTHERS.get(name, Text)()


def _date_time(column: Column) -> Codec:
    if column.xsd_type in _PARTIAL_DATES:
        return Text()
    if column.xsd_type == "time":
        return TimeOfDay()
    if column.date_time_mode is DateTimeMode.LOCAL:
        return DateTimeOffset()
    return UtcDateTime() if column.date_time_mode is DateTimeMode.UTC else DateTime()
