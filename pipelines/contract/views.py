"""Hours and days of `traffic_history`: what a view of it says, and the SQL that makes it.

A span that lies in one hour counts there. One that lies in several, as trailing windows do that were asked for at a
quarter past, is shared out between them: nothing of it is certain to have happened in any of them (`low`), all of it
may have (`high`), and `estimate` goes by the time. So sums of `estimate` over hours, days and the history are the same.
A day begins where the one before ends, also where clocks change at midnight.

A view is of mailboxes or of whole networks and never of both, so no sum of it counts a mailbox twice.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from pipelines.contract.scopes import MAILBOX, NETWORK
from pipelines.contract.tables import TRAFFIC_HISTORY, Column

__all__ = ["VIEWS", "View", "duckdb_views", "postgres_views"]

_TIME: Final = pa.timestamp("us", "UTC")
_COUNT: Final = pa.int64()
_SAME: Final = {column.name: column for column in TRAFFIC_HISTORY.columns}


@dataclass(frozen=True, slots=True)
class View:
    """A view, and a function of the same name with `_in` behind it that takes a time zone.

    Attributes:
        period: 'hour' or 'day'.
        scope: of the rows of the history that it sums up: 'mailbox' or 'network'.
        key: the columns that identify a row.
    """

    name: str
    period: str
    scope: str
    description: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return "session", "traffic", "direction", f"{self.period}_start"


def _columns(period: str) -> tuple[Column, ...]:
    return (
        _SAME["session"],
        _SAME["network_id"],
        _SAME["mailbox_id"],
        _SAME["traffic"],
        _SAME["direction"],
        Column(f"{period}_start", _TIME, f"Where the {period} starts."),
        Column(f"{period}_end", _TIME, f"Where the {period} ends."),
        Column(
            "count",
            _COUNT,
            f"How many parcels or interchanges; null unless all of the {period} is exact.",
            True,
        ),
        Column("low", _COUNT, "At least so many."),
        Column("high", _COUNT, "At most so many; null unless complete.", True),
        Column("estimate", _COUNT, "Best guess for what is known; null if nothing is.", True),
        Column(
            "state",
            pa.string(),
            f"'exact', 'bounded', or 'unseen' if nothing of the {period} is known.",
        ),
        Column("known_seconds", _COUNT, f"How many seconds of the {period} are exact or bounded."),
        Column("complete", pa.bool_(), f"Whether all of the {period} is exact or bounded."),
        Column("conflict", pa.bool_(), "Whether answers about it contradict each other."),
        Column("scope", pa.string(), "'mailbox' or 'network', the same in all rows of a view."),
    )


_DAY: Final = Column(
    "day", pa.date32(), "The date; a day has 23 or 25 hours when the clocks change."
)
_OF_NETWORKS: Final = "of sessions that ask for a whole network, which {} leaves out."

VIEWS: Final = {
    view.name: view
    for view in (
        View(
            "traffic_hours",
            "hour",
            MAILBOX,
            "The history by the hour: a row per hour, session, traffic and direction.",
            _columns("hour"),
        ),
        View(
            "traffic_days",
            "day",
            MAILBOX,
            "The history by the day: a row per day, session, traffic and direction.",
            (_DAY, *_columns("day")),
        ),
        View(
            "network_hours",
            "hour",
            NETWORK,
            f"The same by the hour {_OF_NETWORKS.format('traffic_hours')}",
            _columns("hour"),
        ),
        View(
            "network_days",
            "day",
            NETWORK,
            f"The same by the day {_OF_NETWORKS.format('traffic_days')}",
            (_DAY, *_columns("day")),
        ),
    )
}

_POSTGRES: Final = {
    pa.string(): "text",
    pa.int64(): "bigint",
    pa.date32(): "date",
    pa.bool_(): "boolean",
    _TIME: "timestamp with time zone",
}

# rows of version 1 say nothing, and are taken for a mailbox's
_OF_SCOPE: Final = {
    MAILBOX: f"scope IS DISTINCT FROM '{NETWORK}'",
    NETWORK: f"scope = '{NETWORK}'",
}
# an edge that nobody asked for is true to about a second: within a minute of a full hour it is taken for that
_EDGE: Final = """CASE WHEN extract(second FROM {0}) <> 0
      AND abs(extract(epoch FROM {0}) - round(extract(epoch FROM {0}) / 3600) * 3600) <= 60
    THEN to_timestamp(CAST(round(extract(epoch FROM {0}) / 3600) * 3600 AS double precision)) ELSE {0} END"""
# the start and the end of each period that a span touches
_HOURS: Final = """generate_series(
      s - ((s AT TIME ZONE {zone}) - date_trunc('hour', s AT TIME ZONE {zone})), last, INTERVAL '1 hour')"""
_DAYS: Final = """generate_series(
      date_trunc('day', s AT TIME ZONE {zone}), last AT TIME ZONE {zone}, INTERVAL '1 day')"""
# where the clocks are changed at midnight, there are two of them, or none: the day starts where the one before ends
_MIDNIGHT: Final = (
    "((({0} - INTERVAL '1 microsecond') AT TIME ZONE {zone}) + INTERVAL '1 microsecond')"
)
_SELECT: Final = """WITH spans AS (
  SELECT *, greatest(e - INTERVAL '1 microsecond', s) AS last
  FROM (
    SELECT *, {start} AS s, {end} AS e FROM {source}
  ) AS edges
  WHERE (e > s OR state <> 'unseen') AND {of_scope}
), touched AS (
  SELECT spans.*, period FROM spans CROSS JOIN LATERAL {series}
), pieces AS (
  SELECT *, greatest(s, p_start) AS a, least(e, p_end) AS b, s >= p_start AND e <= p_end AS whole
  FROM (SELECT *, {p_start} AS p_start, {p_end} AS p_end FROM touched) AS touching
), shares AS (
  SELECT *, extract(epoch FROM b - a) AS seconds, CASE WHEN whole THEN estimate ELSE
    floor(estimate * extract(epoch FROM b - s) / extract(epoch FROM e - s))
    - floor(estimate * extract(epoch FROM a - s) / extract(epoch FROM e - s)) END AS share
  FROM pieces
), sums AS (
  SELECT session, max(network_id) AS network_id, max(mailbox_id) AS mailbox_id, traffic, direction, p_start, p_end,
    bool_and(whole AND state = 'exact') AS is_exact,
    sum(count) AS count,
    sum(CASE WHEN whole THEN low ELSE 0 END) AS low,
    CASE WHEN count(*) = count(high) THEN sum(high) END AS high,
    sum(share) AS estimate,
    sum(CASE WHEN state = 'unseen' THEN 0 ELSE seconds END) AS known,
    count(share) AS pieces,
    bool_or(conflict) AS conflict
  FROM shares
  GROUP BY session, traffic, direction, p_start, p_end
), told AS (
  SELECT *, known >= extract(epoch FROM p_end - p_start) AS complete FROM sums
)
SELECT {columns}session, network_id, mailbox_id, traffic, direction,
  p_start AS {period}_start, p_end AS {period}_end,
  CASE WHEN complete AND is_exact THEN CAST(count AS bigint) END AS count,
  CAST(low AS bigint) AS low,
  CASE WHEN complete THEN CAST(high AS bigint) END AS high,
  CAST(estimate AS bigint) AS estimate,
  CASE WHEN complete AND is_exact THEN 'exact' WHEN pieces > 0 THEN 'bounded' ELSE 'unseen' END AS state,
  CAST(known AS bigint) AS known_seconds,
  complete,
  conflict,
  CAST('{scope}' AS text) AS scope
