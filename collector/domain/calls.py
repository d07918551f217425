"""What is asked: trailing windows, spans between instants, and calls with their readable ids. No clock, no I/O.

An argument has a text without a colon, so a call's id, `session:operation:arguments`, is read from its end and two
different calls never share one, whatever the label. Times are microseconds since 1970-01-01T00:00:00Z (`_us`).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, NewType, Self

__all__ = [
    "MAX_WINDOW_MINUTES",
    "MIN_WINDOW_MINUTES",
    "Argument",
    "Call",
    "CallId",
    "Pairing",
    "Span",
    "Trailing",
    "arguments_of",
    "arguments_text",
    "call_id_of",
    "ids_of",
]

MIN_WINDOW_MINUTES: Final = 1
MAX_WINDOW_MINUTES: Final = (
    32_767  # xs:short, the type of Minutes1 and Minutes2 in the service's contract
)

_SECOND_US: Final = 1_000_000
_LAST_US: Final = 253_402_300_799 * _SECOND_US  # 9999-12-31T23:59:59Z
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_TRAILING: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,5})", re.ASCII)
_EDGE: Final = r"([0-9]{8}T[0-9]{4}(?:[0-9]{2})?)Z"
_SPAN: Final = re.compile(f"{_EDGE}-{_EDGE}", re.ASCII)

CallId = NewType("CallId", str)


class Pairing(StrEnum):
    """How the windows or edges of a session are put into calls of two."""

    PAIRS = "pairs"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True, order=True)
class Trailing:
    """Two windows that end at the service's now; equal ones are a probe of whether both share one now.

    Attributes:
        minutes1: 1 to 32,767.
        minutes2: 1 to 32,767.

    Raises:
        ValueError: a window is outside that range.
    """

    minutes1: int
    minutes2: int

    def __post_init__(self) -> None:
        for minutes in (self.minutes1, self.minutes2):
            if not MIN_WINDOW_MINUTES <= minutes <= MAX_WINDOW_MINUTES:
                raise ValueError(
                    f"a window of {minutes} minutes: must be {MIN_WINDOW_MINUTES} to {MAX_WINDOW_MINUTES}"
                )

    def __str__(self) -> str:
        return f"{self.minutes1}-{self.minutes2}"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The time between two edges, which are whole seconds from 1970 to 9999.

    Attributes:
        start_us: the older edge.
        end_us: the younger edge.

    Raises:
        ValueError: an edge is not such an instant, or the start is not before the end.
    """

    start_us: int
    end_us: int

    def __post_init__(self) -> None:
        for edge in (self.start_us, self.end_us):
            if edge % _SECOND_US or not 0 <= edge <= _LAST_US:
                raise ValueError(
                    f"an edge at {edge} microseconds since 1970: must be a whole second, of 1970 to 9999"
                )
        if self.start_us >= self.end_us:
            raise ValueError(f"a span {self}: must start before it ends")

    def __str__(self) -> str:
        return f"{_edge_text(self.start_us)}-{_edge_text(self.end_us)}"


Argument = int | Trailing | Span


@dataclass(frozen=True, slots=True)
class Call:
    """One planned request of a report: a session, an operation and its arguments. Made by `of`.

    Attributes:
        call_id: made of the other fields alone, so the same plan has the same ids.
        session: the session's label.
        operation: the name of the service's operation, `ReportInstantStats` for instance.
        arguments: what is asked for, in the order of the operation's parameters.
    """

    call_id: CallId
    session: str
    operation: str
    arguments: tuple[Argument, ...]

    @classmethod
    def of(cls, session: str, operation: str, arguments: tuple[Argument, ...]) -> Self:
        """The call with its id, `acme:ReportInstantStats:60-120` for instance."""
        call_id = call_id_of(session, operation, arguments_text(arguments))
        return cls(call_id, session, operation, arguments)

    @property
    def ids(self) -> tuple[int, ...]:
        """The network, mailbox and ECGridID that it names; none where it asks about the session's own mailbox."""
        return ids_of(self.arguments)

    @classmethod
    def of_id(cls, call_id: str) -> Self:
        """The call that has this id.

        Raises:
            ValueError: it is no id of a call.
        """
        session, *rest = call_id.rsplit(":", 2)
        if len(rest) != 2:
            raise ValueError(f"{call_id!r} is no call's id: must be session:operation:arguments")
        operation, text = rest
        return cls(CallId(call_id), session, operation, arguments_of(text))


def ids_of(arguments: tuple[Argument, ...]) -> tuple[int, ...]:
    """The ids among a call's arguments."""
    return tuple(each for each in arguments if isinstance(each, int))


def call_id_of(session: str, operation: str, arguments: str) -> CallId:
    """The id of the call with these arguments, given as text."""
    return CallId(f"{session}:{operation}:{arguments}")


@lru_cache(maxsize=4096)  # the sessions of a plan ask for the same
def arguments_text(arguments: tuple[Argument, ...]) -> str:
    """Arguments as text without a colon: `60-120`, `20260131T0000Z-20260131T0100Z`, `314,2718,0,60-120`.

    The seconds of an edge are shown where they are not zero.
    """
    return ",".join(map(str, arguments))


@lru_cache(maxsize=4096)
def arguments_of(text: str) -> tuple[Argument, ...]:
    """The arguments of that text.

    Raises:
        ValueError: it is not what `arguments_text` makes of any arguments.
    """
    arguments = tuple(map(_argument, text.split(","))) if text else ()
    written = arguments_text(arguments)
    if written != text:  # a zero in front, say: one value has one text
        raise ValueError(f"arguments {text!r}: must be written {written!r}")
    return arguments


def _argument(text: str) -> Argument:
    if _INTEGER.fullmatch(text):
        return int(text)
    if found := _TRAILING.fullmatch(text):
        return Trailing(int(found[1]), int(found[2]))
    if found := _SPAN.fullmatch(text):
        return Span(_edge_us(found[1]), _edge_us(found[2]))
    raise ValueError(
        f"{text!r} is no argument: must be a whole number, two windows (60-120) or two edges"
        " (20260131T0000Z-20260131T0100Z)"
    )


def _edge_text(edge_us: int) -> str:
    instant = _EPOCH + timedelta(microseconds=edge_us)
    seconds = f"{instant.second:02}" if instant.second else ""
    return f"{instant.year:04}{instant:%m%dT%H%M}{seconds}Z"


def _edge_us(text: str) -> int:
    form = "%Y%m%dT%H%M%S" if len(text) > len("20260131T0000") else "%Y%m%dT%H%M"
    try:
        instant = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{text}Z is no instant: must be a time in UTC") from error
    return (instant - _EPOCH) // timedelta(microseconds=1)
