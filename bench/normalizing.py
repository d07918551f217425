"""Bar 4, and the first half of 13: landed replies to published Parquet, beside a parser that throws its trees away."""

import asyncio
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from lxml import etree

from bench.figures import Found, Line, answer, medians
from bench.process import ROOT, finished
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
_MONTH: Final = tuple(Trailing(120 * n + 60, 120 * n + 120) for n in range(264))  # 22 days of hours
_PROGRAM: Final = """
import json, re, sys
from pathlib import Path
from collector.landing import LandedRun
from pipelines.lake import Lake
from pipelines.normalize import normalize
with LandedRun.open(Path(sys.argv[1])) as landed:
    normalize(landed, Lake(Path(sys.argv[2])))
status = Path("/proc/self/status").read_text()
print(json.dumps({"peak_mb": int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024}))
"""


def measure(full: bool) -> Found:
    """One landing store, read several times over."""
    replies = 100_000 if full else 20_000
    beside = ROOT / ".cache"
    beside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix="bench-") as name:
        path = asyncio.run(_store(Path(name), replies, _WINDOWS))
        with LandedRun.open(path) as landed:
            bodies = [reply.body for reply in landed.replies()]
        nights = [_night(path, bodies) for _ in range(5)]
    many = 1_000_000 if full else 100_000
    peaks = {"ten windows": _peak(beside, many, _WINDOWS), "22 days": _peak(beside, many, _MONTH)}
    rate = {
        name: replies / seconds for name, seconds in medians([one for one, _ in nights]).items()
    }
    rows = [["", "replies/s"], *([name, f"{each:,.0f}"] for name, each in rate.items())]
    ratio = medians([{"ratio": one["lxml.fromstring"] / one["normalize"]} for one, _ in nights])
    size = nights[-1][1]
    what = f"normalize {replies:,} replies / lxml.fromstring"
    lines = [
        Line(4, what, ratio["ratio"], "x", 0.70, 1.0),
        *(
            Line(
                9,
                f"peak memory of normalize, {many:,} replies, {kind}",
                mb,
                "MB",
                300,
                200,
                at_least=False,
            )
            for kind, mb in peaks.items()
        ),
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


def _peak(beside: Path, replies: int, windows: Sequence[Trailing]) -> float:
    """The most memory that normalizing so many replies takes, in MB."""
    with tempfile.TemporaryDirectory(dir=beside, prefix="bench-") as name:
        path = asyncio.run(_store(Path(name), replies, windows))
        words = [sys.executable, "-c", _PROGRAM, str(path), f"{name}/lake"]
        # its own word: the system counts what this process had when it began the other
        return float(finished(words, seconds=3_000).said["peak_mb"])


async def _store(folder: Path, replies: int, windows: Sequence[Trailing]) -> Path:
    """A landing store as a night leaves it: a call for each windows, counts that differ, clocks that go on."""
    calls = [
        Call.of(
            f"mailbox-{n // len(windows):06}", "ReportInstantStats", (windows[n % len(windows)],)
        )
        for n in range(replies)
    ]
    begun = 1_700_000_000_000_000
    info = RunInfo("20231114T221320Z-000000", "http://x/", "urn:x", Binding.SOAP12, begun)
    landing = Landing.create(folder, info, calls)
    left = iter(enumerate(calls))

    async def work() -> None:
        for number, call in left:
            (asked,) = call.arguments
            at, latency = begun + number * 700, 40_000 + number * 7919 % 9_000
            body = stats_body([*_counts(number, asked.minutes1), *_counts(number, asked.minutes2)])
            head = {
                "content-type": "application/soap+xml; charset=utf-8",
                "date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at // 1_000_000)),
                "server": "bench",
            }
            minutes = asked.minutes1, asked.minutes2
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
