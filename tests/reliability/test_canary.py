"""Credentials are written nowhere: every command, fault, binding and way to end, and every byte that comes out."""

import asyncio
import base64
import dataclasses
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import click
import pytest

from collector.domain.binding import Binding
from collector.domain.secret import MASK
from collector.simulator import Simulator, Switches
from collector.simulator.switches import NAMES, SELECTORS, FaultShape, HostileKind
from pipelines.cli import COMMANDS, cli
from tests.nightly.ground import Ground, switches
from tests.reliability.canaries import Canaries, Search, canary

# a simulator makes credentials up, and writes them where it is told to; `init` knows none
WITHOUT_CONFIGURATION: Final = {"demo", "init", "simulate"}
ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "sql": ("SELECT * FROM calls",),
    "prune": ("--older-than", "90d"),
    "mailboxes": ("--key", "mailbox-0001"),
}
DSN_SECRET, S3_SECRET = canary(100_001), canary(100_002)
EVERYWHERE: Final = {"operations": "*", "echo_credential": "always"}
# every other switch, set; selectors hit each call's first attempt, and every reply repeats its credential
OTHERS: Final[dict[str, object]] = {
    "latency_ms": 1, "jitter_ms": 1, "clock_offset_seconds": 3600, "session_cap": 1,
    "session_timeout_seconds": 1, "sliding_timeout": False, "expire_after_calls": 1,
    "release_expired": False, "ip_binding": False, "rate_limit": 5, "rate_limit_seconds": 0.2,
    "rate_limit_scope": "session", "throttle_status": 503, "retry_after": "absurd",
    "retry_after_seconds": 0, "down_from": 0, "down_seconds": 0, "down_by": "503",
    "fault_shape": "flat", "http_get": True,
    "http_post": True, "second_now_seconds": 60, "window_edges": "closed", "truncate_minutes": True,
    "quiet_mailbox": "no-row",
    "statistics_lag_seconds": 60, "ex_scope": "none", "network_total": "denied", "list_scope": "network",
    "mailbox_names": "odd", "mailbox_states": "mixed", "operations": "*",
    "never_answer_seconds": 0.2, "hostile_kind": "any",
    "hostile_bytes": 20_000, "slow_body_seconds": 0.2,
}  # fmt: skip
FOR_ALL: Final = ("namespace", "down_from", "down_seconds", "down_by")  # of the whole service
CONFIG: Final = """binding = "{binding}"
timeout_seconds = 3
[limits]
requests_per_second = 2000
per_session_per_second = 500
per_session_concurrency = 4
concurrency = 64
max_reply_bytes = 8192
[retry]
attempts = 2
backoff_seconds = 0.01
max_backoff_seconds = 0.02
max_retry_after_seconds = 0.05
[run]
drain_seconds = 2
[windows]
minutes = [60, 120, 180]
[storage.s3]
access_key = "env:CANARY_S3"
secret_key = "env:CANARY_S3"
[warehouse.postgres]
dsn = "env:CANARY_DSN"
"""


def overrides() -> dict[str, Switches]:
    """Two sessions, by key and by login, for each switch, each fault shape and each kind of hostile reply."""
    wrong: list[dict[str, object]] = [{name: "attempts:1"} for name in SELECTORS]
    wrong += [{name: value} for name, value in OTHERS.items() if name not in FOR_ALL]
    wrong += [{"fault_shape": shape, "fault_system": "always"} for shape in FaultShape]
    wrong += [
        {"hostile": "always", "hostile_kind": kind, "hostile_bytes": 20_000} for kind in HostileKind
    ]
    quick = {"never_answer_seconds": 0.2, "slow_body_seconds": 0.2}
    return {
        f"mailbox-{number:04d}": switches(**{**EVERYWHERE, **quick, **each})
        for number, each in enumerate((each for each in wrong for _ in range(2)), 1)
    }


