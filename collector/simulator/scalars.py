"""Cell values as .NET prints them, and the types' names in a schema. Knows nothing of elements."""

import base64
import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from collector.simulator.dataset import DateTimeMode, NetType, Value

__all__ = ["DATA_TYPE", "XSD_TYPE", "written"]

_TICKS: Final = 10_000_000  # .NET ticks in a second
_EPOCH: Final = datetime(1, 1, 1)  # noqa: DTZ001  .NET ticks are a wall clock
_MICROSECOND: Final = timedelta(microseconds=1)
_MSCORLIB: Final = ", mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"

XSD_TYPE: Final = {
    NetType.BOOLEAN: "boolean",
    NetType.BYTE: "unsignedByte",
    NetType.SBYTE: "byte",
    NetType.INT16: "short",
    NetType.UINT16: "unsignedShort",
    NetType.INT32: "int",
    NetType.UINT32: "unsignedInt",
    NetType.INT64: "long",
    NetType.UINT64: "unsignedLong",
    NetType.SINGLE: "float",
    NetType.DOUBLE: "double",
    NetType.DECIMAL: "decimal",
    NetType.DATETIME: "dateTime",
    NetType.DATETIMEOFFSET: "anyType",
    NetType.TIMESPAN: "duration",
    NetType.GUID: "string",
    NetType.CHAR: "string",
    NetType.STRING: "string",
    NetType.BYTES: "base64Binary",
    NetType.URI: "anyURI",
    NetType.OBJECT: "anyType",
    NetType.BIGINTEGER: "anyType",
    NetType.SQL_BINARY: "hexBinary",  # .NET's own slip: the data is base64
    NetType.SQL_BOOLEAN: "boolean",
    NetType.SQL_BYTE: "byte",
    NetType.SQL_BYTES: "base64Binary",
    NetType.SQL_CHARS: "string",
    NetType.SQL_DATETIME: "dateTime",
    NetType.SQL_DECIMAL: "decimal",
    NetType.SQL_DOUBLE: "double",
    NetType.SQL_GUID: "string",
    NetType.SQL_INT16: "short",
    NetType.SQL_INT32: "int",
    NetType.SQL_INT64: "long",
    NetType.SQL_MONEY: "decimal",
    NetType.SQL_SINGLE: "float",
    NetType.SQL_STRING: "string",
}

DATA_TYPE: Final = {
    NetType.GUID: NetType.GUID + _MSCORLIB,
    NetType.OBJECT: NetType.OBJECT + _MSCORLIB,
    NetType.DATETIMEOFFSET: str(NetType.DATETIMEOFFSET),
    NetType.BIGINTEGER: str(NetType.BIGINTEGER),
    **{kind: str(kind) for kind in NetType if kind.startswith("System.Data.SqlTypes.")},
}


def written(value: Value, kind: NetType, mode: DateTimeMode, zone: tzinfo) -> str:
    """The value as .NET writes it, unescaped.

    Raises:
        TypeError: the value is not of the Python type that stands for `kind`.
    """
    if kind is NetType.DATETIME:
        return _date_time(value, mode, zone)
    try:
        return _WRITERS[kind](value)
    except (TypeError, AttributeError, ValueError, KeyError) as error:
        raise TypeError(
            f"{value!r} of type {type(value).__name__}: cannot be written as {kind}"
        ) from error


