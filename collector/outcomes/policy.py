"""The one policy for every operation: whether a request is made again, when, on whose account, and who pauses. Pure.

What something means is said by `meaning`; the rest of the collector obeys the `Decision` that is made here.

| operation | made again after | at most |
|---|---|---|
| a report, a list of mailboxes | faults that may pass; once after one that nobody documented | retry.attempts |
| Login | faults that may pass; never after a refusal, since accounts are locked for that | retry.attempts |
| Logout | faults that may pass; any other says that there is no such session, as was wanted | retry.attempts |
| WhoAmI | faults that may pass | twice, retry.attempts where it was told to slow down |
| Version, NowUTC | nothing | once |

Three budgets: an attempt is charged to its call, unless the service is down for everybody (it was a probe, and says
nothing about the call) or the session was already known to be gone (another call has paid for finding that out).
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from collector.domain.outcomes import FaultClass
from collector.outcomes.meaning import Meaning
from collector.wire.operations import LOGIN, LOGOUT, NOW_UTC, VERSION, WHO_AM_I, Operation

__all__ = [
    "Backoff",
    "Circumstances",
    "Decision",
    "Pauses",
    "SlowDowns",
    "WrongService",
    "backoff_seconds",
    "decide",
    "ends_session",
]

_MAY_PASS: Final = frozenset(
    {
        FaultClass.THROTTLED,
        FaultClass.SERVER,
        FaultClass.NOT_SERVICE,
        FaultClass.MALFORMED,
        FaultClass.TRANSPORT,
        FaultClass.TIMEOUT,
        FaultClass.DAMAGED,
    }
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is made again for one operation.

    Attributes:
        again: after these classes, within the budget.
        once: after these classes only one more time.
        attempts: the budget; None for retry.attempts.
    """

    again: frozenset[FaultClass] = _MAY_PASS
    once: frozenset[FaultClass] = frozenset()
    attempts: int | None = None


# AUTHENTICATION is made again after another Login, where that may help
_REPORT: Final = _Rule(
    again=_MAY_PASS | {FaultClass.AUTHENTICATION}, once=frozenset({FaultClass.UNCLASSIFIED})
)
_RULES: Final = {
    LOGIN.name: _Rule(),
    LOGOUT.name: _Rule(),
    WHO_AM_I.name: _Rule(
        again=_MAY_PASS | {FaultClass.AUTHENTICATION},
        once=frozenset({FaultClass.UNCLASSIFIED}),
        attempts=2,
    ),
    VERSION.name: _Rule(again=frozenset()),
    NOW_UTC.name: _Rule(again=frozenset()),
}


class Pauses(Enum):
    """Who sends nothing for a while."""

    NOBODY = "nobody"
    SESSION = "this session"
    EVERYBODY = "everybody"


class Decision(NamedTuple):
    """What is done after one request.

    Attributes:
        wait_seconds: make it again after that long; None: not again.
        charged: attempts that count against the budget, this one included if it does.
        pauses: who sends nothing for `pause_seconds`.
    """

    wait_seconds: float | None
    charged: int
    pauses: Pauses = Pauses.NOBODY
    pause_seconds: float = 0.0


class Backoff(NamedTuple):
    """How patiently requests are made again, as configured.

    Attributes:
        attempts: how often a call is tried, the first time included.
        base_seconds: the longest wait after the first failure; it doubles with each further one.
        cap_seconds: the longest wait after any failure.
    """

    attempts: int
    base_seconds: float
    cap_seconds: float


class Circumstances(NamedTuple):
    """What else bears on a decision.

    Attributes:
        is_down: the service is down for everybody: nothing is sent before it is asked again, so no wait is added.
        is_free: somebody else has paid for finding this out.
        may_log_in: another Login may help against AUTHENTICATION.
        is_streak: enough refusals in a row said "slow down" that the service means everybody.
        failed_before: failures in a row before this one, where not all of them were charged; the wait grows with them.
    """

    is_down: bool = False
    is_free: bool = False
    may_log_in: bool = True
    is_streak: bool = False
    failed_before: int | None = None


