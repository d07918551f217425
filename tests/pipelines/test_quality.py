"""The checks, each with an answer that passes and one that does not."""

import pytest

from pipelines.quality import DEFAULT_LEVELS, Batch, Level, Violation, judge, levels_of
from pipelines.tidy import AnswerGroup, counts_of
from tests.pipelines.answer_tables import NAMES, calls, eight, group, rows

ALL_WARN = dict.fromkeys(DEFAULT_LEVELS, Level.WARN)


def found(answer: AnswerGroup, *windows: tuple[int, int], **levels: Level) -> list[Violation]:
    """What the checks say of an answer for these windows."""
    answers = calls(*(windows or ((60, 120),)))
    return judge(Batch(answers, [answer], counts_of([answer])), {**ALL_WARN, **levels})


def said(answer: AnswerGroup, *windows: tuple[int, int]) -> list[tuple[str, str]]:
    """Only the checks and their messages."""
    return [(one.check, one.message) for one in found(answer, *windows)]


def test_a_sound_answer_passes() -> None:
    """Equal counts in both windows are possible, and nulls say nothing."""
    assert said(group(rows(eight(1, 2, 3, 4, 1, 2, 3, 4)))) == []
    assert said(group(rows(eight(*[None] * 8)))) == []
    assert said(group(rows(eight(9, 9, 9, 9, None, 9, 9, 9)))) == []
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
    assert said(answer, (60, 60)) == [("probe_halves_agree", message)]
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
    assert (one.answer, one.call_id, one.session) == (1, "call-1", "s1")
    assert one.level is Level.WARN


def test_a_check_that_is_off_says_nothing() -> None:
    """And the level of the others is that which was set."""
    answer = group(rows(eight(-1, 0, 0, 0, -2, 0, 0, 0)))
    levels = {"no_negative_counts": Level.OFF, "longer_window_not_less": Level.QUARANTINE}
    assert [(one.check, one.level) for one in found(answer, **levels)] == [
        ("longer_window_not_less", Level.QUARANTINE)
    ]


def test_the_defaults() -> None:
    """Warn, unless the counts cannot be what the service meant."""
    assert levels_of({}) == {
        "readable": "quarantine",
        "expected_columns": "quarantine",
        "no_negative_counts": "quarantine",
        "longer_window_not_less": "warn",
        "probe_halves_agree": "warn",
        "answer_for_call": "warn",
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
