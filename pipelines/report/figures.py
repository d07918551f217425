"""The figures of the page: each is one SELECT over the published tables, and what is shown is what it gives.

All times are written into the text, so that the query gives the same tomorrow: "now" is the end of the newest run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from collector.domain.calls import MAX_WINDOW_MINUTES

__all__ = ["MAILBOXES", "TABLES", "WEEK", "Period", "of_runs", "queries"]

TABLES: Final = ("calls", "traffic_history")  # what the queries speak of
MAILBOXES: Final = 40  # that are shown hour by hour
WEEK: Final = timedelta(days=7)
_CHANGED: Final = 12  # mailboxes of a list
_MOVED: Final = 10
_TEXT: Final = 200  # characters of a fault

_LETTER: Final = "CASE max(rank) WHEN 2 THEN 'u' WHEN 1 THEN 'b' ELSE 'e' END"


@dataclass(frozen=True, slots=True)
class Period:
    """What the page is about.

    Attributes:
        run_id: the newest run.
        now: its end.
        first_night: of those that are shown; a date in UTC.
    """

    run_id: str
    now: datetime
    first_night: date

    @property
    def until(self) -> datetime:
        """The last full hour."""
        return self.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

    @property
    def reach(self) -> datetime:
        """The start of the oldest day of which the service still answers for a part."""
        oldest = self.now - timedelta(minutes=MAX_WINDOW_MINUTES)
        return oldest.replace(hour=0, minute=0, second=0, microsecond=0)


def of_runs(first_night: date) -> str:
    """The query of the runs since a night: a row for each, oldest first."""
    return f"""\
SELECT run_id,
  CAST(strptime(left(run_id, 16), '%Y%m%dT%H%M%SZ') AS TIMESTAMPTZ) AS started,
  max(requested_at + to_microseconds(CAST(coalesce(latency_ms, 0) * 1000 AS BIGINT))) AS ended,
  count(*) AS planned,
  count(*) FILTER (state = 'ok') AS ok,
  count(*) FILTER (state = 'empty') AS empty,
  count(*) FILTER (state = 'failed') AS failed,
  count(*) FILTER (state = 'not_attempted') AS not_attempted,
  CAST(sum(attempts) AS BIGINT) AS requests,
  count(DISTINCT session) AS mailboxes,
  count(span_start) AS on_grid
FROM calls
WHERE run_date >= DATE '{first_night}'
GROUP BY run_id
ORDER BY run_id"""  # noqa: S608  # a date


def queries(period: Period) -> Mapping[str, str]:
    """All others, by the name of their figure."""
    return {
        "faults": _faults(period),
        "coverage": _coverage(period),
        "mailboxes": _mailboxes(period),
        "worst": _worst(period),
        "healed": _healed(period),
        "failing": _failing(period),
        "moved": _moved(period),
        "hours": _hours(period),
        "attempts": _attempts(period),
        "latency": _latency(period),
        "checks": _checks(period),
    }


def _faults(period: Period) -> str:
    return f"""\
SELECT state, coalesce(fault_class, '') AS fault_class, count(*) AS calls, count(DISTINCT session) AS mailboxes,
  min(session) AS for_instance, left(min(fault_text), {_TEXT}) AS said
FROM calls
WHERE run_date = DATE '{_run_date(period)}' AND run_id = '{period.run_id}' AND state IN ('failed', 'not_attempted')
GROUP BY ALL
ORDER BY calls DESC, state, fault_class"""  # noqa: S608  # ids and dates of ours


def _coverage(period: Period) -> str:
    """A row for each day, and the sum, which has no day."""
    return f"""\
WITH spans AS (
  SELECT span_start, count(*) AS rows,
    count(*) FILTER (state = 'exact') AS exact,
    count(*) FILTER (state = 'bounded') AS bounded,
    count(*) FILTER (conflict) AS conflicts
  FROM traffic_history
  WHERE {_within(period.until - 5 * WEEK, period.until)}
  GROUP BY span_start
), told AS (
  SELECT *, rows - exact - bounded AS unseen, span_start < {_time(period.reach)} AS is_out_of_reach FROM spans
)
SELECT CAST(span_start AS DATE) AS day,
  CAST(coalesce(sum(rows), 0) AS BIGINT) AS rows,
  CAST(coalesce(sum(exact), 0) AS BIGINT) AS exact,
  CAST(coalesce(sum(bounded), 0) AS BIGINT) AS bounded,
  CAST(coalesce(sum(unseen), 0) AS BIGINT) AS unseen,
  CAST(coalesce(sum(unseen) FILTER (is_out_of_reach), 0) AS BIGINT) AS lost,
  CAST(coalesce(sum(conflicts), 0) AS BIGINT) AS conflicts,
  min(span_start) FILTER (unseen > 0 AND NOT is_out_of_reach)
    + INTERVAL {MAX_WINDOW_MINUTES} MINUTE AS answerable_until
