"""The checks, each with an answer that passes and one that does not."""

from collections.abc import Mapping

import pandas as pd
import pytest

from pipelines.normalize.answers import TEXT, AnswerGroup, column
from pipelines.normalize.checks import Level, default_levels, frames_of, levels_of, violations_of
from pipelines.normalize.counts import counts_of
from pipelines.normalize.pairs import pairs_of
from tests.pipelines.answer_tables import NAMES, OBSERVED_US, calls, eight, group, rows

ALL_WARN = dict.fromkeys(default_levels(), Level.WARN)
LIMITS = {"clock_seconds": 300.0, "empty_share": 0.5}


def found(
    answer: AnswerGroup,
    *windows: tuple[int, int],
    answers: pd.DataFrame | None = None,
    limits: Mapping[str, float] = LIMITS,
    empty_share: float = 0.0,
    **levels: Level,
) -> list[tuple[int, str, Level, str]]:
    """What the checks say of answers for these windows: answer, check, level and message."""
    if answers is None:
        answers = calls(*(windows or ((60, 120),)))
    counts = counts_of([answer])
    frames = frames_of(answers, [answer], counts, pairs_of(answers, counts), empty_share)
    before = {name: frame.copy() for name, frame in frames.items()}
    violations = violations_of(frames, {}, {**ALL_WARN, **levels}, limits)
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, before[name])  # checks change nothing
    return list(violations.itertuples(name=None))


def said(answer: AnswerGroup, *windows: tuple[int, int]) -> list[tuple[str, str]]:
    """Only the checks and their messages."""
    return [(check, message) for _, check, _, message in found(answer, *windows)]


def test_a_sound_answer_passes() -> None:
    """Equal counts in both windows are possible, and so is an answer without rows."""
    assert said(group(rows(eight(1, 2, 3, 4, 1, 2, 3, 4)))) == []
    assert said(group(rows(eight(5, 6, 7, 8, 1, 2, 3, 4))), (120, 60)) == []
    assert said(group(rows({name: [] for name in NAMES}, ()))) == []
    assert said(group()) == []


def test_a_longer_window_counts_no_less() -> None:
    """Whichever of the two is the longer one; the first wrong count is named."""
    answer = group(rows(eight(1, 5, 9, 4, 1, 4, 3, 4)))
    message = "ParcelsOut1 is 5 in 60 minutes, ParcelsOut2 is 4 in 120 minutes"
    assert said(answer) == [("longer_window_not_less", message)]
    answer = group(rows(eight(1, 2, 3, 4, 1, 2, 3, 5)))
    message = "InterchangesOut1 is 4 in 120 minutes, InterchangesOut2 is 5 in 60 minutes"
    assert said(answer, (120, 60)) == [("longer_window_not_less", message)]


def test_a_count_is_not_negative() -> None:
    """Zero is fine."""
    answer = group(rows(eight(-1, 0, 0, 0, 0, 0, 0, 0)))
    assert said(answer) == [("no_negative_counts", "ParcelsIn1 is -1")]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (2, "ParcelsIn1 is 1 and ParcelsIn2 is 2, both in 60 minutes"),
        (0, "ParcelsIn1 is 1 and ParcelsIn2 is 0, both in 60 minutes"),
        (None, "ParcelsIn1 is 1 and ParcelsIn2 is null, both in 60 minutes"),
    ],
)
def test_the_halves_of_a_probe_agree(second: int | None, message: str) -> None:
    """Different counts for one window mean that there was no common now."""
    answer = group(rows(eight(1, 2, 3, 4, second, 2, 3, 4)))
    assert ("probe_halves_agree", message) in said(answer, (60, 60))
    assert said(group(rows(eight(1, 2, 3, 4, 1, 2, 3, 4))), (60, 60)) == []


def test_an_answer_with_rows_has_all_columns() -> None:
    """The message says what is missing and what is there instead."""
    columns: dict = {**eight(*range(8)), "More": [1]}
    del columns["ParcelsIn1"], columns["InterchangesOut2"]
    ((check, message),) = said(group(rows(columns)))
    assert check == "expected_columns"
    assert message.startswith("no whole number for ParcelsIn1, InterchangesOut2; it has Table (")
    assert "More System.Int32" in message


def test_an_answer_with_rows_in_another_shape_has_no_columns() -> None:
    """Rows without any of the columns are not an empty answer."""
    ((check, message),) = said(group(rows({"Parcels": [1]})))
    assert check == "expected_columns"
    assert message.endswith("; it has Table (Parcels System.Int32)")


def test_a_probe_with_missing_columns_is_said_once() -> None:
    """What is not there does not disagree."""
    assert [check for check, _ in said(group(rows({"ParcelsIn1": [1]})), (60, 60))] == [
        "expected_columns"
    ]


@pytest.mark.parametrize(("name", "slot"), [("Minutes1", 1), ("minutes_2", 2)])
def test_an_answer_that_repeats_its_windows_repeats_those_of_the_call(name: str, slot: int) -> None:
    """A null there says nothing."""
    for value, passes in ((60 * slot, True), (61, False), (None, True)):
        answer = group(rows({**eight(*range(8)), name: [value]}))
        message = f"{name} is {value}, not {60 * slot}"
        assert said(answer) == ([] if passes else [("answer_for_call", message)])


