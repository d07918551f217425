"""Bars 12 and 13: a lake of many nights, compacted; one session's last week, beside one ideally sorted file."""

import hashlib
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
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
from pipelines.cli import COMMANDS
from pipelines.contract import INSTANT_STATS, arrow_schema
from pipelines.lake import Lake

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
            _publish(lake, night, sessions)
        if "compact" in COMMANDS:
            ours.run("compact", seconds=3600)
        facts = nights * sessions * _WINDOWS * _KINDS
        size = sum(path.stat().st_size for path in (folder / "instant_stats").rglob("*.parquet"))
        with tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="bench-") as name:
            ideal = Path(name) / "ideal.parquet"
            _ideal(folder, ideal, sessions)
            return _found(folder, ideal, facts, size, nights)


def _publish(lake: Lake, night: int, sessions: int) -> None:
    day = _FIRST + timedelta(days=night)
    end = int(datetime(day.year, day.month, day.day, 2, tzinfo=UTC).timestamp() * 1e6)
    run_id = f"{day:%Y%m%d}T020000Z-{night:06x}"
    count = sessions * _WINDOWS * _KINDS
    row = np.arange(count)
    session, window = row // (_WINDOWS * _KINDS), row // _KINDS % _WINDOWS
    calls = sessions * _WINDOWS // 2
    call = session * (_WINDOWS // 2) + window // 2
    random = np.random.default_rng(night)
    ends = end + call * 1_000_000 // 200 // 1_000_000 * 1_000_000
    minutes = (window + 1) * 60
    counts = _counts(random, sessions)
    columns = {
        "run_id": pa.repeat(run_id, count),
        "call_id": _text(_mixed(call), "{:016x}"),
        "session": _text(session, "mailbox-{:06}"),
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


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers without order, as digests have none."""
    return numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def _counts(random: np.random.Generator, sessions: int) -> np.ndarray:
    """Session, window, kind -> count: trailing windows of mailboxes as busy as the simulator's."""
    busy = random.permutation(np.resize(_BUSY, 2 * sessions)).reshape(sessions, 1, 2)
    parcels = random.integers(0, busy, (sessions, _WINDOWS, 2), endpoint=True)
    interchanges = parcels + random.binomial(parcels, 0.5)
    return np.concatenate([parcels, interchanges], axis=2).cumsum(axis=1)


def _digests(answers: np.ndarray) -> pa.Array:
    """One for each answer's counts, as a body has nothing else that differs, on every row of the answer."""
    spelled = [hashlib.sha256(each.tobytes()).hexdigest() for each in answers]
    return pa.array(spelled).take(pa.array(np.repeat(np.arange(len(answers)), 2 * _KINDS)))


def _text(numbers: np.ndarray, form: str) -> pa.Array:
    """Numbers as text, each spelled once."""
    kinds, places = np.unique(numbers, return_inverse=True)
    return pa.array([form.format(int(each)) for each in kinds]).take(pa.array(places))


def _ideal(folder: Path, path: Path, sessions: int) -> None:
    """All rows in one file, by session and time."""
    rows = f"read_parquet('{folder}/instant_stats/**/*.parquet', hive_partitioning = true)"
    duckdb.sql(
        f"COPY (FROM {rows} ORDER BY session, window_end, window_minutes) TO '{path}'"  # our own paths
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {max(2_048, sessions * 100)})"
    )


def _found(folder: Path, ideal: Path, facts: int, size: int, nights: int) -> Found:
    last = _FIRST + timedelta(days=nights - 7)
    session = "mailbox-000100"
    where = f"WHERE session = '{session}' AND run_date >= DATE '{last}'"
    ours = f"read_parquet('{folder}/instant_stats/**/*.parquet', hive_partitioning = true)"
    select = "SELECT window_end, window_minutes, traffic, direction, count FROM"

    def arrow() -> int:
        table = ds.dataset(folder / "instant_stats", partitioning="hive")
        # run_date is text in a path that pyarrow reads on its own; ISO dates sort as text
        wanted = (pc.field("session") == session) & (pc.field("run_date") >= str(last))
        return int(table.count_rows(filter=wanted))

    works: dict[str, Callable[[], int]] = {
        "one ideally sorted file, DuckDB": lambda: len(
            duckdb.sql(f"{select} '{ideal}' {where}").to_arrow_table()  # our own names
        ),
        "the lake, DuckDB": lambda: len(
            duckdb.sql(f"{select} {ours} {where}").to_arrow_table()
        ),  # our own names
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
    floor, lake, _ = taken.values()
    ratio = statistics.median(a / b for a, b in zip(lake, floor, strict=True))
    compacted = "compacted" if "compact" in COMMANDS else "not compacted: there is no such command"
    files = len(list((folder / "instant_stats").rglob("*.parquet")))
    rows.append([f"files of instant_stats ({compacted})", str(files)])
    rows.append(["bytes per fact in the ideal file", f"{ideal.stat().st_size / facts:.2f}"])
    lines = [
        Line(12, f"{facts:,} facts, DuckDB / ideal file", ratio, "x", 2.0, 1.2, at_least=False),
        Line(13, "bytes per fact in the lake", size / facts, "B", 6, 3, at_least=False),
    ]
    return Found(f"A lake of {nights} nights and {facts:,} facts", lines, rows)


if __name__ == "__main__":
    answer(measure)
