"""Named checks on answers, and what follows from them.

A check is a function from a frame to a frame: the answers that do not pass it (the index) and why (`message`). Of
several messages for an answer the first is kept. It is registered with the frame that it looks at and the level that it
has unless the configuration sets another. Checks change nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pandas as pd

from pipelines.normalize.answers import BOOLEAN, INTEGER, TEXT

__all__ = [
    "CHECKS",
    "READABLE",
    "Check",
    "Level",
    "default_levels",
    "levels_of",
    "registered",
    "violations_of",
]

READABLE: Final = "readable"  # made where answers are read, not here

_DAY_US: Final = 86_400_000_000
_SECOND_US: Final = 1_000_000
_PER_CENT: Final = 100


class Level(StrEnum):
    """What a violation leads to."""

    OFF = "off"  # the check is not made
    WARN = "warn"  # the rows are published, the ledger says so
    QUARANTINE = "quarantine"  # the rows stay out of instant_stats, the call counts as failed


Find = Callable[..., pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        looks_at: the frame that it is given: `answers` has a row for each answer, `counts` one for each answer with
            rows, `pairs` four for each of those, `repeated` one for each time that an answer says what was asked.
        find: from that frame, and a keyword for each limit, to the violations.
        limits: the numbers of the configuration that it needs.
    """

    name: str
    looks_at: str
    level: Level
    find: Find
    limits: tuple[str, ...] = ()


CHECKS: Final[dict[str, Check]] = {}


def registered(looks_at: str, level: Level, *limits: str) -> Callable[[Find], Find]:
    """Make a check of a function, under the function's name."""

    def register(find: Find) -> Find:
        CHECKS[find.__name__] = Check(find.__name__, looks_at, level, find, limits)
        return find

    return register


@registered("counts", Level.QUARANTINE)
def expected_columns(counts: pd.DataFrame) -> pd.DataFrame:
    """An answer with rows has all eight counts, as whole numbers."""
    wrong = counts[counts["missing"].notna()]
    return _said("no whole number for " + wrong["missing"] + "; it has " + wrong["found"])


@registered("pairs", Level.QUARANTINE)
def no_negative_counts(pairs: pd.DataFrame) -> pd.DataFrame:
    """No count is below zero."""
    first, second = pairs[_holds(pairs["count1"] < 0)], pairs[_holds(pairs["count2"] < 0)]
    return pd.concat([_said(_count_is(first, 1)), _said(_count_is(second, 2))])


@registered("pairs", Level.WARN)
def no_null_counts(pairs: pd.DataFrame) -> pd.DataFrame:
    """An answer with rows has numbers in them, and no nulls."""
    first = pairs[pairs["count1"].isna() & ~pairs["missing1"]]
    second = pairs[pairs["count2"].isna() & ~pairs["missing2"]]
    return pd.concat([_said(_count_is(first, 1)), _said(_count_is(second, 2))])


@registered("pairs", Level.WARN)
def longer_window_not_less(pairs: pd.DataFrame) -> pd.DataFrame:
    """A longer window counts no less than a shorter one of the same answer."""
    first_less = (pairs["window1_minutes"] > pairs["window2_minutes"]) & _holds(
        pairs["count1"] < pairs["count2"]
    )
    second_less = (pairs["window2_minutes"] > pairs["window1_minutes"]) & _holds(
        pairs["count2"] < pairs["count1"]
    )
    wrong = pairs[first_less | second_less]
    minutes1, minutes2 = (
        wrong["window1_minutes"].astype(TEXT),
        wrong["window2_minutes"].astype(TEXT),
    )
    return _said(
        _count_is(wrong, 1) + " in " + minutes1 + " minutes, "
        + _count_is(wrong, 2) + " in " + minutes2 + " minutes"
    )  # fmt: skip


@registered("pairs", Level.WARN)
def probe_halves_agree(pairs: pd.DataFrame) -> pd.DataFrame:
    """An answer for twice the same window has the same counts twice."""
    probes = pairs[pairs["window1_minutes"] == pairs["window2_minutes"]]
    there = probes[~(probes["missing1"] | probes["missing2"])]
    one_null = there["count1"].isna() != there["count2"].isna()
    wrong = there[_holds(there["count1"] != there["count2"]) | one_null]
    minutes = wrong["window1_minutes"].astype(TEXT)
    return _said(
        _count_is(wrong, 1) + " and " + _count_is(wrong, 2) + ", both in " + minutes + " minutes"
    )


@registered("repeated", Level.WARN)
def answer_for_call(repeated: pd.DataFrame) -> pd.DataFrame:
    """Where an answer repeats Minutes1 and Minutes2, they are those of the call."""
    wrong = repeated[repeated["said"] != repeated["asked"]]
    return _said(wrong["column"] + " is " + wrong["said"] + ", not " + wrong["asked"])


