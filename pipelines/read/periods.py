"""The history by the hour and the day of a time zone."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from pipelines.contract import TRAFFIC_HISTORY, View
from pipelines.contract.views import duckdb_views

__all__ = ["LONGEST", "bound", "periods", "zone_of"]

LONGEST: Final = timedelta(days=24)  # no span of the history is longer
_SOURCE: Final = TRAFFIC_HISTORY.name


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"tz = {name!r}: must be the name of a time zone, as 'America/New_York' or 'UTC'"
        ) from error


def bound(when: date, zone: ZoneInfo) -> datetime:
    """The instant that a date begins in a zone; a time is one already."""
    if isinstance(when, datetime):
        return when.astimezone(UTC)
    return datetime(when.year, when.month, when.day, tzinfo=zone).astimezone(UTC)


def periods(
    history: pa.Table, view: View, zone: ZoneInfo, since: datetime | None, until: datetime | None
) -> pa.Table:
    """The rows of a view that start in a range, in the order of its key.

    Args:
        history: the rows of `traffic_history` that touch any of these.
    """
    start = f"{view.period}_start"
    conditions = [
        f"{start} {sign} TIMESTAMPTZ '{when.isoformat()}'"
        for sign, when in ((">=", since), ("<", until))
        if when is not None
    ]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    names = ", ".join(column.name for column in view.columns)
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register(_SOURCE, history)
        for statement in duckdb_views(_SOURCE):
            connection.execute(statement)
        found: pa.Table = connection.sql(
            f"SELECT {names} FROM {view.name}_in($zone){where} ORDER BY {', '.join(view.key)}",  # noqa: S608  # names of ours
            params={"zone": zone.key},
        ).to_arrow_table()
    return found.cast(pa.schema([(column.name, column.type) for column in view.columns]))
