"""Dates and delays in HTTP headers (RFC 9110: Date 6.6.1, HTTP-date 5.6.7, Retry-After 10.2.3). Reads no clock."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

__all__ = ["date_us", "http_date", "retry_after_seconds"]


@lru_cache(maxsize=64)  # all replies of one second have the same
def http_date(value: str) -> float | None:
    """An HTTP-date in seconds since 1970; None if it cannot be read. One that names no time zone is in UTC."""
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def date_us(value: str | None) -> int | None:
    """A Date header in microseconds since 1970; None if it is absent or cannot be read."""
    instant = http_date(value or "")
    return None if instant is None else int(instant) * 1_000_000


def retry_after_seconds(value: str | None, now: float, cap: float) -> float | None:
    """Seconds to wait as a Retry-After header says, at most `cap`; None if it is absent, past or cannot be read.

    Args:
        value: a number of seconds or an HTTP-date.
        now: the server's clock if it is known, else this machine's, in seconds since 1970.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:12])  # more digits would be beyond any cap
    else:
        instant = http_date(value)
        if instant is None:
            return None
        seconds = instant - now
    return min(seconds, cap) if seconds > 0 else None
