"""Wanted minus known: the spans that the next run asks for. Reads the history, asks no clock and sends nothing.

Wanted is every span of the grid, of each session from its first known edge, or `since` before the first run that asked
for it, to the last full span, as far back as the service can answer. Known is what the history has, exact or bounded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from collector.domain.calls import MAX_WINDOW_MINUTES, Span
from pipelines.contract import TRAFFIC_HISTORY
from pipelines.history.asked import Asked
from pipelines.history.observations import instants
from pipelines.history.stretches import NOTHING, Stretches, common, stretches_of
from pipelines.lake import Lake
from pipelines.read import OpenLake

__all__ = ["Coverage", "Grid", "Known", "Wanted", "coverage_of", "known_of", "wanted_of"]

_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
_DAY_US: Final = 86_400 * _SECOND_US
# an edge is asked for to the nearest minute, at least one
_YOUNGEST_US: Final = _MINUTE_US // 2
# a call may wait so long until it is sent
_WAITING_US: Final = 60 * _MINUTE_US
_REACH_US: Final = MAX_WINDOW_MINUTES * _MINUTE_US
_SOON_US: Final = 3 * _DAY_US
_HISTORY: Final = TRAFFIC_HISTORY.name
_SESSIONS: Final = 200  # at a time


@dataclass(frozen=True, slots=True)
class Grid:
    """Which edges there are to ask for now; microseconds since 1970 and durations in microseconds.

    Attributes:
        every: the distance of two edges.
        since: how far back a new session begins.
        settle: the youngest stretch that is left to a later run.
    """

    now_us: int
    every: int
    since: int
    settle: int = 0

    @property
    def last(self) -> int:
        """The youngest edge."""
        return (self.now_us - max(self.settle, _YOUNGEST_US)) // self.every * self.every

    @property
    def first(self) -> int:
        """The oldest edge that the service can answer for."""
        return -(-(self.now_us - _REACH_US + _WAITING_US) // self.every) * self.every

    def expires(self, start: int) -> int:
        """Until when a span that starts there can be asked for."""
        return start + _REACH_US - _WAITING_US

    @property
    def day(self) -> int:
        """Where the youngest day begins."""
        return self.last - _DAY_US

    def spans(self, start: int, end: int) -> Iterator[Span]:
        """The spans between two edges."""
        return (_span(edge, edge + self.every) for edge in range(start, end, self.every))


@lru_cache(maxsize=1 << 16)  # the sessions of a plan want the same
def _span(start: int, end: int) -> Span:
    return Span(start, end)


@dataclass(frozen=True, slots=True)
class Known:
    """What the history knows of a session.

    Attributes:
        first: its first known edge, as far as it matters; microseconds since 1970.
        stretches: that are known, of every traffic and direction.
        last: its last known edge, where all that is known is out of the service's reach; else 0.
    """

    first: int
    stretches: Stretches = NOTHING
    last: int = 0

    def covers(self, start: int, end: int) -> bool:
        """Whether all of a span is known."""
        return self.stretches.covers(start, end)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted and not known of a session.

    Attributes:
        new: spans that no earlier run could ask for.
        missed: spans that one could have asked for, and that are asked for now.
        answered: spans that are not asked for again, since the service answered without a count.
    """

    session: str
    new: tuple[Span, ...] = ()
    missed: tuple[Span, ...] = ()
    answered: tuple[Span, ...] = ()


def wanted_of(
    grid: Grid,
    sessions: Iterable[str],
    known: Mapping[str, Known],
    asked: Mapping[str, Asked] = MappingProxyType({}),
) -> list[Wanted]:
    """The spans that are wanted of each session and not known, ascending."""
    frontier = max((each.stretches.last for each in known.values()), default=0)
    return [
        _wanted(grid, session, known.get(session), asked.get(session), frontier)
        for session in sessions
    ]


def _wanted(
    grid: Grid, session: str, known: Known | None, asked: Asked | None, frontier: int
) -> Wanted:
    new: list[Span] = []
    missed: list[Span] = []
    answered: list[Span] = []
    for span in grid.spans(_begin(grid, known, asked), grid.last):
        if known is not None and known.covers(span.start_us, span.end_us):
            continue
        if asked is not None and asked.answered.covers(span.start_us, span.end_us):
            answered.append(span)
            continue
        could = max(frontier if known is not None else 0, asked.last if asked is not None else 0)
        is_missed = span.end_us <= could or (span.start_us < grid.day and could > 0)
        (missed if is_missed else new).append(span)
    return Wanted(session, tuple(new), tuple(missed), tuple(answered))