FROM told
GROUP BY ROLLUP (CAST(span_start AS DATE))
ORDER BY day NULLS LAST"""  # noqa: S608


def _known(period: Period) -> str:
    """How many hours of the last week are unseen, by mailbox.

    The history of a mailbox ends with its last known edge. Hours after it are unseen, too, where the newest run asked
    for the mailbox, and for later hours of any, by an hour at least: without a grid, the edges of one night are minutes
    apart.
    """
    return f"""\
WITH asked AS (
  SELECT session, max(span_end) AS until FROM calls
  WHERE run_date = DATE '{_run_date(period)}' AND run_id = '{period.run_id}'
  GROUP BY session
), series AS (
  SELECT session, sum({_SECONDS}) FILTER (state = 'unseen') AS seconds, max(span_end) AS ends
  FROM traffic_history
  WHERE {_within(period.until - WEEK, period.until)}
  GROUP BY session, traffic, direction
), sums AS (
  SELECT session, coalesce(max(seconds), 0) AS seconds, min(ends) AS ends FROM series GROUP BY session
), newest AS (
  SELECT date_trunc('hour', least(greatest((SELECT max(ends) FROM sums), (SELECT max(until) FROM asked)),
    {_time(period.until)})) AS edge
), behind AS (
  SELECT sums.*, edge, asked.session IS NOT NULL AND ends <= edge - INTERVAL 1 HOUR AS is_behind
  FROM sums CROSS JOIN newest LEFT JOIN asked ON asked.session = sums.session
), known AS (
  SELECT *, (seconds + CASE WHEN is_behind THEN epoch(edge) - epoch(ends) ELSE 0 END) / 3600 AS hours FROM behind
)"""  # noqa: S608


def _mailboxes(period: Period) -> str:
    return f"""\
{_known(period)}, ranked AS (
  SELECT *, row_number() OVER (ORDER BY hours DESC, session) AS place FROM known
)
SELECT count(*) AS mailboxes,
  count(*) FILTER (hours > 0) AS with_unseen,
  count(*) FILTER (is_behind) AS behind,
  min(ends) FILTER (is_behind) + INTERVAL {MAX_WINDOW_MINUTES} MINUTE AS answerable_until,
  round(coalesce(sum(hours), 0), 2) AS unseen_hours,
  count(*) FILTER (place > {MAILBOXES}) AS others,
  round(coalesce(sum(hours) FILTER (place > {MAILBOXES}), 0), 2) AS unseen_hours_of_others,
  (SELECT count(*) FROM asked ANTI JOIN known USING (session)) AS without_history
FROM ranked"""  # noqa: S608


def _worst(period: Period) -> str:
    """A row for each mailbox; `hours` has a letter for each hour: exact, bounded, unseen, or . for no row."""
    since, until = period.until - WEEK, period.until
    return f"""\
{_known(period)}, worst AS (
  SELECT session, round(hours, 2) AS unseen_hours, CASE WHEN is_behind THEN ends END AS unseen_from, edge
  FROM known ORDER BY unseen_hours DESC, session LIMIT {MAILBOXES}
), spans AS (
  SELECT session, span_start, span_end, CASE state WHEN 'unseen' THEN 2 WHEN 'bounded' THEN 1 ELSE 0 END AS rank
  FROM traffic_history
  WHERE {_within(since, until)} AND session IN (SELECT session FROM worst)
), grid AS (
  SELECT worst.*, hour
  FROM worst CROSS JOIN generate_series({_time(since)}, {_time(until)} - INTERVAL 1 HOUR, INTERVAL 1 HOUR) AS g(hour)
), cells AS (
  SELECT grid.session, unseen_hours, hour,
    CASE WHEN hour >= unseen_from AND hour < edge THEN 'u' WHEN count(rank) = 0 THEN '.' ELSE {_LETTER} END AS letter
  FROM grid LEFT JOIN spans
    ON spans.session = grid.session AND span_start < hour + INTERVAL 1 HOUR AND span_end > hour
  GROUP BY grid.session, unseen_hours, hour, unseen_from, edge
)
SELECT session AS mailbox, unseen_hours, string_agg(letter, '' ORDER BY hour) AS hours
FROM cells
GROUP BY session, unseen_hours
ORDER BY unseen_hours DESC, mailbox"""  # noqa: S608


def _healed(period: Period) -> str:
    """A row for each run that healed: hours of mailboxes asked before, that the run before could have brought.

    Those end before that one began, or are older than a day: the night between the two had no run.
    """
    first = datetime.combine(period.first_night, datetime.min.time(), UTC)
    return f"""\
