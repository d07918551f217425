"""Bar 4, and the first half of 13: landed replies to published Parquet, beside a parser that throws its trees away."""

import asyncio
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pandas as pd
from lxml import etree

from bench.figures import Found, Line, answer, medians
from bench.process import ROOT
from bench.server import stats_body
from collector.domain.binding import Binding
from collector.domain.calls import Call, Trailing
from collector.domain.outcomes import Outcome, State
from collector.domain.replies import LandedReply
from collector.domain.run import RunInfo
from collector.landing import LandedRun, Landing
from pipelines.lake import Lake
from pipelines.normalize import normalize

__all__ = ["measure"]

_PANDAS: Final = 300  # replies that pandas is given; more would cost it the same each
_REQUEST: Final = (
    "POST /v4.1/prod/ECGridOS.asmx\nContent-Type: application/soap+xml\n\n" + "<x/>" * 90
)

_WINDOWS: Final = tuple(Trailing(2 * n + 1, 2 * n + 2) for n in range(10))


def measure(full: bool) -> Found:
    """One landing store, read several times over."""
    replies = 100_000 if full else 20_000
    beside = ROOT / ".cache"
    beside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix="bench-") as name:
        path = asyncio.run(_store(Path(name), replies))
        with LandedRun.open(path) as landed:
            bodies = [reply.body for reply in landed.replies()]
        nights = [_night(path, bodies) for _ in range(5)]
    rate = {
        name: replies / seconds for name, seconds in medians([one for one, _ in nights]).items()
    }
    rows = [["", "replies/s"], *([name, f"{each:,.0f}"] for name, each in rate.items())]
    ratio = medians([{"ratio": one["lxml.fromstring"] / one["normalize"]} for one, _ in nights])
    size = nights[-1][1]
    what = f"normalize {replies:,} replies / lxml.fromstring"
    lines = [
        Line(4, what, ratio["ratio"], "x", 0.70, 1.0),
        Line(13, "bytes per landed reply, sealed", size["raw"], "B", 120, 40, at_least=False),
        Line(
            13, "bytes per fact, of one night", size["instant_stats"] / 8, "B", 6, 3, at_least=False
        ),
    ]
    return Found(f"{replies:,} landed replies of one schema to published Parquet", lines, rows)


def _night(path: Path, bodies: list[bytes]) -> tuple[dict[str, float], dict[str, float]]:
    """One round: seconds of the product and of each peer, and bytes per reply of the tables."""
    with tempfile.TemporaryDirectory(dir=path.parent) as name, LandedRun.open(path) as landed:
        lake = Path(name) / "lake"
        ours = _seconds(lambda: normalize(landed, Lake(lake)))
        size = {table: _bytes(lake, table) / len(bodies) for table in ("raw", "instant_stats")}
    some = bodies[:_PANDAS]
    frames = _seconds(lambda: [pd.read_xml(io.BytesIO(body), xpath=".//Table") for body in some])
    taken = {
        "normalize": ours,
        "lxml.fromstring": _seconds(lambda: [etree.fromstring(body) for body in bodies]),
        "pandas.read_xml": frames * len(bodies) / len(some),
    }
    return taken, size


async def _store(folder: Path, replies: int) -> Path:
    """A landing store as a night leaves it: ten calls a session, counts that differ, clocks that go on."""
    calls = [
        Call.of(f"mailbox-{n // 10:06}", "ReportInstantStats", (_WINDOWS[n % 10],))
        for n in range(replies)
    ]
    begun = 1_700_000_000_000_000
    info = RunInfo("20231114T221320Z-000000", "http://x/", "urn:x", Binding.SOAP12, begun)
    landing = Landing.create(folder, info, calls)
    left = iter(enumerate(calls))

    async def work() -> None:
        for number, call in left:
            windows = _WINDOWS[number % 10]
            at, latency = begun + number * 700, 40_000 + number * 7919 % 9_000
            body = stats_body(
                [*_counts(number, windows.minutes1), *_counts(number, windows.minutes2)]
            )
            head = {
                "content-type": "application/soap+xml; charset=utf-8",
                "date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at // 1_000_000)),
                "server": "bench",
            }
            minutes = windows.minutes1, windows.minutes2
            key = call.call_id, 1, call.session, call.operation, minutes
            sent = Binding.SOAP12, _REQUEST, 200
            await landing.land(LandedReply(*key, *sent, head, body, at, at + latency))
            outcome = Outcome(
                call.call_id,
                State.OK,
                1,
                charged=1,
                answer_attempt=1,
                minutes=minutes,
                http_status=200,
                requested_at_us=at,
                observed_at_us=at // 1_000_000 * 1_000_000,
                latency_us=latency,
                reply_bytes=len(body),
            )
            landing.settle(outcome, final=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(work())
    landing.finish(begun + replies * 1_000)
    await landing.close()
    return landing.path


def _counts(number: int, minutes: int) -> Iterator[int]:
    """Four counts that differ from call to call; as in any true answer, a longer window counts no less."""
    for each in range(4):
        yield minutes * 4_999 + number * (2 * each + 3) * 7_919 % 4_999


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _bytes(lake: Path, table: str) -> int:
    return sum(path.stat().st_size for path in (lake / table).rglob("*.parquet"))


if __name__ == "__main__":
    answer(measure)
