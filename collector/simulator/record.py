"""What the simulator remembers: every arrival, and the truth behind every answer. Bounded."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Final, TypeVar

__all__ = ["Answered", "Arrival", "Log", "instant"]

_MICROSECONDS: Final = 1_000_000

_Entry = TypeVar("_Entry")


def instant(at_us: int) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return f"{_second(at_us // _MICROSECONDS)}.{at_us % _MICROSECONDS:06d}Z"


@lru_cache(maxsize=1_024)
def _second(second: int) -> str:
    """The instant without fraction; a log names each second many times."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@dataclass(slots=True)
class Arrival:
    """One request, filled in as it is dealt with.

    Attributes:
        number: position in order of arrival, from 1.
        monotonic: the simulator's monotonic clock when the first byte had come, in seconds.
        wall_us: the machine's clock at that moment.
        session: the label of the mailbox that is asked about, else of the caller, "" where there is none; never the
            credential.
        status: 0 while it is being dealt with, and where nothing was answered.
        fault: what went wrong, "" for an answer.
        hits: the switches that hit it.
    """

    number: int
    monotonic: float
    wall_us: int
    connection: int
    operation: str = ""
    binding: str = ""
    session: str = ""
    minutes1: int | None = None
    minutes2: int | None = None
    status: int = 0
    fault: str = ""
    hits: tuple[str, ...] = ()
    answered_monotonic: float | None = None

    def shown(self) -> dict[str, object]:
        """The arrival as JSON has it."""
        return {
            "number": self.number,
            "monotonic": self.monotonic,
            "wall": instant(self.wall_us),
            "wall_us": self.wall_us,
            "connection": self.connection,
            "operation": self.operation,
            "binding": self.binding,
            "session": self.session,
            "minutes1": self.minutes1,
            "minutes2": self.minutes2,
            "status": self.status,
            "fault": self.fault,
            "hits": list(self.hits),
            "answered_monotonic": self.answered_monotonic,
        }


@dataclass(frozen=True, slots=True)
class Answered:
    """The truth behind one answer of ReportInstantStats.

    Attributes:
        arrival: the number of the request.
        now1_us: where the first window ends; `now2_us` where the second does.
        counts: the eight counts in the order of the columns, before any switch altered them.
        altered: the switches that made the answer say something else, or nothing.
    """

    arrival: int
    session: str
    minutes1: int
    minutes2: int
    now1_us: int
    now2_us: int
    counts: tuple[int, ...]
    altered: tuple[str, ...] = ()

    def shown(self) -> dict[str, object]:
        """The truth as JSON has it."""
        return {
            "arrival": self.arrival,
            "session": self.session,
            "minutes1": self.minutes1,
            "minutes2": self.minutes2,
            "now1": instant(self.now1_us),
            "now1_us": self.now1_us,
            "now2": instant(self.now2_us),
            "now2_us": self.now2_us,
            "counts": list(self.counts),
            "altered": list(self.altered),
        }


@dataclass(slots=True)
class Log:
    """Arrivals and answers, the newest `cap` of each; older ones are dropped and counted."""

    cap: int = 1_000_000
    arrivals: deque[Arrival] = field(init=False)
    answers: deque[Answered] = field(init=False)
    total: int = 0
    answered_total: int = 0

    def __post_init__(self) -> None:
        if self.cap < 1:
            raise ValueError(f"a log of {self.cap} entries: must be 1 or more")
        self.arrivals = deque(maxlen=self.cap)
        self.answers = deque(maxlen=self.cap)

    def arrived(self, monotonic: float, wall_us: int, connection: int) -> Arrival:
        """A new entry at the end."""
        self.total += 1
        arrival = Arrival(self.total, monotonic, wall_us, connection)
        self.arrivals.append(arrival)
        return arrival

    def answered(self, answer: Answered) -> None:
        """Remembers the truth behind an answer."""
        self.answered_total += 1
        self.answers.append(answer)

    @property
    def dropped(self) -> int:
        """Arrivals that are no longer here."""
        return self.total - len(self.arrivals)

    @property
    def answers_dropped(self) -> int:
        """Answers that are no longer here."""
        return self.answered_total - len(self.answers)

    def since(self, number: int, limit: int | None = None) -> Iterator[Arrival]:
        """Arrivals after that number in order, at most `limit` numbers further."""
        return _part(self.arrivals, number - self.dropped, limit)

    def answers_since(self, number: int, limit: int | None = None) -> Iterator[Answered]:
        """Answers after the one of that number, counted from 1, at most `limit` numbers further."""
        return _part(self.answers, number - self.answers_dropped, limit)


def _part(entries: deque[_Entry], skipped: int, limit: int | None) -> Iterator[_Entry]:
    """The entries behind the first `skipped`, of which some may have been dropped (then it is negative)."""
    until = None if limit is None else max(skipped + limit, 0)
    return islice(entries, max(skipped, 0), until)
