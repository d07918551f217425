"""The page: what making it takes, and how large it is, of a lake of many sessions and three months of nights."""

import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.figures import Found, Line, answer
from bench.history import rows_of_a_day
from bench.process import PYTHON, ROOT, finished
from pipelines.contract import CALLS, TRAFFIC_HISTORY, arrow_schema
from pipelines.lake import Days, Lake

__all__ = ["fill", "measure"]

_FIRST: Final = date(2026, 1, 1)
_NIGHTS: Final = 90
_HOURS: Final = 24
_CALLS: Final = 13  # of a session, for a day of hours
_SECONDS: Final = 300.0
_CONFIG: Final = """
[service]
url = "https://127.0.0.1/ECGridOS.asmx"
[windows]
every = "1h"
[storage]
root = "data"
[[sessions]]
label = "mailbox-000001"
api_key = "env:UNUSED"
"""


def measure(full: bool) -> Found:
    """A thousand sessions, or ten thousand; ninety nights of them."""
    found = Found("The page")
    sessions = 10_000 if full else 1_000
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="bench-") as name:
        folder = Path(name)
        fill(folder, _NIGHTS, sessions)
        command = [
            PYTHON,
            "-m",
            "pipelines.cli",
            "report",
            "-c",
            str(folder / "ecgrid.toml"),
            "--json",
        ]
        # as the console script has it, which sets this before Arrow is loaded
        taken = finished(command, seconds=_SECONDS, ARROW_DEFAULT_MEMORY_POOL="system")
        size_mb = Path(taken.said["page"]).stat().st_size / 1e6
    work = f"{sessions:,} sessions, {_NIGHTS} nights: the page"
    found.rows = [
        ["sessions", "nights", "s", "peak, MB", "page, MB"],
        [
            f"{sessions:,}",
            f"{_NIGHTS}",
            f"{taken.wall:.1f}",
            f"{taken.peak_mb:.0f}",
            f"{size_mb:.2f}",
        ],
    ]
    found.lines += [
        Line(17, work, taken.wall, "s", 10, 5, at_least=False),
        Line(17, f"{work}, peak", taken.peak_mb, "MB", 300, 200, at_least=False),
        Line(17, f"{work}, its size", size_mb, "MB", 1.5, 0.5, at_least=False),
    ]
    return found


def fill(folder: Path, nights: int, sessions: int) -> None:
    """A configuration and a lake: every hour but those of a few mailboxes, and a few calls that failed.

    The history has a file for each day; a lake of this age would have its first month in one.
    """
    config = _CONFIG.replace('"data"', f'"{folder}/data"')
    (folder / "ecgrid.toml").write_text(config, encoding="utf-8")
    lake = Lake(folder / "data" / "lake")
    days = [_FIRST + timedelta(days=number) for number in range(nights)]
    with lake.derived_publication() as publication:
        for day in days:
            publication.write(
                TRAFFIC_HISTORY.name, Days.day(day), [_with_holes(rows_of_a_day(day, sessions))]
            )
        publication.commit(None, {}, {})
    for day in days:
        night = day + timedelta(days=1)
        with lake.publication(f"{night:%Y%m%d}T001500Z-000000", night) as publication:
            publication.append(CALLS.name, _calls(night, sessions))
            publication.commit({"planned": sessions * _CALLS})


def _with_holes(rows: pa.Table) -> pa.Table:
    """Every two-hundredth mailbox is unseen in the hours from six to twelve."""
    number = pc.cast(rows["mailbox_id"], pa.int64()).to_numpy()
    hour = pc.hour(rows["span_start"]).to_numpy()
    is_hole = pa.array((number % 200 == 0) & (hour >= 6) & (hour < 12))
    state = pc.if_else(is_hole, "unseen", rows["state"])
    return rows.set_column(rows.schema.get_field_index("state"), rows.schema.field("state"), state)


def _calls(night: date, sessions: int) -> pa.Table:
    count = sessions * _CALLS
    row = np.arange(count)
    session = row // _CALLS
    is_failed = pa.array((session % 200 == 0) & (row % _CALLS > 9))
    began = int(datetime(night.year, night.month, night.day, 0, 15, tzinfo=UTC).timestamp() * 1e6)
    at = pa.array(began + row * 20_000).cast(pa.timestamp("us", "UTC"))
    start = began - 900_000_000 - 86_400_000_000 + row % _CALLS * 7_200_000_000
    label = pa.array([f"mailbox-{number:06}" for number in range(sessions)]).take(pa.array(session))
    latency = np.random.default_rng(night.toordinal()).gamma(4.0, 25.0, count)
    columns = {
        "run_id": pa.repeat(f"{night:%Y%m%d}T001500Z-000000", count),
        "call_id": pc.binary_join_element_wise(
            label, pc.cast(pa.array(row % _CALLS), pa.string()), ":"
        ),
        "session": label,
        "operation": pa.repeat("ReportInstantStats", count),
        "span_start": pa.array(start),
        "span_end": pa.array(start + 3_600_000_000),
        "window1_minutes": pa.repeat(60, count),
        "window2_minutes": pa.repeat(120, count),
        "state": pc.if_else(is_failed, "failed", "ok"),
        "attempts": pc.if_else(is_failed, 4, 1),
        "http_status": pc.if_else(is_failed, 500, 200),
        "fault_class": pc.if_else(is_failed, "server", pa.scalar(None, pa.string())),
        "fault_text": pc.if_else(
            is_failed, "the service is out of order", pa.scalar(None, pa.string())
        ),
        "requested_at": at,
        "observed_at": at,
        "latency_ms": pa.array(latency),
        "reply_bytes": pa.repeat(2_143, count),
        "quality": pa.nulls(count, pa.string()),
    }
    schema = arrow_schema(CALLS)
    return pa.Table.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


if __name__ == "__main__":
    if "--fill" in sys.argv:
        place, sessions_asked = Path(sys.argv[-2]), int(sys.argv[-1])
        place.mkdir(parents=True, exist_ok=True)
        fill(place, _NIGHTS, sessions_asked)
    else:
        answer(measure)
