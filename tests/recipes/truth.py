"""The answers to the recipes' questions from what the simulator knows: its events, and what it answered when.

Nothing here reads what was published.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final
from unittest.mock import ANY

from tests.recipes import fortnight as world
from tests.recipes.fortnight import Fortnight

__all__ = ["Rows", "Truth"]

Rows = list[dict[str, Any]]
_DAY: Final = timedelta(days=1)
_LAST: Final = (world.FIRST + (world.NIGHTS - 1) * _DAY).date()
_SERIES: Final = [(each, way) for each in ("interchange", "parcel") for way in ("in", "out")]
_PARTNERS: Final = {
    "Contoso": {"mailbox-0005"},
    "Fabrikam": {"mailbox-0002", "mailbox-0004"},
    "Northwind": {"mailbox-0099"},
}


class Truth:
    """The answers, in the order of the page; a method for each recipe."""

    def __init__(self, fortnight: Fortnight) -> None:
        self._fortnight = fortnight

    def hours(self) -> Rows:
        """Yesterday's hours; each session's from the first run that has it."""
        yesterday, taken = _LAST - _DAY, set()
        total: Counter[tuple[datetime, str, str]] = Counter()
        sessions: Counter[tuple[datetime, str, str]] = Counter()
        for session in world.SESSIONS:
            for start, end in self._spans(session):
                hour = start.replace(minute=0, second=0)
                if start.date() != yesterday or (session, hour) in taken:
                    continue
                taken.add((session, hour))
                counts = self._fortnight.traffic.between(session, start, end)
                total.update({(hour, *series): count for series, count in counts.items()})
                sessions.update((hour, *series) for series in counts)
        return [
            {"hour": hour, "traffic": traffic, "direction": direction}
            | {"sessions": sessions[hour, traffic, direction]}
            | {"estimate": total[hour, traffic, direction]}
            for hour, traffic, direction in sorted(sessions)
        ]

    def silent(self) -> Rows:
        """The one that stopped; not those that never sent, nor the one that was refused."""
        before = [count for day, count in self._parcels(world.SILENT) if day < _LAST - 2 * _DAY]
        heard = max(day for day, count in self._parcels(world.SILENT) if count)
        assert heard == world.SILENT_SINCE.date()
        silent = {"last_night_with_traffic": heard, "parcels_before": sum(before)}
        return [{"session": world.SILENT, **silent, "nights_of_silence": 3}]

    def busiest(self) -> Rows:
        """Five of them."""
        found: Rows = [
            {"session": session, **self._both(session, 7), "nights": len(self._nights(session, 7))}
            for session in world.SESSIONS
        ]
        return sorted(found, key=lambda row: (-row["interchanges"], row["session"]))[:5]

    def missing(self) -> Rows:
        """By date, run, state and fault; `said` is left to the page, and whom the outage met first to chance."""
        runs = {f"{moment:%Y-%m-%d %H}": run for moment, run in self._fortnight.runs.items()}
        night = [world.FIRST + number * _DAY for number in range(world.NIGHTS)]

        def row(number: int, state: str, fault: str | None, calls: int, sessions: object) -> Any:
            run = runs.get(f"{night[number]:%Y-%m-%d %H}", {"run_id": None})
            of = {"run_date": night[number].date(), "run_id": run["run_id"], "state": state}
            return {**of, "fault_class": fault, "calls": calls, "sessions": sessions}

        down = runs[f"{night[world.OUTAGE]:%Y-%m-%d %H}"]
        spotty = sum(12 - self._calls(night[world.SPOTTY], each) for each in world.SESSIONS)
        hit = [each for each in world.SESSIONS if self._calls(night[world.SPOTTY], each) < 12]
        refused = runs[f"{night[world.REVOKED[1]]:%Y-%m-%d %H}"]["faults"]
        assert (down["failed"] + down["not_attempted"], sum(refused.values())) == (96, 12)
        return [
            row(world.OUTAGE, "failed", "server", down["failed"], ANY),
            row(world.OUTAGE, "not_attempted", None, down["not_attempted"], ANY),
            row(world.NO_RUN, "no run", None, 0, 0),
            row(world.SPOTTY, "failed", "server", spotty, len(hit)),
            row(world.REVOKED[1], "failed", "authentication", refused["authentication"], 1),
            row(world.REVOKED[1], "failed", "credential", refused["credential"], 1),
        ]

    def weeks(self) -> Rows:
        """Interchanges a night, both directions."""
        found = []
        for session in world.SESSIONS:
            of_week: dict[bool, list[int]] = defaultdict(list)
            for day, counts in self._nights(session, 14).items():
                of_week[day > _LAST - 7 * _DAY].append(
                    sum(counts["interchange", way] for way in ("in", "out"))
                )
            last, this = (sum(of_week[each]) / len(of_week[each]) for each in (False, True))
            row: dict[str, Any] = {"session": session, "last_week": last, "this_week": this}
            row |= {"last_week_nights": len(of_week[False]), "this_week_nights": len(of_week[True])}
            found.append(row | {"change_percent": 100 * (this - last) / last if last else None})
        return found

    def ratio(self) -> Rows:
        """By session and direction."""
        found = []
        for session in world.SESSIONS:
            for way in ("in", "out"):
                parcels, interchanges = (
                    sum(counts[traffic, way] for counts in self._nights(session, 14).values())
                    for traffic in ("parcel", "interchange")
                )
                row = {"session": session, "direction": way, "parcels": parcels}
                ratio = interchanges / parcels if parcels else None
                found.append(row | {"interchanges": interchanges, "interchanges_per_parcel": ratio})
        return found

    def loaded(self) -> Rows:
        """Every run once, eight rows an answer; a run without answers has none."""
        ran = [
            {"run_id": run["run_id"], "rows": run["ok"] * 8}
            for run in self._fortnight.runs.values()
        ]
        return [row for row in ran if row["rows"]]

    def gaps(self) -> Rows:
        """Hours that no run saw."""
        found = []
        for session in world.SESSIONS:
            spans = sorted(self._spans(session))
            until = spans[0][1]
            for start, end in spans:
                if start > until:
                    found.append({"session": session, "gap_start": until, "gap_end": start})
                until = max(until, end)
        return found

    def partners(self) -> Rows:
        """By what tests/recipes knows of the list."""
        listed = set[str]().union(*_PARTNERS.values())
        of = {**_PARTNERS, "not in the list": set(world.SESSIONS) - listed}
        return [
            {"partner": partner, "sessions": len(sessions & set(world.SESSIONS))}
            | {"never_asked": len(sessions - set(world.SESSIONS))}
            | {"interchanges": sum(self._both(each, 7)["interchanges"] for each in sessions)}
            for partner, sessions in sorted(of.items())
        ]

    def exported(self) -> Rows:
        """Seven nights as they are."""
        rows = [
            {"run_date": day, "session": session}
            | {"traffic": series[0], "direction": series[1], "count": counts[series]}
            for session in world.SESSIONS
            for day, counts in self._nights(session, 7).items()
            for series in _SERIES
        ]
        return sorted(rows, key=lambda row: tuple(row.values()))

    def _nights(self, session: str, days: int) -> dict[date, dict[tuple[str, str], int]]:
        """The 24 hours before the first run of each date that has them."""
        found: dict[date, dict[tuple[str, str], int]] = {}
        for moment in sorted(self._fortnight.runs):
            has = 1440 in self._fortnight.answered.get((moment, session), ())
            if has and moment.date() not in found and moment.date() > _LAST - days * _DAY:
                counts = self._fortnight.traffic.between(session, moment - _DAY, moment)
                found[moment.date()] = counts
        return found

    def _both(self, session: str, days: int) -> dict[str, int]:
        nights = self._nights(session, days).values()
        return {
            f"{traffic}s": sum(counts[traffic, way] for counts in nights for way in ("in", "out"))
            for traffic in ("interchange", "parcel")
        }

    def _parcels(self, session: str) -> list[tuple[date, int]]:
        nights = self._nights(session, 14).items()
        return [(day, counts["parcel", "in"] + counts["parcel", "out"]) for day, counts in nights]

    def _calls(self, start: datetime, session: str) -> int:
        """How many of a run's calls were answered; each asks for two windows."""
        return len(self._fortnight.answered[start + timedelta(seconds=2), session]) // 2

    def _spans(self, session: str) -> Iterator[tuple[datetime, datetime]]:
        """What lies between neighbouring windows that were answered, run by run."""
        for moment in sorted(self._fortnight.runs):
            shorter = 0
            for minutes in sorted(self._fortnight.answered.get((moment, session), ())):
                yield moment - timedelta(minutes=minutes), moment - timedelta(minutes=shorter)
                shorter = minutes
