"""Bars 12 and 13: one session's last week beside one ideally sorted file; what compaction earns where runs are many."""

import hashlib
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from bench.figures import Found, Line, answer
from bench.process import ROOT
from bench.product import product
from collector.domain.calls import Call, Trailing
from pipelines.contract import INSTANT_STATS, arrow_schema
from pipelines.lake import Lake
from pipelines.read import open_lake

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["measure"]

_FIRST: Final = date(2024, 1, 1)
_WINDOWS: Final = 24
_KINDS: Final = 4  # parcels and interchanges, in and out
_TIMES: Final = 7
_BUSY: Final = (0, 1, 2, 3, 4, 6, 9, 14)  # parcels an hour and direction, at most


def measure(full: bool) -> Found:
    """Two years of nights with 100 million facts, or two months with a hundredth of them."""
    nights, sessions = (730, 1_427) if full else (60, 210)
    with product("http://127.0.0.1:1/x", sessions=1, pairs=1) as ours:
        folder = ours.root / "lake"
        lake = Lake(folder)
        for night in range(nights):
            _publish(lake, _FIRST + timedelta(days=night), sessions, _WINDOWS)
        facts = nights * sessions * _WINDOWS * _KINDS
        size = sum(path.stat().st_size for path in (folder / "instant_stats").rglob("*.parquet"))
        with tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="bench-") as name:
            ideal = Path(name) / "ideal.parquet"
            _ideal(folder, ideal, sessions)
            found = _found(folder, ideal, facts, size, nights)
    found.rows.extend(_hourly(180 if full else 30, sessions))
    return found


