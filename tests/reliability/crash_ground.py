"""What the tests of kill -9 share: a simulator and commands as processes of their own, and what a kill leaves."""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from glob import glob
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pyarrow.parquet as pq

from pipelines.lake import Lake
from pipelines.read import snapshot

__all__ = [
    "Crashes",
    "Evidence",
    "Stage",
    "Store",
    "crashes",
    "evidence",
    "is_changing",
    "is_unsealed",
    "marks",
    "readers",
]

SESSIONS: Final = 14
CONCURRENCY: Final = 8
WAL: Final = 2  # byte 18 of an SQLite file

Asked = Counter[tuple[str, int]]  # by session and window
Marks = frozenset[tuple[str, int, int]]  # path, inode, time of the last change


class Stage(StrEnum):
    """What a process was at when it was killed, told by what it left."""

    START = "start"  # nothing of its work is on disk
    COLLECT = "collect"
    SEAL = "seal"  # every reply is there, the store is not a plain file yet
    NORMALIZE = "normalize"  # some drafts of tables
    PUBLISH = "publish"  # the lake's state says that something is to be done
    FINISH = "finish"  # published; the run is not marked as finished yet, or just so
    REWRITE = "rewrite"  # compaction: drafts of the files that shall take the place of others
    EXCHANGE = "exchange"  # the same of a change of shared files


@dataclass(frozen=True, slots=True)
class Store:
    """A landing store as a kill left it, read from a copy without the program."""

    planned: int
    finished: bool
    calls: dict[str, tuple[str, int]]
    replies: dict[tuple[str, int], bytes]

    @classmethod
    def of(cls, path: Path, scratch: Path) -> "Store":
        """What is in it; the original is not opened by SQLite, which would mend it."""
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        for part in path.parent.glob(f"{path.name}*"):
            shutil.copy(part, scratch / part.name)
        with contextlib.closing(sqlite3.connect(scratch / path.name)) as store:
            assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            values = dict(store.execute("SELECT key, value FROM run").fetchall())
            planned = store.execute("SELECT call_id, session, arguments FROM calls").fetchall()
            calls = [(each[0], each[1], int(each[2].partition("-")[0])) for each in planned]
            replies = store.execute("SELECT call_id, attempt, sha256, body FROM replies").fetchall()
        for call_id, attempt, digest, body in replies:
            assert hashlib.sha256(body).digest() == digest, (call_id, attempt)
        return cls(
            int(values["planned"]),
            "finished_at_us" in values,
            {call_id: (session, window) for call_id, session, window in calls},
            {(call_id, attempt): body for call_id, attempt, _, body in replies},
        )

    @property
    def landed(self) -> set[tuple[str, int]]:
        """The calls that have a reply, by session and window."""
        return {self.calls[call_id] for call_id, _ in self.replies}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which of the files that a stage makes are there, each with what changes when it is made again."""

    landing: Marks
    drafts: Marks
    rewriting: Marks
    state: Marks

    def since(self, before: "Evidence") -> "Evidence":
        """Only what was not there before."""
        names = PATTERNS
        return Evidence(**{name: getattr(self, name) - getattr(before, name) for name in names})


PATTERNS: Final = {
    "landing": ("landing/*.db*",),
    "drafts": ("lake/_drafts/*/*/2*",),  # run ids begin with a year
    "rewriting": ("lake/_drafts/*/*/compacted-*",),
    "state": ("lake/_manifest/live.json",),
}


def evidence(data: Path) -> Evidence:
    """What is there now. Nothing is opened in a way that its owner would notice."""
    return Evidence(**{name: marks(data, name) for name in PATTERNS})


def marks(data: Path, name: str) -> Marks:
    """One attribute of what is there now: some are there for a millisecond only."""
    found = set()
    for pattern in PATTERNS[name]:
        # not Path.glob, which fails over a folder that is taken away meanwhile
        for path in glob(pattern, root_dir=data, recursive=True):  # noqa: PTH207
            with contextlib.suppress(FileNotFoundError):  # it has got its name since
                status = (data / path).stat()
                found.add((path, status.st_ino, status.st_ctime_ns))
    return frozenset(found)


def is_changing(data: Path) -> bool:
    """The lake's state names something that is yet to be done."""
    path = data / "lake" / "_manifest" / "live.json"
    return path.exists() and any(json.loads(path.read_bytes())["pending"].values())


def is_unsealed(data: Path) -> bool:
    """A store is in WAL mode, or about to change its mode."""
    return any(_is_unsealed(path) for path in (data / "landing").glob("[!.]*.db"))


