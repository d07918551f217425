"""docs/tables.md, made from the contract: `python -m pipelines.contract.tables_doc > docs/tables.md`."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipelines.contract.tables import RUN_TABLES, TABLES, Column, Table
from pipelines.contract.views import VIEWS, View

__all__ = ["EXAMPLES", "example_of", "tables_markdown"]

# by column, the same in every table
EXAMPLES: Final = {
    "asked_at": "2026-01-31 02:00:01.120345+00:00",
    "attempt": "1",
    "attempts": "1",
    "binding": "soap12",
    "body": "b'<?xml version=...'",
    "body_sha256": "9f86d081884c7d65...",
    "bucket_end": "2026-01-31 01:00:02+00:00",
    "bucket_start": "2026-01-31 00:00:02+00:00",
    "call_id": "acme:ReportInstantStats:60-120",
    "column": "NetworkID",
    "complete": "true",
    "count": "17",
    "cut": "false",
    "day": "2026-01-31",
    "day_end": "2026-02-01 00:00:00+00:00",
    "day_start": "2026-01-31 00:00:00+00:00",
    "direction": "in",
    "conflict": "false",
    "edge_end": "2026-01-31 01:00:04+00:00",
    "edge_start": "2026-01-31 00:00:04+00:00",
    "estimate": "17",
    "exact": "true",
    "fault_class": "server",
    "fault_text": "the service is out of order",
    "from_call_id": "acme:ReportInstantStats:60-120",
    "from_minutes": "60",
    "headers": '{"content-type": "text/xml; charset=utf-8"}',
    "high": "17",
    "hour_end": "2026-01-31 01:00:00+00:00",
    "hour_start": "2026-01-31 00:00:00+00:00",
    "http_status": "200",
    "is_answer": "true",
    "known_seconds": "3600",
    "latency_ms": "81.345",
    "low": "17",
    "mailbox_id": "2718",
    "masked": "false",
    "network_id": "314",
    "observed_at": "2026-01-31 02:00:02+00:00",
    "open_sessions": "1",
    "operation": "ReportInstantStats",
    "quality": "longer_window_not_less",
    "raw_sha256": "9f86d081884c7d65...",
    "received_at": "2026-01-31 02:00:02.091280+00:00",
    "reply_bytes": "2143",
    "request": "POST /v4.1/prod/ECGridOS.asmx HTTP/1.1 ...",
    "requested_at": "2026-01-31 02:00:02.009935+00:00",
    "row": "0",
    "scope": "mailbox",
    "run_id": "20260131T020000Z-1f2e3d",
    "sent_at": "2026-01-31 02:00:02.009935+00:00",
    "session": "acme",
    "span_end": "2026-01-31 01:00:00+00:00",
    "span_start": "2026-01-31 00:00:00+00:00",
    "state": "ok",
    "dataset_extras.state": "current",
    "traffic_history.state": "exact",
    "traffic_hours.state": "exact",
    "traffic_days.known_seconds": "86400",
    "traffic_days.state": "exact",
    "network_hours.scope": "network",
    "network_hours.state": "exact",
    "network_days.known_seconds": "86400",
    "network_days.scope": "network",
    "network_days.state": "exact",
    "table": "Table",
    "timeout_seconds": "1200",
    "to_minutes": "120",
    "traffic": "parcel",
    "type": "System.Int32",
    "user_id": "42",
    "value": "314",
    "window1_minutes": "60",
    "window2_minutes": "120",
    "window_end": "2026-01-31 02:00:02+00:00",
    "window_minutes": "60",
    "window_slot": "1",
    "window_start": "2026-01-31 01:00:02+00:00",
}

_HEAD: Final = """\
# Tables

Every table and column, for whoever queries them; start with `traffic_history` and its views. The sentences are in every
file, too, as field metadata. [extending.md](extending.md#how-an-answer-becomes-rows) says how rows come about,
[publication.md](publication.md#how-a-table-may-change) how a table may change.

`python -m pipelines.contract.tables_doc` makes this page.
"""


def tables_markdown() -> str:
    """The page: the history and its views, then the tables of runs."""
    derived = (table for table in TABLES.values() if table.is_derived)
    tables: tuple[Table | View, ...] = (*derived, *VIEWS.values(), *RUN_TABLES.values())
    lines, told = [_HEAD], dict[Column, str]()
    for table in tables:
        lines += _section(table, told)
    return "\n".join(lines)


def _section(table: Table | View, told: dict[Column, str]) -> Iterator[str]:
    """A table's lines.

    Args:
        told: the columns that stand on the page already, and in which table: the same ones are named only.
    """
    yield f"## {table.name}"
    yield ""
    yield from _head_of_table(table) if isinstance(table, Table) else _head_of_view(table)
    same: dict[str, list[str]] = {}
    for column in table.columns:
        if column in told:
            same.setdefault(told[column], []).append(column.name)
    for name, columns in same.items():
        yield f"- As in `{name}`: {_listed(columns)}"
    yield ""
    if all(column in told for column in table.columns):
        return
    yield "| column | type | null | meaning | example |"
    yield "|---|---|---|---|---|"
    for column in table.columns:
        if column not in told:
            told[column] = table.name
            null = "yes" if column.nullable else ""
            example = example_of(table, column).replace("|", "\\|")
            yield f"| `{column.name}` | {column.type} | {null} | {column.description} | `{example}` |"
    yield ""


def _head_of_table(table: Table) -> Iterator[str]:
    yield f"{table.description} Version {table.version}."
    yield ""
    yield f"- Key: {_listed(table.key)}"
    yield f"- Partition: `{table.partition}`, {_partition(table)}"


def _head_of_view(view: View) -> Iterator[str]:
    yield f"{view.description} In UTC; for another time zone `{view.name}_in(zone)` in SQL, `tz=` in Python."
    yield ""
    yield f"- Key: {_listed(view.key)}"
    yield "- A view of `traffic_history` in `open_lake`, `ecgrid-stats sql`, DuckDB and PostgreSQL"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def example_of(table: Table | View, column: Column) -> str:
    """The table's own, where it means something else there."""
    return EXAMPLES.get(f"{table.name}.{column.name}", EXAMPLES[column.name])


def _partition(table: Table) -> str:
    if table.partition_from is None:
        return "the UTC date on which the run started"
    if table.by_month:
        return f"the first day of the month, in UTC, of `{table.partition_from}`"
    return f"the UTC date of `{table.partition_from}`"


if __name__ == "__main__":
    print(tables_markdown(), end="")  # noqa: T201  # its purpose
