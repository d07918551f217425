"""The landing store beside its floors: how many replies a second become durable, 64 waiting at a time.

`python -m bench.landing [FOLDER]`; medians of 5 interleaved rounds. FOLDER should be on the disk that landing will use.
"""

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from collector.domain.binding import Binding
from collector.domain.calls import Call, Trailing
from collector.domain.replies import LandedReply
from collector.domain.run import RunInfo
from collector.landing import Landing

REPLIES: Final = 4_000
WAITING: Final = 64
ROUNDS: Final = 5
BODY: Final = os.urandom(950).hex().encode()  # 1,900 bytes, as large as an answer


def call(session: str) -> Call:
    """The one call of a session."""
    return Call.of(session, "ReportInstantStats", (Trailing(60, 120),))


def replies() -> list[LandedReply]:
    """As many replies as are landed in one round."""
    calls = (call(f"session-{n}") for n in range(REPLIES))
    return [
        LandedReply(
            each.call_id,
            1,
            each.session,
            each.operation,
            (60, 120),
            Binding.SOAP12,
            "POST",
            200,
            {},
            BODY,
            1,
            2,
        )
        for each in calls
    ]


async def landed(folder: Path) -> None:
    """The product: WAL, an fsync for each group."""
    info = RunInfo("bench", "http://127.0.0.1/", "urn:x", Binding.SOAP12, 1)
    made = replies()
    calls = [call(each.session) for each in made]
    landing = Landing.create(folder, info, calls)
    left = iter(made)

    async def work() -> None:
        for reply in left:
            await landing.land(reply)

    async with asyncio.TaskGroup() as group:
        for _ in range(WAITING):
            group.create_task(work())
    await landing.close()


def one_by_one(folder: Path) -> None:
    """SQLite without groups: a commit, and so an fsync, for each reply."""
    store = sqlite3.connect(folder / "one.db", isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.execute("CREATE TABLE replies (call_id TEXT PRIMARY KEY, body BLOB)")
    for reply in replies():
        store.execute("INSERT INTO replies VALUES (?, ?)", (reply.call_id, reply.body))
    store.close()


def appended(folder: Path) -> None:
    """The floor: append to a plain file, an fsync for each 64."""
    with (folder / "plain").open("wb") as file:
        for number, reply in enumerate(replies()):
            file.write(reply.body)
            if number % WAITING == WAITING - 1:
                file.flush()
                os.fsync(file.fileno())


def timed(work: Callable[[Path], None], beside: Path) -> float:
    """Replies a second."""
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        begun = time.perf_counter()
        work(Path(folder))
        return REPLIES / (time.perf_counter() - begun)


def main() -> None:
    """Print the medians, and each as a share of the floor."""
    beside = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    works: dict[str, Callable[[Path], None]] = {
        "append to a file, fsync for each 64 (floor)": appended,
        "landing store, 64 waiting": lambda folder: asyncio.run(landed(folder)),
        "SQLite WAL, a commit for each": one_by_one,
    }
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            found[name].append(timed(work, beside))
    floor = statistics.median(next(iter(found.values())))
    for name, rates in found.items():
        rate = statistics.median(rates)
        print(f"{name:46} {rate:8,.0f} replies/s  {rate / floor:5.2f}")


if __name__ == "__main__":
    main()
