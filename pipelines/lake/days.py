"""Rows of a table -> the days of the partitions that they belong to."""

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract import Table

__all__ = ["by_day"]


def by_day(table: Table, rows: pa.Table, run_date: date) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each day, days ascending, rows in their order; all of the run's date where the table is by it."""
    if table.partition_from is None:
        yield run_date, rows
        return
    days = pc.cast(rows[table.partition_from], pa.date32())  # UTC, as the times are
    found = [day for day in pc.unique(days).to_pylist() if day is not None]
    for day in sorted(found):
        yield day, rows.filter(pc.equal(days, pa.scalar(day, pa.date32())))
