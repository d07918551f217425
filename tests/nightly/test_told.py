"""What a run says of itself while it is at work and at its end, to a person at a terminal of any width."""

import asyncio
import os
import pty
import re
import struct
import termios
from fcntl import ioctl

import pytest

from collector.events import BreakerOpened, RunBegan
from collector.observers import Progress
from pipelines.cli.progress import numbers_said
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population, switches

CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 200
[retry]
attempts = 1
[windows]
every = "1h"
since = "12h"
"""


async def at_a_terminal(night: Ground, columns: int) -> str:
    """What `run` shows on a terminal so wide."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(*night.program, "run", "-c", str(night.config)),
        cwd=night.folder,
        env={
            name: value
            for name, value in {**night.environment, "TERM": "xterm"}.items()
            if name not in {"COLUMNS", "LINES", "NO_COLOR"}
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    loop, shown = asyncio.get_running_loop(), b""
    while True:
        try:
            part = await loop.run_in_executor(None, os.read, ours, 65_536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert await process.wait() == 0
    return shown.decode()


@pytest.mark.parametrize("columns", [40, pytest.param(120, marks=pytest.mark.extended)])
async def test_the_bar_keeps_its_numbers(ground: MakeGround, columns: int) -> None:
    """Also where there is little room: the bar gives way."""
    night = await ground(population(4, 0), CONFIG, switches=switches(latency_ms=150))
    shown = await at_a_terminal(night, columns)
    assert re.search(r"\d+/28 \d+\.\d/s 0 failed \d+:\d\d", shown), shown
    assert ("━" * 30 in shown) == (columns == 120)


def test_an_outage_is_no_time_left() -> None:
    """The service is waited for: nobody knows how long."""
    progress = Progress()
    progress(RunBegan("run", 99_999, 12_345))
    assert numbers_said(progress, 2.0) == "12345/99999 2.0/s 0 failed 730:27"
    progress(BreakerOpened("no answer"))
    assert numbers_said(progress, 2.0) == "12345/99999 2.0/s 0 failed waiting"
    assert len(numbers_said(progress, 123.4)) <= 40


async def test_its_first_and_its_last_line(ground: MakeGround) -> None:
    """Which run, how many calls, how long at least; and at its end whether all is well, or what is not."""
    night = await ground(population(3, 0), CONFIG, switches=switches(fault_system="every:3"))
    for good in (False, True):
        night.simulator.change({"fault_system": "never" if good else "every:3"})
        process = await night.shell(f"{' '.join(night.program)} run -c {night.config}")
        out, err = (each.decode() for each in await process.communicate())
        assert process.returncode == (0 if good else 1)
        (run_id,) = re.findall(r"^run (\S+):", out, re.MULTILINE)
        (begins,) = (line for line in err.splitlines() if "the run begins" in line)
        assert f"run_id={run_id}" in begins
        assert re.search(r"calls=\d+ .*at_least=.0 min 1 s", begins)
        last = out.splitlines()[-1]
        if good:
            assert last == "all good"
        else:
            assert re.fullmatch(
                r"not all good: \d+ of \d+ calls brought nothing \(the next run asks for these hours again\)",
                last,
            )
