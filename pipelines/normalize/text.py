"""Typed columns as text, in the spelling of XML Schema, for the one table that holds values of every type."""

import base64
from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["text_of"]

_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SECONDS_PER_MINUTE: Final = 60


def text_of(column: pa.ChunkedArray) -> pa.Array:
    """The column's values as text, exactly; nulls stay null."""
    values = pa.chunked_array(column.chunks, column.type).combine_chunks()
    for is_type, spell in _SPELLINGS:
        if is_type(values.type):
            return spell(values)
    return values.cast(pa.string())


def _float(values: pa.Array) -> pa.Array:
    text = values.cast(pa.string())
    return pc.replace_substring(pc.replace_substring(text, "nan", "NaN"), "inf", "INF")


def _base64(values: pa.Array) -> pa.Array:
    return pa.array(
        [None if v is None else base64.b64encode(v).decode() for v in values.to_pylist()],
        pa.string(),
    )


def _moment(values: pa.Array) -> pa.Array:
    """Timestamps and times of day; Arrow writes all decimals of the unit, XML only those that are there."""
    text = pc.replace_substring(values.cast(pa.string()), " ", "T")
    shorter = pc.replace_substring_regex(text, r"(\.[0-9]*?)0+(Z?)$", r"\1\2")
    return pc.replace_substring_regex(shorter, r"\.(Z?)$", r"\1")


def _duration(values: pa.Array) -> pa.Array:
    per_second = _PER_SECOND[values.type.unit]
    counts = values.cast(pa.int64()).to_pylist()
    return pa.array([None if n is None else _spelled(n, per_second) for n in counts], pa.string())


def _spelled(count: int, per_second: int) -> str:
    seconds, rest = divmod(abs(count), per_second)
    days, seconds = divmod(seconds, 24 * 60 * _SECONDS_PER_MINUTE)
    digits = len(str(per_second)) - 1
    decimals = f".{rest:0{digits}}".rstrip("0") if rest else ""
    return f"{'-' if count < 0 else ''}P{days}DT{seconds}{decimals}S"


def _struct(values: pa.Array) -> pa.Array:
    """A moment with its offset, or a value of an object column with its own type."""
    if values.type.get_field_index("offset_minutes") < 0:
        found: pa.Array = pc.struct_field(values, "value")
        return found
    moments = pc.struct_field(values, "timestamp")
    offsets = pc.struct_field(values, "offset_minutes").cast(pa.int64())
    unit = moments.type.unit
    shift = pc.multiply(offsets, _SECONDS_PER_MINUTE * _PER_SECOND[unit]).cast(pa.duration(unit))
    local = _moment(pc.add(moments.cast(pa.timestamp(unit)), shift)).to_pylist()
    zones = [None if n is None else _zone(n) for n in offsets.to_pylist()]
    return pa.array(
        [
            None if zone is None else f"{text}{zone}"
            for text, zone in zip(local, zones, strict=True)
        ],
        pa.string(),
    )


def _zone(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


_SPELLINGS: Final[
    tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...]
] = (
    (pa.types.is_floating, _float),
    (pa.types.is_binary, _base64),
    (pa.types.is_timestamp, _moment),
    (pa.types.is_time, _moment),
    (pa.types.is_duration, _duration),
    (pa.types.is_struct, _struct),
)
