"""Fourteen nights of a small operator, run for real against the simulator, with what goes wrong in a fortnight."""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from collector.simulator import Population, Simulator
from collector.simulator.traffic import Counts, Event, SeededTraffic
from tests.nightly.ground import Ground

__all__ = ["FIRST", "NIGHTS", "NO_RUN", "SILENT", "SILENT_SINCE", "UNREACHABLE", "Fortnight", "lay"]

FIRST: Final = datetime(2026, 1, 12, 2, tzinfo=UTC)  # a Monday
NIGHTS: Final = 15  # of which one is without a run
NO_RUN: Final = 6  # the machine was off
SESSIONS: Final = 8
SILENT: Final = "mailbox-0003"  # a partner that stops sending
SILENT_SINCE: Final = FIRST + timedelta(days=10)
UNREACHABLE: Final = (
    "mailbox-0004",
    13,
)  # a session that gets nothing but errors, and in which night

CONFIG: Final = """
[limits]
requests_per_second = 2000
per_session_per_second = 2000
concurrency = 8
per_session_concurrency = 4
[retry]
attempts = 2
backoff_seconds = 0.01
[windows]
minutes = [{minutes}]
pairing = "chain"
"""


class Silenced:
    """Seeded traffic in which one mailbox stops."""

    def __init__(self, traffic: SeededTraffic) -> None:
        self._traffic = traffic
        self._since_us = int(SILENT_SINCE.timestamp() * 1_000_000)

    def counts(self, label: str, after_us: int, until_us: int) -> Counts:
        """What happened in (after, until]."""
        return self._traffic.counts(label, after_us, self._until(label, until_us))

    def events(self, label: str, after_us: int, until_us: int) -> Iterator[Event]:
        """Every event in (after, until]."""
        return self._traffic.events(label, after_us, self._until(label, until_us))

    def _until(self, label: str, until_us: int) -> int:
        return min(until_us, self._since_us) if label == SILENT else until_us


@dataclass(frozen=True, slots=True)
class Fortnight:
    """What lies there afterwards.

    Attributes:
        nights: the summary of each run, by its date.
        traffic: the truth.
    """

    ground: Ground
    nights: dict[str, dict[str, Any]]
    traffic: Silenced


async def lay(folder: Path) -> Fortnight:
    """Runs the nights one after the other; the clocks of both sides are moved, the rest is as ever."""
    traffic = Silenced(SeededTraffic(7, int(FIRST.timestamp() * 1_000_000)))
    minutes = ", ".join(str(60 * hour) for hour in range(1, 25))
    nights = {}
    async with Simulator(Population(SESSIONS, 4), traffic=traffic, now=FIRST) as simulator:
        ground = Ground(folder, simulator, CONFIG.format(minutes=minutes))
        for number in range(NIGHTS):
            if number == NO_RUN:
                continue
            night = FIRST + timedelta(days=number)
            simulator.clock.set(night + timedelta(seconds=2))
            broken = "always" if number == UNREACHABLE[1] else "never"
            simulator.change({"html_502": broken}, UNREACHABLE[0])
            nights[f"{night:%Y-%m-%d}"] = await _run(ground, night)
    return Fortnight(ground, nights, traffic)


async def _run(ground: Ground, night: datetime) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.recipes.on_date", night.isoformat()),
        *("run", "-c", str(ground.config), "--json"),
        cwd=ground.folder,
        env=ground.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode in {0, 1}, err.decode()[-3000:]
    found: dict[str, Any] = json.loads(out)
    return found
