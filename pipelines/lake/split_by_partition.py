"""Rows of a table -> the days of the partitions that they belong to."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract import Table

__all__ = ["split_by_partition"]


def split_by_partition(
    table: Table, rows: pa.Table, run_date: date
) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each UTC day, days ascending, rows in their order; where the table is by run date, all of that."""
    if table.partition_from is None:
        yield run_date, rows
        return
    days = pc.cast(rows[table.partition_from], pa.date32()).to_numpy()
    order = np.argsort(days, kind="stable")
    found, starts = np.unique(days[order], return_index=True)
    if len(found) == 1:
        yield found.tolist()[0], rows
        return
    for day, start, end in zip(found.tolist(), starts, [*starts, len(days)][1:], strict=True):
        yield day, rows.take(order[start:end])  # a slice would keep all of them in memory
