"""Values as the page shows them. Labels and faults were written by others: they stay one short line of text."""

import unicodedata
from datetime import UTC, date, datetime
from typing import Any, Final

__all__ = ["plain", "shown", "took"]

_MOST: Final = 120  # characters of a label or of what was said


def plain(text: str, most: int = _MOST) -> str:
    """One line without characters that control how it is shown, cut to a length."""
    clean = "".join(
        " " if character.isspace() else _visible(character) for character in text[: 4 * most]
    )
    line = " ".join(clean.split())
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1].rstrip() + "…"


def _visible(character: str) -> str:
    return (
        "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") else character
    )


def shown(value: Any) -> str:  # noqa: ANN401  # whatever a query gives
    """A value of a query for people: 1,234; 2026-01-31 02:15 in UTC; a dash for null."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)
        return (
            f"{utc:%Y-%m-%d %H:%M:%S}" if utc.second or utc.microsecond else f"{utc:%Y-%m-%d %H:%M}"
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    return plain(str(value))


def took(seconds: float) -> str:
    """A duration: 1.2 s, 12 min 3 s, 5 h 1 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
