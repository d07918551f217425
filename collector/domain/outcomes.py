"""How a planned call stands: its state, the class of its fault, and what was sent for it. Decides nothing."""

from enum import StrEnum
from typing import NamedTuple

from collector.domain.calls import CallId

__all__ = ["FaultClass", "Outcome", "State", "Tries"]


class State(StrEnum):
    """How a planned call ended; every planned call has exactly one."""

    OK = "ok"
    EMPTY = "empty"
    FAILED = "failed"
    NOT_ATTEMPTED = "not_attempted"


class FaultClass(StrEnum):
    """Why a call has no answer, in the words of the `calls` table."""

    AUTHENTICATION = "authentication"  # the session or key is not valid (any more)
    AUTHORISATION = "authorisation"  # valid, but not allowed to see this
    PARAMETER = "parameter"  # the service refuses an argument
    NOT_FOUND = "not_found"  # the service knows no such object or operation
    THROTTLED = "throttled"  # 429 or 503 with Retry-After: asked to slow down
    SERVER = "server"  # the service failed: faults of its own, 5xx of proxies
    NOT_SERVICE = "not_service"  # HTML or text where an answer of the service should be
    MALFORMED = "malformed"  # empty, truncated or broken XML, or another operation's answer
    TRANSPORT = "transport"  # refused, reset, dropped, TLS, DNS
    TIMEOUT = "timeout"  # sent, but no complete reply in time
    TOO_LARGE = "too_large"  # the body grew beyond the limit
    CREDENTIAL = "credential"  # Login was refused, so the session's calls were never sent
    UNCLASSIFIED = "unclassified"  # a fault of a shape nobody documented
    DAMAGED = "damaged"  # answered, but the landed record was damaged on disk afterwards
    QUARANTINED = "quarantined"  # answered, but the answer failed a check that is set to quarantine


class Tries(NamedTuple):
    """How often a call, or a step of a session, was tried.

    Attributes:
        sent: requests sent for it.
        charged: tries that count against its budget: probes of an outage do not, and a connection that was refused
            does, though nothing was sent.
        minutes: Minutes1 and Minutes2 as they were sent last; None where nothing was sent, or no windows.
        requested_at_us: the client's clock at the last request, in microseconds since 1970; None if nothing was sent.
    """

    sent: int = 0
    charged: int = 0
    minutes: tuple[int, int] | None = None
    requested_at_us: int | None = None


# a named tuple: every call makes one, and a frozen dataclass takes four times as long to make
class Outcome(NamedTuple):
    """How one planned call ended, or stands.

    Attributes:
        attempts: requests sent for it.
        charged: how many tries of it count against `retry.attempts`: probes of an outage do not, and a connection that
            was refused does, though nothing was sent.
        answer_attempt: the attempt whose landed reply is the answer (`ok` and `empty` only).
        minutes: Minutes1 and Minutes2 as the last attempt sent them; None where nothing was sent.
        fault_text: what the service or the network said, at most 500 characters, never a credential; of a call that
            was not attempted, why.
        requested_at_us: the client's clock at the last request, in microseconds since 1970.
        observed_at_us: the service's clock (Date header), the start of that second, in microseconds since 1970.
        latency_us: microseconds from the request sent to the last byte of the reply.
    """

    call_id: CallId
    state: State
    attempts: int
    charged: int = 0
    answer_attempt: int | None = None
    minutes: tuple[int, int] | None = None
    http_status: int | None = None
    fault_class: FaultClass | None = None
    fault_text: str | None = None
    requested_at_us: int | None = None
    observed_at_us: int | None = None
    latency_us: int | None = None
    reply_bytes: int | None = None
