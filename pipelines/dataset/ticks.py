"""Arithmetic of .NET ticks (100 ns): parsing, units, text.

Responsible for numbers and their spelling; knows neither columns nor rows.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "END_TICKS",
    "MOST_TICKS",
    "SECOND_TICKS",
    "Unit",
    "date_time_text",
    "duration_text",
    "duration_ticks",
    "in_unit",
    "offset_minutes",
    "offset_text",
    "spelled_in_unit",
]

Unit = Literal["us", "ns"]

SECOND_TICKS = 10_000_000
_DAY_SECONDS = 86_400
# From 1 January 0001 to 1 January 1970.
MOST_TICKS = 719_162 * _DAY_SECONDS * SECOND_TICKS
# From there to 1 January 10000.
END_TICKS = 2_932_897 * _DAY_SECONDS * SECOND_TICKS
_NS_TICKS = (2**63 - 1) // 100
_TICKS_LOW, _TICKS_HIGH = -(2**63), 2**63 - 1

_DURATION = re.compile(
    r"(-?)P(?=.)(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=.)(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12})(?:\.([0-9]*))?S)?)?",
    re.ASCII,
)
_UNIT_SECONDS = (365 * _DAY_SECONDS, 30 * _DAY_SECONDS, _DAY_SECONDS, 3600, 60, 1)


def duration_ticks(text: str) -> int:
    """Return the ticks of an XSD duration.

    Raises:
        ValueError: it is none, has more than seven decimals, or does not fit a TimeSpan.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    sign, *parts, fraction = match.groups()
    fraction = (fraction or "").ljust(7, "0")
    if fraction[7:].strip("0"):
        raise ValueError(text)
    seconds = sum(int(part or 0) * unit for part, unit in zip(parts, _UNIT_SECONDS, strict=True))
    ticks = seconds * SECOND_TICKS + int(fraction[:7])
    ticks = -ticks if sign else ticks
    if not _TICKS_LOW <= ticks <= _TICKS_HIGH:
        raise ValueError(text)
    return ticks


def duration_text(ticks: int) -> str:
    """Return the XSD duration as .NET writes it, with all its decimals."""
    seconds, fraction = divmod(abs(ticks), SECOND_TICKS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{'-' if ticks < 0 else ''}P{days}DT{hours}H{minutes}M{seconds}.{fraction:07d}S"


def offset_minutes(zone: str | None) -> int | None:
    """Return the minutes east of UTC of `Z` or `+hh:mm`; None for no zone.

    Raises:
        ValueError: more than 14 hours, which XSD does not allow.
    """
    if not zone:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    if minutes > 14 * 60 or int(zone[4:6]) > 59:
        raise ValueError(zone)
    return -minutes if zone[0] == "-" else minutes


def offset_text(minutes: int) -> str:
    """Return `+hh:mm`."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def date_time_text(ticks: int, offset: int | None) -> str:
    """Return ISO 8601 with seven decimals.

    Args:
        ticks: since 1970, in UTC; as the wall clock has it where there is no offset.
        offset: minutes east of UTC; 0 is spelled "Z".
    """
    seconds, fraction = divmod(ticks + (offset or 0) * 60 * SECOND_TICKS, SECOND_TICKS)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001  zone follows
    zone = "" if offset is None else offset_text(offset) if offset else "Z"
    return f"{moment.isoformat(timespec='seconds')}.{fraction:07d}{zone}"


def in_unit(chunks: list[pa.Array], kind: Callable[[Unit], pa.DataType]) -> pa.ChunkedArray | None:
    """Return tick chunks in microseconds, else nanoseconds, else None: neither holds them all."""
    if all(_whole_microseconds(chunk) for chunk in chunks):
        final = kind("us")
        return pa.chunked_array([pc.divide(c, 10).cast(final) for c in chunks], final)
    if all(_within_nanoseconds(chunk) for chunk in chunks):
        final = kind("ns")
        return pa.chunked_array([pc.multiply(c, 100).cast(final) for c in chunks], final)
    return None


def spelled_in_unit(
    chunks: list[pa.Array], kind: Callable[[Unit], pa.DataType], spell: Callable[[int], str]
) -> pa.ChunkedArray:
    """Return tick chunks in a unit that holds them all, or spelled out if none does."""
    found = in_unit(chunks, kind)
    if found is not None:
        return found
    spelled = [[None if t is None else spell(t) for t in chunk.to_pylist()] for chunk in chunks]
    return pa.chunked_array([pa.array(texts, pa.string()) for texts in spelled], pa.string())


def _whole_microseconds(chunk: pa.Array) -> bool:
    whole = pc.equal(pc.multiply(pc.divide(chunk, 10), 10), chunk)
    return pc.all(whole).as_py() is not False


def _within_nanoseconds(chunk: pa.Array) -> bool:
    span = pc.min_max(chunk).as_py()
    return span["min"] is None or (span["min"] >= -_NS_TICKS and span["max"] <= _NS_TICKS)
