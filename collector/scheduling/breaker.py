"""Is the service down? Counts failures that concern everybody, and says when to ask again. Sends and waits for nothing.

Closed, all is well. When FAILURES requests in a row have failed, of CALLS different calls or Logins in SESSIONS
different sessions (or all that are left), it opens: requests are held, and one goes out as a probe, after PROBE_SECONDS
first and then after twice as long each time, at most MOST_SECONDS. A probe that is answered closes it. A session or
call that failed while the service answered others has trouble of its own and is not counted: waiting would not help it.
Nor does a session count that was never answered in a run in which others were, unless SESSIONS such sessions fail in a
row: it may be the last one left, when nobody else is asked any more who could tell. A breaker that has given up stays
open: what is still answered then (a Logout, say) brings no call back.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["CALLS", "FAILURES", "MOST_SECONDS", "PROBE_SECONDS", "SESSIONS", "Breaker", "Listener"]

FAILURES: Final = 5
CALLS: Final = 3  # fewer are not worth waiting for: they have their attempts
SESSIONS: Final = 3
PROBE_SECONDS: Final = 1.0
MOST_SECONDS: Final = 60.0


class Listener(Protocol):
    """Who is told what the breaker does; all times in seconds."""

    def hold(self, until: float) -> None:
        """Send nothing before an instant of the breaker's clock, and then one request as a probe."""

    def release(self) -> None:
        """The service answers again: send as before."""

    def opened(self, said: str) -> None:
        """The service does not answer; `said` is what the last failure was."""

    def still_down(self, said: str, next_in_seconds: float) -> None:
        """A probe has failed; so long until the next one."""

    def closed(self, after_seconds: float) -> None:
        """A probe was answered, so long after the breaker opened."""

    def gave_up(self, after_seconds: float) -> None:
        """The service did not come back in the longest time that is waited for it."""


class Breaker:
    """The state of one run's service.

    Args:
        listener: is told what to do, and what has happened.
        sessions_left: how many sessions have something left to do.
        longest_seconds: how long a service that is down is waited for.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        sessions_left: Callable[[], int],
        longest_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._sessions_left = sessions_left
        self._longest = longest_seconds
        self._now = now
        self._in_a_row = 0
        self._failing: dict[str, set[str]] = {}  # by session, since the service last answered
        self._answered: set[str] = set()  # sessions, in this run
        self._troubled: set[str] = set()  # sessions that failed while others were answered
        self._troubled_items: set[str] = set()
        self._opened_at: float | None = None
        self._has_given_up = False
        self._probe_at = 0.0
        self._wait = PROBE_SECONDS
        self._said = ""  # of the last failure

    @property
    def is_open(self) -> bool:
        """The service is taken to be down."""
        return self._opened_at is not None

    def answered(self, session: str, item: str | None) -> None:
        """The service spoke, be it a fault: it is there."""
        self._answered.add(session)
        if not (self._in_a_row or self._troubled or self._troubled_items):
            return
        if self._has_given_up:
            return
        if self._opened_at is not None:
            self._listener.closed(self._seconds_open())
            self._opened_at = None
            self._listener.release()
        else:
            for failing, items in self._failing.items():
                self._troubled_items |= items
                if failing != session:
                    self._troubled.add(failing)
        self._failing.clear()
        self._in_a_row = 0
        self._troubled.discard(session)
        self._troubled_items.discard(item or "")

    def failed(self, session: str, item: str, said: str = "") -> None:
        """Nothing came, or what came was not from the service; `said` is what it was."""
        self._said = said
        if self._opened_at is not None:
            if self._now() >= self._probe_at:  # else it was on its way when the breaker opened
                self._wait_longer()
            return
        if session in self._troubled or item in self._troubled_items:
            return
        self._in_a_row += 1
        self._failing.setdefault(session, set()).add(item)
        sessions = len(self._troubled | self._failing.keys())
        calls = sum(map(len, self._failing.values()))
        is_enough = self._in_a_row >= FAILURES and calls >= CALLS
        if is_enough and sessions >= min(SESSIONS, self._sessions_left()) and self._is_news():
            self._open()

    def _is_news(self) -> bool:
        """The failures say more than that a session or two were never answered, unlike others."""
        is_many = len(self._failing) >= SESSIONS
        return is_many or not self._answered or not self._answered.isdisjoint(self._failing)

    def _open(self) -> None:
        self._opened_at = self._now()
        self._wait = PROBE_SECONDS
        self._listener.opened(self._said)
        self._hold_on(self._longest)

    def _wait_longer(self) -> None:
        self._wait = min(self._wait * 2, MOST_SECONDS)
        left = self._longest - self._seconds_open()
        if left > 0:
            self._listener.still_down(self._said, min(self._wait, left))
        elif not self._has_given_up:
            self._has_given_up = True
            self._listener.gave_up(self._seconds_open())
        self._hold_on(left)

    def _hold_on(self, left: float) -> None:
        """Until the next probe; the last one goes out when the time is up."""
        self._probe_at = self._now() + (min(self._wait, left) if left > 0 else self._wait)
        self._listener.hold(self._probe_at)

    def _seconds_open(self) -> float:
        return 0.0 if self._opened_at is None else self._now() - self._opened_at
