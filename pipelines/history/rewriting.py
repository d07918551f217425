"""Rows of the history that were derived anew -> which days or months are written, and which rows each file holds.

A month is written as one once nothing can be observed of it any more, so that years are few files; before that, each
day by itself, so that a night writes little. Which it is depends on the rows alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipelines.contract import TRAFFIC_HISTORY, arrow_schema
from pipelines.contract.casting import to_contract
from pipelines.history.observations import SECOND_US, Integers, instants
from pipelines.lake import Days
from pipelines.read import OpenLake

__all__ = ["LONGEST", "STATES", "NewRows", "Rewriting", "by_row", "counting", "midnight"]

STATES: Final = ("exact", "bounded", "unseen")
LONGEST: Final = timedelta(days=24)  # no window, so no bucket, is longer
_DAY: Final = timedelta(days=1)
_ROWS: Final = 50_000  # at a time
_COLUMNS: Final = [column.name for column in TRAFFIC_HISTORY.columns]
_SORT: Final = [(name, "ascending") for name in ("session", "span_start", "traffic", "direction")]


class NewRows:
    """Rows of the history that were made anew, on disk until they are written: those of years are many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: defaultdict[date, list[str]] = defaultdict(list)  # by the first of the month
        self.days: set[date] = set()  # that have rows

    def add(self, rows: pa.Table) -> None:
        """Keep rows of `traffic_history`."""
        days = pc.cast(rows["span_start"], pa.date32())
        found = [day for day in pc.unique(days).to_pylist() if day is not None]
        self.days.update(found)
        for month in sorted({day.replace(day=1) for day in found}):
            of_month = Days.month(month)
            is_within = pc.and_(
                pc.greater_equal(days, pa.scalar(of_month.first)),
                pc.less_equal(days, pa.scalar(of_month.last)),
            )
            path = self._folder / f"{month}-{len(self._files[month])}.parquet"
            pq.write_table(rows.filter(is_within), path)
            self._files[month].append(str(path))

    def table(self, days: Days, columns: list[str], where: pc.Expression | None = None) -> pa.Table:
        """Those of some days of one month."""
        schema = arrow_schema(TRAFFIC_HISTORY)
        paths = self._files.get(days.first.replace(day=1))
        if not paths:
            return schema.empty_table().select(columns)
        start = pc.field("span_start")
        wanted = (start >= midnight(days.first)) & (start < midnight(days.last + _DAY))
        if where is not None:
            wanted &= where
        return ds.dataset(paths, schema=schema).to_table(columns, filter=wanted)


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a change of the history writes.

    Attributes:
        reader: of the history as it is.
        old: the days of its files; a damaged one has some, too.
        new: the rows that take the place of what is there.
        cuts: by session, from which instant on they do, in microseconds since 1970.
    """

    reader: OpenLake
    old: Sequence[Days]
    new: NewRows
    cuts: pd.Series

    def days(self) -> tuple[list[Days], list[Days]]:
        """Those that are written, and those whose files these replace."""
        old = sorted(set(self.old))
        since = _day(int(self.cuts.min())) if len(self.cuts) else None
        touched = {Days.day(day) for day in self.new.days}
        touched |= {each for each in old if since is not None and each.last >= since}
        newest = self._newest(old)
        written: list[Days] = []
        replaced: list[Days] = []
        for month in sorted({Days.month(each.first) for each in (*old, *touched)}):
            of_old = [each for each in old if each.touches(month)]
            of_month = sorted(each for each in touched if each.touches(month))
            if newest is not None and month.last + LONGEST < newest:
                if of_month or of_old != [month]:
                    written.append(month)
                    replaced.append(month)
            elif month in of_old:  # what was observed last is gone
                written += month.each()
                replaced.append(month)
            else:
                written += of_month
                replaced += of_month
        return written, replaced

    def rows(self, days: Days) -> Iterator[pa.Table]:
        """Those that come into the files of some days, sorted."""
        sessions, count = self._sessions(days)
        label, step = pc.field("session"), max(1, len(sessions) * _ROWS // max(1, count))
        for first in range(0, len(sessions), step):
            some = sessions[first : first + step]
            where = (label >= some[0]) & (label <= some[-1])
            rows = pa.concat_tables([self.new.table(days, _COLUMNS, where), self.kept(days, where)])
            if rows.num_rows:
                yield rows.sort_by(_SORT)

    def _sessions(self, days: Days) -> tuple[list[str], int]:
        """Those that have rows of some days, sorted, and about how many rows that are."""
        columns, found, count = ["session"], set[str](), 0
        for rows in (self.new.table(days, columns), self._there(days, columns)):
            found.update(map(str, pc.unique(rows["session"]).to_pylist()))
            count += rows.num_rows
        return sorted(found), count

    def kept(self, days: Days, where: pc.Expression | None = None) -> pa.Table:
        """The rows of some days that stay: of sessions that are not made anew, or from before they are."""
        there = self._there(days, _COLUMNS, where)
        if not len(self.cuts) or _day(int(self.cuts.min())) > days.last:
            return there.cast(arrow_schema(TRAFFIC_HISTORY))
        rows = there.to_pandas(types_mapper=pd.ArrowDtype)
        stays = instants(rows["span_start"]) < by_row(rows, self.cuts)
        return to_contract(rows[stays], TRAFFIC_HISTORY)

    def _there(
        self, days: Days, columns: list[str], where: pc.Expression | None = None
    ) -> pa.Table:
        if not any(each.touches(days) for each in self.old):
            return arrow_schema(TRAFFIC_HISTORY).empty_table().select(columns)
        return self.reader.table(
            TRAFFIC_HISTORY.name,
            since=midnight(days.first),
            until=midnight(days.last + _DAY),
            where=where,
            columns=columns,
        )

    def _newest(self, old: Sequence[Days]) -> date | None:
        """The last day that will have rows; None if none will."""
        newest = max(self.new.days, default=None)
        for days in reversed(old):
            if newest is not None and days.last <= newest:
                break
            if len(starts := self.kept(days)["span_start"]):
                last: datetime = pc.max(starts).as_py()
                return max(newest or date.min, last.date())
        return newest


def counting(rows: Iterable[pa.Table], counts: MutableMapping[str, int]) -> Iterator[pa.Table]:
    """The rows as they are; on the way, how many spans of a day are in which state is added to `counts`.

    That is the state of the traffic and direction of which least is known, so that a span of a session counts once.
    """
    number = {name: number for number, name in enumerate(STATES)}
    for some in rows:
        frame = some.select(["session", "span_start", "state"]).to_pandas()
        frame["state"] = frame["state"].map(number)
        worst = frame.groupby(["session", "span_start"], as_index=False)["state"].max()
        days = worst["span_start"].dt.strftime("%Y-%m-%d")
        names = days + " " + worst["state"].map(dict(enumerate(STATES)))
        for name, count in names.value_counts().items():
            counts[str(name)] = counts.get(str(name), 0) + int(count)
        yield some


def by_row(rows: pd.DataFrame, cuts: pd.Series) -> Integers:
    """The cut of each row's session, microseconds since 1970; later than anything where it has none."""
    found = rows["session"].astype("object").map(cuts).fillna(np.iinfo(np.int64).max // 2)
    return found.to_numpy(np.int64)


def _day(instant_us: int) -> date:
    return datetime.fromtimestamp(instant_us // SECOND_US, UTC).date()


def midnight(day: date) -> datetime:
    """When a day begins."""
    return datetime.combine(day, datetime.min.time(), UTC)
