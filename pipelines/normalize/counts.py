"""Decoded answers -> their eight counts, wide: a row for each answer that has rows, a column for each count."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import compress
from typing import Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.normalize.answers import (
    INTEGER,
    TEXT,
    AnswerGroup,
    Flags,
    Integers,
    TableRows,
    column,
)

__all__ = [
    "COLUMNS",
    "METRICS",
    "Counts",
    "Layout",
    "Metric",
    "counts_of",
    "described",
    "folded",
    "layout",
    "repeated_of",
]

_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,19}\s*", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)
_MOST_SAID: Final = 300  # characters about a schema
_SLOTS: Final = {"minutes1": 1, "minutes2": 2}
_NOTHING_REPEATED: Final = pd.DataFrame(
    {name: column([], TEXT) for name in ("column", "said", "asked")},
    pd.Index([], dtype="int64", name="answer"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One of the eight counts of an answer."""

    slot: int
    traffic: str
    direction: str

    @property
    def column(self) -> str:
        """The documented column, `ParcelsIn1` for instance."""
        return f"{self.traffic.capitalize()}s{self.direction.capitalize()}{self.slot}"

    @property
    def aliases(self) -> tuple[str, str]:
        """What the column may be called, as `folded` leaves it: with and without the plural."""
        tail = f"{self.direction}{self.slot}"
        return f"{self.traffic}s{tail}", f"{self.traffic}{tail}"


METRICS: Final = tuple(
    Metric(slot, traffic, direction)
    for slot in (1, 2)
    for traffic in ("parcel", "interchange")
    for direction in ("in", "out")
)
COLUMNS: Final = [metric.column for metric in METRICS]
_METRIC_OF: Final = {alias: n for n, metric in enumerate(METRICS) for alias in metric.aliases}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a schema has the counts.

    Attributes:
        table: the number of the first table that has any of them; None if none has.
        columns: metric -> column, by their numbers.
    """

    table: int | None
    columns: dict[int, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of those answers that have rows, by answer, ascending.

    Attributes:
        wide: a column for each of `COLUMNS`; null where the service sent null, and where there is none.
        missing: of the same shape: there is no such column, or its value is no whole number.
        found: what tables and columns an answer has, for a message.
    """

    wide: pd.DataFrame
    missing: pd.DataFrame
    found: pd.Series

    def without(self, answers: pd.Index) -> Self:
        """The counts of the other answers."""
        is_kept = ~self.wide.index.isin(answers)
        return replace(
            self,
            wide=self.wide[is_kept],
            missing=self.missing[is_kept],
            found=self.found[is_kept],
        )


def folded(name: str) -> str:
    """A column's name without what may vary: case, spaces, underscores."""
    return name.replace(" ", "").replace("_", "").casefold()


def layout(group: AnswerGroup) -> Layout:
    """Where the group's schema has the counts; of two columns for one metric, the first."""
    for number, table in enumerate(group.tables):
        if table.state != "current":
            continue
        columns: dict[int, int] = {}
        for position, name in enumerate(table.rows.schema.names):
            metric = _METRIC_OF.get(folded(name))
            if metric is not None:
                columns.setdefault(metric, position)
        if columns:
            return Layout(number, columns)
    return Layout(None, {})


def counts_of(groups: Sequence[AnswerGroup]) -> Counts:
    """The counts of every answer of the groups that has rows.

    They are in the first row of the first table with such columns. An answer whose such table is empty has none.
    """
    parts = [_counts_of_group(group) for group in groups] or [_absent(np.empty(0, np.int64), "")]
    joined = [pd.concat([getattr(part, name) for part in parts]) for name in Counts.__slots__]
    return Counts(*(each.sort_index() for each in joined))


def described(counts: Counts) -> pd.DataFrame:
    """The wide counts, the names of those that are `missing`, null if none is, and what was `found` instead."""
    lacking = counts.missing[counts.missing.any(axis=1)]
    names = [", ".join(compress(COLUMNS, flags)) for flags in lacking.to_numpy()]
    missing = column(names, TEXT).set_axis(lacking.index)
    return counts.wide.assign(missing=missing, found=counts.found)


def repeated_of(answers: pd.DataFrame, groups: Sequence[AnswerGroup]) -> pd.DataFrame:
    """Where answers say what they were asked, by answer: the `column`, what it `said` and what was `asked`, as text."""
    parts = [
        _repeated(answers, table, place)
        for group in groups
        for table in group.tables
        for place, name in enumerate(table.rows.schema.names)
        if table.state == "current" and folded(name) in _SLOTS
    ]
    found = pd.concat([_NOTHING_REPEATED, *parts])
    return found[found["said"].notna()]


def _repeated(answers: pd.DataFrame, table: TableRows, place: int) -> pd.DataFrame:
    name, values = table.rows.schema.names[place], table.rows.column(place)
    if not pa.types.is_integer(values.type):
        return _NOTHING_REPEATED
    asked = answers[f"window{_SLOTS[folded(name)]}_minutes"].take(table.answer).astype(TEXT)
    # as text, since an unsigned long does not fit the type of the call's windows
    said = column(values.cast(pa.string()), TEXT).set_axis(asked.index)
    return pd.DataFrame(
        {"column": pd.Series(name, asked.index, TEXT), "said": said, "asked": asked}
    )


def _counts_of_group(group: AnswerGroup) -> Counts:
    place = layout(group)
    if place.table is None:
        return _absent(group.with_rows(), _described(group))
    table = group.tables[place.table]
    is_first = table.row == 0
    rows = table.rows.filter(pa.array(is_first))
    counts = _absent(table.answer[is_first], _described(group))
    for metric, position in place.columns.items():
        whole, is_unfit = _whole(rows.column(position))
        counts.wide[COLUMNS[metric]] = column(whole, INTEGER).set_axis(counts.wide.index)
        counts.missing[COLUMNS[metric]] = is_unfit
    return counts


def _absent(answer: Integers, found: str) -> Counts:
    """Answers with rows, and no count among them so far."""
    index = pd.Index(answer, name="answer")
    values = {name: pd.Series(pd.NA, index, INTEGER) for name in COLUMNS}
    return Counts(
        pd.DataFrame(values, index),
        pd.DataFrame(data=True, index=index, columns=COLUMNS),
        pd.Series(found, index, TEXT),
    )


def _described(group: AnswerGroup) -> str:
    tables = [_columns_of(table) for table in group.tables if table.state == "current"]
    return ("; ".join(tables) or "no table")[:_MOST_SAID]


def _columns_of(table: TableRows) -> str:
    columns = zip(table.rows.schema.names, table.types, strict=True)
    return f"{table.name} ({', '.join(f'{name} {type_}' for name, type_ in columns)})"


def _whole(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray | pa.Array, Flags]:
    """The column as int64, and where it holds something that is no whole number."""
    if pa.types.is_integer(column.type) and column.type != pa.uint64():
        return column.cast(pa.int64()), np.zeros(len(column), np.bool_)
    # no service is known to send counts in another type, so this way need not be fast
    given = pa.chunked_array(column.chunks, column.type).to_pylist()
    whole = [_integer(value) for value in given]
    is_unfit = [
        value is not None and number is None for value, number in zip(given, whole, strict=True)
    ]
    return pa.array(whole, pa.int64()), np.array(is_unfit, np.bool_)


def _integer(value: object) -> int | None:
    if isinstance(value, str):
        return _in_range(int(value)) if _WHOLE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(value)
    if not number.is_finite() or abs(number) > _INT64.stop or number != number.to_integral_value():
        return None
    return _in_range(int(number))


def _in_range(value: int) -> int | None:
    return value if value in _INT64 else None
