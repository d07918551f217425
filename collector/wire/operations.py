"""What an operation is, as data: name, ordered typed parameters, what it answers; and those that every client needs.

The operations that reports ask with are defined with the reports. Signatures as on the ASMX help pages and in the v3.2
WSDL (Login has five spellings in the guides; these agree with the vendor's own client).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "LOGIN",
    "LOGOUT",
    "MAILBOX_LIST",
    "MAILBOX_LIST_EX",
    "NOW_UTC",
    "OPERATIONS",
    "SESSION_ID",
    "VERSION",
    "WHO_AM_I",
    "Answer",
    "Operation",
    "Parameter",
    "XsdType",
]


class XsdType(StrEnum):
    """Types of parameters, as their XML Schema names."""

    STRING = "string"
    SHORT = "short"
    INT = "int"


class Answer(StrEnum):
    """What the result element holds."""

    DATASET = "DataSet"
    TEXT = "text"
    RECORD = "record"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `is_secret` ones are masked wherever a request is shown or kept."""

    name: str
    type: XsdType = XsdType.STRING
    is_secret: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One method of the service. Two of one name never meet, so an operation is equal to itself alone.

    Attributes:
        record: of an answer that is an array of records: the name of their type.
    """

    name: str
    parameters: tuple[Parameter, ...]
    answer: Answer
    record: str = ""


SESSION_ID: Final = Parameter("SessionID", is_secret=True)

LOGIN: Final = Operation(
    "Login",
    (Parameter("LoginName", is_secret=True), Parameter("Password", is_secret=True)),
    Answer.TEXT,
)
LOGOUT: Final = Operation("Logout", (SESSION_ID,), Answer.TEXT)
WHO_AM_I: Final = Operation("WhoAmI", (SESSION_ID,), Answer.RECORD)
NOW_UTC: Final = Operation("NowUTC", (), Answer.TEXT)
VERSION: Final = Operation("Version", (), Answer.TEXT)
# the mailboxes of the caller's network, or of another one; an empty Name is all of them
MAILBOX_LIST: Final = Operation(
    "MailboxList", (SESSION_ID, Parameter("Name")), Answer.RECORDS, "MailboxIDInfo"
)
MAILBOX_LIST_EX: Final = Operation(
    "MailboxListEx",
    (SESSION_ID, Parameter("NetworkID", XsdType.INT), Parameter("Name")),
    Answer.RECORDS,
    "MailboxIDInfo",
)

OPERATIONS: Final = (LOGIN, LOGOUT, WHO_AM_I, NOW_UTC, VERSION, MAILBOX_LIST, MAILBOX_LIST_EX)