def _begin(grid: Grid, known: Known | None, asked: Asked | None) -> int:
    """The edge from which on a session is wanted: its first known one, or `since` before it was first asked for."""
    first = asked.first if asked is not None else grid.last
    begin = first - grid.since // grid.every * grid.every
    if known is not None:
        begin = min(known.first, begin) if asked is not None else known.first
    return max(-(-begin // grid.every) * grid.every, grid.first)


def known_of(lake: Lake, grid: Grid, sessions: Sequence[str]) -> dict[str, Known]:
    """What the history knows of sessions, as far back as the service can answer; of those that it has.

    Raises:
        PublicationError: the history cannot be read.
    """
    reader, ordered, known = OpenLake(lake), sorted(set(sessions)), dict[str, Known]()
    at_once = max(_SESSIONS, len(ordered) // 10)
    for first in range(0, len(ordered), at_once):
        known |= _known_of_some(reader, grid, ordered[first : first + at_once])
    return known


def _known_of_some(reader: OpenLake, grid: Grid, sessions: Sequence[str]) -> dict[str, Known]:
    since = datetime.fromtimestamp((grid.first - _DAY_US) // _SECOND_US, UTC)
    columns = ["session", "traffic", "direction", "span_start", "span_end", "state"]
    rows = reader.table(_HISTORY, since=since, sessions=sessions, columns=columns)
    first = _edges(rows, "span_start", "min")
    absent = [session for session in sessions if session not in first]
    stretches = _known_of_all(rows)
    known = {
        session: Known(edge, stretches.get(session, NOTHING)) for session, edge in first.items()
    }
    if absent:  # what was known of them is out of reach
        older = reader.table(_HISTORY, sessions=absent, columns=["session", "span_end"])
        last = _edges(older, "span_end", "max")
        known |= {session: Known(0, last=edge) for session, edge in last.items()}
    return known


def _known_of_all(rows: pa.Table) -> dict[str, Stretches]:
    """By session, what is known of every traffic and direction that it has."""
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    code, labels = pd.factorize(frame["session"])
    kinds = frame.groupby(["traffic", "direction"], sort=False).ngroup().to_numpy()
    key = pd.Series(code * len(kinds) + kinds)
    count = pd.Series(key.unique() // max(len(kinds), 1)).value_counts()
    is_seen = (frame["state"] != "unseen").to_numpy(np.bool_)
    start, end = (instants(frame[name])[is_seen] for name in ("span_start", "span_end"))
    of_session: dict[int, list[Stretches]] = {}
    for series, stretches in stretches_of(key[is_seen], start, end).items():
        of_session.setdefault(int(series) // len(kinds), []).append(stretches)
    return {
        str(labels[number]): common(each)
        for number, each in of_session.items()
        if len(each) == count[number]
    }


def _edges(rows: pa.Table, column: str, which: Literal["min", "max"]) -> dict[str, int]:
    found = rows.group_by("session").aggregate([(column, which)])
    edges = found[f"{column}_{which}"].cast(pa.int64()).to_numpy().tolist()
    return dict(zip(found["session"].to_numpy().tolist(), edges, strict=True))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the history is known, in spans; one counts once, not for each traffic and direction.

    Attributes:
        spans: of all sessions up to now, `exact + bounded + unseen`.
        healed: spans of earlier nights that this run made known.
        lost: unseen, and the service cannot answer for them any more.
        expiring: still asked for, and lost within three days if no answer comes.
        next_expiry_us: when the first of all that are still asked for is lost, in microseconds since 1970.
    """

    spans: int
    exact: int
    bounded: int
    unseen: int
    healed: int = 0
    lost: int = 0
    expiring: int = 0
    next_expiry_us: int | None = None


def coverage_of(
    lake: Lake, grid: Grid, still_wanted: Sequence[Wanted], known: Mapping[str, Known], healed: int
) -> Coverage:
    """The sums of the history, and of what its sessions have behind their last known edge.

    Raises:
        PublicationError: the history cannot be read.
    """
    manifest = lake.published(lambda _run_id, _entry: False).derived
    counts = manifest.counts if manifest else {}
    sums = dict.fromkeys(("exact", "bounded", "unseen"), 0)
    edge = datetime.fromtimestamp(grid.first // _SECOND_US, UTC)
    lost = 0
    for name, count in counts.items():
        day, _, state = name.partition(" ")
        sums[state] += count
        if state == "unseen" and date.fromisoformat(day) < edge.date():
            lost += count
    behind = sum(
        each.session not in known
        or span.end_us <= known[each.session].first
        or span.start_us >= known[each.session].stretches.last
        for each in still_wanted
        for span in (*each.new, *each.missed, *each.answered)
    )
    never = sum(  # no row says so, since none follows them
        max(0, grid.first - each.last) // grid.every for each in known.values() if each.last
    )
    lost += never + _lost_on(lake, grid, edge.date(), counts)
    unseen = sums["unseen"] + behind + never
    expiries = [
        grid.expires(span.start_us) for each in still_wanted for span in (*each.new, *each.missed)
    ]
    return Coverage(
        sums["exact"] + sums["bounded"] + unseen,
        sums["exact"],
        sums["bounded"],
        unseen,
        healed,
        lost,
        expiring=sum(at < grid.now_us + _SOON_US for at in expiries),
        next_expiry_us=min(expiries, default=None),
    )


def _lost_on(lake: Lake, grid: Grid, day: date, counts: Mapping[str, int]) -> int:
    """Spans of the day of the oldest edge that are unseen and begin before it."""
    if not counts.get(f"{day} unseen"):
        return 0
    edge = datetime.fromtimestamp(grid.first // _SECOND_US, UTC)
    rows = OpenLake(lake).table(
        _HISTORY,
        since=day,
        until=day,
        columns=["session", "span_start"],
        where=(pc.field("state") == "unseen") & (pc.field("span_start") < pa.scalar(edge)),
    )
    return int(rows.group_by(["session", "span_start"]).aggregate([]).num_rows)
