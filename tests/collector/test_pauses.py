"""Whatever is answered "later", whoever asked: everybody waits. Shown with a real server and the times of arrivals."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collector.config import ApiKey, Credential, Login, Settings
from collector.domain.calls import Span
from collector.domain.run import RunInfo
from collector.domain.secret import Secret
from collector.events import EventStream
from collector.landing import Landing
from collector.runs.attempt import Attempts, ServiceState, SessionAttempts
from collector.runs.gates import SessionGates
from collector.runs.plan import calls_of_spans, run_id
from collector.runs.preflight import preflight
from collector.runs.run import Stop, collect, service_gate, transport_of
from collector.scheduling.rate_gates import SessionGate
from collector.sessions.credentials import Credentials
from tests.collector.raw_server import Peer, serving

SESSION_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
ANSWER = b'<string xmlns="https://os.ecgrid.io/">%b</string>' % SESSION_ID.encode()
LATER = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
JANE = Login(Secret("fake-login-0001"), Secret("fake-password-0001"))
JOE = Login(Secret("fake-login-0002"), Secret("fake-password-0002"))
HOUR_US = 3_600_000_000


@dataclass
class Service:
    """Says "later" to the first request of one operation, and answers everything else.

    Attributes:
        arrivals: operation and time (monotonic seconds) of each request.
    """

    busy: str
    url: str = ""
    arrivals: list[tuple[str, float]] = field(default_factory=list)

    async def behave(self, peer: Peer) -> None:
        """Serve one connection."""
        while True:
            path = (await peer.request()).split(" ")[1]
            name = path.partition("?")[0].rpartition("/")[2]
            is_first = name not in (each for each, _ in self.arrivals)
            self.arrivals.append((name, time.monotonic()))
            if name == self.busy and is_first:
                await peer.say(LATER)
            else:
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
                await peer.say(head % len(ANSWER) + ANSWER)

    def pause_after(self) -> float:
        """Seconds between the request that was put off and the next one."""
        names = [name for name, _ in self.arrivals]
        place = names.index(self.busy)
        return self.arrivals[place + 1][1] - self.arrivals[place][1]


@contextlib.asynccontextmanager
async def service(busy: str) -> AsyncIterator[Service]:
    """A service that listens."""
    found = Service(busy)
    async with serving(found.behave) as served:
        found.url = served.url
        yield found


def settings(url: str, root: Path) -> Settings:
    """Two sessions, no limit that anybody would notice."""
    return Settings.model_validate(
        {
            "service": {"url": url, "binding": "http-get"},
            "limits": {"requests_per_second": 1000, "per_session_per_second": 1000},
            "windows": {"minutes": [60]},
            "sessions": [{"label": each, "api_key": "env:T_KEY"} for each in ("jane", "joe")],
            "storage": {"root": root},
        }
    )


@contextlib.asynccontextmanager
async def two_logins(
    url: str, root: Path
) -> AsyncIterator[tuple[Credentials, dict[str, SessionAttempts]]]:
    """The credentials of two sessions, and the attempts of each."""
    asked, known = settings(url, root), Credentials({"jane": JANE, "joe": JOE})
    with contextlib.closing(service_gate(asked)) as gate:
        async with transport_of(asked) as transport:
            shared = Attempts(asked, transport, known, ServiceState(), EventStream())
            gates = SessionGates(gate, SessionGate(1000.0))
            yield known, {label: shared.of(label, gates) for label in ("jane", "joe")}


async def test_version_of_a_check(tmp_path: Path) -> None:
    """It is asked in each namespace that is known."""
    known: dict[str, Credential] = {"jane": ApiKey(Secret("a-fake-key"))}
    async with service("Version") as found:
        async for _ in preflight(settings(found.url, tmp_path), known, Stop()):
            pass
    assert [name for name, _ in found.arrivals[:2]] == ["Version", "Version"]
    assert found.pause_after() >= 0.95


async def test_version_that_is_asked_for_the_clock(tmp_path: Path) -> None:
    """A run that asks for spans asks for it first."""
    async with service("Version") as found:
        asked = settings(found.url, tmp_path)
        now_us = time.time_ns() // HOUR_US // 1_000 * HOUR_US
        span = Span(now_us - 2 * HOUR_US, now_us - HOUR_US)
        of = asked.service
        info = RunInfo(run_id(now_us), of.url, of.namespace, of.binding, now_us)
        calls = calls_of_spans(asked.sessions[0], [span])
        await Landing.create(tmp_path / "landing", info, calls).close()
        await collect(asked, {"jane": ApiKey(Secret("a-fake-key"))}, Stop())
    assert found.arrivals[0][0] == "Version"
    assert len(found.arrivals) > 1
    assert found.pause_after() >= 0.95


async def test_logout_that_makes_room(tmp_path: Path) -> None:
    """Of a session that is gone, before the next Login."""
    async with (
        service("Logout") as found,
        two_logins(found.url, tmp_path) as (known, attempts),
    ):
        assert await known.log_in("jane", attempts["jane"])
        assert known.gone("jane", Secret(SESSION_ID))
        assert await known.log_in("jane", attempts["jane"])
    assert [name for name, _ in found.arrivals] == ["Login", "Logout", "Login"]
    assert found.pause_after() >= 0.95


@pytest.mark.parametrize("next_one", ["Logout", "Login"])
async def test_logout_at_the_end(tmp_path: Path, next_one: str) -> None:
    """Its own next try waits, and so does everybody else."""
    async with (
        service("Logout") as found,
        two_logins(found.url, tmp_path) as (known, attempts),
    ):
        assert await known.log_in("jane", attempts["jane"])
        ending = asyncio.create_task(known.end("jane", attempts["jane"]))
        await asyncio.sleep(0.2)  # the reply is there
        if next_one == "Login":
            assert await known.log_in("joe", attempts["joe"])
        assert await ending
    assert next_one in [name for name, _ in found.arrivals[2:]]
    assert found.pause_after() >= 0.95
