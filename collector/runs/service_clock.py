"""The service's clock, learned from the Date headers of its replies. Pure: the client's clock comes as an argument.

A Date header is the start of the second in which the reply was made, somewhere between its request and its receipt, so
each reply gives bounds for how far the service's clock is ahead. Where the bounds of the last replies overlap is known
better than any one of them says it.
"""

from collections import deque
from typing import Final

__all__ = ["ServiceClock"]

_SECOND_US: Final = 1_000_000
_RECENT: Final = 64  # replies; clocks drift, so what was learned long ago is forgotten


class ServiceClock:
    """How far the service's clock is ahead of the client's. Times are microseconds since 1970."""

    def __init__(self) -> None:
        self._lows: deque[int] = deque(maxlen=_RECENT)
        self._highs: deque[int] = deque(maxlen=_RECENT)

    @property
    def offset_us(self) -> int | None:
        """How far the service's clock is ahead, negative if it is behind; None while no reply told."""
        return (max(self._lows) + min(self._highs)) // 2 if self._lows else None

    def learn(self, date_us: int | None, sent_at_us: int, received_at_us: int) -> None:
        """A reply came.

        Args:
            date_us: its Date header; None if it had none.
            sent_at_us: the client's clock when its request was sent.
            received_at_us: the client's clock when it was there.
        """
        if date_us is None:
            return
        low, high = date_us - received_at_us, date_us + _SECOND_US - sent_at_us
        if low > high:  # the client's clock was moved while the request was under way
            return
        if self._lows and max(low, *self._lows) > min(high, *self._highs):
            # one of the clocks was moved: only the latest reply knows of it
            self._lows.clear()
            self._highs.clear()
        self._lows.append(low)
        self._highs.append(high)

    def now_us(self, client_now_us: int) -> int:
        """The service's clock at that instant of the client's; the client's own while nothing is known."""
        return client_now_us + (self.offset_us or 0)