WITH asked AS (
  SELECT DISTINCT session, run_id FROM calls WHERE run_date >= DATE '{period.first_night}'
), earlier AS (
  SELECT session, run_id, CAST(strptime(left(lag(run_id) OVER (PARTITION BY session ORDER BY run_id), 16),
    '%Y%m%dT%H%M%SZ') AS TIMESTAMPTZ) AS before,
    date_trunc('hour', CAST(strptime(left(run_id, 16), '%Y%m%dT%H%M%SZ') AS TIMESTAMPTZ)) - INTERVAL 1 DAY AS yesterday
  FROM asked
)
SELECT run_id, round(sum(seconds) / 3600, 2) AS healed
FROM (
  SELECT DISTINCT session, run_id, span_start, {_SECONDS} AS seconds
  FROM traffic_history JOIN earlier USING (session, run_id)
  WHERE {_within(first - timedelta(days=23), period.until)}
    AND run_id >= '{period.first_night:%Y%m%d}'
    AND (span_end <= before OR (before IS NOT NULL AND span_start < yesterday))
)
GROUP BY run_id
ORDER BY run_id"""  # noqa: S608


def _failing(period: Period) -> str:
    """Mailboxes whose calls failed in the newest run, and those that are asked for the first time in these nights."""
    return f"""\
WITH nights AS (
  SELECT session, run_id, count(*) AS calls, count(*) FILTER (state IN ('failed', 'not_attempted')) AS failed,
    min(fault_class) AS fault_class
  FROM calls WHERE run_date >= DATE '{period.first_night}'
  GROUP BY session, run_id
), mailboxes AS (
  SELECT session,
    max(calls) FILTER (run_id = '{period.run_id}') AS calls,
    max(failed) FILTER (run_id = '{period.run_id}') AS failed,
    max(fault_class) FILTER (run_id = '{period.run_id}') AS fault_class,
    max(run_id) FILTER (failed = 0) AS last_good,
    min(run_id) AS first_asked,
    count(*) AS nights
  FROM nights GROUP BY session
), told AS (
  SELECT *,
    (SELECT count(*) FROM nights WHERE nights.session = mailboxes.session
      AND run_id > coalesce(last_good, '')) AS nights_failing,
    first_asked = '{period.run_id}' AND (SELECT min(run_id) FROM nights) < '{period.run_id}' AS is_new
  FROM mailboxes WHERE calls > 0
), changed AS (
  SELECT CASE WHEN failed = 0 THEN 'new' WHEN is_new THEN 'new, failing'
      WHEN nights_failing > 1 THEN 'still failing' ELSE 'newly failing' END AS what,
    session AS mailbox, failed, calls, coalesce(fault_class, '') AS fault_class, nights_failing
  FROM told WHERE failed > 0 OR is_new
)
SELECT what, count(*) OVER (PARTITION BY what) AS mailboxes, mailbox, failed, calls, fault_class, nights_failing
FROM changed
QUALIFY row_number() OVER (PARTITION BY what ORDER BY failed DESC, mailbox) <= {_CHANGED}
ORDER BY CASE what WHEN 'newly failing' THEN 1 WHEN 'still failing' THEN 2 ELSE 3 END, failed DESC, mailbox"""  # noqa: S608


def _moved(period: Period) -> str:
    """Mailboxes with nothing in the last day, though there was in each week before; and those that changed most.

    Of all four counts together; a day or week of which something is unseen is not compared.
    """
    return f"""\
{_days(period)}, compared AS (
  SELECT session AS mailbox, max(estimate) FILTER (week = 0) AS last_day, max(high) FILTER (week = 0) AS at_most,
    round(median(estimate) FILTER (week > 0), 1) AS usual, min(estimate) FILTER (week > 0) AS least,
    count(*) FILTER (week > 0) AS weeks
  FROM days
  WHERE complete
  GROUP BY session
  HAVING last_day IS NOT NULL AND weeks > 0
), told AS (
  SELECT CASE WHEN at_most = 0 AND least > 0 THEN 'newly silent' ELSE 'moved' END AS what,
    mailbox, last_day, usual, last_day - usual AS change, weeks
  FROM compared
  WHERE last_day <> usual
)
SELECT what, count(*) OVER (PARTITION BY what) AS mailboxes, mailbox, last_day, usual, change, weeks
FROM told
QUALIFY row_number() OVER (PARTITION BY what ORDER BY abs(change) DESC, mailbox)
  <= CASE what WHEN 'moved' THEN {_MOVED} ELSE {_CHANGED} END
