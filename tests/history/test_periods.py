"""Hours and days of the history against sums made span by span, in zones of every kind."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from pipelines.contract import TRAFFIC_HISTORY, VIEWS, View, arrow_schema
from pipelines.read.periods import bound, periods, zone_of

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
# days of 23 and of 25 hours, halves of hours, clocks that are changed at midnight, and none of it
CASES = [
    ("UTC", date(2026, 6, 1)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Asia/Kolkata", date(2026, 6, 1)),
    ("Asia/Kathmandu", date(2026, 6, 1)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Beirut", date(2026, 10, 25)),
    ("Pacific/Apia", date(2026, 6, 1)),
]


@dataclass
class Sum:
    """Of a period, as it should be."""

    low: int = 0
    high: int | None = 0
    known: timedelta = timedelta(0)
    exact: bool = True
    conflict: bool = False


def spans(seed: int, around: date) -> list[dict[str, Any]]:
    """Rows of one series without holes: hours and halves, some unseen, some that straddle everything."""
    chance = np.random.default_rng(seed)
    start = datetime(around.year, around.month, around.day, tzinfo=UTC) - 3 * DAY
    rows = []
    for _ in range(int(chance.integers(60, 160))):
        width = int(chance.choice([30, 60, 60, 60, 7 * 60])) * 60
        shift = int(chance.choice([0, 0, 0, 17 * 60 + 5]))
        end = start + timedelta(seconds=width + shift)
        state = str(chance.choice(["exact", "bounded", "unseen"], p=[0.7, 0.2, 0.1]))
        low = int(chance.integers(0, 50))
        high = low if state == "exact" else low + int(chance.integers(0, 9))
        is_unseen = state == "unseen"
        rows.append(
            {
                "session": "acme",
                "network_id": 1,
                "mailbox_id": 2,
                "span_start": start,
                "span_end": end,
                "traffic": "parcel",
                "direction": "in",
                "state": state,
                "count": low if state == "exact" else None,
                "low": 0 if is_unseen else low,
                "high": None if is_unseen else high,
                "estimate": None if is_unseen else (low + high) // 2,
                "conflict": bool(chance.random() < 0.1),
            }
        )
        start = end
    return rows


def period_of(moment: datetime, view: View, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The hour or day of a zone in which an instant lies; by the rules of the zone, minute by minute."""
    local = moment.astimezone(zone)
    if view.period == "hour":
        start = moment - timedelta(minutes=local.minute, seconds=local.second)
        return start, start + HOUR
    starts = (
        datetime(each.year, each.month, each.day, tzinfo=zone).astimezone(UTC)
        for each in (local.date(), local.date() + DAY)
    )
    first, last = starts
    return first, last


def taken_for(edge: datetime) -> datetime:
    """An edge that nobody asked for is the full hour if that is a minute away at most."""
    hour = (edge + HOUR / 2).replace(minute=0, second=0)
    return hour if edge.second and abs(edge - hour) <= timedelta(minutes=1) else edge


def by_hand(rows: list[dict[str, Any]], view: View, zone: ZoneInfo) -> dict[datetime, Sum]:
    """What each period should say, from walking through each span."""
    found: dict[datetime, Sum] = defaultdict(Sum)
    for row in rows:
        at, last = first, _ = taken_for(row["span_start"]), taken_for(row["span_end"])
        while at < last:
            start, end = period_of(at, view, zone)
            piece = min(end, last) - at
            is_whole = start <= first and last <= end
            of = found[start]
            of.low += row["low"] if is_whole else 0
            of.high = None if of.high is None or row["high"] is None else of.high + row["high"]
            of.known += timedelta(0) if row["state"] == "unseen" else piece
            of.exact = of.exact and is_whole and row["state"] == "exact"
            of.conflict = of.conflict or row["conflict"]
            at += piece
    return found


