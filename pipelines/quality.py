"""Named checks on answers, and what follows from them. Pure: reads a batch, returns violations, changes nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import pyarrow as pa

from pipelines.tidy import METRICS, AnswerGroup, Counts, folded
from pipelines.tidy.answers import Flags, Integers, numbers

__all__ = [
    "DEFAULT_LEVELS",
    "READABLE",
    "Batch",
    "Level",
    "Violation",
    "answer_for_call",
    "expected_columns",
    "judge",
    "levels_of",
    "longer_window_not_less",
    "no_negative_counts",
    "probe_halves_agree",
    "violations_of",
]

READABLE: Final = "readable"

_HALF: Final = len(METRICS) // 2


class Level(StrEnum):
    """What a violation leads to."""

    OFF = "off"  # the check is not made
    WARN = "warn"  # the rows are published, the ledger says so
    QUARANTINE = "quarantine"  # the rows stay out of instant_stats, the call counts as failed


@dataclass(frozen=True, slots=True)
class Violation:
    """One answer that did not pass one check.

    Attributes:
        answer: its number in the batch.
        message: what is wrong, with the values.
    """

    check: str
    level: Level
    answer: int
    call_id: str
    session: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What the checks look at.

    Attributes:
        answers: the calls, with the columns of `pipelines.tidy.ANSWERS`.
    """

    answers: pa.Table
    groups: Sequence[AnswerGroup]
    counts: Counts

    def windows(self) -> tuple[Integers, Integers]:
        """The minutes that each line of the counts asked for."""
        answer = self.counts.answer
        window1, window2 = (numbers(self.answers[f"window{n}_minutes"])[answer] for n in (1, 2))
        return window1, window2


_Finding = tuple[int, str]
_Check = Callable[[Batch], Iterator[_Finding]]


def longer_window_not_less(batch: Batch) -> Iterator[_Finding]:
    """A longer window counts no less than a shorter one of the same answer."""
    window1, window2 = batch.windows()
    counts = batch.counts
    first, second = counts.values[:, :_HALF], counts.values[:, _HALF:]
    less = np.where((window1 < window2)[:, np.newaxis], second < first, first < second)
    wrong = less & (window1 != window2)[:, np.newaxis] & _both_known(counts)
    for answer, line, metric in _first(counts, wrong):
        message = (
            f"{METRICS[metric].column} is {first[line, metric]} in {window1[line]} minutes,"
            f" {METRICS[metric + _HALF].column} is {second[line, metric]} in {window2[line]} minutes"
        )
        yield answer, message


def no_negative_counts(batch: Batch) -> Iterator[_Finding]:
    """No count is below zero."""
    counts = batch.counts
    for answer, line, metric in _first(counts, counts.values < 0):
        yield answer, f"{METRICS[metric].column} is {counts.values[line, metric]}"


def probe_halves_agree(batch: Batch) -> Iterator[_Finding]:
    """An answer for twice the same window has the same counts twice."""
    window1, window2 = batch.windows()
    counts = batch.counts
    first, second = counts.values[:, :_HALF], counts.values[:, _HALF:]
    differ = (first != second) & _both_known(counts)
    differ |= counts.null[:, :_HALF] != counts.null[:, _HALF:]
    differ &= ~(counts.missing[:, :_HALF] | counts.missing[:, _HALF:])
    for answer, line, metric in _first(counts, differ & (window1 == window2)[:, np.newaxis]):
        values = [
            "null" if counts.null[line, n] else str(counts.values[line, n])
            for n in (metric, metric + _HALF)
        ]
        message = (
            f"{METRICS[metric].column} is {values[0]} and {METRICS[metric + _HALF].column} is"
            f" {values[1]}, both in {window1[line]} minutes"
        )
        yield answer, message


