"""How a call stands after an attempt that brought no reply, or without one; the form in which `fetch` tells. Pure."""

from typing import NamedTuple

from collector.domain.values import Call, FaultClass, Outcome, State
from collector.errors import CredentialError, TransportError
from collector.outcomes.classify_reply import FAULT_TEXT_LIMIT
from collector.outcomes.policy import classify_error
from collector.sessions.credentials import LoginFailedError

__all__ = ["AttemptResult", "class_of", "refused", "unanswered"]


class AttemptResult(NamedTuple):
    """How a call stands after an attempt.

    Attributes:
        wait_seconds: try again after that long; None if the outcome is final.
        throttled_seconds: the Retry-After that the service sent along.
    """

    outcome: Outcome
    wait_seconds: float | None = None
    throttled_seconds: float | None = None


def unanswered(call: Call, number: int, error: TransportError, started_at_us: int) -> Outcome:
    """The outcome of an attempt that brought no reply."""
    return Outcome(
        call.call_id,
        State.FAILED,
        number,
        fault_class=classify_error(error),
        fault_text=str(error)[:FAULT_TEXT_LIMIT],
        requested_at_us=started_at_us,
    )


def refused(call: Call, attempts: int, error: CredentialError) -> AttemptResult:
    """A call that is not sent, since its session is not let in."""
    return AttemptResult(
        Outcome(
            call.call_id,
            State.FAILED,
            attempts,
            fault_class=class_of(error),
            fault_text=str(error)[:FAULT_TEXT_LIMIT],
        )
    )


def class_of(error: CredentialError) -> FaultClass:
    """The class of such a call. A service that is down refuses nobody: it failed like any other."""
    return error.fault_class if isinstance(error, LoginFailedError) else FaultClass.CREDENTIAL
