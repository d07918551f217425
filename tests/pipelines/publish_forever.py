"""A program to kill: publishes a run over and over, each time with the next number as every count.

Arguments: the lake's folder, the first number. For a store of objects: a folder for drafts, the first number, the
port. Prints a number once it is published.
"""

import sys
from datetime import date
from pathlib import Path

import pyarrow as pa

from pipelines.lake import Lake, Sizes
from tests.pipelines.lake_rows import stats
from tests.pipelines.object_store import ObjectStore

__all__ = ["DAY", "SIZES", "rows"]

DAY = date(2026, 1, 31)
SIZES = Sizes(group_rows=100, file_rows=100)


def rows(count: int) -> pa.Table:
    """Three files' worth of rows."""
    return stats(count, *(f"session-{number:03}" for number in range(300)))


def main(lake: Lake, first: int) -> None:
    """Publish until killed; a test never waits for more than a few hundred."""
    for count in range(first, first + 10_000):
        with lake.publication("run-a", DAY, SIZES) as publication:
            publication.append("instant_stats", rows(count))
            publication.commit({"count": count})
        print(count, flush=True)  # noqa: T201


if __name__ == "__main__":
    place = Path(sys.argv[1])
    store = [ObjectStore(int(port)) for port in sys.argv[3:]]
    main(store[0].lake(place) if store else Lake(place), int(sys.argv[2]))
