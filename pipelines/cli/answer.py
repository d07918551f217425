"""Rows as text: a table for people, CSV and JSON for programs. Does not know where they come from."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from pipelines.errors import QueryError

__all__ = ["as_csv", "as_json_lines", "as_table", "plain_rows"]

_SHOWN_ROWS: Final = 10_000
_BATCH_ROWS: Final = 10_000
_NUMBERS: Final = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_EXPLAINED: Final = ["explain_key", "explain_value"]


def as_table(found: pa.Table, most: int = _SHOWN_ROWS) -> str:
    """Columns side by side, numbers to the right; it ends after so many rows, and says so."""
    if found.column_names == _EXPLAINED:
        return "".join(f"{plan}\n" for plan in found.column(1).to_pylist())
    shown = found.slice(0, most)
    columns = []
    for name, column in zip(shown.column_names, shown.columns, strict=True):
        texts = [name, *(_one_line(_text(value)) for value in column.to_pylist())]
        width = max(map(len, texts))
        is_number = any(of_type(column.type) for of_type in _NUMBERS)
        columns.append([text.rjust(width) if is_number else text.ljust(width) for text in texts])
    lines = "".join(f"{' '.join(row).rstrip()}\n" for row in zip(*columns, strict=True))
    more = found.num_rows - shown.num_rows
    return lines + (f"... and {more} more rows; --format csv has all\n" if more else "")


def as_csv(found: pa.Table) -> str:
    """With a line of names; null is empty."""
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(found.column_names)
    for batch in found.to_batches(_BATCH_ROWS):
        rows.writerows(
            zip(*([_text(v) for v in column.to_pylist()] for column in batch.columns), strict=True)
        )
    return sink.getvalue()


def as_json_lines(found: pa.Table) -> str:
    """One object a line.

    Raises:
        QueryError: two columns have the same name.
    """
    return "".join(f"{json.dumps(row, allow_nan=False)}\n" for row in plain_rows(found))


def plain_rows(found: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows as JSON can say them: whole numbers and fractions as numbers, bytes in hexadecimal, NaN as null.

    Raises:
        QueryError: two columns have the same name.
    """
    names = found.column_names
    for name, times in Counter(names).items():
        if times > 1:
            raise QueryError(
                f"sql: {times} columns are called {name!r}: an object can have one; name them with AS"
            )
    for batch in found.to_batches(_BATCH_ROWS):
        columns = [[_plain(value) for value in column.to_pylist()] for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield dict(zip(names, row, strict=True))


def _plain(value: object) -> object:
    """A value as JSON has it; what JSON has not, as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case pa.MonthDayNano():
            return _span(value)
        case list() | tuple():
            return [_plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else str(value)


def _text(value: object) -> str:
    """A value in a cell."""
    if value is None:
        return ""
    if isinstance(value, float | Decimal):
        return str(value)
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _span(span: Sequence[int]) -> str:
    """An interval: months and days where there are any, then hours, minutes and seconds."""
    months, days, nanoseconds = span
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds) // 1_000, 1_000_000)
    parts = [f"{count} {unit}" for count, unit in ((months, "months"), (days, "days")) if count]
    clock = f"{sign}{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return " ".join([*parts, clock + (f".{fraction:06}".rstrip("0") if fraction else "")])


def _one_line(text: str) -> str:
    """Nothing that a terminal obeys: the service wrote some of the texts."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
