"""The simulated service's clock: the machine's, or one that stands still at an instant."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

__all__ = ["Clock", "http_date", "microseconds", "net_date_time"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970; a moment without zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=16)
def _http_date(second: int) -> str:
    return format_datetime(_EPOCH + timedelta(seconds=second), usegmt=True)


def http_date(at_us: int) -> str:
    """The instant as a Date header has it."""
    return _http_date(at_us // 1_000_000)


def net_date_time(at_us: int) -> str:
    """The instant as XmlSerializer writes a UTC DateTime: the fraction as short as it goes."""
    moment = _EPOCH + timedelta(seconds=at_us // 1_000_000)
    fraction = f"{at_us % 1_000_000:06d}".rstrip("0")
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"


class Clock:
    """Says what time it is.

    Args:
        now: the instant it stands still at; None follows the machine's clock.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._fixed_us = None if now is None else microseconds(now)

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1_000 if self._fixed_us is None else self._fixed_us

    def set(self, now: datetime | None) -> None:
        """Stands still at another instant, or runs (None)."""
        self._fixed_us = None if now is None else microseconds(now)
