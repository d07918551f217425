"""The history: what adding a night takes, and one session's last week and whole history beside one ideal file."""

import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa

from bench.figures import Found, Line, answer, slope
from bench.process import PYTHON, ROOT, finished
from pipelines.contract import TRAFFIC_BUCKETS, TRAFFIC_HISTORY, arrow_schema
from pipelines.history import derive
from pipelines.lake import Days, Lake
from pipelines.read import open_lake

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["measure", "rows_of_a_day"]

_FIRST: Final = date(2024, 1, 1)
_HOURS: Final = 24
_KINDS: Final = 4  # parcels and interchanges, in and out
_TIMES: Final = 7
_NIGHTS: Final = 7  # a night looks at five days before it
_CLOSING: Final = 56  # nights, the last of which closes the first month
_HOUR_US: Final = 3_600_000_000
_SORT: Final = [("session", "ascending"), ("span_start", "ascending")]
_SECONDS: Final = 300.0


def measure(full: bool) -> Found:
    """A night of a thousand sessions and of more; two months of 200 sessions, or two years of a thousand."""
    found = Found("The history", axes=("sessions", "s"))
    sizes = (1_000, 3_000, 10_000) if full else (300, 1_000)
    nights = {sessions: _night(sessions) for sessions in sizes}
    seconds, peak_mb = nights[1_000]
    found.lines += [
        Line(13, "adding a night of 1,000 sessions", seconds, "s", 10, 5, at_least=False),
        Line(13, "adding a night of 1,000 sessions, peak", peak_mb, "MB", 300, 200, at_least=False),
    ]
    found.curves["a night"] = [(size, taken) for size, (taken, _) in nights.items()]
    grows = slope(found.curves["a night"])
    found.lines.append(
        Line(13, "sessions, slope of a night", grows, "", 1.15, 1.05, at_least=False)
    )
    found.rows = [["sessions", "adding a night, s", "peak, MB"]]
    found.rows += [[f"{size:,}", f"{s:.1f}", f"{mb:.0f}"] for size, (s, mb) in nights.items()]
    if full:
        seconds, peak_mb = _night(1_000, _CLOSING)
        found.rows.append(["1,000, and a month is closed", f"{seconds:.1f}", f"{peak_mb:.0f}"])
    days, sessions = (730, 1_000) if full else (60, 200)
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="bench-") as name:
        folder = Path(name) / "lake"
        _fill(Lake(folder), days, sessions)
        ideal = Path(name) / "ideal.parquet"
        _ideal(folder, ideal, sessions)
        _read(folder, ideal, days, sessions, found)
    return found


