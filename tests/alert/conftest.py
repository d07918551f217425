"""Fixtures: a check that is pinged, well-behaved or not, and grounds of nights."""

import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from collector.simulator import Simulator
from tests.nightly.ground import Ground

MakeGround = Callable[..., Awaitable[Ground]]
NAME = "a-fake-check-ffffffff"


@dataclass(frozen=True, slots=True)
class Ping:
    """A request that came: the path behind the check's name, and what was sent."""

    suffix: str
    rid: str
    body: str
    at: float = field(default_factory=time.monotonic)


class Check(ThreadingHTTPServer):
    """A server of checks, which answers in one of many ways."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, way: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.way = way
        self.pings: list[Ping] = []
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        """Of the one check that there is."""
        return f"http://127.0.0.1:{self.server_port}/ping/{NAME}"

    @property
    def suffixes(self) -> list[str]:
        """What came, in its order."""
        return [ping.suffix for ping in self.pings]


class _Answer(BaseHTTPRequestHandler):
    server: Check
    ways: ClassVar = {
        "ok": (200, b"OK"),
        "unknown": (200, b"OK (not found)"),
        "broken": (500, b"sorry"),
        "gone": (404, b"not found"),
    }

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        rid = parse_qs(url.query).get("rid", [""])[0]
        self.server.pings.append(Ping(url.path.removeprefix(f"/ping/{NAME}"), rid, body))
        with contextlib.suppress(OSError):
            self._answer(self.server.way)

    def do_GET(self) -> None:
        self.server.pings.append(Ping(f"GET {self.path}", "", ""))

    def _answer(self, way: str) -> None:
        if way in self.ways:
            status, body = self.ways[way]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif way == "redirecting":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/elsewhere")
            self.end_headers()
        elif way == "slow":
            self.server.is_over.wait(30)
        elif way == "endless":
            self.send_response(200)
            self.end_headers()
            while not self.server.is_over.is_set():
                self.wfile.write(b"O" * 65_536)
        elif way == "dripping":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.is_over.wait(0.2):
                self.wfile.write(b"X")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def checking(way: str = "ok") -> Iterator[Check]:
    """A server of checks while the block runs."""
    with Check(way) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            server.shutdown()


@pytest.fixture
def check() -> Iterator[Check]:
    """A check that answers as it should."""
    with checking() as server:
        yield server


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[MakeGround]:
    """Makes grounds out of a population, a configuration and options of the simulator."""
    async with AsyncExitStack() as stack:
        numbers = count(1)

        async def make(population: Any, config: str, **options: Any) -> Ground:
            simulator = await stack.enter_async_context(Simulator(population, **options))
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            return Ground(folder, simulator, config)

        yield make
