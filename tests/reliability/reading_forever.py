"""`python -m tests.reliability.reading_forever LAKE CALLS`: readers of a lake, one after the other, until stdin ends.

Each published run has CALLS calls, all answered. At its end it prints one JSON object: how often each reader read, how
often one of names had to list a folder again, and the first things that none of them may see.
"""

import json
import select
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import open_lake
from pipelines.lake import Lake
from pipelines.read import snapshot

COUNTS: Final = 8  # of each answer
KEY: Final = ["run_id", "call_id", "window_slot", "traffic", "direction"]
SHOWN: Final = 5  # errors
MOVED_TRIES: Final = 3

Wrong = Iterator[str]


def snapshots(folder: Path, calls: int) -> Wrong:
    """Every run through its manifest, as docs/publication.md says."""
    lake = Lake(folder)
    for run_id in lake.run_ids():
        with snapshot(lake, run_id) as run:
            found = run.table("instant_stats", KEY)
            if found.num_rows != calls * COUNTS or run.table("calls").num_rows != calls:
                yield f"{run_id}: {found.num_rows} rows of {calls} calls"
            yield from twice(found.group_by(KEY).aggregate([([], "count_all")]), run_id)


def opened(folder: Path, calls: int) -> Wrong:
    """Every run through `open_lake`."""
    found = open_lake(folder).table("instant_stats", columns=KEY)
    yield from twice(found.group_by(KEY).aggregate([([], "count_all")]), "open_lake")
    yield from half(Counter(map(str, found["run_id"].to_pylist())), calls * COUNTS)


def pyarrow_names(folder: Path, calls: int) -> Wrong:
    """Every file there is, as pandas and pyarrow find them."""
    found = pq.read_table(folder / "instant_stats", columns=["run_id"])
    yield from half(Counter(map(str, found["run_id"].to_pylist())), calls * COUNTS)
    found = pq.read_table(folder / "calls", columns=["run_id"])
    yield from half(Counter(map(str, found["run_id"].to_pylist())), calls)


def duckdb_names(folder: Path, calls: int) -> Wrong:
    """Every file there is, as DuckDB finds them."""
    with duckdb.connect() as connection:
        for table, rows in (("instant_stats", calls * COUNTS), ("calls", calls), ("raw", calls)):
            found = connection.execute(
                "SELECT run_id, count(*) FROM read_parquet(?, hive_partitioning = true) GROUP BY 1",
                [f"{folder}/{table}/**/*.parquet"],
            ).fetchall()
            yield from half(dict(found), rows)


def twice(groups: pa.Table, where: str) -> Wrong:
    """Keys that are there more than once."""
    repeated = groups.filter(pc.field("count_all") > 1).num_rows
    if repeated:
        yield f"{where}: {repeated} keys twice"


def half(found: Mapping[str, int], whole: int) -> Wrong:
    """Runs of which something is there, but not all of it once."""
    for run_id, rows in found.items():
        if rows != whole:
            yield f"{run_id}: {rows} rows instead of {whole}"


def is_moved(error: Exception) -> bool:
    """Whether a listed file went into a compacted one; who goes by names is to read again then."""
    return isinstance(error, FileNotFoundError | duckdb.IOException) and "No such file" in str(
        error
    )


READERS: Final[tuple[Callable[[Path, int], Wrong], ...]] = (
    snapshots,
    opened,
    pyarrow_names,
    duckdb_names,
)


def main(folder: Path, calls: int) -> None:
    """Read until stdin ends."""
    reads: Counter[str] = Counter()
    again = 0
    wrong: list[str] = []
    print("reading", flush=True)  # noqa: T201
    while not select.select([sys.stdin], [], [], 0)[0]:
        for reader in READERS:
            begun, name = time.monotonic(), reader.__name__
            for tries_left in range(MOVED_TRIES if name.endswith("_names") else 0, -1, -1):
                try:
                    wrong += [f"{name}: {each}" for each in reader(folder, calls)]
                except Exception as error:  # noqa: BLE001  # whatever it is, it is what this looks for
                    if tries_left and is_moved(error):
                        again += 1
                        continue
                    wrong.append(f"{name}: {traceback.format_exc(limit=-3)}")
                break
            reads[name] += 1
            time.sleep(2 * (time.monotonic() - begun))  # the machine is for those who are read from
    said = {"reads": reads, "again": again, "count": len(wrong), "wrong": wrong[:SHOWN]}
    print(json.dumps(said))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