def expected_columns(batch: Batch) -> Iterator[_Finding]:
    """An answer with rows has all eight counts, as whole numbers."""
    counts = batch.counts
    for line in np.flatnonzero(counts.missing.any(axis=1)):
        names = [METRICS[metric].column for metric in np.flatnonzero(counts.missing[line])]
        message = f"no whole number for {', '.join(names)}; it has {counts.found[line]}"
        yield int(counts.answer[line]), message


def answer_for_call(batch: Batch) -> Iterator[_Finding]:
    """Where an answer repeats Minutes1 and Minutes2, they are those of the call."""
    for group in batch.groups:
        for table in group.tables:
            for position, name in enumerate(table.rows.schema.names):
                column = table.rows.column(position)
                slot = {"minutes1": 1, "minutes2": 2}.get(folded(name))
                if slot is None or table.state != "current" or not pa.types.is_integer(column.type):
                    continue
                asked = numbers(batch.answers[f"window{slot}_minutes"])[table.answer]
                # as Python numbers: an unsigned long does not fit the type of the call's windows
                for row, said in enumerate(column.to_pylist()):
                    if said is not None and said != asked[row]:
                        yield int(table.answer[row]), f"{name} is {said}, not {asked[row]}"


_CHECKS: Final[dict[str, _Check]] = {
    check.__name__: check
    for check in (
        expected_columns,
        no_negative_counts,
        longer_window_not_less,
        probe_halves_agree,
        answer_for_call,
    )
}
DEFAULT_LEVELS: Final[Mapping[str, Level]] = {
    READABLE: Level.QUARANTINE,
    **dict.fromkeys(_CHECKS, Level.WARN),
    "expected_columns": Level.QUARANTINE,
    "no_negative_counts": Level.QUARANTINE,
}


def levels_of(configured: Mapping[str, str]) -> dict[str, Level]:
    """The level of every check: as configured, else its default.

    Raises:
        ValueError: no such check or level, or another level than quarantine for `readable`.
    """
    levels = dict(DEFAULT_LEVELS)
    for check, level in configured.items():
        if check not in levels:
            raise ValueError(f"check {check!r}: must be one of {', '.join(levels)}")
        if level not in list(Level):
            raise ValueError(f"check {check!r} set to {level!r}: must be {', '.join(Level)}")
        if check == READABLE and level != Level.QUARANTINE:
            raise ValueError(f"check {READABLE!r} set to {level!r}: can only be quarantine")
        levels[check] = Level(level)
    return levels


def judge(batch: Batch, levels: Mapping[str, Level]) -> list[Violation]:
    """All violations, one per answer and check; the message is that of the first count that is wrong."""
    violations: list[Violation] = []
    for name, check in _CHECKS.items():
        level = levels[name]
        if level is Level.OFF:
            continue
        first: dict[int, str] = {}
        for answer, message in check(batch):
            first.setdefault(answer, message)
        violations += violations_of(name, level, first, batch.answers)
    return violations


def violations_of(
    check: str, level: Level, found: Mapping[int, str], answers: pa.Table
) -> Iterator[Violation]:
    """A violation for each of the answers that were found wanting, by their number."""
    numbers_ = pa.array(found, pa.int64())
    keys = [answers[name].take(numbers_).to_pylist() for name in ("call_id", "session")]
    for (answer, message), call_id, session in zip(found.items(), *keys, strict=True):
        yield Violation(check, level, answer, call_id, session, message)


def _first(counts: Counts, wrong: Flags) -> Iterator[tuple[int, int, int]]:
    """Answer, line and metric of the first count that is wrong, for each answer that has one."""
    lines = np.flatnonzero(wrong.any(axis=1))
    columns = counts.answer[lines], lines, wrong[lines].argmax(axis=1)
    yield from zip(*(column.tolist() for column in columns), strict=True)


def _both_known(counts: Counts) -> Flags:
    unknown = counts.null | counts.missing
    return ~(unknown[:, :_HALF] | unknown[:, _HALF:])
