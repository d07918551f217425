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
    "The run: when it started, in UTC, and the microseconds in hexadecimal.",
)
_CALL_ID: Final = Column(
    "call_id",
    _TEXT,
    "The planned call: session, operation, and windows or the edges of a span.",
)
_SESSION: Final = Column("session", _TEXT, "The session's label in the configuration.")
_NETWORK_ID: Final = Column(
    "network_id",
    _COUNT,
    "The network asked for, or else the session's, from WhoAmI; null if it gave none.",
    True,
)
_MAILBOX_ID: Final = Column(
    "mailbox_id",
    _COUNT,
    "The mailbox asked for, or else the session's, from WhoAmI; null if it gave none.",
    True,
)
_SCOPE: Final = Column(
    "scope",
    _TEXT,
    "'mailbox', or 'network': asked for network_id with no mailbox_id and ecgrid_id, or 0. Whether that is all of it or"
    " its Root mailbox is not documented, so sums leave it out. Null in files of version 1.",
    True,
)

INSTANT_STATS: Final = Table(
    name="instant_stats",
    version=1,
    description="What the service counted: a row per answer, window, traffic and direction.",
    columns=(
        _RUN_ID,
        _CALL_ID,
        _SESSION,
        _NETWORK_ID,
        _MAILBOX_ID,
        Column("window_minutes", _SMALL, "Length of the window, in minutes."),
        Column("window_start", _TIME, "window_end less window_minutes; null with it.", True),
        Column("window_end", _TIME, "The same as observed_at.", True),
        Column("traffic", _TEXT, "What was counted: 'parcel' or 'interchange'."),
        Column("direction", _TEXT, "Seen from the mailbox: 'in' or 'out'."),
        Column(
            "count",
            _COUNT,
            "How many parcels or interchanges; null where the service sent null.",
            True,
        ),
        Column("window_slot", _SMALL, "Which of the call's two windows: 1 or 2."),
        Column("requested_at", _TIME, "This machine's clock when the request was sent."),
        Column(
            "observed_at",
            _TIME,
            "The service's clock (Date header), in whole seconds; null without one.",
            True,
        ),
        Column("raw_sha256", _TEXT, "SHA-256 of the reply's body: raw.body_sha256."),
    ),
    key=("run_id", "call_id", "window_slot", "traffic", "direction"),
    sort=("session", "window_minutes"),
)

TRAFFIC_BUCKETS: Final = Table(
    name="traffic_buckets",
    version=2,
    description="What a run's answers say of the time between two instants; the history is made of them.",
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
            "The edge that was asked for, near bucket_start; null for trailing windows.",
            True,
        ),
        Column(
            "span_end",
            _TIME,
            "The edge that was asked for, near bucket_end; null for trailing windows, up to the time of asking, and"
            " where answers between are missing.",
            True,
        ),
        Column(
            "bucket_start",
            _TIME,
            "Where it truly starts: observed_at of its answer less to_minutes, to about a second.",
        ),
        Column(
            "bucket_end",
            _TIME,
            "Where it truly ends: observed_at of the answer that counted from_minutes, less these.",
        ),
        Column(
            "from_minutes", _SMALL, "The shorter window, in minutes; 0: up to the time of asking."
        ),
        Column("to_minutes", _SMALL, "The longer window, in minutes."),
        Column("traffic", _TEXT, "What was counted: 'parcel' or 'interchange'."),
        Column("direction", _TEXT, "Seen from the mailbox: 'in' or 'out'."),
        Column("count", _COUNT, "How many parcels or interchanges; null unless low is high.", True),
        Column(
            "exact",
            pa.bool_(),
            "Whether both counts come from one answer; then low and high are count.",
        ),
        Column("low", _COUNT, "At least so many."),
        Column("high", _COUNT, "At most so many; null if nothing bounds it.", True),
        Column(
            "estimate",
            _COUNT,
            "The difference of the two counts, kept between low and high; null with high.",
            True,
        ),
        Column(
            "latency_ms",
            pa.float64(),
            "The answers' longest latency: by so much a count may be older than its Date; null in files of version 1.",
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
            "The operation asked; null in files of version 1, which had ReportInstantStats only.",
            True,
        ),
        Column(
            "span_start",
            _TIME,
            "Where the span asked for starts; null for trailing windows.",
            True,
        ),
        Column(
            "span_end",
            _TIME,
            "Where the span asked for ends; null for trailing windows.",
            True,
        ),
        Column(
            "window1_minutes",
            _SMALL,
            "First window of the last attempt, in minutes; null for a span that was never sent.",
            True,
        ),
        Column(
            "window2_minutes",
            _SMALL,
            "Second window of the last attempt, in minutes; null for a span that was never sent.",
            True,
        ),
        Column("state", _TEXT, "How it ended: 'ok', 'empty', 'failed' or 'not_attempted'."),
        Column("attempts", _SMALL, "How many requests were sent."),
        Column("http_status", _SMALL, "HTTP status of the last reply; null without one.", True),
        Column("fault_class", _TEXT, "Why there is no usable answer; null if there is one.", True),
        Column(
            "fault_text",
            _TEXT,
            "What the service, the network or the check said, or why no attempt was made; null if nothing.",
            True,
        ),
        Column(
            "requested_at",
            _TIME,
            "This machine's clock at the last request; null without one.",
            True,
        ),
        Column(
            "observed_at", _TIME, "The service's clock in the last reply; null without one.", True
        ),
        Column(
            "latency_ms",
            pa.float64(),
            "From request sent to last byte of the reply, in milliseconds; null without a reply.",
            True,
        ),
        Column(
            "reply_bytes",
            _COUNT,
            "Size of the last reply's body, in bytes; null without a reply.",
            True,
        ),
        Column(
            "quality",
            _TEXT,
            "Checks that the answer did not pass, separated by commas; null if it passed all.",
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
    description="Values that instant_stats has no column for, and all values of quarantined answers.",
    columns=(
        _RUN_ID,
        _CALL_ID,
        _SESSION,
        Column("table", _TEXT, "The DataTable's name."),
        Column(
            "state",
            _TEXT,
            "'current', 'before' (a changed row's old version) or 'deleted'.",
        ),
        Column(
            "row", _SMALL, "The row's number in its table, from 0; deleted rows are numbered apart."
        ),
        Column("column", _TEXT, "The column's name."),
        Column("type", _TEXT, "The column's .NET type."),
        Column("value", _TEXT, "The value as text; null for DBNull.", True),
    ),
    key=("run_id", "call_id", "table", "state", "row", "column"),
    sort=("session",),
)

