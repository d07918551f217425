"""Dates and waits as HTTP headers write them -> numbers. Pure."""

from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["date_us", "http_date", "retry_after_seconds"]


def http_date(value: str) -> float | None:
    """An HTTP date in seconds since 1970; None if unreadable. One that names no zone is UTC (RFC 9110, 5.6.7)."""
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def date_us(value: str | None) -> int | None:
    """An HTTP date in microseconds since 1970, the start of its second; None if absent or unreadable."""
    instant = http_date(value or "")
    return None if instant is None else int(instant) * 1_000_000


def retry_after_seconds(value: str | None, now: float, cap: float) -> float | None:
    """Seconds to wait as a Retry-After header says, at most `cap`; None for absent, past or unreadable.

    Args:
        value: a number of seconds or an HTTP date (RFC 9110, 10.2.3).
        now: the server's clock if known, else ours, in seconds since 1970.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:12])
    else:
        instant = http_date(value)
        if instant is None:
            return None
        seconds = instant - now
    return min(seconds, cap) if seconds > 0 else None
