"""The answers to the recipes' questions from what the simulator knows: its events, and what it answered when.

Nothing here reads what was published.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from unittest.mock import ANY
from zoneinfo import ZoneInfo

from tests.recipes import fortnight as world
from tests.recipes.fortnight import Fortnight

__all__ = ["Rows", "Truth"]

Rows = list[dict[str, Any]]
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_OFF: Final = timedelta(
    seconds=2
)  # whole minutes before the service's now end so long after the hour
_LAST: Final = world.LAST.date()
_SERIES: Final = [(each, way) for each in ("interchange", "parcel") for way in ("in", "out")]
_PARTNERS: Final = {
    "Contoso": {"mailbox-0005"},
    "Fabrikam": {"mailbox-0002", "mailbox-0004"},
    "Northwind": {"mailbox-0099"},
}
_NEW_YORK: Final = ZoneInfo("America/New_York")
_UTC: Final = ZoneInfo("UTC")


class Truth:
    """The answers, in the order of the page; a method for each recipe."""

    def __init__(self, fortnight: Fortnight) -> None:
        self._fortnight = fortnight
        self.known = {session: self._known(session) for session in world.SESSIONS}

    def hours(self) -> Rows:
        """Yesterday's, of all sessions of which they are known."""
        found = []
        for number in range(24):
            hour = datetime.combine(_LAST - _DAY, datetime.min.time(), _UTC) + number * _HOUR
            sessions = [each for each in world.SESSIONS if hour in self.known[each]]
            total = self._total((each, [hour]) for each in sessions)
            found += [
                {"hour_start": hour, "traffic": series[0], "direction": series[1]}
                | {"sessions": len(sessions), "estimate": total[series]}
                for series in _SERIES
            ]
        return found

    def totals(self) -> Rows:
        """Of all sessions, by the day of New York; complete where all of them have all 24 hours."""
        found = []
        for day in sorted({_day(hour, _NEW_YORK) for each in self.known.values() for hour in each}):
            hours = {session: self._hours_of(session, day, _NEW_YORK) for session in self.known}
            total = self._total(hours.items())
            complete = all(len(each) == 24 for each in hours.values())
            found += [
                {"day": day, "traffic": series[0], "direction": series[1]}
                | {"estimate": total[series], "complete": complete}
                for series in _SERIES
            ]
        return found

    def by_day(self) -> Rows:
        """The same in UTC; the day is an instant."""
        found = []
        for day in sorted({_day(hour, _UTC) for each in self.known.values() for hour in each}):
            hours = ((session, self._hours_of(session, day, _UTC)) for session in self.known)
            total = self._total(hours)
            found += [
                {"day": ANY, "traffic": series[0], "direction": series[1]}
                | {"estimate": total[series]}
                for series in _SERIES
            ]
        return found

    def unknown(self) -> Rows:
        """Hours of the last night that nobody answered, and between which others are known."""
        return [
            {"session": session, "span_start": hour, "span_end": hour + _HOUR, "calls": ANY}
            | {"state": "failed", "fault_class": "server"}
            for session in world.SESSIONS
            for hour in self.unseen(session)
        ]

    def healed(self) -> Rows:
        """The session that was refused for two nights, and let in again in the last one."""
        session, nights = world.REVOKED
        since = _hour(world.FIRST + (min(nights) - 1) * _DAY)
        until = _hour(world.FIRST + max(nights) * _DAY)
        return [
            {"session": session, "since": since, "until": until, "spans": (until - since) // _HOUR}
        ]

    def restated(self) -> Rows:
        """Series with traffic on a day for which the service told of none later; all hours that the day touches."""
        start, end = world.BY_HAND + _OFF - _DAY, world.BY_HAND + _OFF
        hours = {"since": _hour(start), "until": _hour(end) + _HOUR, "spans": 25}
        return [
            {"session": session, "traffic": series[0], "direction": series[1], **hours}
            for session in world.SESSIONS
            for series in _SERIES
            if self._between(session, start, end)[series]
        ]

    def silent(self) -> Rows:
        """The one that stopped; not those that never sent, nor one whose last days are not all known."""
        days = self._days(world.SILENT, 30)
        heard = max(day for day, counts in days.items() if _parcels(counts))
        assert heard == world.SILENT_SINCE.date()
        before = sum(_parcels(counts) for counts in days.values())
        return [{"session": world.SILENT, "last_day_with_traffic": heard, "parcels_before": before}]

    def busiest(self) -> Rows:
        """Five of them."""
        found: Rows = [
            {
                "session": session,
                **self._both(session, 7),
                "complete": self._is_complete(session, 7),
            }
            for session in world.SESSIONS
        ]
        return sorted(found, key=lambda row: (-row["interchanges"], row["session"]))[:5]

    def weeks(self) -> Rows:
        """Interchanges, both directions."""
        return [
            {
                "session": session,
                "last_week": self._both(session, 14)["interchanges"]
                - self._both(session, 7)["interchanges"],
                "this_week": self._both(session, 7)["interchanges"],
                "complete": self._is_complete(session, 14),
            }
            for session in world.SESSIONS
        ]

    def ratio(self) -> Rows:
        """By session and direction, of all that is known."""
        found = []
        for session in world.SESSIONS:
            total = self._total([(session, self.known[session])])
            found += [
                {"session": session, "direction": way, "parcels": total["parcel", way]}
                | {"interchanges": total["interchange", way]}
                for way in ("in", "out")
            ]
        return found

    def failed(self) -> Rows:
        """By date, run, state and fault; `said` is left to the page, and whom the outage met first to chance."""
        found = []
        for moment, run in sorted(self._fortnight.runs.items()):
            faults = {**run["faults"]}
            rows = [("failed", fault, faults[fault]) for fault in sorted(faults)]
            if run["not_attempted"]:
                rows.append(("not_attempted", None, run["not_attempted"]))
            found += [
                {"run_date": moment.date(), "run_id": run["run_id"], "state": state}
                | {"fault_class": fault, "calls": calls, "sessions": ANY}
                for state, fault, calls in rows
            ]
        return found

    def loaded(self) -> Rows:
        """Every run once, eight rows an answer; a run without answers has none."""
        ran = [
            {"run_id": run["run_id"], "rows": run["ok"] * 8}
            for run in self._fortnight.runs.values()
        ]
        return [row for row in ran if row["rows"]]

    def partners(self) -> Rows:
        """By what tests/recipes knows of the list."""
        listed = set[str]().union(*_PARTNERS.values())
        of = {**_PARTNERS, "not in the list": set(world.SESSIONS) - listed}
        return [
            {"partner": partner, "sessions": len(sessions & {*world.SESSIONS})}
            | {"never_asked": len(sessions - {*world.SESSIONS})}
            | {"interchanges": self._interchanges(sessions & {*world.SESSIONS})}
            for partner, sessions in sorted(of.items())
        ]

    def exported(self) -> Rows:
        """Seven days as they are."""
        rows = [
            {"day": day, "session": session}
            | {"traffic": series[0], "direction": series[1], "estimate": counts[series]}
            for session in world.SESSIONS
            for day, counts in self._days(session, 7).items()
            for series in _SERIES
        ]
        return sorted(rows, key=lambda row: tuple(row.values()))

    def unseen(self, session: str) -> list[datetime]:
        """The hours between its first and its last known one that are not known."""
        known = self.known[session]
        hours = (max(known) - min(known)) // _HOUR
        every = (min(known) + number * _HOUR for number in range(hours))
        return [hour for hour in every if hour not in known]

    def _known(self, session: str) -> set[datetime]:
        """The hours that an answer counted, and those between two neighbouring answers of a run."""
        found: set[datetime] = set()
        for moment in sorted(self._fortnight.runs):
            answers = self._fortnight.answered.get((moment, session), ())
            starts = sorted(
                _hour(moment - timedelta(minutes=longer))
                for shorter, longer in answers
                if shorter < longer
            )
            found.update(starts)
            found.update(one + _HOUR for one, other in pairwise(starts) if other - one == 2 * _HOUR)
        return found

    def _between(self, session: str, start: datetime, end: datetime) -> dict[tuple[str, str], int]:
        return self._fortnight.traffic.between(session, start, end)

    def _total(self, hours: Iterable[tuple[str, Iterable[datetime]]]) -> Counter[tuple[str, str]]:
        """What happened in some hours of some sessions, as the service counts them."""
        found: Counter[tuple[str, str]] = Counter()
        for session, some in hours:
            for hour in some:
                found.update(self._between(session, hour + _OFF, hour + _HOUR + _OFF))
        return found

    def _hours_of(self, session: str, day: date, zone: ZoneInfo) -> list[datetime]:
        return [hour for hour in self.known[session] if _day(hour, zone) == day]

    def _days(self, session: str, days: int) -> dict[date, Counter[tuple[str, str]]]:
        """Of the last so many days in UTC before the last night."""
        found = {}
        for number in range(days, 0, -1):
            day = _LAST - number * _DAY
            if hours := self._hours_of(session, day, _UTC):
                found[day] = self._total([(session, hours)])
        return found

    def _is_complete(self, session: str, days: int) -> bool:
        every = (_LAST - number * _DAY for number in range(1, days + 1))
        return all(len(self._hours_of(session, day, _UTC)) == 24 for day in every)

    def _both(self, session: str, days: int) -> dict[str, int]:
        found = self._days(session, days).values()
        return {
            f"{traffic}s": sum(counts[traffic, way] for counts in found for way in ("in", "out"))
            for traffic in ("interchange", "parcel")
        }

    def _interchanges(self, sessions: set[str]) -> int:
        total = self._total((each, self.known[each]) for each in sessions)
        return total["interchange", "in"] + total["interchange", "out"]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0)


def _day(hour: datetime, zone: ZoneInfo) -> date:
    return hour.astimezone(zone).date()


def _parcels(counts: Counter[tuple[str, str]]) -> int:
    return counts["parcel", "in"] + counts["parcel", "out"]