SESSIONS: Final = Table(
    name="sessions",
    version=1,
    description="What WhoAmI said of each session of a run.",
    columns=(
        _RUN_ID,
        _SESSION,
        _NETWORK_ID,
        _MAILBOX_ID,
        Column("user_id", _COUNT, "The session's user; null if WhoAmI gave none.", True),
        Column(
            "timeout_seconds",
            _SMALL,
            "Pause between two calls after which the session ends, in seconds; null if WhoAmI gave none.",
            True,
        ),
        Column(
            "open_sessions", _SMALL, "Open sessions of the user; null if WhoAmI gave none.", True
        ),
        Column("asked_at", _TIME, "This machine's clock when WhoAmI was asked."),
        Column("fault_class", _TEXT, "Why WhoAmI has no answer; null if it has one.", True),
        Column("fault_text", _TEXT, "What was said instead; null without a fault.", True),
    ),
    key=("run_id", "session"),
    sort=("session",),
)

RAW: Final = Table(
    name="raw",
    version=1,
    description="Every reply as received, faults too, in the order of the plan, then by attempt.",
    columns=(
        _RUN_ID,
        _CALL_ID,
        Column("attempt", _SMALL, "1 for the call's first request."),
        _SESSION,
        Column("window1_minutes", _SMALL, "First window that this attempt asked for, in minutes."),
        Column("window2_minutes", _SMALL, "Second window that this attempt asked for, in minutes."),
        Column("binding", _TEXT, "'soap11', 'soap12', 'http-get' or 'http-post'."),
        Column("request", _TEXT, "Method, path, headers and body as sent, credentials masked."),
        Column("http_status", _SMALL, "HTTP status."),
        Column("headers", _TEXT, "Headers of the reply as a JSON object, names in lower case."),
        Column("body", pa.binary(), "The body as received, in its content encoding."),
        Column(
            "masked", pa.bool_(), "Whether the body held a credential, whose bytes were replaced."
        ),
        Column("cut", pa.bool_(), "Whether the body was longer than the limit and ends early."),
        Column("sent_at", _TIME, "This machine's clock when the request was written."),
        Column("received_at", _TIME, "This machine's clock when the last byte came."),
        Column("body_sha256", _TEXT, "SHA-256 of the body, in hexadecimal."),
        Column("is_answer", pa.bool_(), "Whether the call's answer was read from this reply."),
    ),
    key=("run_id", "call_id", "attempt"),
    sort=(),
    plain=("request", "body", "sent_at", "received_at", "body_sha256"),
)

TRAFFIC_HISTORY: Final = Table(
    name="traffic_history",
    version=2,
    description="What went in and out, over all runs: each hour or span of a session, traffic and direction once.",
    columns=(
        _SESSION,
        _NETWORK_ID,
        _MAILBOX_ID,
        _SCOPE,
        Column("span_start", _TIME, "Where the span starts."),
        Column("span_end", _TIME, "Where the span ends and the next one starts."),
        Column("traffic", _TEXT, "What was counted: 'parcel' or 'interchange'."),
        Column("direction", _TEXT, "Seen from the mailbox: 'in' or 'out'."),
        Column(
            "state",
            _TEXT,
            "'exact': counted by one answer; 'bounded': between low and high; 'unseen': not known.",
        ),
        Column(
            "count",
            _COUNT,
            "How many parcels or interchanges from edge_start to edge_end; null unless exact.",
            True,
        ),
        Column("low", _COUNT, "At least so many."),
        Column("high", _COUNT, "At most so many; null if nothing bounds it.", True),
        Column("estimate", _COUNT, "Best guess between low and high; null if unseen.", True),
        Column(
            "edge_start",
            _TIME,
            "Where the count truly starts, by the service's clock, to the second; null if unseen.",
            True,
        ),
        Column("edge_end", _TIME, "Where it truly ends; null if unseen.", True),
        Column(
            "conflict",
            pa.bool_(),
            "Whether another answer contradicts it: the service restated its counts.",
        ),
        Column("run_id", _TEXT, "The run that counted it; null if unseen.", True),
        Column(
            "call_id", _TEXT, "The call whose answer counted from edge_start; null if unseen.", True
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