ORDER BY what DESC, abs(change) DESC, mailbox"""  # noqa: S608


def _days(period: Period) -> str:
    """The last 24 hours of each mailbox, and the same of the four weeks before."""
    weeks = "\n  UNION ALL ".join(
        f"""SELECT session, {number} AS week, CAST(sum(estimate) AS BIGINT) AS estimate,
    CASE WHEN count(high) = count(*) THEN CAST(sum(high) AS BIGINT) END AS high,
    bool_and(state <> 'unseen') AND sum({_SECONDS}) >= 4 * 86400 AS complete
  FROM traffic_history
  WHERE {_within(period.until - number * WEEK - timedelta(days=1), period.until - number * WEEK)}
  GROUP BY session"""  # noqa: S608
        for number in range(5)
    )
    return f"""\
WITH days AS MATERIALIZED (
  {weeks}
)"""


def _hours(period: Period) -> str:
    """A row for each traffic, direction and hour of the last week; a span counts in the hour in which it starts.

    What was asked for a whole network is left out: it is in the sum of its mailboxes.
    """
    since = period.until - WEEK
    return f"""\
WITH spans AS (
  SELECT traffic, direction, span_start, sum(low) AS low, sum(estimate) AS estimate, sum(high) AS high,
    count(*) FILTER (state = 'unseen') AS unseen
  FROM traffic_history
  WHERE {_within(since, period.until)} AND {_OF_MAILBOXES}
  GROUP BY ALL
), hours AS (
  SELECT traffic, direction, date_trunc('hour', span_start) AS hour, CAST(sum(low) AS BIGINT) AS low,
    CAST(sum(estimate) AS BIGINT) AS estimate, CAST(sum(high) AS BIGINT) AS high, CAST(sum(unseen) AS BIGINT) AS unseen
  FROM spans
  GROUP BY ALL
), spans_before AS (
  SELECT traffic, direction, span_start, sum(estimate) AS estimate
  FROM traffic_history
  WHERE {_within(since - 4 * WEEK, since)} AND {_OF_MAILBOXES}
  GROUP BY ALL
), hours_before AS (
  SELECT traffic, direction, date_trunc('hour', span_start) AS hour, CAST(sum(estimate) AS BIGINT) AS estimate
  FROM spans_before
  GROUP BY ALL
), before AS (
  SELECT traffic, direction, hour + INTERVAL (7 * week) DAY AS hour, estimate
  FROM hours_before CROSS JOIN generate_series(1, 4) AS g(week)
)
SELECT traffic, direction, hour, low, hours.estimate, high, unseen,
  median(before.estimate) AS usual, count(before.estimate) AS weeks
FROM hours LEFT JOIN before USING (traffic, direction, hour)
GROUP BY ALL
ORDER BY traffic DESC, direction, hour"""  # noqa: S608


def _attempts(period: Period) -> str:
    return f"""\
SELECT attempts, count(*) AS calls, count(*) FILTER (state IN ('ok', 'empty')) AS answered
FROM calls
WHERE run_date = DATE '{_run_date(period)}' AND run_id = '{period.run_id}'
GROUP BY attempts
ORDER BY attempts"""  # noqa: S608


def _latency(period: Period) -> str:
    """Of the last attempt of each call; the pause is the longest time in which none of these was sent."""
    return f"""\
WITH sent AS (
  SELECT latency_ms, requested_at - lag(requested_at) OVER (ORDER BY requested_at) AS pause
  FROM calls
  WHERE run_date = DATE '{_run_date(period)}' AND run_id = '{period.run_id}'
)
SELECT round(median(latency_ms), 1) AS median_ms, round(quantile_cont(latency_ms, 0.95), 1) AS p95_ms,
  round(max(latency_ms), 1) AS worst_ms, round(epoch(max(pause)), 1) AS longest_pause_seconds
FROM sent"""  # noqa: S608


def _checks(period: Period) -> str:
    return f"""\
SELECT "check", count(*) AS answers
FROM (
  SELECT trim(unnest(string_split(quality, ','))) AS "check" FROM calls
  WHERE run_date = DATE '{_run_date(period)}' AND run_id = '{period.run_id}' AND quality IS NOT NULL
)
GROUP BY ALL
ORDER BY answers DESC, "check\""""  # noqa: S608


_OF_MAILBOXES: Final = "scope IS DISTINCT FROM 'network'"
_SECONDS: Final = "epoch(span_end) - epoch(span_start)"


def _within(since: datetime, until: datetime) -> str:
    """Spans that start in a range; the month tells which files to open."""
    return (
        f"(span_month >= DATE '{since:%Y-%m}-01' AND span_month <= DATE '{until:%Y-%m}-01'"
        f" AND span_start >= {_time(since)} AND span_start < {_time(until)})"
    )


def _time(when: datetime) -> str:
    return f"TIMESTAMPTZ '{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00'"


def _run_date(period: Period) -> str:
    return f"{period.run_id[:4]}-{period.run_id[4:6]}-{period.run_id[6:8]}"
