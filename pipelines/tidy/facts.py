"""The counts of the answers -> rows of `instant_stats`, columns at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract import INSTANT_STATS, arrow_schema
from pipelines.tidy.answers import AnswerGroup, Flags, Integers, TableRows, numbers

__all__ = [
    "METRICS",
    "Counts",
    "Layout",
    "Metric",
    "counts_of",
    "folded",
    "instant_stats",
    "layout",
]

_MICROSECONDS_PER_MINUTE: Final = 60_000_000
_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,19}\s*", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)


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
_METRIC_OF: Final = {alias: n for n, metric in enumerate(METRICS) for alias in metric.aliases}
_SLOTS: Final = np.array([metric.slot for metric in METRICS], np.int32)
_TRAFFIC: Final = pa.array([metric.traffic for metric in METRICS])
_DIRECTION: Final = pa.array([metric.direction for metric in METRICS])


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
    """The counts of those answers that have rows; one line per answer, one column per metric.

    Attributes:
        answer: the number of each answer in its batch.
        values: 0 where there is none.
        null: the service sent null.
        missing: there is no such column, or its value is no whole number.
        found: what the answer has instead of what is missing, for a message.
    """

    answer: Integers
    values: Integers
    null: Flags
    missing: Flags
    found: tuple[str, ...]


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
    """The counts of every answer of the groups that has rows, in the order of the answers.

    They are in the first row of the first table with such columns. An answer whose such table is empty has none.
    """
    parts = [_group_counts(group) for group in groups]
    none = np.empty((0, len(METRICS)))
    answer = np.concatenate([np.empty(0, np.int64), *(part.answer for part in parts)])
    order = np.argsort(answer)
    found = [text for part in parts for text in part.found]
    return Counts(
        answer[order],
        np.concatenate([none.astype(np.int64), *(part.values for part in parts)])[order],
        np.concatenate([none.astype(np.bool_), *(part.null for part in parts)])[order],
        np.concatenate([none.astype(np.bool_), *(part.missing for part in parts)])[order],
        tuple(found[line] for line in order),
    )


def instant_stats(run_id: str, answers: pa.Table, counts: Counts, kept: Flags) -> pa.Table:
    """The rows of `instant_stats` for the kept answers, answer by answer, metrics in their order."""
    line, metric = np.nonzero(~counts.missing & kept[:, np.newaxis])
    calls = answers.take(counts.answer[line])
    windows = np.stack([numbers(calls["window1_minutes"]), numbers(calls["window2_minutes"])])
    minutes = windows[_SLOTS[metric] - 1, np.arange(len(line))]
    span = pa.array(minutes * _MICROSECONDS_PER_MINUTE).cast(pa.duration("us"))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        **{name: calls[name] for name in calls.column_names},
        "run_id": pa.repeat(run_id, len(line)),
        "window_minutes": pa.array(minutes, pa.int32()),
        "window_start": pc.subtract(calls["observed_at"], span),
        "window_end": calls["observed_at"],
        "traffic": _TRAFFIC.take(metric),
        "direction": _DIRECTION.take(metric),
        "count": pa.array(counts.values[line, metric], mask=counts.null[line, metric]),
        "window_slot": pa.array(_SLOTS[metric]),
    }
    schema = arrow_schema(INSTANT_STATS)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _group_counts(group: AnswerGroup) -> Counts:
    place = layout(group)
    if place.table is None:
        answer = group.with_rows()
        shape = (len(answer), len(METRICS))
        nothing = np.zeros(shape, np.bool_)
        return Counts(answer, np.zeros(shape, np.int64), nothing, ~nothing, _found(group, answer))
    table = group.tables[place.table]
    first = np.flatnonzero(table.row == 0)
    rows = table.rows.take(first)
    shape = (len(first), len(METRICS))
    values, null = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    missing = np.ones(shape, np.bool_)
    for metric, column in place.columns.items():
        whole, unfit = _whole(rows.column(column))
        missing[:, metric] = unfit
        null[:, metric] = np.asarray(whole.is_null()) & ~unfit
        values[:, metric] = numbers(whole.fill_null(0))
    answer = table.answer[first]
    return Counts(answer, values, null, missing, _found(group, answer))


def _found(group: AnswerGroup, answer: Integers) -> tuple[str, ...]:
    """One text for the whole group, since it tells of the schema."""
    tables = [_columns_of(table) for table in group.tables if table.state == "current"]
    return (("; ".join(tables) or "no table")[:300],) * len(answer)


def _columns_of(table: TableRows) -> str:
    columns = zip(table.rows.schema.names, table.types, strict=True)
    return f"{table.name} ({', '.join(f'{name} {type_}' for name, type_ in columns)})"


def _whole(column: pa.ChunkedArray) -> tuple[pa.Array, Flags]:
    """The column as int64, and where it holds something that is no whole number."""
    values = pa.chunked_array(column.chunks, column.type).combine_chunks()
    if pa.types.is_integer(values.type) and values.type != pa.uint64():
        return values.cast(pa.int64()), np.zeros(len(values), np.bool_)
    # no service is known to send counts in another type, so this way need not be fast
    given = values.to_pylist()
    whole = [_integer(value) for value in given]
    unfit = [
        value is not None and number is None for value, number in zip(given, whole, strict=True)
    ]
    return pa.array(whole, pa.int64()), np.array(unfit, np.bool_)


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
