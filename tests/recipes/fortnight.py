"""Fourteen nights of a small operator, run for real against the simulator, with what goes wrong in a fortnight."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from collector.simulator import Population, Simulator
from collector.simulator.traffic import Counts, Event, SeededTraffic
from tests.nightly.ground import Ground

__all__ = [
    "BY_HAND",
    "FIRST",
    "LAST",
    "NIGHTS",
    "NO_RUN",
    "OUTAGE",
    "REVOKED",
    "SESSIONS",
    "SHORT",
    "SILENT",
    "SILENT_SINCE",
    "SPOTTY",
    "Fortnight",
    "lay",
]

FIRST: Final = datetime(2026, 1, 12, 2, 15, tzinfo=UTC)  # a Monday
NIGHTS: Final = 15  # of which one is without a run
LAST: Final = FIRST + timedelta(days=NIGHTS - 1)
UNUSUAL: Final = 2  # some answers say more than is asked
OUTAGE: Final = 4  # the service was down all night
NO_RUN: Final = 6  # the machine was off
SPOTTY: Final = 9  # a fifth of the calls failed, at every attempt
REVOKED: Final = ("mailbox-0004", (12, 13))  # a session that was refused, and in which nights
# somebody asks for the last 24 hours as such, and the service says that there was nothing, though it had said otherwise
BY_HAND: Final = FIRST + timedelta(days=10, hours=12)
SHORT: Final = "mailbox-0007"  # half of its calls failed in the last night
SESSIONS: Final = tuple(f"mailbox-{number:04}" for number in range(1, 9))
SILENT: Final = "mailbox-0005"  # a partner that stops sending
SILENT_SINCE: Final = FIRST + timedelta(days=10)
_SEED: Final = 7

CONFIG: Final = """
[limits]
requests_per_second = 2000
per_session_per_second = 2000
concurrency = 8
per_session_concurrency = 4
[retry]
attempts = 2
backoff_seconds = 0.01
max_outage_seconds = 1
[windows]
{windows}
[warehouse.duckdb]
path = "data/warehouse.duckdb"
"""


class Silenced:
    """Seeded traffic in which one mailbox stops.

    Attributes:
        is_lost: the service has lost all of it, and says that there was none.
    """

    def __init__(self, traffic: SeededTraffic) -> None:
        self.is_lost = False
        self._traffic = traffic
        self._since_us = int(SILENT_SINCE.timestamp() * 1_000_000)

    def counts(self, label: str, after_us: int, until_us: int) -> Counts:
        """What happened in (after, until]."""
        until_us = after_us if self.is_lost else self._until(label, until_us)
        return self._traffic.counts(label, after_us, until_us)

    def events(self, label: str, after_us: int, until_us: int) -> Iterator[Event]:
        """Every event in (after, until]."""
        return self._traffic.events(label, after_us, self._until(label, until_us))

    def between(self, label: str, after: datetime, until: datetime) -> dict[tuple[str, str], int]:
        """The same by traffic and direction, as the tables name them."""
        counts = self.counts(label, *(int(at.timestamp() * 1_000_000) for at in (after, until)))
        return {
            ("parcel", "in"): counts.parcels_in,
            ("parcel", "out"): counts.parcels_out,
            ("interchange", "in"): counts.interchanges_in,
            ("interchange", "out"): counts.interchanges_out,
        }

    def _until(self, label: str, until_us: int) -> int:
        return min(until_us, self._since_us) if label == SILENT else until_us


@dataclass(frozen=True, slots=True)
class Fortnight:
    """What lies there afterwards.

    Attributes:
        folder: where the configuration and `data` are.
        runs: the summary of each run, by the moment at which the service counted.
        answered: the pairs of windows that the service counted for a session in a run.
        traffic: the truth.
    """

    folder: Path
    config: Path
    runs: Mapping[datetime, Mapping[str, Any]]
    answered: Mapping[tuple[datetime, str], set[tuple[int, int]]]
    traffic: Silenced


async def lay(folder: Path) -> Fortnight:
    """Runs the nights one after the other; the clocks of both sides are moved, the rest is as ever.

    The service's clock stands still at 2 s past a quarter past, so that every span has a truth to the event.
    """
    traffic = Silenced(SeededTraffic(_SEED, int(FIRST.timestamp() * 1_000_000)))
    runs = {}
    async with Simulator(Population(len(SESSIONS), 4), traffic=traffic, now=FIRST) as simulator:
        ground = Ground(folder, simulator, CONFIG.format(windows='every = "1h"'))
        by_hand = ground.config.with_name("by_hand.toml")
        trailing = ground.config.read_text().replace('every = "1h"', "minutes = [1440]")
        by_hand.write_text(trailing)
        program = await _program(ground)
        try:
            for start, everybody, some in _nights():
                simulator.clock.set(start + timedelta(seconds=2))
                simulator.change(everybody)
                for session, switches in some.items():  # from then on, they are its own
                    simulator.change({**everybody, **switches}, session)
                traffic.is_lost = start == BY_HAND
                config = by_hand if start == BY_HAND else ground.config
                runs[start + timedelta(seconds=2)] = await _ran(program, start, config)
            assert program.stdin is not None
            program.stdin.close()
            await asyncio.wait_for(program.wait(), 10)
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()
        answered = _answered(simulator)
    return Fortnight(folder, ground.config, runs, answered, traffic)


def _answered(simulator: Simulator) -> dict[tuple[datetime, str], set[tuple[int, int]]]:
    found: dict[tuple[datetime, str], set[tuple[int, int]]] = {}
    for each in simulator.log.answers:
        moment = datetime.fromtimestamp(each.now1_us / 1_000_000, UTC)
        found.setdefault((moment, each.session), set()).add((each.minutes1, each.minutes2))
    return found


def _night(number: int) -> datetime:
    return FIRST + timedelta(days=number)


def _nights() -> Iterator[tuple[datetime, dict[str, str], dict[str, dict[str, str]]]]:
    """When each run starts, and how the service behaves: to everybody, and to some sessions."""
    for number in range(NIGHTS):
        everybody = {
            "extra_columns": "every:6" if number == UNUSUAL else "never",
            "html_503": "always" if number == OUTAGE else "never",
            "fault_system": "share:0.2" if number == SPOTTY else "never",
        }
        some = {}
        revoked, nights = REVOKED
        if number in nights or number == max(nights) + 1:
            refused = "always" if number in nights else "never"
            some[revoked] = {"fault_authentication": refused}
        if number == NIGHTS - 1:
            some[SHORT] = {"fault_system": "share:0.5"}
        if number != NO_RUN:
            yield _night(number), everybody, some
        if _night(number) < BY_HAND < _night(number + 1):
            yield BY_HAND, everybody, some


async def _program(ground: Ground) -> asyncio.subprocess.Process:
    with (ground.folder / "log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.recipes.nights"),
            *("run", "--json", "-c"),
            cwd=ground.folder,
            env=ground.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )


async def _ran(
    program: asyncio.subprocess.Process, start: datetime, config: Path
) -> dict[str, Any]:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{start.isoformat()} {config}\n".encode())
    line = await asyncio.wait_for(program.stdout.readline(), 45)
    found: dict[str, Any] = json.loads(line)
    return found
