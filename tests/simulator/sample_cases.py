"""The recorded samples' data, as descriptions for the writer."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from collector.simulator.dataset_writer import (
    Column,
    DataSet,
    NetType,
    Row,
    RowState,
    Table,
    Value,
    Variant,
)
from collector.simulator.replies import DetailFault, Fault, FaultCode
from collector.simulator.stats import COUNT_COLUMNS

ZONE = ZoneInfo("America/New_York")  # the recorded server's
PAGE = "/v4.1/prod/ECGridOS.asmx"
INT = NetType.INT32


def ints(*names: str) -> tuple[Column, ...]:
    """Int32 columns."""
    return tuple(Column(name, INT) for name in names)


def one_table(columns: tuple[Column, ...], *rows: Row, name: str = "Table") -> DataSet:
    """A DataSet of one table."""
    return DataSet((Table(name, columns, rows),), zone=ZONE)


def wall(*parts: int) -> datetime:
    """A wall clock without zone."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[misc,arg-type]


NAMES = (
    "Parcels In 1",
    "1st",
    "a_x0020_b",
    "a.b",
    "na\u00efve",
    "\u5217\u540d",
    "x:y",
    "#",
    "100%",
    "_x",
    "_x0020_",
    "xml",
    "A/B",
    "-dash",
    ".dot",
    "under_score",
    "_X0020_",
    "[br]",
    "tab\there",
    "\U0001f600",
    "q'\"<&>",
)

NULL_TYPES = (
    ("Bool", NetType.BOOLEAN, True),
    ("Byte", NetType.BYTE, 7),
    ("SByte", NetType.SBYTE, -7),
    ("Int16", NetType.INT16, -300),
    ("UInt16", NetType.UINT16, 60_000),
    ("Int32", NetType.INT32, -70_000),
    ("UInt32", NetType.UINT32, 4_000_000_000),
    ("Int64", NetType.INT64, -5_000_000_000),
    ("UInt64", NetType.UINT64, 10_000_000_000_000_000_000),
    ("Single", NetType.SINGLE, 1.5),
    ("Double", NetType.DOUBLE, 2.25),
    ("Decimal", NetType.DECIMAL, Decimal("3.75")),
    ("DateTime", NetType.DATETIME, wall(2024, 2, 29, 13, 14, 15)),
    (
        "DateTimeOffset",
        NetType.DATETIMEOFFSET,
        datetime(2024, 2, 29, 13, 14, 15, tzinfo=timezone(timedelta(hours=-5))),
    ),
    (
        "TimeSpan",
        NetType.TIMESPAN,
        timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5),
    ),
    ("Guid", NetType.GUID, UUID("01234567-89ab-cdef-0123-456789abcdef")),
    ("Char", NetType.CHAR, "x"),
    ("String", NetType.STRING, "text"),
    ("Bytes", NetType.BYTES, b"\1\2\3"),
    ("Uri", NetType.URI, "https://os.ecgrid.io/a?b=c&d"),
    ("Object", NetType.OBJECT, Variant(NetType.STRING, "object text")),
)


def _nulls() -> DataSet:
    values: tuple[Value, ...] = tuple(value for _, _, value in NULL_TYPES)
    columns = tuple(Column(name, kind) for name, kind, _ in NULL_TYPES)
    return one_table(columns, Row(values), Row((None,) * len(values)), Row(values))


def _types_basic() -> DataSet:
    columns = (
        Column("Flag", NetType.BOOLEAN),
        Column("Count", INT),
        Column("Name"),
        Column("Ratio", NetType.DOUBLE),
        Column("Price", NetType.DECIMAL),
        Column("When", NetType.DATETIME),
    )
    return one_table(
        columns,
        Row((True, 1, "one", 0.1, Decimal("1.10"), wall(2024, 1, 15, 8, 30))),
        Row((False, -2, "two", -1e300, Decimal("-2.5"), wall(2024, 7, 15, 20, 45, 59, 123_000))),
        Row((True, 0, "", 0.0, Decimal(0), wall(1999, 12, 31))),
    )


def _names() -> DataSet:
    columns = tuple(Column(name, NetType.STRING if name == "1st" else INT) for name in NAMES)
    first = tuple("two" if at == 1 else at + 1 for at in range(len(NAMES)))
    last = (*(None,) * (len(NAMES) - 1), 42)
    return one_table(columns, Row(first), Row(last), name="Instant Stats (1)")


def _row_states() -> DataSet:
    modified = RowState.MODIFIED
    return one_table(
        (Column("ID", INT), Column("Name"), Column("Count", INT)),
        Row((1, "unchanged", 10), RowState.UNCHANGED),
        Row((2, "modified", 21), modified, (2, "to modify", 20)),
        Row((3, "to delete", 30), RowState.DELETED),
        Row((4, "modify to null", None), modified, (4, "modify to null", 40)),
        Row((5, "modify twice", 52), modified, (5, "modify twice", 50)),
        Row((6, "was null", 60), modified, (6, None, 60)),
        Row((7, "inserted", 70)),
    )


def _extra_columns() -> DataSet:
    int64 = NetType.INT64
    columns = [Column("NetworkID", INT)]
    for stem in ("ParcelsIn", "ParcelsOut", "InterchangesIn", "InterchangesOut"):
        columns += [*ints(f"{stem}1", f"{stem}2"), Column(f"{stem}Bytes", int64)]
    columns.append(Column("AsOf", NetType.DATETIME))
    return one_table(tuple(columns), Row((314, *range(1, 13), wall(2024, 1, 15, 8, 30))))


def _direction_rows() -> DataSet:
    columns = (
        Column("Direction"),
        Column("Minutes", NetType.INT16),
        *ints("Parcels", "Interchanges"),
    )
    return one_table(
        columns,
        Row(("In", 15, 4, 12)),
        Row(("Out", 15, 2, 8)),
        Row(("In", 60, 18, 47)),
        Row(("Out", 60, 9, 31)),
    )


DATASETS = {
    "documented": one_table(ints(*COUNT_COLUMNS), Row((104, 100, 129, 65, 417, 401, 517, 261))),
    "nulls": _nulls(),
    "zero-rows": one_table(ints(*COUNT_COLUMNS)),
    "types-basic": _types_basic(),
    "names-encoded": _names(),
    "row-states": _row_states(),
    "extra-columns": _extra_columns(),
    "direction-rows": _direction_rows(),
}

_INFO = (
    ("ErrorCode", "1"),
    ("ErrorString", "Invalid Session"),
    ("ErrorItem", "SessionID"),
    ("ErrorMessage", "The session is not valid or has expired"),
)

FAULTS = {
    "auth-code": Fault(
        FaultCode.CLIENT,
        "Invalid Session ID",
        DetailFault((("ECGridOSSOAPErrorCode", "Authentication"),)),
        PAGE,
    ),
    "auth-details": Fault(
        FaultCode.CLIENT, "Invalid Session", DetailFault((("ErrorInfo", _INFO),)), PAGE
    ),
    "unhandled": Fault(
        FaultCode.SERVER,
        "Server was unable to process request. ---> Object reference & <things> went wrong",
        plain="Object reference & <things> went wrong",
    ),
}