def _publish(lake: Lake, day: date, sessions: int, windows: int, hour: int = 2) -> None:
    end = int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp() * 1e6)
    number = (day - _FIRST).days * 24 + hour
    run_id = f"{day:%Y%m%d}T{hour:02}0000Z-{number:06x}"
    count = sessions * windows * _KINDS
    row = np.arange(count)
    session, window = row // (windows * _KINDS), row // _KINDS % windows
    calls = sessions * windows // 2
    call = session * (windows // 2) + window // 2
    call_ids, labels = _names(sessions, windows)
    random = np.random.default_rng(number)
    ends = end + call * 1_000_000 // 200 // 1_000_000 * 1_000_000
    minutes = (window + 1) * 60
    counts = _counts(random, sessions, windows)
    columns = {
        "run_id": pa.repeat(run_id, count),
        "call_id": call_ids.take(pa.array(call)),
        "session": labels.take(pa.array(session)),
        "network_id": pa.array(session % 7),
        "mailbox_id": pa.array(session),
        "window_minutes": pa.array(minutes, pa.int32()),
        "window_start": pa.array(ends - minutes * 60_000_000),
        "window_end": pa.array(ends),
        "traffic": pa.array(["parcel", "interchange"]).take(pa.array(row % 4 // 2)),
        "direction": pa.array(["in", "out"]).take(pa.array(row % 2)),
        "count": pa.array(counts.ravel()),
        "window_slot": pa.array(window % 2 + 1, pa.int32()),
        "requested_at": pa.array(end + call * 5_000 + random.integers(0, 900, calls)[call]),
        "observed_at": pa.array(ends),
        "raw_sha256": _digests(counts.reshape(calls, 2 * _KINDS)),
    }
    schema = arrow_schema(INSTANT_STATS)
    arrays = [columns[field.name].cast(field.type) for field in schema]
    with lake.publication(run_id, day) as publication:
        publication.append(INSTANT_STATS.name, pa.Table.from_arrays(arrays, schema=schema))
        publication.commit({"planned": count // 8})


@cache
def _names(sessions: int, windows: int) -> tuple[pa.Array, pa.Array]:
    """The ids of all calls and the labels, in the plan's order: the same every night."""
    labels = [f"mailbox-{session:06}" for session in range(sessions)]
    pairs = [(60 * first, 60 * first + 60) for first in range(1, windows, 2)]
    ids = [
        Call.of(label, "ReportInstantStats", (Trailing(*pair),)).call_id
        for label in labels
        for pair in pairs
    ]
    return pa.array(ids, pa.string()), pa.array(labels)


def _counts(random: np.random.Generator, sessions: int, windows: int) -> np.ndarray:
    """Session, window, kind -> count: trailing windows of mailboxes as busy as the simulator's."""
    busy = random.permutation(np.resize(_BUSY, 2 * sessions)).reshape(sessions, 1, 2)
    parcels = random.integers(0, busy, (sessions, windows, 2), endpoint=True)
    interchanges = parcels + random.binomial(parcels, 0.5)
    return np.concatenate([parcels, interchanges], axis=2).cumsum(axis=1)


def _digests(answers: np.ndarray) -> pa.Array:
    """One for each answer's counts, as a body has nothing else that differs, on every row of the answer."""
    spelled = [hashlib.sha256(each.tobytes()).hexdigest() for each in answers]
    return pa.array(spelled).take(pa.array(np.repeat(np.arange(len(answers)), 2 * _KINDS)))


def _ideal(folder: Path, path: Path, sessions: int) -> None:
    """All rows in one file, by session and time; with more row groups its footer would cost more than it saves."""
    rows = f"read_parquet('{folder}/instant_stats/*/*.parquet', hive_partitioning = true)"
    with duckdb.connect(
        config={"temp_directory": str(path.parent), "memory_limit": "4GB"}
    ) as sorting:
        sorting.execute(
            f"COPY (FROM {rows} ORDER BY session, window_end, window_minutes) TO '{path}'"  # our own paths
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {max(2_048, sessions * 400)})"
        )


def _found(folder: Path, ideal: Path, facts: int, size: int, nights: int) -> Found:
    last = _FIRST + timedelta(days=nights - 7)
    session = "mailbox-000100"
    where = f"WHERE session = '{session}' AND run_date >= DATE '{last}'"
    ours = f"read_parquet('{folder}/instant_stats/*/*.parquet', hive_partitioning = true)"
    columns = ["window_end", "window_minutes", "traffic", "direction", "count"]
    select = f"SELECT {', '.join(columns)} FROM"

    def arrow() -> int:
        table = ds.dataset(folder / "instant_stats", partitioning="hive")
        # run_date is text in a path that pyarrow reads on its own; ISO dates sort as text
        wanted = (pc.field("session") == session) & (pc.field("run_date") >= str(last))
        return int(table.to_table(columns, filter=wanted).num_rows)

    days = [last + timedelta(days=day) for day in range(7)]
    folders = [f"{folder}/instant_stats/run_date={day}/*.parquet" for day in days]
    named = f"read_parquet({folders}, hive_partitioning = true)"

    def door() -> int:
        return len(open_lake(folder).instant_stats(since=last, sessions=[session], columns=columns))

    works: dict[str, Callable[[], int]] = {
        "one ideally sorted file, DuckDB": lambda: len(
            duckdb.sql(f"{select} '{ideal}' {where}").to_arrow_table()  # our own names
        ),
        "the lake, DuckDB": lambda: len(
            duckdb.sql(f"{select} {ours} {where}").to_arrow_table()
        ),  # our own names
        "the lake, open_lake": door,
        "the lake, DuckDB, the week's folders named": lambda: len(
            duckdb.sql(f"{select} {named} {where}").to_arrow_table()  # our own names
        ),
        "the lake, pyarrow.dataset": arrow,
    }
    expected = 7 * _WINDOWS * _KINDS
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(_TIMES):
        for name, work in works.items():
            begun = time.perf_counter()
            if work() != expected:
                raise RuntimeError(f"{name}: not {expected} rows")
            taken[name].append(time.perf_counter() - begun)
    rows = [["one session, its last week", "ms"]]
    rows += [[name, f"{1000 * statistics.median(each):.1f}"] for name, each in taken.items()]
    floor, *lake = taken.values()
    by_duckdb, by_door, *_ = (
        statistics.median(a / b for a, b in zip(each, floor, strict=True)) for each in lake
    )
    files = len(list((folder / "instant_stats").rglob("*.parquet")))
    rows.append(["files of instant_stats", str(files)])
    rows.append(["bytes per fact in the ideal file", f"{ideal.stat().st_size / facts:.2f}"])
    lines = [
        Line(12, f"{facts:,} facts, DuckDB / ideal file", by_duckdb, "x", 2.0, 1.2, at_least=False),
        Line(
            12, f"{facts:,} facts, open_lake / ideal file", by_door, "x", 2.0, 1.2, at_least=False
        ),
        Line(13, "bytes per fact in the lake", size / facts, "B", 6, 3, at_least=False),
    ]
    return Found(f"A lake of {nights} nights and {facts:,} facts", lines, rows)


def _hourly(days: int, sessions: int) -> list[list[str]]:
    """A lake of a run every hour, read before and after it is compacted."""
    with product("http://127.0.0.1:1/x", sessions=1, pairs=1) as ours:
        folder = ours.root / "lake"
        lake = Lake(folder)
        for number in range(days * 24):
            day, hour = _FIRST + timedelta(days=number // 24), number % 24
            _publish(lake, day, sessions, 2, hour)
        before = _read(folder, days)
        begun = time.perf_counter()
        lake.compact()
        seconds = time.perf_counter() - begun
        after = _read(folder, days)
    found = [
        [f"a run every hour for {days} days: compaction takes {seconds:.1f} s", "before", "after"]
    ]
    return found + [[name, before[name], after[name]] for name in before]


def _read(folder: Path, days: int) -> dict[str, str]:
    """What a lake takes on disk, and how long one session's last week and whole history take to read."""
    session, files = "mailbox-000100", list((folder / "instant_stats").rglob("*.parquet"))
    week = _FIRST + timedelta(days=days - 7)
    glob = f"read_parquet('{folder}/instant_stats/*/*.parquet', hive_partitioning = true)"
    select = "SELECT window_end, count FROM"
    ask = f"{select} {glob} WHERE session = '{session}'"
    works: dict[str, Callable[[], int]] = {
        "its last week, open_lake, ms": lambda: len(
            open_lake(folder).instant_stats(since=week, sessions=[session])
        ),
        "all of it, open_lake, ms": lambda: len(
            open_lake(folder).instant_stats(sessions=[session])
        ),
        "its last week, DuckDB by names, ms": lambda: len(
            duckdb.sql(f"{ask} AND run_date >= DATE '{week}'").to_arrow_table()
        ),
        "all of it, DuckDB by names, ms": lambda: len(duckdb.sql(ask).to_arrow_table()),
    }
    found = {
        "files": str(len(files)),
        "bytes": f"{sum(path.stat().st_size for path in files):,}",
    }
    for name, work in works.items():
        taken = []
        for _ in range(_TIMES):
            begun = time.perf_counter()
            if work() % (24 * 2 * _KINDS):
                raise RuntimeError(f"{name}: rows are missing")
            taken.append(time.perf_counter() - begun)
        found[name] = f"{1000 * statistics.median(taken):.1f}"
    return found


if __name__ == "__main__":
    answer(measure)
