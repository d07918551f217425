"""Named checks on answers, and what follows from them.

A check is a function from a frame to a frame: the answers that do not pass it (the index) and why (`message`). Of
several messages for an answer the first is kept. It is registered with the frame that it looks at and the level that it
has unless the configuration sets another. Checks change nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pandas as pd

from pipelines.normalize.answers import INTEGER, TEXT, AnswerGroup
from pipelines.normalize.counts import Counts, described, repeated_of
from pipelines.normalize.networks import ROOT

__all__ = [
    "CHECKS",
    "READABLE",
    "Check",
    "Find",
    "Level",
    "answer_for_call",
    "default_levels",
    "expected_columns",
    "frames_of",
    "levels_of",
    "longer_window_not_less",
    "network_is_its_mailboxes",
    "no_negative_counts",
    "no_null_counts",
    "not_mostly_empty",
    "one_label_a_mailbox",
    "probe_halves_agree",
    "registered",
    "service_clock",
    "usable_date",
    "violations_of",
]

READABLE: Final = "readable"  # made where answers are read, not here
_OF_RUN: Final = "networks"  # the frame that is there when all answers are published

_DAY_SECONDS: Final = 86_400
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
            rows, `pairs` four for each of those, `repeated` one for each time that an answer says what was asked,
            `networks` one for each session that asks for a whole network, by its label, at the end of the run.
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
    return _said(
        counts,
        counts["missing"].notna(),
        lambda wrong: "no whole number for " + wrong["missing"] + "; it has " + wrong["found"],
    )


@registered("pairs", Level.QUARANTINE)
def no_negative_counts(pairs: pd.DataFrame) -> pd.DataFrame:
    """No count is below zero."""
    return pd.concat(
        [
            _said(pairs, pairs["count1"] < 0, lambda wrong: _count_is(wrong, 1)),
            _said(pairs, pairs["count2"] < 0, lambda wrong: _count_is(wrong, 2)),
        ]
    )


@registered("pairs", Level.WARN)
def no_null_counts(pairs: pd.DataFrame) -> pd.DataFrame:
    """An answer with rows has numbers in them, and no nulls."""
    first = pairs["count1"].isna() & ~pairs["missing1"]
    second = pairs["count2"].isna() & ~pairs["missing2"]
    return pd.concat(
        [
            _said(pairs, first, lambda wrong: _count_is(wrong, 1)),
            _said(pairs, second, lambda wrong: _count_is(wrong, 2)),
        ]
    )


@registered("pairs", Level.WARN)
def longer_window_not_less(pairs: pd.DataFrame) -> pd.DataFrame:
    """A longer window counts no less than a shorter one of the same answer."""
    minutes1, minutes2 = pairs["window1_minutes"], pairs["window2_minutes"]
    first_is_less = (minutes1 > minutes2) & (pairs["count1"] < pairs["count2"])
    second_is_less = (minutes2 > minutes1) & (pairs["count2"] < pairs["count1"])
    return _said(
        pairs,
        first_is_less | second_is_less,
        lambda wrong: (
            _count_is(wrong, 1)
            + _in_minutes(wrong, 1)
            + ", "
            + _count_is(wrong, 2)
            + _in_minutes(wrong, 2)
        ),
    )


@registered("pairs", Level.WARN)
def probe_halves_agree(pairs: pd.DataFrame) -> pd.DataFrame:
    """An answer for twice the same window has the same counts twice."""
    is_probe = pairs["window1_minutes"] == pairs["window2_minutes"]
    is_there = ~(pairs["missing1"] | pairs["missing2"])
    one_is_null = pairs["count1"].isna() != pairs["count2"].isna()
    differ = (pairs["count1"] != pairs["count2"]).fillna(value=False) | one_is_null
    return _said(
        pairs,
        is_probe & is_there & differ,
        lambda wrong: (
            _count_is(wrong, 1) + " and " + _count_is(wrong, 2) + ", both" + _in_minutes(wrong, 1)
        ),
    )


@registered("repeated", Level.WARN)
def answer_for_call(repeated: pd.DataFrame) -> pd.DataFrame:
    """Where an answer repeats Minutes1 and Minutes2, they are those of the call."""
    return _said(
        repeated,
        repeated["said"] != repeated["asked"],
        lambda wrong: wrong["column"] + " is " + wrong["said"] + ", not " + wrong["asked"],
    )


@registered("answers", Level.WARN)
def usable_date(answers: pd.DataFrame) -> pd.DataFrame:
    """An answer has a Date header, less than a day from this machine's clock: without one no hour is known."""

    def message(wrong: pd.DataFrame) -> pd.Series:
        date = wrong["observed_at"].astype(TEXT).str[: len("2026-01-31 02:00:00")]
        said = "its Date header says " + date + ", a day or more from this machine's clock"
        return said.fillna("it has no Date header that can be read")

    ahead = answers["clock_ahead_seconds"]
    return _said(answers, ahead.isna() | (ahead.abs() >= _DAY_SECONDS), message)


