"""Figures, and the bars they are held against. Measures nothing."""

import json
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Found", "Line", "answer", "medians", "slope", "spread"]


@dataclass(frozen=True, slots=True)
class Line:
    """One bar.

    Attributes:
        number: of the bar, 1 to 17.
        measured: None where it could not be measured; `note` says why.
        at_least: higher is better; else the figure must not exceed the bar.
    """

    number: int
    work: str
    measured: float | None
    unit: str
    bar: float
    ambition: float
    at_least: bool = True
    note: str = ""

    @property
    def verdict(self) -> str:
        """In one word."""
        if self.measured is None:
            return "not measured"
        for limit, word in ((self.ambition, "ambition"), (self.bar, "bar")):
            if self.measured >= limit if self.at_least else self.measured <= limit:
                return word
        return "MISSED"


@dataclass(slots=True)
class Found:
    """What one piece of work came to.

    Attributes:
        rows: other figures, as a table: headings first.
        curves: name -> (size, cost), for a plot.
    """

    title: str
    lines: list[Line] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    axes: tuple[str, str] = ("", "")

    def to_json(self) -> dict[str, Any]:
        """For the results file."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Found":
        """And back."""
        lines = [Line(**line) for line in document["lines"]]
        return cls(**{**document, "lines": lines, "axes": tuple(document["axes"])})


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def spread(values: Sequence[float]) -> str:
    """The smallest and the largest."""
    return f"{min(values):.3g} to {max(values):.3g}"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through the points in logarithms: 1 means that cost grows as size does."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    return statistics.linear_regression(xs, ys).slope


def answer(measure: Callable[[bool], Found]) -> None:
    """Measure in this process (`--full` on the command line: larger) and print the figures as one JSON line."""
    print(json.dumps(measure("--full" in sys.argv[1:]).to_json()))
