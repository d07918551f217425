"""The tables that are published: columns, types, keys, partitions and meaning. Knows nothing of files or replies.

A change that a reader could notice raises the table's version. The partition column is in the path, never in the file.
"""

import functools
import json
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

__all__ = [
    "CALLS",
    "DATASET_EXTRAS",
    "INSTANT_STATS",
    "RAW",
    "RUN_TABLES",
    "SESSIONS",
    "TABLES",
    "TRAFFIC_BUCKETS",
    "TRAFFIC_HISTORY",
    "Column",
    "Table",
    "arrow_schema",
]

_TEXT: Final = pa.string()
_SMALL: Final = pa.int32()
_COUNT: Final = pa.int64()
_TIME: Final = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One published column.

    Attributes:
        description: one sentence with the meaning and the unit.
        nullable: whether a row may have no value here; the description says when.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One published table.

    Attributes:
        key: the columns that identify a row.
        sort: the order of the rows in a row group; rows that are equal in it keep the order of the plan.
        partition: the hive partition column, a date in UTC.
        partition_from: the column of times whose date that is; None for the date on which the run started.
        by_month: the date is the first of the month; the partition has a file for each day, or for the whole month.
        is_derived: made of other tables of all runs, and belongs to no run.
        plain: columns whose values hardly repeat, written without a dictionary.
    """

    name: str
    version: int
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sort: tuple[str, ...]
    partition: str = "run_date"
    partition_from: str | None = None
    by_month: bool = False
    is_derived: bool = False
    plain: tuple[str, ...] = ()


_RUN_ID: Final = Column(
    "run_id",
    _TEXT,
    "The run: its start in UTC, and the microseconds of that second in hexadecimal.",
)
_CALL_ID: Final = Column(
    "call_id",
    _TEXT,
    "The planned call: its session, operation and arguments; a span's edges in UTC.",
)
_SESSION: Final = Column("session", _TEXT, "The label of the session in the configuration.")
_NETWORK_ID: Final = Column(
    "network_id", _COUNT, "The network of the session as WhoAmI gave it; null if it did not.", True
)
_MAILBOX_ID: Final = Column(
    "mailbox_id", _COUNT, "The mailbox of the session as WhoAmI gave it; null if it did not.", True
)

INSTANT_STATS: Final = Table(
    name="instant_stats",
    version=1,
    description="What the service counted: a row per session, window, traffic, direction and answer.",
    columns=(
        _RUN_ID,
        _CALL_ID,
        _SESSION,
        _NETWORK_ID,
        _MAILBOX_ID,
        Column("window_minutes", _SMALL, "The length of the trailing window, in minutes."),
        Column(
            "window_start", _TIME, "window_end less window_minutes; null with window_end.", True
        ),
        Column("window_end", _TIME, "The end of the window: observed_at; null if that is.", True),
        Column("traffic", _TEXT, "What was counted: 'parcel' or 'interchange'."),
        Column("direction", _TEXT, "Seen from the mailbox: 'in' or 'out'."),
        Column("count", _COUNT, "How many; null only where the service sent null.", True),
        Column("window_slot", _SMALL, "Which of the call's two windows this is: 1 or 2."),
        Column("requested_at", _TIME, "The client's clock when the request had been sent."),
        Column(
            "observed_at",
            _TIME,
            "The server's clock (Date header), in whole seconds; null if it sent none.",
            True,
        ),
        Column("raw_sha256", _TEXT, "SHA-256 of the landed body, hexadecimal: raw.body_sha256."),
    ),
    key=("run_id", "call_id", "window_slot", "traffic", "direction"),
    sort=("session", "window_minutes"),
)

TRAFFIC_BUCKETS: Final = Table(
    name="traffic_buckets",
    version=2,
    description="What the answers of a run say of the time between two edges: the observations of the history.",
    columns=(
        _RUN_ID,
        Column("call_id", _TEXT, "The call whose answer counted to_minutes."),
        Column("from_call_id", _TEXT, "The call whose answer counted from_minutes; call_id for 0."),
        _SESSION,
        _NETWORK_ID,
        _MAILBOX_ID,
        Column(
            "span_start",
            _TIME,
            "The edge that was asked for where bucket_start lies; null for trailing windows.",
            True,
        ),
        Column(
            "span_end",
            _TIME,
            "The edge that was asked for where bucket_end lies; null for trailing windows, the time of asking,"
            " and where answers between are missing.",
            True,
        ),
        Column(
            "bucket_start",
            _TIME,
            "The start of the span: observed_at of that answer less to_minutes; true to about a second.",
        ),
        Column(
            "bucket_end",
            _TIME,
            "The end of the span: observed_at of the answer that counted from_minutes, less from_minutes.",
        ),
        Column("from_minutes", _SMALL, "The shorter window, in minutes; 0 for the time of asking."),
        Column("to_minutes", _SMALL, "The longer window, in minutes."),
        Column("traffic", _TEXT, "What was counted: 'parcel' or 'interchange'."),
        Column("direction", _TEXT, "Seen from the mailbox: 'in' or 'out'."),
        Column("count", _COUNT, "How many, where that is known; null where low is not high.", True),
        Column(
            "exact",
            pa.bool_(),
            "Whether both counts come from one answer; then low, high and count agree.",
        ),
        Column("low", _COUNT, "There were at least so many."),
        Column("high", _COUNT, "There were at most so many; null where nothing bounds it.", True),
        Column(
            "estimate",
            _COUNT,
            "The best guess between low and high: the difference of the two counts; null with high.",
            True,
        ),
        Column(
            "latency_ms",
            pa.float64(),
            "The longest latency of the answers: their counts may be so much older than their Date; null in files of"
            " version 1.",
            True,
        ),
    ),
    key=("run_id", "call_id", "to_minutes", "traffic", "direction"),
    sort=("session", "to_minutes"),
    partition="bucket_date",
    partition_from="bucket_start",
)

CALLS: Final = Table(
    name="calls",
    version=2,
    description="The ledger: a row per planned call, with how it ended.",
    columns=(
        _RUN_ID,
        _CALL_ID,
        _SESSION,
        Column(
            "operation",
            _TEXT,
            "The service's operation that is asked; null in files of version 1, which knew ReportInstantStats alone.",
            True,
        ),
        Column(
            "span_start",
            _TIME,
            "The older edge of the span that is asked for; null for trailing windows.",
            True,
        ),
        Column(
            "span_end",
            _TIME,
            "The younger edge of the span that is asked for; null for trailing windows.",
            True,
        ),
        Column(
            "window1_minutes",
            _SMALL,
            "The first window of the last attempt, in minutes; null for a span for which none was sent.",
            True,
        ),
        Column(
            "window2_minutes",
            _SMALL,
            "The second window of the last attempt, in minutes; null for a span for which none was sent.",
            True,
        ),
        Column("state", _TEXT, "How it ended: 'ok', 'empty', 'failed' or 'not_attempted'."),
        Column("attempts", _SMALL, "Requests sent for it."),
        Column("http_status", _SMALL, "The last reply's HTTP status; null without a reply.", True),
        Column("fault_class", _TEXT, "Why there is no answer; null if there is one.", True),
        Column(
            "fault_text",
            _TEXT,
            "What the service, the network or the check said, or why it was not attempted; null if nothing was.",
            True,
        ),
        Column(
            "requested_at", _TIME, "The client's clock at the last request; null if none.", True
        ),
        Column(
            "observed_at", _TIME, "The server's clock in the last reply; null if it had none.", True
        ),
        Column(
            "latency_ms",
            pa.float64(),
            "Milliseconds from the request sent to the last byte of the reply; null without a reply.",
            True,
        ),
        Column("reply_bytes", _COUNT, "Size of the last reply's body as received, in bytes.", True),
        Column(
            "quality",
            _TEXT,
            "The checks that the answer did not pass, separated by commas; null if it passed all.",
            True,
        ),
    ),
    key=("run_id", "call_id"),
    sort=("session",),
    plain=("latency_ms",),
)

DATASET_EXTRAS: Final = Table(
    name="dataset_extras",
    version=1,
    description="Every value of an answer that instant_stats has no place for, and all of quarantined ones.",
    columns=(
        _RUN_ID,
        _CALL_ID,
        _SESSION,
        Column("table", _TEXT, "The DataTable's name."),
        Column(
            "state",
            _TEXT,
            "'current', 'before' for a changed row's old version, or 'deleted' for a deleted row's.",
        ),
        Column("row", _SMALL, "The row's number in its table, from 0; deleted ones on their own."),
        Column("column", _TEXT, "The column's name."),
        Column(
            "type", _TEXT, "The column's .NET type by the inline schema, System.Int32 for instance."
        ),
        Column("value", _TEXT, "The value as text; null for DBNull.", True),
    ),
    key=("run_id", "call_id", "table", "state", "row", "column"),
    sort=("session",),
)

SESSIONS: Final = Table(
    name="sessions",
    version=1,
    description="What WhoAmI said of each session in the run; never a credential.",
    columns=(
        _RUN_ID,
        _SESSION,
        _NETWORK_ID,
        _MAILBOX_ID,
        Column("user_id", _COUNT, "The user that the session belongs to; null if not given.", True),
        Column(
            "timeout_seconds",
            _SMALL,
            "The longest pause between two calls before the session ends, in seconds.",
            True,
        ),
        Column("open_sessions", _SMALL, "Sessions of that user open at that moment.", True),
        Column("asked_at", _TIME, "The client's clock when WhoAmI was asked."),
        Column("fault_class", _TEXT, "Why WhoAmI has no answer; null if it has one.", True),
        Column("fault_text", _TEXT, "What was said instead; null without a fault.", True),
    ),
    key=("run_id", "session"),
    sort=("session",),
)

RAW: Final = Table(
    name="raw",
    version=1,
    description="Every landed reply, faults too, in plan order, then by attempt.",
    columns=(
        _RUN_ID,
        _CALL_ID,
        Column("attempt", _SMALL, "1 for the call's first request."),
        _SESSION,
        Column(
            "window1_minutes", _SMALL, "The first window as this attempt asked for it, in minutes."
        ),
        Column(
            "window2_minutes", _SMALL, "The second window as this attempt asked for it, in minutes."
        ),
        Column("binding", _TEXT, "'soap11', 'soap12', 'http-get' or 'http-post'."),
        Column("request", _TEXT, "Method, path, headers and body as sent, the credential masked."),
        Column("http_status", _SMALL, "The reply's HTTP status."),
        Column("headers", _TEXT, "The reply's headers as a JSON object, names in lower case."),
        Column("body", pa.binary(), "The body as received, still in its content encoding."),
        Column("masked", pa.bool_(), "The body held a credential, and those bytes were replaced."),
        Column("cut", pa.bool_(), "The body was longer than the limit and ends early."),
        Column("sent_at", _TIME, "The client's clock when the request had been written."),
        Column("received_at", _TIME, "The client's clock when the last byte had come."),
        Column("body_sha256", _TEXT, "SHA-256 of the body, hexadecimal."),
        Column("is_answer", pa.bool_(), "Whether the call's answer was read from this reply."),
    ),
    key=("run_id", "call_id", "attempt"),
    sort=(),
    plain=("request", "body", "sent_at", "received_at", "body_sha256"),
)

TRAFFIC_HISTORY: Final = Table(
    name="traffic_history",
    version=1,
    description="The history: what happened in each span of each series, over all runs, each span once, without holes.",
    columns=(
        _SESSION,
        _NETWORK_ID,
        _MAILBOX_ID,
        Column("span_start", _TIME, "The start of the span."),
        Column("span_end", _TIME, "The end of the span, where the next one of the series starts."),
        Column("traffic", _TEXT, "What was counted: 'parcel' or 'interchange'."),
        Column("direction", _TEXT, "Seen from the mailbox: 'in' or 'out'."),
        Column(
            "state",
            _TEXT,
            "'exact': one answer counted it; 'bounded': between low and high; 'unseen': nobody knows.",
        ),
        Column("count", _COUNT, "How many from edge_start to edge_end; null unless exact.", True),
        Column("low", _COUNT, "There were at least so many."),
        Column("high", _COUNT, "There were at most so many; null where nothing bounds it.", True),
        Column("estimate", _COUNT, "The best guess between low and high; null where unseen.", True),
        Column(
            "edge_start",
            _TIME,
            "Where the observation truly starts, by the service's clock, to the second; null where unseen.",
            True,
        ),
        Column("edge_end", _TIME, "Where the observation truly ends; null where unseen.", True),
        Column(
            "conflict",
            pa.bool_(),
            "Whether another answer contradicts this one: the service restated its counts.",
        ),
        Column("run_id", _TEXT, "The run of the observation; null where unseen.", True),
        Column(
            "call_id", _TEXT, "The call whose answer counted the start; null where unseen.", True
        ),
    ),
    key=("session", "traffic", "direction", "span_start"),
    sort=("session", "span_start"),
    partition="span_month",
    partition_from="span_start",
    by_month=True,
    is_derived=True,
)

TABLES: Final = {
    table.name: table
    for table in (
        INSTANT_STATS,
        TRAFFIC_BUCKETS,
        CALLS,
        DATASET_EXTRAS,
        SESSIONS,
        RAW,
        TRAFFIC_HISTORY,
    )
}

# those of each run; the others are derived from all runs
RUN_TABLES: Final = {name: table for name, table in TABLES.items() if not table.is_derived}


@functools.cache
def arrow_schema(table: Table) -> pa.Schema:
    """The exact schema of every file of the table, its metadata included."""
    fields = [
        pa.field(column.name, column.type, column.nullable, {"description": column.description})
        for column in table.columns
    ]
    metadata: dict[bytes | str, bytes | str] = {
        "ecgrid.table": table.name,
        "ecgrid.schema_version": str(table.version),
        "ecgrid.description": table.description,
        "ecgrid.key": ",".join(table.key),
        "ecgrid.partition": table.partition,
        "pandas": _pandas_metadata(table),
    }
    return pa.schema(fields, metadata)


def _pandas_metadata(table: Table) -> str:
    """Tells pandas to read integers that may be null as Int64; on its own it makes floats of them."""
    columns = [
        {
            "name": column.name,
            "field_name": column.name,
            "pandas_type": str(column.type),
            "numpy_type": _pandas_type(column),
            "metadata": None,
        }
        for column in table.columns
        if pa.types.is_integer(column.type)
    ]
    return json.dumps(
        {"index_columns": [], "column_indexes": [], "columns": columns, "pandas_version": "3.0.0"}
    )


def _pandas_type(column: Column) -> str:
    name = str(column.type)
    return name.capitalize() if column.nullable else name
