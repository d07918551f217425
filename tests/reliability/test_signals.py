"""However a run is told to end, and whatever hangs: it ends within its bound, with the right exit code."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from typing import Final

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ended, Ground, population, switches
from tests.reliability.network_ground import CONFIG, accounted, redirected

DRAIN = 1.0
# the drain, as long again for Logout, and what a busy machine needs beside; then two seconds for what hangs
DRAINED = 2 * DRAIN + 4.0
LAST_RESORT = DRAINED + 2.0
SILENT = switches(never_answer="always", operations="*")


async def ground_of(make: MakeGround, config: str = CONFIG, **options: object) -> Ground:
    """Twenty sessions of which ten log in, and a drain of a second."""
    config = config.replace("= 5\n", "= 50\n", 1) + f"[run]\ndrain_seconds = {DRAIN}\n"
    return await make(population(20, 2), config, **options)


async def signalled(night: Ground, arrivals: int, number: int) -> tuple[Ended, float]:
    """A run that is told to end once so much has arrived, and how long it took from there."""
    process = await night.start("run")
    await night.arrivals(arrivals)
    told = time.monotonic()
    process.send_signal(number)
    return await night.ended(process), time.monotonic() - told


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, id="SIGTERM"),
        pytest.param(signal.SIGINT, id="SIGINT", marks=pytest.mark.extended),
    ],
)
async def test_a_drain_is_bounded(ground: MakeGround, number: int) -> None:
    """The service falls silent with requests in flight: `run.drain_seconds` for these, as long again for Logout."""
    night = await ground_of(ground)
    process = await night.start("run")
    await night.arrivals(20)
    night.simulator.change({"never_answer": "always", "operations": "*"})
    before = night.simulator.log.total
    await night.arrivals(before + 3)
    told = time.monotonic()
    process.send_signal(number)
    ended = await night.ended(process)
    took = time.monotonic() - told
    assert (ended.code, ended.json["stopped"]) == (4, signal.Signals(number).name)
    assert DRAIN <= took < DRAINED
    assert "not logged out: the session stays open at the service" in ended.err
    assert not night.lake.exists()
    night.simulator.change({"never_answer": "never"})
    resumed = await night.run("run")
    assert resumed.code == 0, resumed.err
    assert resumed.json["run_id"] == ended.json["run_id"]
    assert accounted(night, resumed) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.extended)])
async def test_a_signal_after_the_result_changes_nothing(
    ground: MakeGround, number: int, times: int
) -> None:
    """What was said is what holds: the process ends with its code, not with that of a signal."""
    night = await ground_of(ground)
    for _ in range(times):
        process = await night.start("plan")
        assert process.stdout
        line = await process.stdout.readline()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        assert (await night.ended(process)).code == 0
        assert json.loads(line)["exit_code"] == 0


async def test_a_second_signal_does_not_wait(ground: MakeGround) -> None:
    """Not for what is in flight, not for Logout."""
    night = await ground_of(ground, switches=SILENT)
    process = await night.start("run")
    await night.arrivals(1)
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    assert process.returncode is None
    told = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 4
    assert time.monotonic() - told < 0.5


@pytest.mark.extended
async def test_a_deadline_holds_in_silence(ground: MakeGround) -> None:
    """Nothing is answered any more: the deadline, the drain and Logout, and then the ledger is published."""
    night = await ground_of(ground, switches=SILENT)
    began = time.monotonic()
    ended = await night.run("run", "--deadline", "2")
    took = time.monotonic() - began
    assert (ended.code, ended.json["stopped"]) == (5, "deadline")
    assert 2.0 <= took < 2.0 + DRAINED + 4.0  # to start and to publish
    assert ended.json["ok"] == 0
    accounted(night, ended)


def hanging(night: Ground, what: str) -> None:
    """Make a thread of the next run hang."""
    night.program = (sys.executable, "-m", "tests.reliability.hanging", what)


@pytest.mark.extended
@pytest.mark.parametrize("what", ["lookups", "landing"])
@pytest.mark.few(1)
async def test_a_thread_that_hangs_does_not_hold_the_exit(ground: MakeGround, what: str) -> None:
    """One signal is enough, be it a look-up of the service's name that hangs or the disk."""
    night = await ground_of(ground)
    if what == "lookups":
        redirected(night, night.simulator.url.replace("127.0.0.1", "localhost"))
    hanging(night, what)
    process = await night.start("run")
    if what == "landing":
        await night.arrivals(3)
    else:
        async with asyncio.timeout(30):
            while not list(night.folder.glob("data/landing/*.db")):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    assert process.returncode is None
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    ended = await night.ended(process)
    assert ended.code == 4, ended.err
    assert time.monotonic() - told < (DRAINED if what == "lookups" else LAST_RESORT)
    night.program = (sys.executable, "-m", "pipelines.cli")
    resumed = await night.run("run")
    assert (resumed.code, resumed.json["ok"]) == (0, 40), resumed.err


LEAVING: Final = """
import gc, threading, time
from pipelines.cli import door
gc.disable()
slow = [[each] for each in range(2_000_000)]  # what ending the interpreter has to let go of
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()  # as libraries leave them behind
print("leaving", flush=True)
door.finish(door.Door(as_json=False, verbose=False, log_format="plain"), {}, "done", 4)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.few(1)
@pytest.mark.extended
def test_a_signal_while_the_interpreter_ends(number: signal.Signals) -> None:
    """It changes no exit code, whichever thread of the process hears it."""
    for wait in (0.01, 0.03, 0.05, 0.07):
        command = [sys.executable, "-c", LEAVING]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == b"leaving\n"
            time.sleep(wait)
            program.send_signal(number)
            assert program.wait(20) == 4
