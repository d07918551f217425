"""The operations there are, as data: parameters in order, result type. No behaviour."""

from dataclasses import dataclass
from typing import Final

__all__ = [
    "ARRAY_OF",
    "BY_NAME",
    "MAILBOX_ID_INFO",
    "OPERATIONS",
    "OWNER",
    "SESSION_INFO",
    "STATS",
    "STATS_EX",
    "Operation",
    "Parameter",
]

ARRAY_OF: Final = "ArrayOf"  # before the name of a type: how XmlSerializer calls an array of it


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument; `type_name` is `string`, `short` or `int` of XML Schema."""

    name: str
    type_name: str = "string"


@dataclass(frozen=True, slots=True)
class Operation:
    """One web method.

    Attributes:
        result: a simple type of XML Schema, `DataSet`, `SessionInfo` or `ArrayOfMailboxIDInfo`.
        summary: one line for the help page and the WSDL.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: str
    summary: str


_SESSION: Final = Parameter("SessionID")
_MINUTES: Final = (Parameter("Minutes1", "short"), Parameter("Minutes2", "short"))

STATS: Final = "ReportInstantStats"
STATS_EX: Final = "ReportInstantStatsEx"

OPERATIONS: Final = (
    Operation("NowUTC", (), "dateTime", "The time of this server."),
    Operation("Version", (), "string", "The version of this service."),
    Operation(
        STATS,
        (_SESSION, *_MINUTES),
        "DataSet",
        "Counts of the caller's own mailbox in two trailing windows.",
    ),
    Operation(
        STATS_EX,
        (
            _SESSION,
            Parameter("NetworkID", "int"),
            Parameter("MailboxID", "int"),
            Parameter("ECGridID", "int"),
            *_MINUTES,
        ),
        "DataSet",
        "Counts of a given mailbox in two trailing windows.",
    ),
    Operation(
        "Login", (Parameter("LoginName"), Parameter("Password")), "string", "Opens a session."
    ),
    Operation("Logout", (_SESSION,), "int", "Closes a session."),
    Operation("WhoAmI", (_SESSION,), "SessionInfo", "Whose session this is."),
    Operation(
        "MailboxList",
        (_SESSION, Parameter("Name")),
        "ArrayOfMailboxIDInfo",
        "The mailboxes of the caller's network.",
    ),
    Operation(
        "MailboxListEx",
        (_SESSION, Parameter("NetworkID", "int"), Parameter("Name")),
        "ArrayOfMailboxIDInfo",
        "The mailboxes of a given network.",
    ),
)

BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}

# The fields of SessionInfo in the order of the service's contract, and their types.
SESSION_INFO: Final = (
    ("ECGridOSVersion", "string"),
    ("SessionID", "string"),
    ("SessionEventID", "int"),
    ("UserID", "int"),
    ("LoginName", "string"),
    ("FirstName", "string"),
    ("LastName", "string"),
    ("Company", "string"),
    ("EMail", "string"),
    ("Phone", "string"),
    ("TimeZoneOffset", "float"),
    ("AuthLevel", "tns:AuthLevel"),
    ("LastLogin", "dateTime"),
    ("OpenSessions", "short"),
    ("TimeOut", "short"),
    ("NetworkID", "int"),
    ("MailboxID", "int"),
    ("ip", "string"),
)

# Fields of MailboxIDInfo in the order of the service's contract, and their types; the contract has more.
MAILBOX_ID_INFO: Final = (
    ("MailboxID", "int"),
    ("NetworkID", "int"),
    ("Name", "string"),
    ("Created", "dateTime"),
    ("Modified", "dateTime"),
    ("Status", "tns:Status"),
    ("Description", "string"),
    ("OwnerUserID", "tns:UserIDInfo"),
    ("Managed", "boolean"),
    ("UseType", "tns:UseType"),
    ("ECGridAccount", "boolean"),
    ("DefaultAS2ID", "string"),
)
# Some of UserIDInfo likewise; two of them are called as fields of the mailbox are.
OWNER: Final = (
    ("UserID", "int"),
    ("LoginName", "string"),
    ("FirstName", "string"),
    ("LastName", "string"),
    ("NetworkID", "int"),
    ("MailboxID", "int"),
    ("Status", "tns:Status"),
)
