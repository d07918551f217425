"""Durations as people write them (90s, 30m, 26h, 22d) <-> whole seconds. Knows no clock and no limits."""

import re
from typing import Final

__all__ = ["format_duration", "parse_duration"]

_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}  # the longest first
_FORM: Final = re.compile(r"([0-9]{1,12})([dhms])")


def parse_duration(text: str) -> int:
    """The seconds of a whole number with a unit: `s`, `m`, `h` or `d`, a day being 24 hours.

    Raises:
        ValueError: anything else; the message shows the text and what would be right.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r}: must be a whole number and a unit, such as 90s, 30m, 26h or 22d"
        )
    return int(match[1]) * _SECONDS[match[2]]


def format_duration(seconds: int) -> str:
    """Seconds (0 or more) in the longest unit that divides them, in the form that `parse_duration` reads."""
    if seconds == 0:
        return "0s"
    unit, length = next(each for each in _SECONDS.items() if seconds % each[1] == 0)
    return f"{seconds // length}{unit}"
