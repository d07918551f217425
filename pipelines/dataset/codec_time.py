"""Dates, times and durations in .NET's ticks of 100 ns, and the Arrow unit that holds them.

Responsible for exactness: microseconds where they do, nanoseconds where a seventh decimal needs
them, and text where neither does (year 9999 with seven decimals). Knows nothing of tables.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dataset.codec import WHITESPACE, Codec, all_match
from pipelines.dataset.ticks import (
    END_TICKS,
    MOST_TICKS,
    SECOND_TICKS,
    date_time_text,
    duration_text,
    duration_ticks,
    in_unit,
    offset_minutes,
    offset_text,
    spelled_in_unit,
)

__all__ = ["DateTime", "DateTimeOffset", "TimeOfDay", "TimeSpan", "UtcDateTime"]

_ZONE = r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,7})?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TAIL = rf"^(?:\.(?P<fraction>[0-9]{{1,7}}))?(?P<zone>{_ZONE})?$"
_SPELLING = re.compile(
    rf"([0-9]{{4}})(?:-([0-9]{{2}})(?:-([0-9]{{2}})(T[0-9:]{{8}}(?:\.[0-9]+)?)?)?)?({_ZONE})?",
    re.ASCII,
)
_EXCESS = re.compile(r"(\.[0-9]{7})0+$")


class DateTime(Codec):
    """A dateTime; a date, gYearMonth or gYear is the first moment of it.

    Kept until the end as wall-clock ticks since 1970 and minutes east of UTC, null for no zone.
    """

    stored = pa.struct([("ticks", pa.int64()), ("offset", pa.int16())])
    expected = "a dateTime of the years 1 to 9999 with at most seven decimals"
    _shape = f"{_DATE}T{_CLOCK}{_ZONE}?"

    def canonical(self, text: str) -> str:
        match = _SPELLING.fullmatch(text.strip(WHITESPACE))
        if match is None or match[1] == "0000":
            raise ValueError(text)
        year, month, day, time, zone = match.groups()
        time = _EXCESS.sub(r"\1", time or "T00:00:00")
        found = f"{year}-{month or '01'}-{day or '01'}{time}{zone or ''}"
        self.convert(pa.array([found]))
        return found

    def matched(self, texts: pa.Array) -> pa.Array:
        all_match(texts, self._shape)
        seconds = pc.utf8_slice_codeunits(texts, 0, 19).cast(pa.timestamp("s")).cast(pa.int64())
        # What follows the seconds is mostly the same in many rows.
        tails = pc.utf8_slice_codeunits(texts, 19).dictionary_encode()
        tail = pc.extract_regex(tails.dictionary, _TAIL)
        fraction = pc.utf8_rpad(pc.struct_field(tail, "fraction"), 7, "0").cast(pa.int64())
        ticks = pc.add(pc.multiply(seconds, SECOND_TICKS), fraction.take(tails.indices))
        if (pc.min(ticks).as_py() or 0) < -MOST_TICKS:
            raise ValueError("before the year 1")
        offsets = _offsets(pc.struct_field(tail, "zone")).take(tails.indices)
        return pa.StructArray.from_arrays(
            [ticks, offsets], fields=list(self.stored), mask=pc.is_null(texts)
        )

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        return spelled_in_unit(
            [pc.struct_field(chunk, "ticks") for chunk in chunks],
            pa.timestamp,
            lambda ticks: date_time_text(ticks, None),
        )

    def dropped(self, chunks: list[pa.Array]) -> tuple[str, ...]:
        found = {
            offset
            for chunk in chunks
            for offset in pc.unique(pc.struct_field(chunk, "offset")).to_pylist()
        }
        return tuple(offset_text(offset) for offset in sorted(o for o in found if o is not None))


def _offsets(zones: pa.Array) -> pa.Array:
    """Return each zone's minutes east of UTC, null where there is none."""
    encoded = zones.dictionary_encode()
    minutes = [offset_minutes(zone) for zone in encoded.dictionary.to_pylist()]
    return pa.array(minutes, pa.int16()).take(encoded.indices)


def _moments(chunk: pa.Array) -> pa.Array:
    """Return ticks in UTC; a value without a zone is taken as UTC already."""
    minutes = pc.struct_field(chunk, "offset").fill_null(0).cast(pa.int64())
    return pc.subtract(pc.struct_field(chunk, "ticks"), pc.multiply(minutes, 60 * SECOND_TICKS))


