"""A program to kill: publishes runs of one day and compacts them, over and over; the rows are always the same.

Arguments: the lake's folder, or a folder for drafts and the port of a store of objects. Prints a number once all is
compacted.
"""

import sys
from datetime import date
from pathlib import Path

import pyarrow as pa

from pipelines.lake import Lake
from tests.pipelines.lake_rows import stats
from tests.pipelines.object_store import ObjectStore

__all__ = ["DAY", "NIGHTS", "publish_nights", "rows_of"]

DAY = date(2026, 1, 31)
NIGHTS = ("run-a", "run-b", "run-c", "run-d")


def rows_of(run_id: str) -> pa.Table:
    """The rows of one run."""
    return stats(ord(run_id[-1]), *(f"session-{number:02}" for number in range(20)), run_id=run_id)


def publish_nights(lake: Lake) -> None:
    """Every run, as it was before or anew."""
    for run_id in NIGHTS:
        with lake.publication(run_id, DAY) as publication:
            publication.append("instant_stats", rows_of(run_id))
            publication.commit({"planned": 20})


def main(lake: Lake) -> None:
    """Publish and compact until killed; a test never waits for more than a few hundred."""
    for count in range(10_000):
        publish_nights(lake)
        lake.compact()
        print(count, flush=True)  # noqa: T201


if __name__ == "__main__":
    place = Path(sys.argv[1])
    store = [ObjectStore(int(port)) for port in sys.argv[2:]]
    main(store[0].lake(place) if store else Lake(place))
