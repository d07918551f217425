"""Lakes laid by hand: nights of calls and the hours that they brought, with whatever should stand on the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pipelines.contract import CALLS, TRAFFIC_HISTORY, Table, arrow_schema
from pipelines.lake import Days, Lake

__all__ = ["FIRST", "HOSTILE", "HOUR", "Call", "Span", "lay", "run_id", "written_config"]

FIRST: Final = datetime(2026, 1, 1, 2, 15, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
HOSTILE: Final = "<script>alert('x')</script>\u202e\n\"'&" + 10_000 * "long "
CONFIG: Final = """
[service]
url = "https://127.0.0.1:9/ECGridOS.asmx"
[windows]
every = "1h"
[storage]
root = "data"
[[sessions]]
label = "acme"
api_key = "env:NOBODY_READS_THIS"
"""


@dataclass(frozen=True, slots=True)
class Call:
    """How a call ended."""

    state: str = "ok"
    fault_class: str | None = None
    fault_text: str | None = None
    attempts: int = 1
    quality: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """What is known of an hour: how many, at most how many, and the night whose run brought it, if not its own."""

    count: int | None
    high: int | None = None
    by: int | None = None

    @property
    def state(self) -> str:
        """As the history says it."""
        if self.count is None:
            return "unseen"
        return "exact" if self.high is None else "bounded"


def run_id(night: int) -> str:
    """The run of a night, the first of which is 0."""
    return f"{FIRST + night * DAY:%Y%m%dT%H%M%SZ}-00000{night % 10}"


def lay(
    root: Path,
    nights: Sequence[int],
    sessions: Sequence[str],
    call: Callable[[int, str], Call | None] = lambda _night, _session: Call(),
    span: Callable[[int, str, int], Span | None] = lambda _night, _session, hour: Span(hour),
    *,
    trailing: bool = False,
) -> None:
    """A lake in which each night asked for the 24 hours before 2 o'clock.

    Args:
        call: how the calls of a session ended in a night; None if it was not asked.
        span: what is known of an hour, 0 to 23, before a night; None if there is no row.
    """
    lake = Lake(root / "lake")
    for night in nights:
        start = FIRST + night * DAY
        with lake.publication(run_id(night), start.date()) as publication:
            rows = [
                _call(night, session, number, asked, trailing=trailing)
                for session in sessions
                if (asked := call(night, session))
                for number in range(3)
            ]
            if rows:
                publication.append(CALLS.name, _table(CALLS, rows))
            publication.commit({"planned": len(rows)})
    days: dict[Any, list[dict[str, Any]]] = {}
    for night in range(max(nights, default=-1) + 1):
        for session in sessions:
            for hour in range(24):
                at = FIRST.replace(minute=0) + (night - 1) * DAY + hour * HOUR
                if (known := span(night, session, hour)) is not None:
                    days.setdefault(at.date(), []).extend(_spans(night, session, at, known))
    if days:
        with lake.derived_publication() as publication:
            for day, rows in days.items():
                publication.write(
                    TRAFFIC_HISTORY.name, Days.day(day), [_table(TRAFFIC_HISTORY, rows)]
                )
            publication.commit(None, {}, {})


def written_config(folder: Path, extra: str = "") -> Path:
    """A configuration for a lake below `data` of a folder."""
    path = folder / "ecgrid.toml"
    path.write_text(CONFIG.replace('"data"', f'"{folder / "data"}"') + extra, encoding="utf-8")
    return path


def _call(night: int, session: str, number: int, asked: Call, *, trailing: bool) -> dict[str, Any]:
    start = FIRST + night * DAY
    sent = start + timedelta(seconds=10 * number + 1)
    edge = None if trailing else start.replace(minute=0) - (number + 1) * HOUR
    return {
        "run_id": run_id(night),
        "call_id": f"{session[:50]}:{number}",
        "session": session,
        "operation": "ReportInstantStats",
        "span_start": edge,
        "span_end": edge and edge + HOUR,
        "window1_minutes": 60,
        "window2_minutes": 120,
        "state": asked.state,
        "attempts": 0 if asked.state == "not_attempted" else asked.attempts,
        "http_status": 200,
        "fault_class": asked.fault_class,
        "fault_text": asked.fault_text,
        "requested_at": None if asked.state == "not_attempted" else sent,
        "observed_at": None,
        "latency_ms": None if asked.state == "not_attempted" else 50.0 + 10 * number + night,
        "reply_bytes": 2000,
        "quality": asked.quality,
    }


def _spans(night: int, session: str, at: datetime, known: Span) -> list[dict[str, Any]]:
    is_seen = known.count is not None
    return [
        {
            "session": session,
            "network_id": 1,
            "mailbox_id": 2,
            "span_start": at,
            "span_end": at + HOUR,
            "traffic": traffic,
            "direction": direction,
            "state": known.state,
            "count": known.count if known.state == "exact" else None,
            "low": known.count or 0,
            "high": known.high if known.high is not None else known.count,
            "estimate": known.count,
            "edge_start": at if is_seen else None,
            "edge_end": at + HOUR if is_seen else None,
            "conflict": False,
            "run_id": run_id(night if known.by is None else known.by) if is_seen else None,
            "call_id": session[:50] if is_seen else None,
        }
        for traffic in ("parcel", "interchange")
        for direction in ("in", "out")
    ]


def _table(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=arrow_schema(table))