def _ticks(value: Value) -> int:
    if isinstance(value, datetime):
        return (value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND * 10
    if isinstance(value, int):
        return value
    raise TypeError(f"{value!r}: must be a datetime or .NET ticks")


def _wall_clock(ticks: int) -> str:
    """ISO 8601 without zone, the fraction of up to seven digits as short as it goes."""
    moment = _EPOCH + timedelta(seconds=ticks // _TICKS)
    fraction = f"{ticks % _TICKS:07d}".rstrip("0")
    return moment.isoformat() + ("." + fraction if fraction else "")


def _offset(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _date_time(value: Value, mode: DateTimeMode, zone: tzinfo) -> str:
    """A DateTime under its column's mode."""
    if (
        isinstance(value, datetime)
        and value.tzinfo is not None
        and mode is not DateTimeMode.UNSPECIFIED_LOCAL
    ):
        value = value.astimezone(UTC if mode is DateTimeMode.UTC else zone)
    ticks = _ticks(value)
    text = _wall_clock(ticks)
    if mode is DateTimeMode.UNSPECIFIED:
        return text
    if mode is DateTimeMode.UTC:
        return text + "Z"
    # .NET stamps the server's offset on the wall clock, whatever zone the value was meant in.
    moment = _EPOCH + timedelta(seconds=ticks // _TICKS)
    offset = moment.replace(tzinfo=zone).utcoffset() or timedelta()
    return text + _offset(offset // timedelta(minutes=1))


def _date_time_offset(value: Value) -> str:
    """A DateTimeOffset; an offset of zero is `Z`."""
    if isinstance(value, tuple):
        ticks, minutes = value
    else:
        moment = cast("datetime", value)
        offset = moment.utcoffset()
        if offset is None:
            raise ValueError("a DateTimeOffset needs an offset")
        ticks, minutes = _ticks(moment), offset // timedelta(minutes=1)
    return _wall_clock(ticks) + (_offset(minutes) if minutes else "Z")


def _time_span(value: Value) -> str:
    """An xs:duration of days, hours, minutes and seconds; never months."""
    ticks = value // _MICROSECOND * 10 if isinstance(value, timedelta) else cast("int", value)
    seconds, fraction = divmod(abs(ticks), _TICKS)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    text = "-P" if ticks < 0 else "P"
    if day:
        text += f"{day}D"
    clock = f"{hour}H" if hour else ""
    clock += f"{minute}M" if minute else ""
    if second or fraction:
        tail = f"{fraction:07d}".rstrip("0")
        clock += f"{second}" + ("." + tail if tail else "") + "S"
    if clock:
        return text + "T" + clock
    return text if day else text + "T0S"


def _floating(value: float, digits: int, kept: Callable[[str], bool]) -> str:
    """Format "R" of .NET Framework: short if that reads back, else two digits more."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    if value == 0:
        return "0"
    short = f"{value:.{digits}G}"
    return short if kept(short) else f"{value:.{digits + 2}G}"


def _single(value: Value) -> str:
    """A float, judged by whether its text gives the same 32 bits."""
    narrow = struct.unpack("f", struct.pack("f", cast("float", value)))[0]

    def kept(text: str) -> bool:
        try:
            return bool(struct.unpack("f", struct.pack("f", float(text)))[0] == narrow)
        except OverflowError:
            return False

    return _floating(narrow, 7, kept)


def _double(value: Value) -> str:
    """A double, judged by whether its text gives the same 64 bits."""
    wide = float(cast("float", value))
    return _floating(wide, 15, lambda text: float(text) == wide)


def _decimal(value: Value) -> str:
    """A decimal keeps its scale; there is no negative zero."""
    number = Decimal(cast("Decimal", value))
    return format(abs(number) if number == 0 else number, "f")


def _money(value: Value) -> str:
    return format(Decimal(cast("Decimal", value)).quantize(Decimal("0.0001")), "f")


def _sql_date_time(value: Value) -> str:
    """Always three decimals, never a zone."""
    ticks = _ticks(value)
    moment = _EPOCH + timedelta(seconds=ticks // _TICKS)
    return f"{moment.isoformat()}.{ticks % _TICKS // 10_000:03d}"


def _boolean(value: Value) -> str:
    return {True: "true", False: "false"}[cast("bool", value)]


def _integer(value: Value) -> str:
    if not isinstance(value, int):
        raise TypeError("not an int")
    return str(int(value))


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise TypeError("not a str")
    return value


def _binary(value: Value) -> str:
    return base64.b64encode(cast("bytes", value)).decode("ascii")


def _guid(value: Value) -> str:
    if not isinstance(value, UUID):
        raise TypeError("not a UUID")
    return str(value)


_WRITERS: Final[dict[NetType, Callable[[Value], str]]] = {
    NetType.BOOLEAN: _boolean,
    NetType.SINGLE: _single,
    NetType.DOUBLE: _double,
    NetType.DECIMAL: _decimal,
    NetType.DATETIMEOFFSET: _date_time_offset,
    NetType.TIMESPAN: _time_span,
    NetType.GUID: _guid,
    NetType.CHAR: _text,
    NetType.STRING: _text,
    NetType.BYTES: _binary,
    NetType.URI: _text,
    NetType.SQL_BINARY: _binary,
    NetType.SQL_BOOLEAN: _boolean,
    NetType.SQL_BYTES: _binary,
    NetType.SQL_CHARS: _text,
    NetType.SQL_DATETIME: _sql_date_time,
    NetType.SQL_DECIMAL: _decimal,
    NetType.SQL_DOUBLE: _double,
    NetType.SQL_GUID: _guid,
    NetType.SQL_MONEY: _money,
    NetType.SQL_SINGLE: _single,
    NetType.SQL_STRING: _text,
    **{
        kind: _integer
        for kind in NetType
        if kind.rpartition(".")[2]
        .removeprefix("Sql")
        .removeprefix("U")
        .startswith(("Int", "BigInteger"))
        or kind in (NetType.BYTE, NetType.SBYTE, NetType.SQL_BYTE)
    },
}
