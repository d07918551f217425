"""Logout is reached however a run ends: after success, after an error, after SIGINT and SIGTERM at any moment."""

import asyncio
import contextlib
import random
import signal
import sys
from collections import Counter
from typing import Final

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population, switches

CONFIG: Final = """timeout_seconds = 20
[limits]
requests_per_second = 400
per_session_per_second = 100
concurrency = 6
[retry]
backoff_seconds = 0.05
[windows]
minutes = [10, 20, 30, 40, 50, 60, 70, 80]
"""
SESSIONS: Final = 8
# a Login, four calls, WhoAmI and Logout for each
REQUESTS: Final = SESSIONS * 7
LANES: Final = 2  # runs at once
KINDS: Final = ("success", "error", "SIGINT", "SIGTERM")
MORE: Final = [pytest.param(kind, 25, marks=pytest.mark.extended) for kind in KINDS]
MANY: Final = [
    pytest.param(kind, 125, marks=[pytest.mark.extended, pytest.mark.soak]) for kind in KINDS
]


async def one_exit(night: Ground, kind: str, chance: random.Random) -> int:
    """A run that ends that way at a moment left to chance; its exit code."""
    before = night.simulator.log.total
    if kind == "error":  # a file that may not grow any more is a disk that is full
        limit = str(chance.randrange(45_000, 260_000))
        night.program = ("prlimit", f"--fsize={limit}", sys.executable, "-m", "pipelines.cli")
    process = await night.start("collect")
    if kind.startswith("SIG"):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                while night.simulator.log.total < before + chance.randrange(1, REQUESTS):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.001)
        await asyncio.sleep(chance.uniform(0, 0.02))
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.Signals[kind])
    return (await night.ended(process)).code


@pytest.mark.timeout(590)
@pytest.mark.parametrize(("kind", "exits"), [*((kind, 4) for kind in KINDS), *MORE, *MANY])
@pytest.mark.few(2)
async def test_logout_is_reached(ground: MakeGround, kind: str, exits: int) -> None:
    """Whoever logged in is logged out when the process has ended, every time."""
    codes: Counter[int] = Counter()

    async def queue(number: int) -> None:
        chance = random.Random(f"{kind} {number}")
        slow = switches(jitter_ms=30, operations="*")
        night = await ground(population(SESSIONS, 1), CONFIG, switches=slow)
        for _ in range(exits // LANES + (number < exits % LANES)):
            code = await one_exit(night, kind, chance)
            codes[code] += 1
            state = night.simulator.control.state()
            assert state["open_sessions"] == {}, f"exit {code} left sessions open"
        logged_in = night.simulator.accounts.logins
        assert sum(logged_in.values()) > 0
        assert logged_in == night.simulator.accounts.logouts

    async with asyncio.TaskGroup() as group:
        for number in range(LANES):
            group.create_task(queue(number))
    print(f"{kind}: {exits} exits, codes {dict(codes)}")  # noqa: T201  # a figure for the docs
    expected = {"success": {0}, "error": {0, 5}}.get(kind, {0, 4})
    assert set(codes) <= expected
    assert codes[max(expected)] >= exits // 2


@pytest.mark.extended
async def test_nobody_waits_for_room_that_a_failed_logout_would_have_made(
    ground: MakeGround,
) -> None:
    """A session that cannot be ended fills its place for good: a Login that finds none is given up, too."""
    wrong = {
        "mailbox-0001": switches(throttle="always", operations="Logout"),
        "mailbox-0002": switches(login_throttled="always"),
    }
    night = await ground(population(2, 1), CONFIG, overrides=wrong)
    async with asyncio.timeout(40):
        ended = await night.ended(await night.start("run"))
    assert ended.code == 1
    assert (ended.json["ok"], ended.json["failed"]) == (4, 4)
    assert night.simulator.control.state()["open_sessions"]