def _within_years(ticks: pa.Array) -> bool:
    """Whether all are of the years 1 to 9999."""
    span = pc.min_max(ticks).as_py()
    return span["min"] is None or (span["min"] >= -MOST_TICKS and span["max"] < END_TICKS)


class UtcDateTime(DateTime):
    """A DateTime of mode Utc: a moment."""

    def matched(self, texts: pa.Array) -> pa.Array:
        found = super().matched(texts)
        if not _within_years(_moments(found)):
            raise ValueError("no moment of the years 1 to 9999")
        return found

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        return spelled_in_unit(
            [_moments(chunk) for chunk in chunks],
            lambda unit: pa.timestamp(unit, "UTC"),
            lambda ticks: date_time_text(ticks, 0),
        )

    def dropped(self, chunks: list[pa.Array]) -> tuple[str, ...]:
        del chunks
        return ()


class DateTimeOffset(DateTime):
    """A moment and its offset: a DateTimeOffset, or a DateTime of mode Local.

    The storage of Arrow's canonical `timestamp_with_offset`: the moment in UTC and the minutes.
    """

    expected = "a dateTime with its offset, of the years 1 to 9999 and at most seven decimals"
    _shape = f"{_DATE}T{_CLOCK}{_ZONE}"

    def canonical(self, text: str) -> str:
        found = super().canonical(text)
        if not found.endswith("Z") and found[-6] not in "+-":
            raise ValueError(text)
        return found

    def matched(self, texts: pa.Array) -> pa.Array:
        found = super().matched(texts)
        if pc.struct_field(found, "offset").null_count > texts.null_count:
            raise ValueError("no offset")
        return found

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        ticks = [_moments(chunk) for chunk in chunks]
        moments = in_unit(ticks, lambda unit: pa.timestamp(unit, "UTC"))
        # .NET's first and last moments lie beyond the calendar in UTC, where nobody could show them.
        if moments is None or not all(map(_within_years, ticks)):
            return pa.chunked_array([_as_text(chunk) for chunk in chunks], pa.string())
        kind = pa.struct([("timestamp", moments.type), ("offset_minutes", pa.int16())])
        joined = [
            pa.StructArray.from_arrays(
                [moment, pc.struct_field(chunk, "offset")],
                fields=list(kind),
                mask=pc.is_null(chunk),
            )
            for moment, chunk in zip(moments.chunks, chunks, strict=True)
        ]
        return pa.chunked_array(joined, kind)

    def dropped(self, chunks: list[pa.Array]) -> tuple[str, ...]:
        del chunks
        return ()


def _as_text(chunk: pa.Array) -> pa.Array:
    def spelled(row: dict[str, int]) -> str:
        return date_time_text(row["ticks"], None) + offset_text(row["offset"])

    rows: list[dict[str, int] | None] = chunk.to_pylist()
    return pa.array([None if row is None else spelled(row) for row in rows], pa.string())


class TimeSpan(Codec):
    """An XSD duration; a year is 365 days and a month 30, as .NET has it."""

    stored = pa.int64()
    expected = "a duration of at most 64 bits of 100 ns"

    def canonical(self, text: str) -> str:
        text = text.strip(WHITESPACE)
        duration_ticks(text)
        return text

    def matched(self, texts: pa.Array) -> pa.Array:
        found = texts.to_pylist()
        return pa.array([None if t is None else duration_ticks(t) for t in found], pa.int64())

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        return spelled_in_unit(chunks, pa.duration, duration_text)


class TimeOfDay(DateTime):
    """`xs:time`, which .NET would put on the day of reading; here it stays a time."""

    expected = "a time of day"

    def canonical(self, text: str) -> str:
        text = text.strip(WHITESPACE)
        self.convert(pa.array([text]))
        return text

    def matched(self, texts: pa.Array) -> pa.Array:
        return super().matched(pc.binary_join_element_wise(pa.scalar("1970-01-01"), texts, "T"))

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        final = pa.time64("ns")
        return pa.chunked_array(
            [pc.multiply(pc.struct_field(c, "ticks"), 100).cast(final) for c in chunks], final
        )
