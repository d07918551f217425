"""Everything about the simulated service that can be changed, by name. Knows nothing of how it is done.

A switch that happens to calls is a Selector; the others are plain values. The defaults are what the
service's documentation says, or silence where it says nothing.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from collector.simulator.selector import NEVER, CallKey, Selector
from collector.wire.namespaces import ECGRID

__all__ = [
    "NAMES",
    "SELECTORS",
    "DownBy",
    "Edges",
    "ExScope",
    "FaultShape",
    "HostileKind",
    "ListScope",
    "MailboxNames",
    "MailboxStates",
    "NetworkTotal",
    "QuietMailbox",
    "RateScope",
    "Switches",
]


class FaultShape(StrEnum):
    """How the service words a fault of its own; each is documented somewhere."""

    ERROR_INFO = "error-info"  # detail/ErrorInfo with four fields
    FLAT = "flat"  # details with the four fields, no ErrorInfo
    NUMBER = "number"  # detail/ECGridOSSOAPErrorCode holds a number
    WORD = "word"  # detail/ECGridOSSOAPErrorCode holds a word
    FRAMEWORK = "framework"  # an exception nobody caught: empty detail


class ListScope(StrEnum):
    """Whose mailboxes MailboxList and MailboxListEx name."""

    NONE = "none"
    NETWORK = "network"
    ALL = "all"


class MailboxNames(StrEnum):
    """What mailboxes are called."""

    PLAIN = "plain"
    ODD = "odd"


class MailboxStates(StrEnum):
    """Whether mailboxes are in use."""

    ACTIVE = "active"
    MIXED = "mixed"


class Edges(StrEnum):
    """Which ends of a window count."""

    AFTER_START = "after-start"  # (now - w, now]
    CLOSED = "closed"  # [now - w, now]
    BEFORE_NOW = "before-now"  # [now - w, now)


class QuietMailbox(StrEnum):
    """What a mailbox without any traffic in both windows is answered."""

    ZEROS = "zeros"
    NO_ROW = "no-row"


class RateScope(StrEnum):
    """Whose requests the rate limit adds up."""

    SERVICE = "service"
    SESSION = "session"


class ExScope(StrEnum):
    """Whose statistics ReportInstantStatsEx gives."""

    OWN = "own"
    NETWORK = "network"
    NONE = "none"


class NetworkTotal(StrEnum):
    """What MailboxID 0 is for ReportInstantStatsEx."""

    SUM = "sum"
    ROOT = "root"
    DENIED = "denied"


class DownBy(StrEnum):
    """What a client sees of a service that is down."""

    REFUSAL = "refusal"  # nobody listens; requests on open connections are dropped
    PAGE_503 = "503"


class HostileKind(StrEnum):
    """What a hostile reply attacks."""

    ANY = "any"  # one of the others, drawn for each attempt
    SAME_ATTRIBUTE = "same-attribute"
    INVALID_UTF8 = "invalid-utf8"
    UTF16 = "utf-16"
    NUL_BYTES = "nul-bytes"
    EXTERNAL_ENTITY = "external-entity"
    BILLION_LAUGHS = "billion-laughs"
    QUADRATIC = "quadratic"
    DEEP_NESTING = "deep-nesting"
    MANY_ATTRIBUTES = "many-attributes"
    MANY_COLUMNS = "many-columns"
    RECURSIVE_TYPE = "recursive-type"
    WHITESPACE = "whitespace"
    GZIP_BOMB = "gzip-bomb"
    ENDLESS = "endless"


_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "latency_ms": (0, 600_000),
    "jitter_ms": (0, 600_000),
    "never_answer_seconds": (0, 3_600),
    "slow_body_seconds": (0, 3_600),
    "session_cap": (1, 1_000_000),
    "session_timeout_seconds": (1, 32_767),  # TimeOut is an xs:short
    "expire_after_calls": (0, 1_000_000_000),
    "rate_limit": (0, 1_000_000_000),
    "rate_limit_seconds": (0.001, 86_400),
    "retry_after_seconds": (0, 86_400),
    "clock_offset_seconds": (-1e9, 1e9),
    "second_now_seconds": (-86_400, 86_400),
    "statistics_lag_seconds": (0, 1e9),
    "down_from": (0, 1_000_000_000),
    "down_seconds": (0, 86_400),
    "hostile_bytes": (0, 2_000_000_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The behaviour of the service, or of one session's share of it.

    Raises:
        ValueError: a value outside its range; the message names switch, value and range.
    """

    # time
    latency_ms: float = 0.0
    jitter_ms: float = 0.0  # on top of the latency, uniform
    clock_offset_seconds: float = 0.0  # the service's clock is this much ahead
    # sessions
    session_cap: int = 5
    session_timeout_seconds: int = 1_200
    sliding_timeout: bool = True  # each call restarts the timeout
    expire_after_calls: int = 0  # 0: never
    release_expired: bool = True  # an expired session leaves its place under the cap
    ip_binding: bool = True
    # admission
    rate_limit: int = 0  # requests in any rate_limit_seconds; 0: none
    rate_limit_seconds: float = 1.0
    rate_limit_scope: RateScope = RateScope.SERVICE
    throttle_status: int = 429
    retry_after: str = "seconds"  # none | seconds | date | past | absurd | words
    retry_after_seconds: float = 1.0
    # out of order for everybody
    down_from: int = 0  # the number of the request that finds it down; 0: never
    down_seconds: float = 10.0
    down_by: DownBy = DownBy.REFUSAL
    # contract
    fault_shape: FaultShape = FaultShape.ERROR_INFO
    namespace: str = ECGRID
    http_get: bool = True
    http_post: bool = True
    # MailboxList and MailboxListEx
    list_scope: ListScope = ListScope.NONE
    mailbox_names: MailboxNames = MailboxNames.PLAIN
    mailbox_states: MailboxStates = MailboxStates.ACTIVE
    # what nobody documents
    second_now_seconds: float = 0.0  # the second window ends this much later than the first
    window_edges: Edges = Edges.AFTER_START
    truncate_minutes: bool = False  # windows end at the full minute
    quiet_mailbox: QuietMailbox = QuietMailbox.ZEROS
    statistics_lag_seconds: float = 0.0
    ex_scope: ExScope = ExScope.OWN
    network_total: NetworkTotal = NetworkTotal.SUM
    # which operations the selectors below apply to, with commas; * is all
    operations: str = "ReportInstantStats,ReportInstantStatsEx"
    # Login, whatever `operations` says
    login_refused: Selector = NEVER
    login_throttled: Selector = NEVER
    # no answer
    drop_connection: Selector = NEVER
    never_answer: Selector = NEVER
    never_answer_seconds: float = 60.0
    # not the service
    throttle: Selector = NEVER
    html_200: Selector = NEVER
    html_502: Selector = NEVER
    html_503: Selector = NEVER
    empty_200: Selector = NEVER
    empty_500: Selector = NEVER
    redirect: Selector = NEVER
    # faults
    fault_authentication: Selector = NEVER
    fault_authorisation: Selector = NEVER
    fault_parameter: Selector = NEVER
    fault_not_found: Selector = NEVER
    fault_system: Selector = NEVER
    fault_framework: Selector = NEVER
    fault_unknown: Selector = NEVER
    # other data
    null_dataset: Selector = NEVER
    zero_rows: Selector = NEVER
    two_rows: Selector = NEVER
    missing_column: Selector = NEVER
    extra_columns: Selector = NEVER
    extra_table: Selector = NEVER
    encoded_names: Selector = NEVER
    direction_rows: Selector = NEVER
    null_counts: Selector = NEVER
    negative_count: Selector = NEVER
    decreasing_windows: Selector = NEVER
    halves_disagree: Selector = NEVER
    other_operation: Selector = NEVER
    other_windows: Selector = NEVER
    # other bytes
    foreign_namespace: Selector = NEVER
    echo_credential: Selector = NEVER
    dtd: Selector = NEVER
    wrong_charset: Selector = NEVER
    bom: Selector = NEVER
    gzip: Selector = NEVER
    hostile: Selector = NEVER
    hostile_kind: HostileKind = HostileKind.ANY
    hostile_bytes: int = 1_000_000
    # delivery
    truncated: Selector = NEVER  # Content-Length promises more than comes
    cut_body: Selector = NEVER  # the connection is reset within the body
    slow_body: Selector = NEVER
    slow_body_seconds: float = 2.0
    close_after_reply: Selector = NEVER  # says keep-alive, closes all the same

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"switch {name} = {value}: must be {low:g} to {high:g}")
        if self.throttle_status not in (429, 503):
            raise ValueError(f"switch throttle_status = {self.throttle_status}: must be 429 or 503")
        if self.retry_after not in _RETRY_AFTER:
            raise ValueError(
                f"switch retry_after = {self.retry_after!r}: must be one of {', '.join(_RETRY_AFTER)}"
            )

    @classmethod
    def parse(cls, texts: Mapping[str, object]) -> Self:
        """Switches from their names and values as text (or as JSON has them)."""
        return cls().changed(texts)

    def changed(self, texts: Mapping[str, object]) -> Self:
        """These switches with some of them set anew.

        Raises:
            ValueError: an unknown name, or a value that does not fit.
        """
        values: dict[str, Any] = {}
        for name, text in texts.items():
            if name not in NAMES:
                close = difflib.get_close_matches(name, NAMES, 1)
                hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(NAMES)}"
                raise ValueError(f"unknown switch {name!r}{hint}")
            values[name] = _parsed(name, getattr(self, name), text)
        return dataclasses.replace(self, **values)

    def texts(self) -> dict[str, object]:
        """Every switch as JSON can hold it; `parse` gives the same switches back."""
        shown: dict[str, object] = {}
        for name in NAMES:
            value = getattr(self, name)
            shown[name] = str(value) if isinstance(value, Selector | StrEnum) else value
        return shown

    def hits(self, call: CallKey, seed: int) -> frozenset[str]:
        """The selectors' names that hit this call."""
        named = self.operations == "*" or call.operation in self.operations.split(",")
        names = _BY_OPERATION if named else ()
        if call.operation == "Login":
            names = (*_AT_LOGIN, *names)
        return frozenset(
            name
            for name in names
            if (selector := getattr(self, name)) is not NEVER and selector.hits(name, call, seed)
        )