def decide(
    operation: Operation,
    meaning: Meaning,
    charged: int,
    backoff: Backoff,
    jitter: float,
    seen: Circumstances = Circumstances(),  # noqa: B008  # immutable
) -> Decision:
    """What is done about a request that came to `meaning`.

    Args:
        charged: attempts of this call or step that counted before this one.
        jitter: a random number from 0 to 1, which spreads retries in time.
    """
    fault_class = meaning.fault_class
    if fault_class is None:
        return Decision(None, charged + 1)
    is_probe = seen.is_down and meaning.is_outage
    charged += not (is_probe or seen.is_free)
    failures = max(1, charged if seen.failed_before is None else seen.failed_before + 1)
    backing_off = backoff_seconds(failures, backoff.base_seconds, backoff.cap_seconds, jitter)
    wait = max(backing_off, meaning.retry_after_seconds or 0.0)
    pauses = _pauses(meaning, is_streak=seen.is_streak)
    if is_probe:
        # the breaker says when it is asked again; a Retry-After holds for probes too
        asked = 0.0 if pauses is Pauses.NOBODY else meaning.retry_after_seconds or 0.0
        return Decision(asked, charged, pauses, asked)
    if fault_class is FaultClass.AUTHENTICATION:
        wait = 0.0  # the Login comes first, and has waits of its own
    is_again = _is_again(
        operation, fault_class, charged, backoff.attempts, may_log_in=seen.may_log_in
    )
    return Decision(
        wait if is_again else None, charged, pauses, 0.0 if pauses is Pauses.NOBODY else wait
    )


def _pauses(meaning: Meaning, *, is_streak: bool) -> Pauses:
    """429: this client asks too often; 503: the service cannot serve anybody (RFC 6585 4, RFC 9110 15.6.4)."""
    if meaning.fault_class is not FaultClass.THROTTLED:
        return Pauses.NOBODY
    return Pauses.EVERYBODY if meaning.slows_everybody or is_streak else Pauses.SESSION


def _is_again(
    operation: Operation, fault_class: FaultClass, charged: int, attempts: int, *, may_log_in: bool
) -> bool:
    rule = _RULES.get(operation.name, _REPORT)
    if fault_class is FaultClass.AUTHENTICATION and not may_log_in:
        return False
    if fault_class in rule.once:
        return charged <= 1 < attempts
    if rule.attempts is not None and fault_class is not FaultClass.THROTTLED:
        attempts = min(attempts, rule.attempts)
    return fault_class in rule.again and charged < attempts


def ends_session(meaning: Meaning) -> bool:
    """Whether a Logout did what was wanted: it was answered, or refused in a way that says there is no such session."""
    return meaning.payload is not None or meaning.fault_class in _NO_SUCH_SESSION


_NO_SUCH_SESSION: Final = frozenset(
    {
        FaultClass.AUTHENTICATION,
        FaultClass.AUTHORISATION,
        FaultClass.PARAMETER,
        FaultClass.NOT_FOUND,
        FaultClass.UNCLASSIFIED,
    }
)


def backoff_seconds(attempt: int, base: float, cap: float, random: float) -> float:
    """Full jitter: `random` (0 to 1) times the doubled base, capped: random * min(cap, base * 2**(attempt - 1))."""
    return random * min(cap, base * 2.0 ** min(attempt - 1, 60))


@dataclass(slots=True)
class SlowDowns:
    """Refusals in a row, of whatever operation, that say "slow down": three of them are meant for everybody."""

    in_a_row: int = 0

    def heard(self, meaning: Meaning) -> None:
        """Take note of what came back; an attempt without a reply says nothing."""
        if meaning.asks_to_slow_down:
            self.in_a_row += 1
        elif meaning.status is not None:
            self.in_a_row = 0

    @property
    def means_everybody(self) -> bool:
        """The service does not mean a single session."""
        return self.in_a_row >= _SLOW_DOWNS


_SLOW_DOWNS: Final = 3


@dataclass(slots=True)
class WrongService:
    """Whether what answers at the service's address is a web server that is not the service.

    A service that has answered once, be it with a fault of its own, is the service: pages that come later are those
    of an outage.

    Attributes:
        is_known: the service has answered, now or in an earlier invocation of the run.
    """

    is_known: bool = False
    _pages: int = 0
    _sessions: set[str] = field(default_factory=set)

    def heard(self, session: str, meaning: Meaning, sessions_left: int) -> bool:
        """Take note of what came back; whether it is now clear that this is not the service.

        Args:
            sessions_left: how many sessions have something left to do.
        """
        if self.is_known or meaning.status is None or (meaning.status >= 500 and meaning.is_outage):
            return False
        if not meaning.is_web_page:
            self.is_known = meaning.fault_class is not FaultClass.MALFORMED
            return False
        self._pages += 1
        self._sessions.add(session)
        enough = min(_WRONG_SESSIONS, max(1, sessions_left))
        return self._pages >= _WRONG_PAGES and len(self._sessions) >= enough


_WRONG_PAGES: Final = 5
_WRONG_SESSIONS: Final = 3
