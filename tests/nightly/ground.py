"""The ground a night is run on: a simulator over real sockets, a configuration, and the command as a process."""

import asyncio
import csv
import json
import os
import signal
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from collector.simulator import Population, Simulator, Switches

__all__ = ["Ended", "Ground", "counts_sent", "counts_told", "most_in_a_second"]

ROOT: Final = Path(__file__).parents[2]
SERIES: Final = (  # the order of the simulator's counts, as the tables name them
    (1, "parcel", "in"),
    (1, "parcel", "out"),
    (1, "interchange", "in"),
    (1, "interchange", "out"),
    (2, "parcel", "in"),
    (2, "parcel", "out"),
    (2, "interchange", "in"),
    (2, "interchange", "out"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"stdout: {self.out!r}\nstderr: {self.err[-3000:]}"
        found: dict[str, Any] = json.loads(lines[0])
        assert found["exit_code"] == self.code, self.err[-3000:]
        return found


class Ground:
    """A folder with a configuration for `simulator`, and the commands run in it."""

    def __init__(self, folder: Path, simulator: Simulator, config: str = "") -> None:
        self.folder = folder
        self.simulator = simulator
        self.config = folder / "ecgrid.toml"
        self.program: tuple[str, ...] = (sys.executable, "-m", "pipelines.cli")
        self.environment = dict(os.environ)
        self.environment["PYTHONPATH"] = str(ROOT)
        self._write(config)

    @property
    def lake(self) -> Path:
        """Where tables are published."""
        return self.folder / "data" / "lake"

    def table(self, name: str) -> pd.DataFrame:
        """A published table, every run of it."""
        return pd.read_parquet(self.lake / name)

    async def start(self, command: str, *options: str) -> asyncio.subprocess.Process:
        """`ecgrid-stats COMMAND -c ... --json`, running."""
        return await asyncio.create_subprocess_exec(
            *self.program,
            command,
            "-c",
            str(self.config),
            "--json",
            *options,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def shell(self, line: str) -> asyncio.subprocess.Process:
        """A line of shell, running in the folder."""
        return await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            line,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, command: str, *options: str) -> Ended:
        """The same, ended by itself."""
        return await self.ended(await self.start(command, *options))

    async def ended(self, process: asyncio.subprocess.Process) -> Ended:
        """The end of a started command; one that hangs is killed and fails the test."""
        try:
            async with asyncio.timeout(55):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def arrivals(self, count: int) -> None:
        """Return once the service has seen so many requests."""
        async with asyncio.timeout(30):
            while self.simulator.log.total < count:  # noqa: ASYNC110  # another process makes them
                await asyncio.sleep(0.005)

    async def interrupted(self, after_arrivals: int, signal_number: int = signal.SIGINT) -> Ended:
        """`run`, told to stop once the service has seen so many requests."""
        process = await self.start("run")
        await self.arrivals(after_arrivals)
        process.send_signal(signal_number)
        return await self.ended(process)

    def _write(self, config: str) -> None:
        text = 'sessions_file = "sessions.csv"\n'
        if "[report]" not in config:  # half a second a run
            text += "[report]\nenabled = false\n"
        text += f'[service]\nurl = "{self.simulator.url}"\n'
        self.config.write_text(text + config, encoding="utf-8")
        with (self.folder / "sessions.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            shared = self.simulator.population.keys > 0
            ids = ("network_id", "mailbox_id") if shared else ()
            rows.writerow(("label", "api_key", "login_name", "password", *ids))
            for number, user in enumerate(self.simulator.population.users()):
                known = user.credentials
                names = _names(user.network_id if shared else number)
                values = (known.api_key, known.login_name, known.password)
                named = (user.network_id, user.mailbox_id) if shared else ()
                rows.writerow((known.label, *map(self._reference, names, values), *named))

    def _reference(self, name: str, value: str | None) -> str:
        if value is None:
            return ""
        self.environment[name] = value
        return f"env:{name}"


def _names(number: int) -> tuple[str, str, str]:
    return f"T_KEY_{number}", f"T_LOGIN_{number}", f"T_PASSWORD_{number}"


def population(sessions: int, login_every: int = 5) -> Population:
    """Sessions of which every so many-th logs in."""
    return Population(sessions, login_every)


def switches(**texts: object) -> Switches:
    """Switches by name."""
    return Switches.parse(texts)


Counts = Counter[tuple[str, int, int, str, str, int]]


def counts_told(simulator: Simulator, states: Mapping[Any, str]) -> Counts:
    """What the service said truthfully of the calls that ended `ok`: its last answer to each."""
    last = {(each.session, each.minutes1, each.minutes2): each for each in simulator.log.answers}
    told: Counts = Counter()
    for (session, minutes1, minutes2), answer in last.items():
        if states[session, minutes1, minutes2] != "ok":
            continue
        for (slot, traffic, direction), count in zip(SERIES, answer.counts, strict=True):
            minutes = minutes1 if slot == 1 else minutes2
            told[session, minutes, slot, traffic, direction, count] += 1
    return told


def counts_sent(stats: pd.DataFrame) -> Counts:
    """What the table says."""
    columns = ["session", "window_minutes", "window_slot", "traffic", "direction", "count"]
    return Counter(stats[columns].itertuples(index=False, name=None))


def most_in_a_second(instants: Sequence[float]) -> int:
    """The largest number of arrivals in any window of one second."""
    ordered = sorted(instants)
    return max(bisect_left(ordered, at + 1.0) - first for first, at in enumerate(ordered))
