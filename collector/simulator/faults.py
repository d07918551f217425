"""The service's faults in every documented shape, and the stack's own. Knows nothing of envelopes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from collector.simulator.replies import DetailFault, Fault, FaultCode
from collector.simulator.switches import FaultShape

__all__ = ["PAGE", "FaultKind", "service_fault", "stack_fault"]

PAGE: Final = "/v4.1/prod/ECGridOS.asmx"


class FaultKind(StrEnum):
    """What went wrong, in the words of the arrival log."""

    AUTHENTICATION = "authentication"
    AUTHORISATION = "authorisation"
    PARAMETER = "parameter"
    NOT_FOUND = "not_found"
    SYSTEM = "system"
    SESSION_CAP = "session_cap"
    FRAMEWORK = "framework"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Wording:
    """One kind of fault in the shapes' different words.

    Attributes:
        number: the position in the service's list of return codes, where Success is 0.
    """

    code: FaultCode
    number: str
    word: str
    text: str
    item: str
    message: str


# The numbers are the positions in the contract's list of return codes: SessionTimeout, AccessDenied,
# NotFound, DataError, InternalError. The words are those of the developer pages.
_WORDINGS: Final = {
    FaultKind.AUTHENTICATION: _Wording(
        FaultCode.CLIENT,
        "1",
        "Authentication",
        "Invalid Session",
        "SessionID",
        "The session is not valid or has expired",
    ),
    FaultKind.AUTHORISATION: _Wording(
        FaultCode.CLIENT,
        "2",
        "Authorization",
        "Access Denied",
        "SessionID",
        "The user may not see this network or mailbox",
    ),
    FaultKind.NOT_FOUND: _Wording(
        FaultCode.CLIENT, "3", "ObjectNotFound", "Not Found", "MailboxID", "There is no such object"
    ),
    FaultKind.PARAMETER: _Wording(
        FaultCode.CLIENT,
        "9",
        "InvalidParameter",
        "Data Error",
        "Minutes1",
        "The value is outside its range",
    ),
    FaultKind.SYSTEM: _Wording(
        FaultCode.SERVER,
        "11",
        "SystemError",
        "Internal Error",
        "ECGridOS",
        "The server could not do this",
    ),
    FaultKind.SESSION_CAP: _Wording(
        FaultCode.CLIENT,
        "2",
        "Authorization",
        "Too many open sessions",
        "LoginName",
        "The user has as many sessions open as allowed",
    ),
}

# Both shapes with ECGridOSSOAPErrorCode are documented for this kind, with texts of their own.
_NUMBER_AUTHENTICATION: Final = ("5", "Invalid SessionID")
_WORD_AUTHENTICATION: Final = "Invalid Session ID"


def service_fault(kind: FaultKind, shape: FaultShape, *, item: str | None = None) -> Fault:
    """A fault the service raises on purpose.

    Args:
        item: the argument at fault, where it is not the usual one.
    """
    if kind is FaultKind.UNKNOWN:
        detail = DetailFault((("Unheard", "of"),))
        return Fault(FaultCode.CLIENT, "The weather is against it", detail)
    if kind is FaultKind.FRAMEWORK:
        return stack_fault("Object reference not set to an instance of an object.")
    wording = _WORDINGS[kind]
    if shape is FaultShape.FRAMEWORK:
        return stack_fault(wording.text)
    if shape in (FaultShape.NUMBER, FaultShape.WORD):
        code, text = _code_and_text(kind, shape)
        return Fault(wording.code, text, DetailFault((("ECGridOSSOAPErrorCode", code),)), PAGE)
    fields = (
        ("ErrorCode", wording.number),
        ("ErrorString", wording.text),
        ("ErrorItem", item or wording.item),
        ("ErrorMessage", wording.message),
    )
    if shape is FaultShape.FLAT:
        return Fault(wording.code, wording.text, DetailFault(fields, "details"), PAGE)
    return Fault(wording.code, wording.text, DetailFault((("ErrorInfo", fields),)), PAGE)


def _code_and_text(kind: FaultKind, shape: FaultShape) -> tuple[str, str]:
    """ECGridOSSOAPErrorCode and faultstring in the shapes that have nothing else."""
    wording = _WORDINGS[kind]
    if shape is FaultShape.NUMBER:
        if kind is FaultKind.AUTHENTICATION:
            return _NUMBER_AUTHENTICATION
        return wording.number, wording.text
    if kind is FaultKind.AUTHENTICATION:
        return wording.word, _WORD_AUTHENTICATION
    return wording.word, wording.text


def stack_fault(text: str) -> Fault:
    """An exception of the service that nobody caught; GET and POST show its bare text."""
    return Fault(FaultCode.SERVER, f"Server was unable to process request. ---> {text}", plain=text)