def _night(sessions: int, nights: int = _NIGHTS) -> tuple[float, float]:
    """Seconds and megabytes that the last of some nights takes to become history, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="bench-") as name:
        lake = Lake(Path(name) / "lake")
        for night in range(nights):
            day = _FIRST + timedelta(days=night)
            with lake.publication(f"{day:%Y%m%d}T021500Z-000000", day) as publication:
                publication.append(TRAFFIC_BUCKETS.name, _buckets(day, sessions))
                publication.commit({})
            if night == nights - 2:
                derive(lake)
        command = [PYTHON, "-m", "bench.history", "--derive", str(lake.folder)]
        taken = finished(command, seconds=_SECONDS, ARROW_DEFAULT_MEMORY_POOL="system")
        return float(taken.said["seconds"]), float(taken.said["peak_mb"])


def _buckets(day: date, sessions: int) -> pa.Table:
    """What a night of hours publishes, every other one exact."""
    count = sessions * _HOURS * _KINDS
    row = np.arange(count)
    session, hour = row // (_HOURS * _KINDS), row // _KINDS % _HOURS
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1e6)
    start = midnight - (hour + 1 - 2) * _HOUR_US  # the youngest edge is 2 o'clock
    edge = start + (session * 2_000_000 + hour // 2 * 1_000_000) % 28_000_000
    low = np.random.default_rng(day.toordinal()).integers(0, 9, count)
    is_exact = hour % 2 == 0
    label = pa.array([f"mailbox-{number:06}" for number in range(sessions)]).take(pa.array(session))
    call = pa.array([f"{number}" for number in range(_HOURS)]).take(pa.array(hour))
    columns = {
        "run_id": pa.repeat(f"{day:%Y%m%d}T021500Z-000000", count),
        "call_id": pa.compute.binary_join_element_wise(label, call, ":"),
        "from_call_id": pa.compute.binary_join_element_wise(label, call, ":"),
        "session": label,
        "network_id": pa.array(session % 7),
        "mailbox_id": pa.array(session),
        "span_start": pa.array(start),
        "span_end": pa.array(start + _HOUR_US),
        "bucket_start": pa.array(edge),
        "bucket_end": pa.array(edge + _HOUR_US),
        "from_minutes": pa.array(hour * 60 + 15),
        "to_minutes": pa.array(hour * 60 + 75),
        "traffic": pa.array(["parcel", "interchange"]).take(pa.array(row % 4 // 2)),
        "direction": pa.array(["in", "out"]).take(pa.array(row % 2)),
        "count": pa.array(low, mask=~is_exact),
        "exact": pa.array(is_exact),
        "low": pa.array(low),
        "high": pa.array(low + ~is_exact),
        "estimate": pa.array(low),
        "latency_ms": pa.array(np.full(count, 81.5)),
    }
    schema = arrow_schema(TRAFFIC_BUCKETS)
    return pa.Table.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


def _fill(lake: Lake, days: int, sessions: int) -> None:
    """A history of so many days, as `derive` would have written it."""
    every = [_FIRST + timedelta(days=number) for number in range(days)]
    with lake.derived_publication() as publication:
        for month in sorted({Days.month(day) for day in every}):
            of_month = [day for day in every if Days.day(day).touches(month)]
            if month.last + timedelta(days=24) < every[-1]:
                rows = pa.concat_tables([rows_of_a_day(day, sessions) for day in of_month])
                publication.write(TRAFFIC_HISTORY.name, month, [rows.sort_by(_SORT)])
                continue
            for day in of_month:
                publication.write(
                    TRAFFIC_HISTORY.name, Days.day(day), [rows_of_a_day(day, sessions)]
                )
        publication.commit(None, {}, {})


def rows_of_a_day(day: date, sessions: int) -> pa.Table:
    """The history of a day, every other hour exact."""
    count = sessions * _HOURS * _KINDS
    row = np.arange(count)
    session, hour = row // (_HOURS * _KINDS), row // _KINDS % _HOURS
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1e6)
    start = midnight + hour * _HOUR_US
    edge = start + (session * 2_000_000 + hour // 2 * 1_000_000) % 28_000_000
    low = np.random.default_rng(day.toordinal()).integers(0, 9, count)
    is_exact = hour % 2 == 0
    label = pa.array([f"mailbox-{number:06}" for number in range(sessions)]).take(pa.array(session))
    call = pa.array([f"{number}" for number in range(_HOURS)]).take(pa.array(hour))
    columns = {
        "session": label,
        "network_id": pa.array(session % 7),
        "mailbox_id": pa.array(session),
        "scope": pa.repeat("mailbox", count),
        "span_start": pa.array(start),
        "span_end": pa.array(start + _HOUR_US),
        "traffic": pa.array(["parcel", "interchange"]).take(pa.array(row % 4 // 2)),
        "direction": pa.array(["in", "out"]).take(pa.array(row % 2)),
        "state": pa.array(["bounded", "exact"]).take(pa.array(is_exact.astype(np.int64))),
        "count": pa.array(low, mask=~is_exact),
        "low": pa.array(low),
        "high": pa.array(low + ~is_exact),
        "estimate": pa.array(low),
        "edge_start": pa.array(edge),
        "edge_end": pa.array(edge + _HOUR_US),
        "conflict": pa.array(np.zeros(count, np.bool_)),
        "run_id": pa.repeat(f"{day:%Y%m%d}T021500Z-000000", count),
        "call_id": pa.compute.binary_join_element_wise(label, call, ":"),
    }
    schema = arrow_schema(TRAFFIC_HISTORY)
    return pa.Table.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


def _ideal(folder: Path, path: Path, sessions: int) -> None:
    """All rows in one file, by session and time, in row groups of two sessions or so."""
    rows = f"read_parquet('{folder}/traffic_history/*/*.parquet')"
    with duckdb.connect(
        config={"temp_directory": str(path.parent), "memory_limit": "4GB"}
    ) as sorting:
        sorting.execute(
            f"COPY (FROM {rows} ORDER BY session, span_start) TO '{path}'"  # our own paths
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {max(2_048, sessions * 100)})"
        )


def _read(folder: Path, ideal: Path, days: int, sessions: int, found: Found) -> None:
    session, week = "mailbox-000100", _FIRST + timedelta(days=days - 7)
    names = ["span_start", "traffic", "direction", "state", "estimate"]
    select = f"SELECT {', '.join(names)} FROM"
    ours = f"read_parquet('{folder}/traffic_history/*/*.parquet')"
    rows = days * sessions * _HOURS * _KINDS
    for title, since, expected in (
        ("last week", week, 7 * _HOURS * _KINDS),
        (f"{days} days", None, days * _HOURS * _KINDS),
    ):
        where = f"WHERE session = '{session}'"
        if since is not None:
            where += f" AND span_start >= TIMESTAMPTZ '{since} 00:00:00+00'"
        filters = {"sessions": [session], "columns": names, "since": since}
        works: dict[str, Callable[[], int]] = {
            "one ideally sorted file, DuckDB": lambda where=where: len(
                duckdb.sql(f"{select} '{ideal}' {where}").to_arrow_table()
            ),
            "the lake, DuckDB by names": lambda where=where: len(
                duckdb.sql(f"{select} {ours} {where}").to_arrow_table()
            ),
            "the lake, open_lake": lambda filters=filters: len(
                open_lake(folder).traffic_history(**filters)
            ),
            "the lake, open_lake, by the day": lambda since=since: (
                len(open_lake(folder).traffic_days(since=since, sessions=[session])) * _HOURS
            ),
        }
        taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(_TIMES):
            for name, work in works.items():
                begun = time.perf_counter()
                if (got := work()) != expected:
                    raise RuntimeError(f"{name}: {got} rows, not {expected}")
                taken[name].append(time.perf_counter() - begun)
        found.rows.append([f"{rows:,} rows: one session, {title}", "ms", ""])
        found.rows += [
            [name, f"{1000 * statistics.median(each):.1f}", ""] for name, each in taken.items()
        ]
        floor, *lake = taken.values()
        for name, each in zip(("DuckDB by names", "open_lake"), lake, strict=False):
            ratio = statistics.median(a / b for a, b in zip(each, floor, strict=True))
            work_said = f"{rows:,} rows of history, {title}, {name} / ideal file"
            found.lines.append(Line(12, work_said, ratio, "x", 2.0, 1.2, at_least=False))


def _derived(folder: Path) -> None:
    begun = time.perf_counter()
    derive(Lake(folder))
    seconds = time.perf_counter() - begun
    # the system's figure of a process that has ended is at least that of the one that started it
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak_mb = int(status["VmHWM"].split()[0]) / 1024
    print(f'{{"seconds": {seconds:.3f}, "peak_mb": {peak_mb:.0f}}}')


if __name__ == "__main__":
    if "--derive" in sys.argv:
        _derived(Path(sys.argv[-1]))
    else:
        answer(measure)
