"""Where things stand in the drawings of the page: numbers in, coordinates out. Knows no HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

__all__ = ["HEIGHT", "STEP", "Bar", "Chart", "Stretch", "bars", "chart", "stretches"]

STEP: Final = 4  # pixels of an hour
HEIGHT: Final = 100  # pixels of a chart, without its axis
_BAR: Final = 48  # the tallest bar
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Hours in a row of which the same is known.

    Attributes:
        kind: 'e' exact, 'b' bounded, 'u' unseen.
        first: the number of the first hour.
        hours: how many.
    """

    kind: str
    first: int
    hours: int


def stretches(letters: str) -> list[Stretch]:
    """The stretches of a row; hours without a row of the history (.) are left out."""
    found, first = [], 0
    for kind, same in groupby(letters):
        hours = len(list(same))
        if kind != ".":
            found.append(Stretch(kind, first, hours))
        first += hours
    return found


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of a bar: from `y` downwards, in pixels."""

    kind: str
    y: float
    height: float


def bars(counts: Mapping[str, int], most: int) -> Iterator[Bar]:
    """The pieces of one run's bar, stacked from the bottom; `most` is what the tallest one holds.

    What is there is seen: a piece has at least four pixels.
    """
    top = float(_BAR)
    for kind, count in counts.items():
        if count:
            height = max(4.0, round(_BAR * count / max(most, 1), 1))
            top = round(top - height, 1)
            yield Bar(kind, top, height)


@dataclass(frozen=True, slots=True)
class Chart:
    """The hours of a traffic and direction as paths of SVG.

    Attributes:
        most: what the top of the chart stands for.
        band: from low to high.
        line: the estimates.
        usual: those of the weeks before.
        unseen: x of each hour in which something is unseen.
    """

    traffic: str
    direction: str
    most: int
    band: str
    line: str
    usual: str
    unseen: tuple[Stretch, ...]


def chart(rows: Sequence[Mapping[str, Any]], since: datetime, hours: int) -> Chart:
    """The chart of such rows of the figure `hours`, from an hour on."""
    number = {int((row["hour"] - since) / _HOUR): row for row in rows}
    most = max(
        (
            int(row[name])
            for row in rows
            for name in ("high", "estimate", "usual")
            if row[name] is not None
        ),
        default=0,
    )

    def steps(name: str) -> str:
        return _steps({x: row[name] for x, row in number.items()}, most)

    letters = "".join("u" if number.get(x, {}).get("unseen") else "." for x in range(hours))
    band = "".join(
        f"M{x * STEP} {_y(row['high'], most)}h{STEP}V{_y(row['low'], most)}h-{STEP}z"
        for x, row in sorted(number.items())
        if row["high"] is not None and row["high"] != row["low"]
    )
    first = rows[0]
    return Chart(
        first["traffic"],
        first["direction"],
        most,
        band,
        steps("estimate"),
        steps("usual"),
        tuple(stretches(letters)),
    )


def _steps(values: Mapping[int, float | None], most: int) -> str:
    """A line with a step for each hour, and a gap where there is no value."""
    path, before = [], None
    for x in sorted(values):
        value = values[x]
        if value is None:
            continue
        y = _y(value, most)
        path.append(f"V{y}h{STEP}" if before == x - 1 else f"M{x * STEP} {y}h{STEP}")
        before = x
    return "".join(path)


def _y(value: float, most: int) -> str:
    return f"{HEIGHT - HEIGHT * value / max(most, 1):.1f}".removesuffix(".0")
