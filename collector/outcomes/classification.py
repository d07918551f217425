"""Which class of fault something is, as tables: a fault by its words, a reply by its status, an error by its kind.

Pure. Says nothing about what is done about it: that is `policy`.
"""

import re
from dataclasses import dataclass
from typing import Final

from collector.domain.outcomes import FaultClass
from collector.errors import (
    ConnectError,
    DroppedError,
    ReplyTimeoutError,
    ReplyTooLargeError,
    TransportError,
    WireError,
)
from collector.wire.replies import Fault, NotServiceError

__all__ = [
    "classify_error",
    "classify_fault",
    "classify_fault_at",
    "classify_status",
    "classify_unopened",
    "is_outage",
    "is_session_cap",
    "is_web_page",
]


@dataclass(frozen=True, slots=True)
class _Wording:
    """A fault's wording, and the class it means; the first that matches counts."""

    pattern: re.Pattern[str]
    fault_class: FaultClass


def _wording(pattern: str, fault_class: FaultClass) -> _Wording:
    return _Wording(re.compile(pattern, re.IGNORECASE), fault_class)


# appendix/error-codes (SOAP words, the REST ones beside them), and the members of the contract's RetCode
_WORDS: Final = {
    "authentication": FaultClass.AUTHENTICATION,
    "invalidsession": FaultClass.AUTHENTICATION,
    "invalidapikey": FaultClass.AUTHENTICATION,
    "sessiontimeout": FaultClass.AUTHENTICATION,
    "authorization": FaultClass.AUTHORISATION,
    "accessdenied": FaultClass.AUTHORISATION,
    "objectnotfound": FaultClass.NOT_FOUND,
    "notfound": FaultClass.NOT_FOUND,
    "invalidparameter": FaultClass.PARAMETER,
    "dataerror": FaultClass.PARAMETER,
    "invalidid": FaultClass.PARAMETER,
    "invaliddatatype": FaultClass.PARAMETER,
    "invaliddatalength": FaultClass.PARAMETER,
    "ratelimitexceeded": FaultClass.THROTTLED,
    "systemerror": FaultClass.SERVER,
    "internalerror": FaultClass.SERVER,
    "sqlerror": FaultClass.SERVER,
}
_SESSION_CAP: Final = _wording(
    r"(too many|maximum|limit).{0,40}\bsessions?\b|\bsessions?\b.{0,40}(limit|exceeded)",
    FaultClass.THROTTLED,
)
# GET and POST faults have nothing but their wording; numbers in a SOAP detail are not documented as a list, so
# the wording beside them decides, and the two numbers that the pages do show are the last resort
_WORDINGS: Final = (
    _wording(  # SQL Server's words about the service's own login at its database
        r"login failed for user|cannot open database|requested by the login", FaultClass.SERVER
    ),
    _wording(
        r"\bsession(\W?id)?\b.{0,40}(expired|time limit|timed? ?out|terminated)",
        FaultClass.AUTHENTICATION,
    ),
    _SESSION_CAP,
    _wording(r"rate limit|too many requests", FaultClass.THROTTLED),
    _wording(
        r"\b(invalid|expired|unknown|missing|bad)\W*(session|api\W?key|login|password|user)",
        FaultClass.AUTHENTICATION,
    ),
    _wording(
        r"\bsession(\W?id)?\b.{0,40}(not valid|invalid|not found)",
        FaultClass.AUTHENTICATION,
    ),
    _wording(
        r"not logged in|log ?in (is )?required|login failed|not authenticated|authentication",
        FaultClass.AUTHENTICATION,
    ),
    _wording(  # a credential that is refused is not to be sent again, whatever code comes with it
        r"\b(incorrect|wrong|invalid|bad)\W*credentials?\b|\b(incorrect|wrong)\W*(login|password|user)"
        r"|\b(password|credentials|log ?in|user(\W?name)?) ((is|are|was) )?"
        r"(incorrect|wrong|invalid|not valid|refused|denied)\b"
        r"|\bpassword ((has|is) )?expired\b"
        r"|\b(account|user|log ?in) ((is|was|has been) )?(locked|disabled|suspended)\b",
        FaultClass.AUTHENTICATION,
    ),
    _wording(
        r"access (is )?denied|not authori[sz]ed|unauthori[sz]ed|permission|authori[sz]ation",
        FaultClass.AUTHORISATION,
    ),
    _wording(
        r"did not recognize the value of HTTP Header SOAPAction|valid (soap )?action|action .* was not recognized",
        FaultClass.NOT_FOUND,
    ),
    _wording(
        r"request format is (unrecognized|invalid)|no such method|method name is not valid",
        FaultClass.NOT_FOUND,
    ),
    _wording(
        r"missing parameter|cannot convert|unable to read request|\bdata error\b"
        r"|invalid (data|parameter|value|argument|minutes)",
        FaultClass.PARAMETER,
    ),
    _wording(r"out of range|must be (between|positive|greater|less)", FaultClass.PARAMETER),
    _wording(r"not found|does not exist|unknown (mailbox|network|object)", FaultClass.NOT_FOUND),
)
# what the stack wraps around everything says little: the service's own number comes before it
_SERVER_WORDINGS: Final = (
    _wording(
        r"unable to process request|internal (server )?error|system error|unexpected error|timeout|deadlock",
        FaultClass.SERVER,
    ),
    _wording(r"object reference|unavailable|try again|overload", FaultClass.SERVER),
)
# the members of the contract's RetCode, in its order: Success is 0; the pages show 1, 5 and 8, and use 5 for a session
_NUMBERS: Final = {
    "1": FaultClass.AUTHENTICATION,
    "2": FaultClass.AUTHORISATION,
    "3": FaultClass.NOT_FOUND,
    "4": FaultClass.PARAMETER,
    "5": FaultClass.AUTHENTICATION,
    **dict.fromkeys(("6", "7", "8", "9"), FaultClass.PARAMETER),
    **dict.fromkeys(("10", "11"), FaultClass.SERVER),
}
_STATUSES: Final = {
    400: FaultClass.PARAMETER,
    401: FaultClass.AUTHORISATION,  # a proxy's: the service itself answers 500 to a bad session
    403: FaultClass.AUTHORISATION,
    # the service says 500 to what it does not know; these come from a web server that has no such page
    404: FaultClass.NOT_SERVICE,
    405: FaultClass.NOT_SERVICE,
    410: FaultClass.NOT_SERVICE,
    408: FaultClass.TIMEOUT,
    415: FaultClass.PARAMETER,
    429: FaultClass.THROTTLED,
}
_NO_SUCH_PAGE: Final = (404, 405, 410)
# what a page of the web server may say in the service's stead
_TELLING: Final = (FaultClass.AUTHENTICATION, FaultClass.NOT_FOUND)
_ERRORS: Final[tuple[tuple[type[Exception], FaultClass], ...]] = (
    (ReplyTooLargeError, FaultClass.TOO_LARGE),
    (ReplyTimeoutError, FaultClass.TIMEOUT),
    (ConnectError, FaultClass.TRANSPORT),
    (DroppedError, FaultClass.TRANSPORT),
    (TransportError, FaultClass.TRANSPORT),
    (NotServiceError, FaultClass.NOT_SERVICE),
    (WireError, FaultClass.MALFORMED),
)


