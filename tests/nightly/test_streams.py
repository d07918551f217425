"""What a command leaves on its standard streams, whatever they are: a JSON object, a sentence, the right code."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.errors import LandingError
from collector.landing import LandedRun
from collector.simulator import Population, Simulator
from tests.nightly.ground import ROOT, Ground

WINDOWS = "[windows]\nminutes = [60, 120]\n[limits]\nrequests_per_second = 100\n"


@pytest.fixture
async def night(tmp_path: Path) -> AsyncIterator[Ground]:
    """Two sessions, and a warning in every log: credentials travel in the address."""
    async with Simulator(Population(2, 2)) as simulator:
        ground = Ground(tmp_path, simulator, f'binding = "http-get"\n{WINDOWS}')
        ground.environment.pop("PYTHONUNBUFFERED", None)  # it hides what stays in a buffer
        yield ground


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that needs no configuration."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


WRONG = {
    "no configuration": ("run", "-c"),
    "a folder": ("status", "-c", "/"),
    "no such option": ("plan", "-c", "x.toml", "--jason"),
    "no such command": ("nightly",),
    "not in range": ("run", "-c", "x.toml", "--deadline", "8d"),
    "no number": ("run", "-c", "x.toml", "--deadline", "nan"),
    "no such target": ("load", "-c", "x.toml", "--target", "oracle"),
    "no such switch": ("simulate", "--switch", "latency=1"),
    "not loopback": ("simulate", "--host", "192.0.2.1"),
    "no place for a configuration": ("simulate", "--write-config", "/proc/absent.toml"),
    "no place for credentials": ("simulate", "--credentials-file", "/proc/absent.csv"),
    "no folder": ("demo", "--root", "/dev/null"),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
@pytest.mark.few(6)
def test_wrong_usage_is_json_too(arguments: tuple[str, ...]) -> None:
    """Exit code 2, a JSON object with the reason, and the reason for people; no traceback."""
    done = command(arguments[0], "--json", *arguments[1:])
    assert done.returncode == 2, done.stderr
    said = json.loads(done.stdout)
    assert said["exit_code"] == 2
    assert done.stderr == f"ecgrid-stats: {said['error']}\n"


@pytest.mark.parametrize(
    ("deadline", "said"),
    [
        ("5x", "'5x': must be a whole number and a unit, such as 90s, 30m, 26h or 22d"),
        ("-1", "'-1': must be a whole number and a unit"),
        ("nan", "'nan': must be a whole number and a unit"),
        ("0", "'0': must be more than 0s and at most 7d"),
        ("0m", "'0m': must be more than 0s and at most 7d"),
        ("604801", "'604801': must be more than 0s and at most 7d"),
        ("169h", "'169h': must be more than 0s and at most 7d"),
    ],
)
@pytest.mark.few(2)
def test_a_deadline_that_is_none(deadline: str, said: str) -> None:
    """The message has the option, the value and what would be right."""
    done = command("run", "-c", "x.toml", "--deadline", deadline)
    assert done.returncode == 2
    assert f"'--deadline': {said}" in done.stderr


@pytest.mark.parametrize("deadline", ["90s", "30m", "168h", "7d", "1.5", "604800"])
@pytest.mark.few(2)
def test_a_deadline_is_a_duration_or_a_number_of_seconds(deadline: str) -> None:
    """It is taken as it is: what is wrong is only that there is no such configuration."""
    done = command("run", "-c", "absent.toml", "--deadline", deadline)
    assert "absent.toml: cannot be read (No such file" in done.stderr


def _answered(path: Path) -> int:
    """How many calls of a run were answered by now; 0 where its store is not ready yet."""
    try:
        with LandedRun.open(path) as landed:
            return landed.summary().ok
    except LandingError:
        return 0


@pytest.mark.extended
def test_a_demo_that_is_stopped_shows_no_table(tmp_path: Path) -> None:
    """Nothing is published then, so there is nothing for pandas to read; `status` says what there is."""
    line = [sys.executable, "-m", "pipelines.cli", "demo", "--root", str(tmp_path)]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        for _ in range(300):  # bounded; another process makes calls
            if any(_answered(path) for path in (tmp_path / "landing").glob("*.db")):
                break
            time.sleep(0.1)
        demo.send_signal(signal.SIGINT)
        said, _ = demo.communicate(timeout=30)
    assert demo.returncode == 4
    assert "stopped early (SIGINT)" in said
    assert "read_parquet" not in said
    assert f"status -c {tmp_path / 'demo.toml'}" in said


async def shell(night: Ground, line: str) -> tuple[int, str, str]:
    """`run --json` with the redirections of a shell: code, stdout, stderr."""
    run = f"{sys.executable} -m pipelines.cli run -c {night.config} --json"
    process = await night.shell(line.replace("RUN", run))
    ended = await night.ended(process)
    return ended.code, ended.out, ended.err


@pytest.mark.extended
@pytest.mark.parametrize("end", ["2>/dev/full", "2>&-", "<&- 2>&-"])
@pytest.mark.few(1)
async def test_no_log_line_is_worth_a_night(night: Ground, end: str) -> None:
    """Standard error is full or closed: the run is made all the same."""
    code, out, _ = await shell(night, f"RUN {end}")
    assert code == 0
    assert json.loads(out)["ok"] == 2


@pytest.mark.parametrize("end", [">&-", "| true"])
@pytest.mark.few(1)
async def test_nobody_listens(night: Ground, end: str) -> None:
    """Standard output is closed, or a pipe whose reader has gone: the code is that of the run, and all is quiet."""
    code, _, err = await shell(night, f"(RUN {end}; exit ${{PIPESTATUS[0]}})")
    assert code == 0
    assert len(night.table("calls")) == 2
    assert "BrokenPipe" not in err
    assert "Traceback" not in err


@pytest.mark.extended
async def test_a_result_that_could_not_be_written(night: Ground) -> None:
    """A full disk below standard output: it is said, and nobody is told that all is well."""
    code, _, err = await shell(night, "RUN >/dev/full")
    assert code == 5
    assert "standard output cannot be written: No space left on device" in err
    assert "Traceback" not in err
    assert len(night.table("calls")) == 2


def test_a_configuration_written_beside_odd_names(tmp_path: Path) -> None:
    """The simulator's configuration is TOML whatever its folder is called, and good from any folder."""
    folder = tmp_path / 'we"ird \\ folder'
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "simulate", "--write-config", "sim.toml"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.communicate(timeout=10)
    written = tomllib.loads((folder / "sim.toml").read_text())
    assert process.returncode == 0
    assert written["service"]["url"] == url
    assert written["storage"]["root"] == str(folder / "data")
    assert written["sessions_file"] == "sim.sessions.csv"
