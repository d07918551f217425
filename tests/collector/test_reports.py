"""What each report asks for a call, at the service's time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.calls import Argument, Call, Span, Trailing
from collector.runs.reports import Asked, report_of
from collector.wire.operations import XsdType

MINUTE_US = 60_000_000
NOON_US = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z
LONGEST = 32_767
HOUR = Span(NOON_US - 120 * MINUTE_US, NOON_US - 60 * MINUTE_US)


def asked(now_us: int, *arguments: Argument, operation: str = "ReportInstantStats") -> Asked:
    """What is asked for these arguments at that time."""
    return report_of(operation).ask(Call.of("acme", operation, arguments), now_us)


def minutes(now_us: int, span: Span) -> tuple[int, int]:
    """The minutes that a span is at that time."""
    found = asked(now_us, span)
    assert found.minutes is not None
    return found.minutes


def test_trailing_windows_are_asked_for_as_they_are() -> None:
    """At any time."""
    for now_us in (0, NOON_US):
        assert asked(now_us, Trailing(60, 120)) == Asked(
            {"Minutes1": 60, "Minutes2": 120}, (60, 120)
        )


def test_a_span_is_asked_for_by_the_minutes_since_its_edges() -> None:
    """The younger edge first, both to the nearest minute, anew at every time."""
    assert asked(NOON_US, HOUR) == Asked({"Minutes1": 60, "Minutes2": 120}, (60, 120))
    assert minutes(NOON_US + 29_999_999, HOUR) == (60, 120)
    assert minutes(NOON_US + 30_000_000, HOUR) == (61, 121)
    assert minutes(NOON_US - 30_000_001, HOUR) == (59, 119)
    assert minutes(NOON_US + 300 * MINUTE_US, HOUR) == (360, 420)


def test_minutes_stay_within_what_the_service_takes() -> None:
    """An edge that is now, or ahead of it, is one minute back; one beyond its reach is the longest window back."""
    assert minutes(HOUR.end_us, HOUR) == (1, 60)
    assert minutes(HOUR.start_us - MINUTE_US, HOUR) == (1, 1)
    assert minutes(HOUR.end_us + LONGEST * MINUTE_US, HOUR) == (LONGEST, LONGEST)
    assert minutes(HOUR.end_us + (LONGEST - 1) * MINUTE_US, HOUR) == (LONGEST - 1, LONGEST)


@given(
    start=st.integers(0, 10**6),
    length=st.integers(60, 10**6),
    later=st.integers(-(10**6), 3 * 10**6),
    micro=st.integers(0, 999_999),
)
def test_any_span(start: int, length: int, later: int, micro: int) -> None:
    """Whole minutes of 1 to 32,767, the younger edge's first, each within half a minute of the edge where it can be."""
    span = Span(start * 1_000_000, (start + length) * 1_000_000)
    now_us = span.end_us + later * 1_000_000 + micro
    found = minutes(now_us, span)
    for edge_us, asked_for in zip((span.end_us, span.start_us), found, strict=True):
        assert 1 <= asked_for <= LONGEST
        off_us = abs(now_us - edge_us - asked_for * MINUTE_US)
        is_reachable = MINUTE_US // 2 <= now_us - edge_us <= LONGEST * MINUTE_US
        assert not is_reachable or off_us <= MINUTE_US // 2
    inside = found[0] > 1 and found[1] < LONGEST
    assert found[0] <= found[1]
    assert not inside or found[0] < found[1], "at least a minute is never nothing"


def test_the_report_that_names_a_mailbox() -> None:
    """Three numbers, then windows or a span."""
    numbers = {"NetworkID": 314, "MailboxID": 2718, "ECGridID": 0}
    for argument in (Trailing(60, 120), HOUR):
        found = asked(NOON_US, 314, 2718, 0, argument, operation="ReportInstantStatsEx")
        assert found == Asked(numbers | {"Minutes1": 60, "Minutes2": 120}, (60, 120))


@pytest.mark.parametrize("name", ["ReportInstantStats", "ReportInstantStatsEx"])
def test_what_is_asked_is_what_the_operation_has(name: str) -> None:
    """Every parameter but the SessionID gets a value, and nothing else; the SessionID is the only secret."""
    operation = report_of(name).operation
    assert operation.name == name
    numbers = (1, 2, 3) if name.endswith("Ex") else ()
    found = asked(NOON_US, *numbers, Trailing(4, 5), operation=name)
    session, *others = operation.parameters
    assert list(found.arguments) == [parameter.name for parameter in others]
    assert [each.name for each in operation.parameters if each.is_secret] == [session.name]
    types = {each.name: each.type for each in others}
    assert {types[name] for name in ("Minutes1", "Minutes2")} == {XsdType.SHORT}
    assert {types[name] for name in types if name.endswith("ID")} <= {XsdType.INT}


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("ReportInstantStats", ()),
        ("ReportInstantStats", (60,)),
        ("ReportInstantStats", (Trailing(1, 2), Trailing(1, 2))),
        ("ReportInstantStatsEx", (Trailing(1, 2),)),
        ("ReportInstantStatsEx", (1, 2, 3, 4)),
        ("ReportInstantStatsEx", (1, 2, Trailing(1, 2), 3)),
    ],
)
def test_arguments_that_a_report_does_not_have(
    operation: str, arguments: tuple[Argument, ...]
) -> None:
    """The message names the call and what would be right."""
    with pytest.raises(
        ValueError, match=rf"call acme:{operation}:.*must be .*two windows or a span"
    ):
        asked(NOON_US, *arguments, operation=operation)


def test_an_operation_that_is_no_report() -> None:
    """The message names it and those that there are."""
    with pytest.raises(LookupError, match="'Logout': must be one of ReportInstantStats, Report"):
        report_of("Logout")
