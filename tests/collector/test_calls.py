"""Calls, their arguments as text, and their ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.calls import Argument, Call, Span, Trailing, arguments_of, arguments_text

MIDNIGHT_US = 1_769_817_600_000_000  # 2026-01-31T00:00:00Z
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z

WINDOWS = st.builds(Trailing, st.integers(1, 32_767), st.integers(1, 32_767))
EDGES = st.integers(0, LAST_SECOND) | st.integers(0, LAST_SECOND // 60).map(lambda edge: edge * 60)
SPANS = st.sets(EDGES, min_size=2, max_size=2).map(
    lambda pair: Span(min(pair) * 1_000_000, max(pair) * 1_000_000)
)
ARGUMENTS = st.lists(st.integers(-(10**19), 10**19) | WINDOWS | SPANS, max_size=5).map(tuple)
LABELS = st.text(":,-019aTZ", max_size=12) | st.text(max_size=9)
NAMES = st.sampled_from(["ReportInstantStats", "ReportInstantStatsEx", "a"])


def test_ids_are_readable_and_forever() -> None:
    """An id that changed would make a resumed run ask again, and rows come twice."""
    hour = Span(MIDNIGHT_US, MIDNIGHT_US + 3_600_000_000)
    odd = Span(MIDNIGHT_US + 1_000_000, MIDNIGHT_US + 60_000_000)

    def id_of(operation: str, *arguments: Argument) -> str:
        return Call.of("acme", operation, arguments).call_id

    assert id_of("ReportInstantStats", Trailing(60, 120)) == "acme:ReportInstantStats:60-120"
    assert id_of("ReportInstantStats", hour) == (
        "acme:ReportInstantStats:20260131T0000Z-20260131T0100Z"
    )
    assert id_of("ReportInstantStats", odd) == (
        "acme:ReportInstantStats:20260131T000001Z-20260131T0001Z"
    )
    assert id_of("ReportInstantStatsEx", 314, 2718, 0, Trailing(60, 120)) == (
        "acme:ReportInstantStatsEx:314,2718,0,60-120"
    )
    assert id_of("Version") == "acme:Version:"


@given(ARGUMENTS)
def test_arguments_come_back_from_their_text(arguments: tuple[Argument, ...]) -> None:
    """Any windows, spans and numbers; the text has no colon."""
    text = arguments_text(arguments)
    assert arguments_of(text) == arguments
    assert ":" not in text


@given(LABELS, NAMES, ARGUMENTS)
def test_a_call_comes_back_from_its_id(
    session: str, operation: str, arguments: tuple[Argument, ...]
) -> None:
    """Whatever the label is, colons and commas in it too."""
    call = Call.of(session, operation, arguments)
    assert Call.of_id(call.call_id) == call


@given(st.sets(st.tuples(LABELS, NAMES, ARGUMENTS), max_size=30))
def test_different_calls_have_different_ids(
    keys: set[tuple[str, str, tuple[Argument, ...]]],
) -> None:
    """Labels with digits or colons in them are no way to the id of another call."""
    assert len({Call.of(*key).call_id for key in keys}) == len(keys)


@pytest.mark.parametrize(
    "text",
    [
        *("060-120", "60-120-180", "0-60", "60-32768", "60-", "-", " 60-120", "60-120,"),
        *("60:120", "1,,2", "-0", "+1", "1.0", "٣-٤", "pigeon"),
        *("20260131T0000Z", "20260131T0100Z-20260131T0000Z", "20260131T0000Z-20260131T0000Z"),
        *("20260131T000000Z-20260131T0100Z", "20260231T0000Z-20260301T0000Z"),
        *("20260131T2400Z-20260201T0000Z", "19691231T2300Z-19700101T0000Z"),
    ],
)
def test_what_is_no_text_of_windows_or_spans(text: str) -> None:
    """One value has one text: zeros in front, other digits and impossible instants are refused by name."""
    with pytest.raises(ValueError, match=r"must (be|start)"):
        arguments_of(text)


@pytest.mark.parametrize("call_id", ["", "acme", "acme:ReportInstantStats", "a:b:c", "a:b:60-0"])
def test_what_is_no_id(call_id: str) -> None:
    """An id of another program is refused."""
    with pytest.raises(ValueError, match="must be"):
        Call.of_id(call_id)


@pytest.mark.parametrize("minutes", [0, -1, 32_768])
def test_windows_out_of_range(minutes: int) -> None:
    """In either place; the message names the window and the range."""
    for pair in ((minutes, 60), (60, minutes)):
        with pytest.raises(ValueError, match=rf"{minutes} minutes: must be 1 to 32767"):
            Trailing(*pair)


@pytest.mark.parametrize(
    ("start_us", "end_us", "said"),
    [
        (60_000_000, 60_000_000, "19700101T0001Z-19700101T0001Z: must start before it ends"),
        (60_000_000, 0, "must start before it ends"),
        (1, 60_000_000, "edge at 1 microseconds.*whole second"),
        (0, 60_000_001, "edge at 60000001 microseconds.*whole second"),
        (-1_000_000, 0, "of 1970 to 9999"),
        (0, (LAST_SECOND + 1) * 1_000_000, "of 1970 to 9999"),
    ],
)
def test_spans_that_cannot_be(start_us: int, end_us: int, said: str) -> None:
    """The message names the edge or the span, and what is allowed."""
    with pytest.raises(ValueError, match=said):
        Span(start_us, end_us)