class Watched:
    """A night with canaries: what its processes print and show is kept, for the search at the end."""

    def __init__(self, folder: Path, binding: Binding) -> None:
        wrong = overrides()
        self.simulator = Simulator(
            Canaries(len(wrong) + 2, 2), switches(**EVERYWHERE), overrides=wrong
        )
        self.folder, self._binding = folder, binding
        self.said: dict[str, bytes] = {}

    async def __aenter__(self) -> Self:
        await self.simulator.start()
        work, secrets = self.folder / "work", self.folder / "secrets"
        for each in (work, work / "tmp"):
            each.mkdir()
        secrets.mkdir(mode=0o700)
        self.ground = Ground(work, self.simulator, CONFIG.format(binding=self._binding))
        dsn = f"postgresql://somebody:{DSN_SECRET.partition('-<')[0]}@127.0.0.1:9/nothing"
        more = {"CANARY_DSN": dsn, "CANARY_S3": S3_SECRET, "TMPDIR": str(work / "tmp")}
        self.ground.environment.update(more)
        self._half_in_files(secrets)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.simulator.stop()

    def _half_in_files(self, secrets: Path) -> None:
        """Every second session's references become those to private files."""
        listed = self.ground.folder / "sessions.csv"
        lines = listed.read_text("utf-8").splitlines()
        for at in range(1, len(lines), 2):
            label, *references = lines[at].split(",")
            named = [self._in_file(secrets, each) for each in references]
            lines[at] = ",".join((label, *named))
        listed.write_text("\n".join(lines) + "\n", "utf-8")

    def _in_file(self, secrets: Path, reference: str) -> str:
        if not reference:
            return ""
        path = secrets / reference.removeprefix("env:")
        path.touch(mode=0o600)
        path.write_text(self.ground.environment.pop(path.name), "utf-8")
        return f"file:{path}"

    async def run(self, *words: str, stop: tuple[int, int] | None = None) -> int:
        """A command at its most talkative; told to stop by a signal after so many requests."""
        command, *options = words
        before = self.simulator.log.total

        process = await self.ground.start(command, "--verbose", *options)
        name = f"{len(self.said)} {' '.join(words)}"
        shown = asyncio.create_task(self._watch(process.pid))
        ended = asyncio.create_task(process.communicate())
        if stop is not None:
            while self.simulator.log.total < before + stop[0] and process.returncode is None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            process.send_signal(stop[1])
        try:
            async with asyncio.timeout(55):
                out, err = await ended
        except TimeoutError:
            process.kill()
            raise
        finally:
            shown.cancel()
        self.said |= {f"{name} stdout": out, f"{name} stderr": err}
        assert process.returncode is not None
        return process.returncode

    async def _watch(self, pid: int) -> None:
        """What `ps` shows of the process while it runs."""
        while True:
            for page in ("cmdline", "comm", "status", "stat"):
                try:
                    data = await asyncio.to_thread(Path(f"/proc/{pid}/{page}").read_bytes)
                except OSError:
                    return
                self.said[f"process {page}"] = (
                    self.said.get(f"process {page}", b"")[-50_000:] + data
                )
            await asyncio.sleep(0.2)

    def assert_clean(self) -> None:
        """No part of any credential was printed, shown or written."""
        accounts = self.simulator.accounts
        ids = {*accounts._open, *accounts._former}
        assert len(ids) > 20, "no SessionID was handed out"
        users = self.simulator.population.users()
        known = [
            value for user in users for value in dataclasses.astuple(user.credentials)[1:] if value
        ]
        search = Search.of([*known, DSN_SECRET, S3_SECRET], ids)
        for notation in (str.encode, lambda text: base64.b64encode(b"x" + text.encode())):
            assert search.found_in(notation(known[0])), "the search finds nothing"
        assert {
            name: hits for name, data in self.said.items() if (hits := search.found_in(data))
        } == {}
        assert search.found_under(self.ground.folder) == {}


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Callable[[Binding], Any]]:
    """Makes watched nights."""
    async with AsyncExitStack() as stack:

        async def make(binding: Binding) -> Watched:
            return await stack.enter_async_context(Watched(tmp_path, binding))

        yield make


def test_every_switch_is_tried() -> None:
    """A switch that the simulator learns is set here too."""
    assert {*SELECTORS, *OTHERS, "namespace"} == set(NAMES)


def test_every_command_is_tried() -> None:
    """Commands of the program that take a configuration are run below."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        has_configuration = any(param.name == "config" for param in command.params)
        assert has_configuration == (name not in WITHOUT_CONFIGURATION), name


@pytest.mark.timeout(120)
@pytest.mark.extended
async def test_no_command_leaks(watched: Callable[[Binding], Any]) -> None:
    """The binding that has the credential in its URL; stopped by a signal, crashed, resumed; then everything else."""
    night = await watched(Binding.HTTP_GET)
    assert await night.run("check") in (0, 1)
    assert await night.run("collect", stop=(100, signal.SIGTERM)) == 4
    assert await night.run("run", "--log-format", "json", stop=(60, signal.SIGKILL)) == -9
    assert list((night.ground.folder / "data" / "landing").glob("*.db-wal"))
    night.assert_clean()
    assert await night.run("run", "--log-format", "json") in (0, 1)
    for name in COMMANDS:
        if name not in {*WITHOUT_CONFIGURATION, "check", "collect", "run"}:
            code = await night.run(name, *ARGUMENTS.get(name, ()))
            assert code != 2, f"{name}: say in ARGUMENTS how it is called"
    night.assert_clean()
    arrived = {hit for arrival in night.simulator.log.arrivals for hit in arrival.hits}
    assert arrived >= set(SELECTORS)
    for name in ("check", "collect", "run"):
        warned = [
            data
            for said, data in night.said.items()
            if said.endswith(" stderr") and f" {name}" in said
        ]
        assert warned
        assert all(b"credentials travel in the URL" in data for data in warned), name
    raw = night.ground.table("raw")
    assert (
        raw["request"]
        .str.contains("GET /v4.1/prod/ECGridOS.asmx/ReportInstantStats?", regex=False)
        .all()
    )
    assert raw["request"].str.contains(f"SessionID={quote(MASK, safe='')}&", regex=False).all()
    assert raw["masked"].sum() > 50
    assert not any(
        path.stat().st_mode & 0o077 for path in (night.ground.folder / "data").rglob("*")
    )


@pytest.mark.extended
@pytest.mark.timeout(300)
@pytest.mark.parametrize("binding", Binding)
async def test_no_binding_leaks(watched: Callable[[Binding], Any], binding: Binding) -> None:
    """The same in each of them, stopped at several moments."""
    night = await watched(binding)
    for arrivals in (1, 60, 200):
        assert await night.run("run", stop=(arrivals, signal.SIGTERM)) == 4
    assert await night.run("run", stop=(100, signal.SIGKILL)) == -9
    assert await night.run("run") in (0, 1)
    assert await night.run("normalize", "--log-format", "json") == 0
    night.assert_clean()
