"""The time for the whole process: the machine's clock, or that clock moved by an offset, to play nights of the past."""

import contextlib
import time
from collections.abc import Iterator

__all__ = ["moved", "now_us"]

_ahead_us = 0


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000 + _ahead_us


@contextlib.contextmanager
def moved(ahead_us: int) -> Iterator[None]:
    """While this is open, it is so much later in all of this process; earlier if that is negative."""
    global _ahead_us  # noqa: PLW0603  # there is one time for all
    before = _ahead_us
    _ahead_us = ahead_us
    try:
        yield
    finally:
        _ahead_us = before