_RETRY_AFTER: Final = ("none", "seconds", "date", "past", "absurd", "words")
NAMES: Final = tuple(field.name for field in dataclasses.fields(Switches))
_AT_LOGIN: Final = ("login_refused", "login_throttled")
SELECTORS: Final = tuple(
    field.name for field in dataclasses.fields(Switches) if field.type is Selector
)
_BY_OPERATION: Final = tuple(name for name in SELECTORS if name not in _AT_LOGIN)


def _parsed(name: str, now: object, text: object) -> object:
    """`text` as the type of the switch's present value."""
    try:
        if isinstance(now, bool):
            return {"true": True, "false": False}[str(text).lower()]
        if isinstance(now, Selector):
            return Selector.parse(str(text))
        if isinstance(now, int | float | StrEnum):
            return type(now)(str(text))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"switch {name} = {text!r}: must be {_wanted(now, error)}") from None
    return str(text)


def _wanted(now: object, error: Exception) -> str:
    """What a switch of this type takes, in words."""
    if isinstance(now, bool):
        return "true or false"
    if isinstance(now, StrEnum):
        return f"one of {', '.join(type(now))}"
    if isinstance(now, float):
        return "a number"
    return "a whole number" if isinstance(now, int) else str(error).rpartition(": must be ")[2]