def _is_unsealed(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(20)
    return header[18:19] == bytes([WAL]) or path.with_name(f"{path.name}-journal").exists()


@dataclass
class Crashes:
    """A storage root, a service that notes its replies, and what is known of both."""

    folder: Path
    control: str
    config: Path
    known: dict[str, Store] = field(default_factory=dict)  # by run id, as last looked at
    arrived: int = 0  # of the service's log that was looked at
    _replied: int = 0
    _replies_at: int = 0  # how far the service's notes were read

    @property
    def data(self) -> Path:
        """The storage root."""
        return self.folder / "data"

    @property
    def lake(self) -> Path:
        """Where tables are published."""
        return self.data / "lake"

    @property
    def replied(self) -> int:
        """Replies of ReportInstantStats so far."""
        with (self.folder / "replies").open("rb") as notes:
            notes.seek(self._replies_at)
            new = notes.read()
        self._replied += new.count(b"\n")
        self._replies_at += len(new)
        return self._replied

    def start(self, *arguments: str, noting: bool = False) -> subprocess.Popen[str]:
        """A command, as a process that can be killed; `noting` notes what it is told is landed."""
        noted = ["tests.reliability.acknowledging", str(self.folder / "acknowledged")]
        program = noted if noting else ["pipelines.cli"]
        command = [sys.executable, "-m", *program, *arguments, "-c", str(self.config), "--json"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)

    def done(self, *arguments: str) -> dict[str, Any]:
        """A command that nobody kills; its JSON."""
        out, err = self.start(*arguments).communicate(timeout=50)
        said: dict[str, Any] = json.loads(out)
        assert said["exit_code"] == 0, err[-3000:]
        return said

    def arrivals(self) -> Asked:
        """The calls that reached the service since this was asked last."""
        with urlopen(f"{self.control}log?since={self.arrived}", timeout=10) as reply:  # noqa: S310  our own
            log = json.load(reply)
        self.arrived = log["total"]
        return Counter(
            (each["session"], each["minutes1"])
            for each in log["entries"]
            if each["operation"] == "ReportInstantStats"
        )

    def stores(self) -> dict[str, Store]:
        """Every landing store as it is, after holding it against what was known of it and what was acknowledged."""
        stores = {
            path.stem: Store.of(path, self.folder / "scratch")
            for path in sorted((self.data / "landing").glob("[!.]*.db"))
        }
        for run_id, before in self.known.items():
            assert before.replies.items() <= stores[run_id].replies.items(), run_id
        self.known = stores
        self._assert_acknowledged_is_there()
        self._assert_as_sent()
        return stores

    def _assert_acknowledged_is_there(self) -> None:
        """A call's id is the same in every run: its latest acknowledgements are of the latest runs."""
        file = self.folder / "acknowledged"
        noted = Counter(file.read_text().splitlines() if file.exists() else [])
        held = Counter(
            f"{call_id} {attempt} {hashlib.sha256(body).hexdigest()}"
            for store in self.known.values()
            for (call_id, attempt), body in store.replies.items()
        )
        assert noted <= held, (noted - held).most_common(3)

    def _assert_as_sent(self) -> None:
        """What is landed is byte for byte what the service sent for this call."""
        sent = set((self.folder / "replies").read_text().splitlines())
        for store in self.known.values():
            for (call_id, _), body in store.replies.items():
                session, window = store.calls[call_id]
                assert f"{session} {window} {hashlib.sha256(body).hexdigest()}" in sent

    def assert_readable(self) -> None:
        """Every published file reads, and every run through its manifest."""
        for path in self.lake.glob("*/*/[!.]*.parquet"):
            pq.read_table(path, partitioning=None)
        for run_id in Lake(self.lake).run_ids():
            with snapshot(Lake(self.lake), run_id) as run:
                run.table("raw")


@contextlib.contextmanager
def crashes(folder: Path) -> Iterator[Crashes]:
    """A ground with a simulator that runs as long as the block."""
    config = folder / "sim.toml"
    options = ["--sessions", str(SESSIONS), "--login-every", "5", "--write-config", str(config)]
    for switch in ("latency_ms=4", "session_cap=100000"):  # a kill leaves its sessions open
        options += ["--switch", switch]
    command = ["-m", "tests.reliability.recording", str(folder / "replies"), "simulate", *options]
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            _write_limits(config)
            yield Crashes(folder, ready["control"], config)
        finally:
            process.terminate()


def _write_limits(config: Path) -> None:
    text, _, _ = config.read_text().partition("[warehouse.duckdb]")
    for name, value in (
        ("requests_per_second", 400),
        ("per_session_per_second", 200),
        ("concurrency", CONCURRENCY),
    ):
        before = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(f"\n{before}\n", f"\n{name} = {value}\n")
    config.write_text(text)


@contextlib.contextmanager
def readers(lake: Path, calls: int) -> Iterator[dict[str, Any]]:
    """Readers at work as long as the block; then what they said is in the dict."""
    command = ["-m", "tests.reliability.reading_forever", str(lake), str(calls)]
    said: dict[str, Any] = {}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, *command], stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
            yield said
            out, _ = process.communicate("", timeout=30)
            said |= json.loads(out)
        finally:
            process.kill()
