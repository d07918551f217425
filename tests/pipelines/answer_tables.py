"""Decoded answers, put together without any XML."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.normalize.answers import (
    INTEGER,
    MINUTES,
    TEXT,
    TIME,
    AnswerGroup,
    TableRows,
    column,
)
from pipelines.normalize.counts import METRICS

__all__ = ["NAMES", "OBSERVED_US", "SENT_US", "calls", "eight", "group", "rows"]

NAMES = tuple(metric.column for metric in METRICS)
SENT_US = 1_769_824_801_500_000
OBSERVED_US = 1_769_824_802_000_000  # 2026-01-31T02:00:02Z


def calls(*windows: tuple[int, int], observed_us: int | None = OBSERVED_US) -> pd.DataFrame:
    """A call per pair of windows, sessions `s0` and up."""
    numbers = range(len(windows))
    columns = {
        "call_id": column([f"call-{n}" for n in numbers], TEXT),
        "session": column([f"s{n}" for n in numbers], TEXT),
        "network_id": column([7 for _ in numbers], INTEGER),
        "mailbox_id": column([None for _ in numbers], INTEGER),
        "other_label": column([None for _ in numbers], TEXT),
        "window1_minutes": column([pair[0] for pair in windows], MINUTES),
        "window2_minutes": column([pair[1] for pair in windows], MINUTES),
        "requested_at": column([SENT_US for _ in numbers], TIME),
        "received_at": column([SENT_US + 12_345 for _ in numbers], TIME),
        "observed_at": column([observed_us for _ in numbers], TIME),
        "raw_sha256": column([f"{n:064x}" for n in numbers], TEXT),
    }
    return pd.DataFrame(columns).rename_axis("answer")


def eight(*values: object) -> dict[str, list[object]]:
    """One row with the documented columns."""
    return {name: [value] for name, value in zip(NAMES, values, strict=True)}


def rows(
    columns: Mapping[str, Sequence[object]],
    answer: Sequence[int] = (0,),
    *,
    type_: pa.DataType | None = None,
    name: str = "Table",
    state: str = "current",
) -> TableRows:
    """A table of several answers; `answer` says whose each row is."""
    arrays = [pa.array(values, type_ or pa.int32()) for values in columns.values()]
    numbers = [answer[:place].count(one) for place, one in enumerate(answer)]
    return TableRows(
        name,
        pa.Table.from_arrays(arrays, names=list(columns)),
        ("System.Int32",) * len(arrays),
        np.array(answer, np.int64),
        np.array(numbers, np.int64),
        state,
    )


def group(*tables: TableRows, answers: int = 1) -> AnswerGroup:
    """Answers 0 and up that have these tables."""
    return AnswerGroup(np.arange(answers), tables)
