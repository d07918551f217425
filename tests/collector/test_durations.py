import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1_800), ("26h", 93_600), ("22d", 1_900_800), ("0m", 0), ("007s", 7)],
)
def test_what_is_written(text: str, seconds: int) -> None:
    """A whole number with a unit is so many seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "90", "s", "1.5h", "-1h", "+1h", "1 h", " 1h", "1h ", "1h\n", "1h30m", "1H", "1w", "1ms",
     "\u0661h", "1e3s", "inf", "9" * 13 + "s", "0x1s"],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    """Anything else is shown, with what would be right."""
    with pytest.raises(
        ValueError, match="must be a whole number and a unit, such as 90s"
    ) as refused:
        parse_duration(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (61, "61s"),
        (5_400, "90m"),
        (7_200, "2h"),
        (86_400, "1d"),
        (90_000, "25h"),
    ],
)
def test_what_is_shown(seconds: int, text: str) -> None:
    """The longest unit of which the seconds are a whole number."""
    assert format_duration(seconds) == text


@given(st.integers(0, 10**11))
def test_there_and_back(seconds: int) -> None:
    """What is shown is read as the same number of seconds."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 10**12 - 1), st.sampled_from(["s", "m", "h", "d"]))
def test_the_shown_form_is_the_shortest_number(number: int, unit: str) -> None:
    """Whatever unit was written, what is shown means as much and has no larger number."""
    seconds = parse_duration(f"{number}{unit}")
    shown = format_duration(seconds)
    assert parse_duration(shown) == seconds
    assert int(shown[:-1]) <= number


@given(st.text(max_size=8))
def test_any_text(text: str) -> None:
    """Any text is a duration or refused by a ValueError."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert seconds >= 0
