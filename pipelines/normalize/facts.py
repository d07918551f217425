"""Pairs of windows -> facts, the rows of `instant_stats`: one for each window of a pair."""

from typing import Final

import pandas as pd
import pyarrow as pa

__all__ = ["facts_of"]

_DURATION: Final = pd.ArrowDtype(pa.duration("us"))
_MICROSECONDS_PER_MINUTE: Final = 60_000_000


def facts_of(pairs: pd.DataFrame) -> pd.DataFrame:
    """The rows of `instant_stats`, answer by answer, the first windows before the second ones.

    A count that is missing makes no row; one that is null makes a row without a count.
    """
    windows = [_facts_of_window(pairs, slot) for slot in (1, 2)]
    return pd.concat(windows).sort_index(kind="stable")


def _facts_of_window(pairs: pd.DataFrame, slot: int) -> pd.DataFrame:
    """The facts of the first or the second windows."""
    there = pairs[~pairs[f"missing{slot}"]]
    minutes = there[f"window{slot}_minutes"]
    return there.assign(
        window_slot=slot,
        window_minutes=minutes,
        window_start=there["observed_at"] - _duration(minutes),
        window_end=there["observed_at"],
        count=there[f"count{slot}"],
    )


def _duration(minutes: pd.Series) -> pd.Series:
    return (minutes.astype("int64[pyarrow]") * _MICROSECONDS_PER_MINUTE).astype(_DURATION)