@registered("answers", Level.WARN, "clock_seconds")
def service_clock(answers: pd.DataFrame, clock_seconds: float) -> pd.DataFrame:
    """The service's clock is no further from this machine's than `quality.clock_seconds`."""
    ahead = answers["clock_ahead_seconds"]
    return _said(
        answers,
        (ahead.abs() > clock_seconds) & (ahead.abs() < _DAY_SECONDS),
        lambda wrong: (
            "the service's clock is "
            + wrong["clock_ahead_seconds"].abs().round().astype(INTEGER).astype(TEXT)
            + (wrong["clock_ahead_seconds"] > 0).map({True: " s ahead of", False: " s behind"})
            + " this machine's"
        ),
    )


@registered(_OF_RUN, Level.WARN)
def network_is_its_mailboxes(networks: pd.DataFrame) -> pd.DataFrame:
    """What is asked for a whole network is no less than its mailboxes together: else it is its Root mailbox alone."""
    return _said(networks, networks["seems"] == ROOT, lambda wrong: wrong["said"])


@registered("answers", Level.WARN)
def one_label_a_mailbox(answers: pd.DataFrame) -> pd.DataFrame:
    """No two sessions are of the same mailbox: what it did would be counted twice."""
    return _said(
        answers,
        answers["other_label"].notna(),
        lambda wrong: (
            "mailbox " + wrong["mailbox_id"].astype(TEXT)
            + " of network " + wrong["network_id"].astype(TEXT)
            + " is that of " + wrong["other_label"] + ", too"
        ),
    )  # fmt: skip


@registered("answers", Level.WARN, "empty_share")
def not_mostly_empty(answers: pd.DataFrame, empty_share: float) -> pd.DataFrame:
    """Of the run's answers no more than `quality.empty_share` have no rows; else each of those is named."""

    def message(wrong: pd.DataFrame) -> pd.Series:
        per_cent = (wrong["empty_share"] * _PER_CENT).round().astype(INTEGER).astype(TEXT)
        return "it has no rows, like " + per_cent + " % of the run's answers"

    is_mostly = answers["empty_share"] > empty_share
    return _said(answers, is_mostly & ~answers["has_rows"], message)


def _said(
    frame: pd.DataFrame, is_wrong: pd.Series, message: Callable[[pd.DataFrame], pd.Series]
) -> pd.DataFrame:
    """The violations among the rows of a frame; hardly ever are there any, and then their messages are made.

    Args:
        is_wrong: which rows; null, as where a count is, for no.
    """
    wrong = frame[is_wrong.fillna(value=False).astype(bool)] if is_wrong.any() else frame[:0]
    said = message(wrong) if len(wrong) else pd.Series([], wrong.index, TEXT)
    return said.astype(TEXT).to_frame("message")


def _count_is(pairs: pd.DataFrame, slot: int) -> pd.Series:
    """`ParcelsIn1 is 17`, for the counts of the first or the second windows."""
    traffic, direction = pairs["traffic"].str.capitalize(), pairs["direction"].str.capitalize()
    count = pairs[f"count{slot}"].astype(TEXT).fillna("null")
    return traffic + "s" + direction + f"{slot} is " + count