FROM told"""


def duckdb_views(source: str, place: str = "") -> list[str]:
    """The statements that make the views in DuckDB, and macros of tables that take the name of a time zone.

    Args:
        source: `traffic_history`, quoted.
        place: the schema where they are made, with a dot behind it.
    """
    made = []
    for view in VIEWS.values():
        of_zone, in_utc = (_select(view, source, zone, unnest=True) for zone in ("zone", "'UTC'"))
        made.append(f"CREATE OR REPLACE MACRO {place}{view.name}_in(zone) AS TABLE {of_zone}")
        made.append(f"CREATE OR REPLACE VIEW {place}{view.name} AS {in_utc}")
    return made


def postgres_views(source: str, place: str) -> list[str]:
    """The statements that make the views in PostgreSQL, functions that take a time zone, and comments on columns."""
    made = []
    for view in VIEWS.values():
        of_zone, in_utc = (_select(view, source, zone, unnest=False) for zone in ("zone", "'UTC'"))
        returned = ", ".join(f'"{each.name}" {_POSTGRES[each.type]}' for each in view.columns)
        function = f"{place}{view.name}_in(zone text) RETURNS TABLE ({returned})"
        made += [
            f"CREATE OR REPLACE FUNCTION {function} LANGUAGE sql STABLE AS $view$ {of_zone} $view$",
            f"CREATE OR REPLACE VIEW {place}{view.name} AS {in_utc}",
            f"COMMENT ON VIEW {place}{view.name} IS '{view.description}'",
        ]
    return made


def _select(view: View, source: str, zone: str, *, unnest: bool) -> str:
    """The rows of a view.

    Args:
        zone: a time zone as SQL: its name in quotes, or a parameter.
        unnest: the database's `generate_series` gives a list and not rows.
    """
    is_day = view.period == "day"
    p_start, p_end = "period", "period + INTERVAL '1 hour'"
    if is_day:
        p_start, p_end = (
            _MIDNIGHT.format(each, zone=zone) for each in (p_start, "period + INTERVAL '1 day'")
        )
    series = (_DAYS if is_day else _HOURS).format(zone=zone)
    return _SELECT.format(
        start=_EDGE.format("span_start"),
        end=_EDGE.format("span_end"),
        source=source,
        series=f"(SELECT unnest({series}) AS period) AS g" if unnest else f"{series} AS g(period)",
        p_start=p_start,
        p_end=p_end,
        columns=f"CAST(p_start AT TIME ZONE {zone} AS date) AS day, " if is_day else "",
        period=view.period,
        scope=view.scope,
        of_scope=_OF_SCOPE[view.scope],
    )