def _meant(wordings: tuple[_Wording, ...], said: str) -> FaultClass | None:
    return next((each.fault_class for each in wordings if each.pattern.search(said)), None)


def classify_fault(fault: Fault) -> FaultClass:
    """The class of a fault the service sent: its word first, then its wording, then its number."""
    said = f"{fault.text} {fault.detail_text}"
    word = fault.detail_code.replace(" ", "").lower()
    if word in _WORDS:
        # a cap has no word of its own, and a credential is not refused because others are in
        is_cap = _WORDS[word] is FaultClass.AUTHORISATION and _SESSION_CAP.pattern.search(said)
        return FaultClass.THROTTLED if is_cap else _WORDS[word]
    meant = _meant(_WORDINGS, said) or _NUMBERS.get(fault.detail_code)
    if meant is None and fault.code in ("Server", "Receiver"):
        return FaultClass.SERVER
    return meant or _meant(_SERVER_WORDINGS, said) or FaultClass.UNCLASSIFIED


def classify_fault_at(status: int, fault: Fault, *, has_retry_after: bool) -> FaultClass:
    """The class of a fault that came with a status.

    The service says 500 to everything, so that says nothing; any other status is a proxy's, and decides what the
    fault's words do not.
    """
    by_status = classify_status(status, has_retry_after=has_retry_after)
    if by_status is FaultClass.THROTTLED:
        return by_status
    fault_class = classify_fault(fault)
    if fault_class is FaultClass.UNCLASSIFIED and by_status is not None and status != 500:
        return by_status
    # text without any of a fault's parts, where a web server says that there is no such page: "Not Found"
    is_plain_text = not (fault.code or fault.detail_code)
    return FaultClass.NOT_SERVICE if is_plain_text and status in _NO_SUCH_PAGE else fault_class