def _in_minutes(pairs: pd.DataFrame, slot: int) -> pd.Series:
    return " in " + pairs[f"window{slot}_minutes"].astype(TEXT) + " minutes"


def _clock_ahead_seconds(answers: pd.DataFrame) -> pd.Series:
    """How far the service's clock is ahead of this machine's, at least; negative if it is behind, null without a Date.

    A Date header is cut to the second, and a reply is made somewhere between its request and its receipt.
    """
    observed = answers["observed_at"].astype(INTEGER)
    ahead = observed - answers["received_at"].astype(INTEGER)
    behind = observed + _SECOND_US - answers["requested_at"].astype(INTEGER)
    return (ahead.clip(lower=0) + behind.clip(upper=0)) / _SECOND_US


def default_levels() -> dict[str, Level]:
    """The level of every check."""
    return {READABLE: Level.QUARANTINE} | {name: check.level for name, check in CHECKS.items()}


def levels_of(configured: Mapping[str, str]) -> dict[str, Level]:
    """The level of every check: as configured, else its default.

    Raises:
        ValueError: no such check or level, another level than quarantine for `readable`, or quarantine for a check of
            the whole run.
    """
    levels = default_levels()
    for check, level in configured.items():
        if check not in levels:
            raise ValueError(f"check {check!r}: must be one of {', '.join(levels)}")
        if level not in list(Level):
            raise ValueError(f"check {check!r} set to {level!r}: must be {', '.join(Level)}")
        if check == READABLE and level != Level.QUARANTINE:
            raise ValueError(f"check {READABLE!r} set to {level!r}: can only be quarantine")
        if level == Level.QUARANTINE and check in CHECKS and CHECKS[check].looks_at == _OF_RUN:
            raise ValueError(f"check {check!r} set to {level!r}: can only be off or warn")
        levels[check] = Level(level)
    return levels


def frames_of(
    answers: pd.DataFrame,
    groups: Sequence[AnswerGroup],
    counts: Counts,
    pairs: pd.DataFrame,
    empty_share: float,
) -> dict[str, pd.DataFrame]:
    """What the checks look at, by name.

    Args:
        answers: what was asked and when, one row for each answer.
        groups: their DataSets.
        counts: of those that have rows.
        pairs: the same, a row for each traffic and direction.
        empty_share: of all answers of the run, how many have no rows.
    """
    return {
        "answers": answers.assign(
            clock_ahead_seconds=_clock_ahead_seconds(answers),
            has_rows=answers.index.isin(counts.wide.index),
            empty_share=empty_share,
        ),
        "counts": described(counts),
        "pairs": pairs,
        "repeated": repeated_of(answers, groups),
    }


def violations_of(
    frames: Mapping[str, pd.DataFrame],
    unreadable: Mapping[int, str],
    levels: Mapping[str, Level],
    limits: Mapping[str, float],
) -> pd.DataFrame:
    """All violations of a batch, one for each answer and check; or of a run, one for each session and check.

    Args:
        frames: what the checks look at, by name; those that look at another are not made.
        unreadable: why answers could not be read, by their number.
        limits: the numbers of the configuration, by name.

    Returns:
        `check, level, message`, by answer; in the order of the checks.
    """
    read = pd.Series(unreadable, dtype=TEXT).rename_axis("answer").to_frame("message")
    parts = [read.assign(check=READABLE, level=Level.QUARANTINE)]
    for name, check in CHECKS.items():
        if levels[name] is Level.OFF or check.looks_at not in frames:
            continue
        found = check.find(
            frames[check.looks_at], **{limit: limits[limit] for limit in check.limits}
        )
        if len(found):
            first = found[~found.index.duplicated()]
            parts.append(first.assign(check=name, level=levels[name]))
    return pd.concat(parts)[["check", "level", "message"]]
