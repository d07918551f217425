"""Is the service down? Counts failures that concern everybody, and says when to ask again. Sends and waits for nothing.

Closed, all is well. When FAILURES requests in a row have failed, of CALLS different calls or Logins in SESSIONS
different sessions (or all that are left), it opens: requests are held, and one goes out as a probe, after PROBE_SECONDS
first and then after twice as long each time, at most MOST_SECONDS. A probe that is answered closes it. A session or
call that failed while the service answered others has trouble of its own and is not counted: waiting would not mend it.
So has a session that was never answered in a run in which others were, unless SESSIONS such sessions fail in a row: it
may be the last one left, when nobody else is asked any more who could tell.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog

__all__ = ["CALLS", "FAILURES", "MOST_SECONDS", "PROBE_SECONDS", "SESSIONS", "Breaker"]

_LOG = structlog.get_logger("collector")

FAILURES: Final = 5
CALLS: Final = 3  # fewer are not worth waiting for: they have their attempts
SESSIONS: Final = 3
PROBE_SECONDS: Final = 1.0
MOST_SECONDS: Final = 60.0


class Breaker:
    """The state of one run's service.

    Args:
        hold: called with the instant (of `now`, in seconds) before which nothing may be sent, and then one request.
        release: called when the service answers again.
        give_up: called when it did not for `longest_seconds`.
        sessions_left: how many sessions have something left to do.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        hold: Callable[[float], None],
        release: Callable[[], None],
        give_up: Callable[[], None],
        *,
        sessions_left: Callable[[], int],
        longest_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hold, self._release, self._give_up = hold, release, give_up
        self._sessions_left = sessions_left
        self._longest = longest_seconds
        self._now = now
        self._in_a_row = 0
        self._failing: dict[str, set[str]] = {}  # by session, since the service last answered
        self._answered: set[str] = set()  # sessions, in this run
        self._troubled: set[str] = set()  # sessions that failed while others were answered
        self._troubled_items: set[str] = set()
        self._opened_at: float | None = None
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
        if self._opened_at is not None:
            _LOG.warning("the service answers again", after_seconds=self._seconds_open())
            self._opened_at = None
            self._release()
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
        """Nothing came, or what came was not from the service; `said` is what it was, for the log."""
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
        _LOG.warning(
            "the service does not answer: the run waits, and asks now and then", said=self._said
        )
        self._hold_on(self._longest)

    def _wait_longer(self) -> None:
        self._wait = min(self._wait * 2, MOST_SECONDS)
        left = self._longest - self._seconds_open()
        if left <= 0:
            _LOG.error("the service did not come back", after_seconds=self._seconds_open())
            self._give_up()
        else:
            seconds = min(self._wait, left)
            _LOG.info("the service still does not answer", said=self._said, next_in_seconds=seconds)
        self._hold_on(left)

    def _hold_on(self, left: float) -> None:
        """Until the next probe; the last one goes out when the time is up."""
        self._probe_at = self._now() + (min(self._wait, left) if left > 0 else self._wait)
        self._hold(self._probe_at)

    def _seconds_open(self) -> float:
        return 0.0 if self._opened_at is None else round(self._now() - self._opened_at, 3)