def test_only_the_answer_that_is_wrong_is_named() -> None:
    """In a batch, each violation has its own call and session."""
    columns = {name: [1, -1, 1] for name in NAMES}
    (one,) = found(group(rows(columns, (0, 1, 2)), answers=3), (1, 2), (3, 4), (5, 6))
    assert one[:3] == (1, "no_negative_counts", Level.WARN)


def test_a_count_is_not_null() -> None:
    """The first one is named; a missing count is another thing."""
    assert said(group(rows(eight(*[None] * 8)))) == [("no_null_counts", "ParcelsIn1 is null")]
    answer = group(rows(eight(9, 9, 9, 9, 9, None, 9, 9)))
    assert said(answer) == [("no_null_counts", "ParcelsOut2 is null")]
    assert [check for check, _ in said(group(rows({"ParcelsIn1": [1]})))] == ["expected_columns"]


EIGHT = group(rows(eight(*range(1, 9))))
DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("ahead_us", "said_of_it"),
    [
        (0, None),
        (299_000_000, None),
        (302_000_000, ("service_clock", "the service's clock is 302 s ahead of this machine's")),
        (-299_000_000, None),
        (-302_000_000, ("service_clock", "the service's clock is 300 s behind this machine's")),
        (
            2 * DAY_US,
            (
                "usable_date",
                "its Date header says 2026-02-02 02:00:02, a day or more from this machine's clock",
            ),
        ),
        (None, ("usable_date", "it has no Date header that can be read")),
    ],
)
def test_the_services_clock(ahead_us: int | None, said_of_it: tuple[str, str] | None) -> None:
    """One that is off is named, and so is one that tells nothing; a Date header has whole seconds."""
    answers = calls((60, 120), observed_us=None if ahead_us is None else OBSERVED_US + ahead_us)
    violations = [(check, message) for _, check, _, message in found(EIGHT, answers=answers)]
    assert violations == ([] if said_of_it is None else [said_of_it])


def test_how_far_the_clock_may_be_off_is_a_limit() -> None:
    """From the configuration."""
    answers = calls((60, 120), observed_us=OBSERVED_US + 100_000_000)
    assert found(EIGHT, answers=answers) == []
    limits = {**LIMITS, "clock_seconds": 60.0}
    assert [each[1] for each in found(EIGHT, answers=answers, limits=limits)] == ["service_clock"]


def test_a_mailbox_of_two_labels() -> None:
    """Both are named, each with the other."""
    answers = calls((60, 120), (60, 120))
    answers = answers.assign(
        mailbox_id=9, other_label=column(["s1", None], TEXT).set_axis(answers.index)
    )
    answer = group(rows({name: [1, 1] for name in NAMES}, (0, 1)), answers=2)
    message = "mailbox 9 of network 7 is that of s1, too"
    assert found(answer, answers=answers) == [(0, "one_label_a_mailbox", Level.WARN, message)]


def test_a_run_of_empty_answers() -> None:
    """Each of them is named where they are more than a share of the run; those with rows are not."""
    answers, answer = calls((60, 120), (60, 120)), EIGHT
    assert found(answer, answers=answers, empty_share=0.5) == []
    message = "it has no rows, like 51 % of the run's answers"
    assert found(answer, answers=answers, empty_share=0.51) == [
        (1, "not_mostly_empty", Level.WARN, message)
    ]


def test_answers_that_cannot_be_read_come_first() -> None:
    """With the reader's own words."""
    answers = calls((60, 120))
    counts = counts_of([])
    frames = frames_of(answers, [], counts, pairs_of(answers, counts), 0.0)
    violations = violations_of(frames, {0: "not well-formed"}, ALL_WARN, LIMITS)
    assert list(violations.itertuples(name=None)) == [
        (0, "readable", Level.QUARANTINE, "not well-formed")
    ]


def test_a_check_that_is_off_says_nothing() -> None:
    """And the level of the others is that which was set."""
    answer = group(rows(eight(-1, 0, 0, 0, -2, 0, 0, 0)))
    levels = {"no_negative_counts": Level.OFF, "longer_window_not_less": Level.QUARANTINE}
    assert [each[1:3] for each in found(answer, **levels)] == [
        ("longer_window_not_less", Level.QUARANTINE)
    ]


def test_the_defaults() -> None:
    """Warn, unless the counts cannot be what the service meant."""
    assert levels_of({}) == {
        "readable": "quarantine",
        "expected_columns": "quarantine",
        "no_negative_counts": "quarantine",
        "no_null_counts": "warn",
        "longer_window_not_less": "warn",
        "probe_halves_agree": "warn",
        "answer_for_call": "warn",
        "usable_date": "warn",
        "service_clock": "warn",
        "network_is_its_mailboxes": "warn",
        "one_label_a_mailbox": "warn",
        "not_mostly_empty": "warn",
    }


def test_what_is_configured_wins() -> None:
    """The rest keeps its default."""
    levels = levels_of({"no_negative_counts": "off", "readable": "quarantine"})
    assert levels["no_negative_counts"] is Level.OFF
    assert levels["expected_columns"] is Level.QUARANTINE


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ({"no_negatives": "warn"}, r"check 'no_negatives': must be one of readable, .*"),
        ({"readable": "warn"}, r"'readable' set to 'warn': can only be quarantine"),
        ({"answer_for_call": "error"}, r"set to 'error': must be off, warn, quarantine"),
    ],
)
def test_a_wrong_setting_is_named(configured: dict[str, str], message: str) -> None:
    """With the value and what would be right."""
    with pytest.raises(ValueError, match=message):
        levels_of(configured)