@registered("answers", Level.WARN)
def usable_date(answers: pd.DataFrame) -> pd.DataFrame:
    """An answer has a Date header, less than a day from this machine's clock: without one no hour is known."""
    ahead = _ahead_us(answers)
    wrong = answers[~_holds(ahead.abs() < _DAY_US)]
    date = wrong["observed_at"].astype(TEXT).str[: len("2026-01-31 02:00:00")]
    message = "its Date header says " + date + ", a day or more from this machine's clock"
    return _said(message.fillna("it has no Date header that can be read"))


@registered("answers", Level.WARN, "clock_seconds")
def service_clock(answers: pd.DataFrame, clock_seconds: float) -> pd.DataFrame:
    """The service's clock is no further from this machine's than `quality.clock_seconds`."""
    ahead = _ahead_us(answers)
    is_wrong = _holds(ahead.abs() > clock_seconds * _SECOND_US) & _holds(ahead.abs() < _DAY_US)
    seconds = (ahead[is_wrong] // _SECOND_US).astype(TEXT)
    return _said("the service's clock is " + seconds + " s ahead of this machine's")


@registered("answers", Level.WARN)
def one_label_a_mailbox(answers: pd.DataFrame) -> pd.DataFrame:
    """No two sessions are of the same mailbox: what it did would be counted twice."""
    wrong = answers[answers["other_label"].notna()]
    mailbox, network = wrong["mailbox_id"].astype(TEXT), wrong["network_id"].astype(TEXT)
    return _said(
        "mailbox "
        + mailbox
        + " of network "
        + network
        + " is that of "
        + wrong["other_label"]
        + ", too"
    )


@registered("answers", Level.WARN, "empty_share")
def not_mostly_empty(answers: pd.DataFrame, empty_share: float) -> pd.DataFrame:
    """Of the run's answers no more than `quality.empty_share` have no rows; else each of those is named."""
    wrong = answers[(answers["empty_share"] > empty_share) & ~answers["has_rows"]]
    share = (wrong["empty_share"] * _PER_CENT).round().astype(INTEGER).astype(TEXT)
    return _said("it has no rows, like " + share + " % of the run's answers")


def _said(message: pd.Series) -> pd.DataFrame:
    """Violations, by answer, with their message."""
    return message.astype(TEXT).to_frame("message")


def _holds(condition: pd.Series) -> pd.Series:
    """Where a condition is true; it is null where a count is."""
    return condition.astype(BOOLEAN).fillna(value=False).astype(bool)


def _count_is(pairs: pd.DataFrame, slot: int) -> pd.Series:
    """`ParcelsIn1 is 17`, for the counts of the first or the second windows."""
    traffic, direction = pairs["traffic"].str.capitalize(), pairs["direction"].str.capitalize()
    count = pairs[f"count{slot}"].astype(TEXT).fillna("null")
    return traffic + "s" + direction + f"{slot} is " + count


def _ahead_us(answers: pd.DataFrame) -> pd.Series:
    """How far the service's clock is ahead of this machine's, at least, in microseconds; negative if it is behind.

    A Date header is cut to the second, and a reply is made somewhere between its request and its receipt.
    """
    observed, sent, received = (
        answers[name].astype(INTEGER) for name in ("observed_at", "requested_at", "received_at")
    )
    ahead = (observed - received).clip(lower=0)
    behind = (observed + _SECOND_US - sent).clip(upper=0)
    return ahead + behind


def default_levels() -> dict[str, Level]:
    """The level of every check."""
    return {READABLE: Level.QUARANTINE} | {name: check.level for name, check in CHECKS.items()}


def levels_of(configured: Mapping[str, str]) -> dict[str, Level]:
    """The level of every check: as configured, else its default.

    Raises:
        ValueError: no such check or level, or another level than quarantine for `readable`.
    """
    levels = default_levels()
    for check, level in configured.items():
        if check not in levels:
            raise ValueError(f"check {check!r}: must be one of {', '.join(levels)}")
        if level not in list(Level):
            raise ValueError(f"check {check!r} set to {level!r}: must be {', '.join(Level)}")
        if check == READABLE and level != Level.QUARANTINE:
            raise ValueError(f"check {READABLE!r} set to {level!r}: can only be quarantine")
        levels[check] = Level(level)
    return levels


def violations_of(
    frames: Mapping[str, pd.DataFrame],
    unreadable: Mapping[int, str],
    levels: Mapping[str, Level],
    limits: Mapping[str, float],
) -> pd.DataFrame:
    """All violations of a batch, one for each answer and check.

    Args:
        frames: what the checks look at, by name.
        unreadable: why answers could not be read, by their number.
        limits: the numbers of the configuration, by name.

    Returns:
        `check, level, message`, by answer; in the order of the checks.
    """
    read = pd.Series(unreadable, dtype=TEXT).rename_axis("answer").to_frame("message")
    parts = [read.assign(check=READABLE, level=Level.QUARANTINE)]
    for name, check in CHECKS.items():
        if levels[name] is Level.OFF:
            continue
        found = check.find(
            frames[check.looks_at], **{limit: limits[limit] for limit in check.limits}
        )
        first = found[~found.index.duplicated()]
        parts.append(first.assign(check=name, level=levels[name]))
    return pd.concat(parts)[["check", "level", "message"]]
