"""Wide counts -> pairs: a row for each answer, traffic and direction, with the counts of both its windows."""

from typing import Final

import pandas as pd

from pipelines.normalize.answers import TEXT
from pipelines.normalize.counts import METRICS, Counts

__all__ = ["SERIES", "pairs_of"]

SERIES: Final = tuple(dict.fromkeys((metric.traffic, metric.direction) for metric in METRICS))


def pairs_of(answers: pd.DataFrame, counts: Counts) -> pd.DataFrame:
    """The answers that have counts, four rows each: one after the other for each of `SERIES`.

    Returns:
        The columns of `answers`, and `traffic, direction, count1, count2, missing1, missing2`. A count is null where
        the service sent null, and where it is missing.
    """
    counted = answers.loc[counts.wide.index]
    columns = {(each.traffic, each.direction, each.slot): each.column for each in METRICS}
    parts = [
        counted.assign(
            traffic=pd.Series(traffic, counted.index, TEXT),
            direction=pd.Series(direction, counted.index, TEXT),
            **{f"count{n}": counts.wide[columns[traffic, direction, n]] for n in (1, 2)},
            **{f"missing{n}": counts.missing[columns[traffic, direction, n]] for n in (1, 2)},
        )
        for traffic, direction in SERIES
    ]
    return pd.concat(parts)