def classify_status(status: int, *, has_retry_after: bool) -> FaultClass | None:
    """The class that a status alone tells, or None where the body decides."""
    if status == 503 and has_retry_after:
        return FaultClass.THROTTLED
    if status in _STATUSES:
        return _STATUSES[status]
    if 300 <= status < 400:
        return FaultClass.NOT_SERVICE  # a redirect is never followed: the credential would go along
    if status >= 500:
        return FaultClass.SERVER
    return FaultClass.PARAMETER if status >= 400 else None


def classify_error(error: Exception) -> FaultClass:
    """The class of an exception of the transport or the wire."""
    for kind, fault_class in _ERRORS:
        if isinstance(error, kind):
            return fault_class
    raise TypeError(f"{type(error).__name__} is not an error of transport or wire") from error


def classify_unopened(error: WireError, status: int, *, has_retry_after: bool) -> FaultClass:
    """The class of a reply that could not be opened: what its page says where that tells, else what its status says."""
    by_status = classify_status(status, has_retry_after=has_retry_after)
    return _told_by_page(error, status) or by_status or classify_error(error)


def _told_by_page(error: Exception, status: int) -> FaultClass | None:
    """GET and POST faults may come as a page of the web server: its words, where they say something."""
    if status != 500 or not isinstance(error, NotServiceError):
        return None
    said = classify_fault(Fault("", str(error)))
    return said if said in _TELLING else None


def is_outage(error: Exception | None, status: int | None) -> bool:
    """Whether a failure is one of the whole service: nothing came, or something in its place.

    A fault of its own at HTTP 500 is an answer: the service is there.

    Args:
        error: what sending or opening raised; None where the reply could be opened.
        status: of the reply; None if there was none.
    """
    if isinstance(error, TransportError):
        return True
    if status is None or 400 <= status < 500:  # those say that it was asked wrongly, or too often
        return False
    if isinstance(error, WireError):
        is_page = isinstance(error, NotServiceError)
        return _told_by_page(error, status) is None if is_page else status >= 500
    return status > 500


def is_session_cap(fault: Fault) -> bool:
    """Whether a fault says that too many sessions of this user are open, rather than that requests come too fast."""
    return _SESSION_CAP.pattern.search(f"{fault.text} {fault.detail_text}") is not None


def is_web_page(fault_class: FaultClass, status: int | None) -> bool:
    """Whether a web server that is not the service answered: a page, a redirect, or that there is no such page.

    Args:
        fault_class: of the reply.
        status: of the reply; None if there was none. One of 500 or more is a proxy's that does not reach the service.
    """
    return fault_class is FaultClass.NOT_SERVICE and status is not None and status < 500
