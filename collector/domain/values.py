"""The values that cross module lines: windows, calls, replies, outcomes. No I/O, no parsing.

Times are integers: microseconds since 1970-01-01T00:00:00Z (`_us`). What every call makes anew is a named tuple: a
frozen dataclass takes four times as long to make.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, NewType, Self

__all__ = [
    "MAX_WINDOW_MINUTES",
    "MIN_WINDOW_MINUTES",
    "Binding",
    "Call",
    "CallId",
    "FaultClass",
    "LandedReply",
    "Outcome",
    "Pairing",
    "Reply",
    "RunInfo",
    "RunSummary",
    "State",
    "WhoAmI",
    "Window",
    "call_id_of",
]

MIN_WINDOW_MINUTES: Final = 1
MAX_WINDOW_MINUTES: Final = (
    32_767  # xs:short, the type of Minutes1 and Minutes2 in the service's contract
)

CallId = NewType("CallId", str)


class Binding(StrEnum):
    """How an operation travels."""

    SOAP11 = "soap11"
    SOAP12 = "soap12"
    HTTP_POST = "http-post"
    HTTP_GET = "http-get"


class Pairing(StrEnum):
    """How the windows of a session are put into calls of two."""

    PAIRS = "pairs"
    CHAIN = "chain"


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


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A trailing span that ends at the server's now.

    Attributes:
        minutes: 1 to 32,767.

    Raises:
        ValueError: the span is outside that range.
    """

    minutes: int

    def __post_init__(self) -> None:
        if not MIN_WINDOW_MINUTES <= self.minutes <= MAX_WINDOW_MINUTES:
            raise ValueError(
                f"a window of {self.minutes} minutes: must be {MIN_WINDOW_MINUTES} to {MAX_WINDOW_MINUTES}"
            )


def call_id_of(session: str, window1_minutes: int, window2_minutes: int) -> CallId:
    """The id of the call for these windows, made of nothing else: `acme:60-120`."""
    return CallId(f"{session}:{window1_minutes}-{window2_minutes}")


@dataclass(frozen=True, slots=True)
class Call:
    """One planned ReportInstantStats: a session and the two windows it asks for.

    Attributes:
        call_id: derived from the other fields alone, so the same plan has the same ids.
        session: the session's label.
    """

    call_id: CallId
    session: str
    window1: Window
    window2: Window

    @classmethod
    def of(cls, session: str, window1: Window, window2: Window) -> Self:
        """The call for these windows, with its id."""
        return cls(call_id_of(session, window1.minutes, window2.minutes), session, window1, window2)

    @property
    def is_probe(self) -> bool:
        """Both halves ask for the same window, to show whether they share one now."""
        return self.window1 == self.window2


class Reply(NamedTuple):
    """What came back for one attempt, before anyone looked into it.

    Attributes:
        headers: the reply's headers, names in lower case; a repeated header is joined with a comma.
        body: as received, still encoded as `content-encoding` says.
        sent_at_us: the client's clock when the request had been written.
        received_at_us: the client's clock when the last byte had come.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at_us: int
    received_at_us: int


class LandedReply(NamedTuple):
    """A reply in the landing store, with the call it answers.

    Attributes:
        attempt: 1 for the first request of the call.
        request: method, path, headers and body as sent, the credential masked.
        headers: those worth keeping, names in lower case.
        masked: the body held a credential, and those bytes were replaced.
        cut: the body was longer than `limits.max_reply_bytes` and ends early.
    """

    call_id: CallId
    attempt: int
    session: str
    window1_minutes: int
    window2_minutes: int
    binding: Binding
    request: str
    status: int
    headers: dict[str, str]
    body: bytes
    sent_at_us: int
    received_at_us: int
    masked: bool = False
    cut: bool = False


class Outcome(NamedTuple):
    """How one planned call ended.

    Attributes:
        attempts: requests sent for it.
        answer_attempt: the attempt whose landed reply is the answer (`ok` and `empty` only).
        fault_text: what the service or the network said, at most 500 characters, never a credential.
        observed_at_us: the server's clock (Date header), the start of that second.
        charged: how many tries of it count against `retry.attempts`: probes of an outage do not, and a connection that
            was refused does, though nothing was sent.
    """

    call_id: CallId
    state: State
    attempts: int
    answer_attempt: int | None = None
    http_status: int | None = None
    fault_class: FaultClass | None = None
    fault_text: str | None = None
    requested_at_us: int | None = None
    observed_at_us: int | None = None
    latency_us: int | None = None
    reply_bytes: int | None = None
    charged: int = 0


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """What WhoAmI said of a session; never a credential, never the SessionID.

    Attributes:
        timeout_seconds: SessionInfo.TimeOut, the longest pause between two calls of a session.
        open_sessions: SessionInfo.OpenSessions, sessions of this user open at that moment.
    """

    session: str
    asked_at_us: int
    network_id: int | None = None
    mailbox_id: int | None = None
    user_id: int | None = None
    timeout_seconds: int | None = None
    open_sessions: int | None = None
    fault_class: FaultClass | None = None
    fault_text: str | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run: which plan, against which service, since when.

    Attributes:
        run_id: its start in UTC and a piece of the plan's digest, e.g. `20260131T020000Z-1f2e3d`.
        plan_digest: 64 hexadecimal digits over service, operation and ordered calls.
        service_url: without credentials or query.
        finished_at_us: None while calls are missing, or what they brought is to be published; such a run is resumed.
    """

    run_id: str
    plan_digest: str
    service_url: str
    namespace: str
    binding: Binding
    started_at_us: int
    finished_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The sums of a run's ledger; planned = ok + empty + failed + not_attempted.

    Attributes:
        attempts: ReportInstantStats requests sent, over all invocations that worked on the run.
        logins: Login requests sent, likewise.
    """

    run_id: str
    planned: int
    ok: int
    empty: int
    failed: int
    not_attempted: int
    attempts: int
    logins: int
