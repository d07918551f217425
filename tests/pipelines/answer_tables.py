"""Decoded answers, put together without any XML."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipelines.tidy import ANSWERS, METRICS, AnswerGroup, TableRows

__all__ = ["NAMES", "OBSERVED_US", "SENT_US", "calls", "eight", "group", "rows"]

NAMES = tuple(metric.column for metric in METRICS)
SENT_US = 1_769_824_801_500_000
OBSERVED_US = 1_769_824_802_000_000  # 2026-01-31T02:00:02Z


def calls(*windows: tuple[int, int], observed_us: int | None = OBSERVED_US) -> pa.Table:
    """A call per pair of windows, sessions `s0` and up."""
    return pa.Table.from_pylist(
        [
            {
                "call_id": f"call-{number}",
                "session": f"s{number}",
                "network_id": 7,
                "mailbox_id": None,
                "window1_minutes": pair[0],
                "window2_minutes": pair[1],
                "requested_at": SENT_US,
                "received_at": SENT_US + 12_345,
                "observed_at": observed_us,
                "raw_sha256": f"{number:064x}",
            }
            for number, pair in enumerate(windows)
        ],
        schema=ANSWERS,
    )


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