@pytest.mark.parametrize(("zone", "around"), CASES, ids=str)
@pytest.mark.parametrize("name", ["traffic_hours", "traffic_days"])
def test_they_say_what_is_certain(zone: str, name: str, around: date) -> None:
    """Low, high, what is known and whether that is all of it; estimates add up to those of the history."""
    view = VIEWS[name]
    rows = spans(around.toordinal(), around)
    history = pa.Table.from_pylist(rows, arrow_schema(TRAFFIC_HISTORY))
    place = zone_of(zone)
    found = periods(history, view, place, None, None).to_pylist()
    wanted = by_hand(rows, view, place)
    name = f"{view.period}_start"
    assert [row[name] for row in found] == sorted(wanted)
    for row in found:
        of = wanted[row[name]]
        start, end = row[name], row[f"{view.period}_end"]
        complete = of.known == end - start
        assert (start, end) == period_of(start, view, place)
        assert row["low"] == of.low
        assert row["high"] == (of.high if complete else None)
        assert row["complete"] == complete
        assert row["known_seconds"] == int(of.known.total_seconds())
        assert row["count"] == (of.low if complete and of.exact else None)
        assert row["state"] == (
            "exact" if complete and of.exact else "bounded" if of.known else "unseen"
        )
        assert row["conflict"] == of.conflict
        if view.period == "day":
            assert row["day"] == start.astimezone(place).date()
    total = sum(row["estimate"] or 0 for row in rows)
    assert sum(row["estimate"] or 0 for row in found) == total


def test_days_have_23_and_25_hours() -> None:
    """Where the clocks are changed, every hour known."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    row = spans(0, start.date())[0]
    rows = [
        {
            **row,
            "state": "exact",
            "count": 1,
            "low": 1,
            "high": 1,
            "estimate": 1,
        }
        | {"span_start": start + number * HOUR, "span_end": start + (number + 1) * HOUR}
        for number in range(365 * 24)
    ]
    history = pa.Table.from_pylist(rows, arrow_schema(TRAFFIC_HISTORY))
    days = periods(history, VIEWS["traffic_days"], zone_of("America/New_York"), None, None)
    counts = {row["day"]: row["count"] for row in days.to_pylist() if row["complete"]}
    assert counts.pop(date(2026, 3, 8)) == 23
    assert counts.pop(date(2026, 11, 1)) == 25
    assert set(counts.values()) == {24}
    assert len(counts) == 365 - 1 - 2


def test_edges_that_nobody_asked_for_are_taken_for_the_hour_that_they_are_near() -> None:
    """Trailing windows that were asked for some seconds after the hour: each counts in its hour, and all of it."""
    start = datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)
    row = {
        **spans(0, start.date())[0],
        "state": "exact",
        "count": 5,
        "low": 5,
        "high": 5,
        "estimate": 5,
    }
    rows = [
        row | {"span_start": start + number * HOUR, "span_end": start + (number + 1) * HOUR}
        for number in range(24)
    ]
    history = pa.Table.from_pylist(rows, arrow_schema(TRAFFIC_HISTORY))
    hours = periods(history, VIEWS["traffic_hours"], zone_of("UTC"), None, None).to_pylist()
    assert [row["count"] for row in hours] == [5] * 24
    assert hours[0]["hour_start"] == start - 7 * SECOND
    (day,) = periods(history, VIEWS["traffic_days"], zone_of("UTC"), None, None).to_pylist()
    assert (day["count"], day["complete"]) == (5 * 24, True)


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd", "EST5EDT4", 7]
)
def test_a_zone_that_is_none(name: Any) -> None:
    """The error names it and what would be right."""
    with pytest.raises(ValueError, match="must be the name of a time zone, as 'America/New_York'"):
        zone_of(name)


def test_a_date_begins_in_its_zone() -> None:
    """And an instant is one."""
    new_york = ZoneInfo("America/New_York")
    assert bound(date(2026, 3, 9), new_york) == datetime(2026, 3, 9, 4, tzinfo=UTC)
    assert bound(datetime(2026, 3, 9, 4, tzinfo=UTC), new_york) == datetime(
        2026, 3, 9, 4, tzinfo=UTC
    )
