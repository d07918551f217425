import asyncio
import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import structlog
import trustme

from collector.domain.secret import Secret
from pipelines.job.ping import MOST_BYTES, Pings
from tests.alert.conftest import NAME, Check, MakeGround, checking
from tests.collector.certificates import tls_server
from tests.nightly.ground import Ground, population, switches

ROOT = Path(__file__).parents[2]
CONFIG = """[limits]
requests_per_second = 200
per_session_per_second = 100
[windows]
minutes = [60, 120]
[alert]
ping_url = "env:ECGRID_PING_URL"
"""


async def night_of(ground: MakeGround, url: str, config: str = CONFIG, **faults: object) -> Ground:
    """A ground whose runs ping that address."""
    night = await ground(population(6, 3), config, switches=switches(**faults))
    night.environment["ECGRID_PING_URL"] = url
    return night


async def test_a_success_is_told(ground: MakeGround, check: Check) -> None:
    """Start and success, of one run, with the last lines of the log and the summary; the address is nowhere."""
    night = await night_of(ground, check.url)
    ended = await night.run("run")
    assert ended.code == 0, ended.err
    assert check.suffixes == ["/start", ""]
    start, success = check.pings
    assert start.rid == success.rid
    assert len(start.rid) == 36
    assert f"run {ended.json['run_id']}: 6 calls planned = 6 ok" in success.body
    for text in (ended.out, ended.err, success.body):
        assert NAME not in text
    assert "not heard" not in ended.err


async def test_failed_calls_are_a_failure_or_not(ground: MakeGround, check: Check) -> None:
    """With the exit code as it is; up to as many as `alert.failed_calls_above` they are a success of the ping alone."""
    text = CONFIG + "failed_calls_above = {}\n"
    night = await night_of(ground, check.url, text.format(0))
    name = next(key for key in night.environment if key.startswith("T_KEY_"))
    night.environment[name] = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    config = night.config.read_text()
    for most, suffix in ((0, "/1"), (1, "")):
        night.config.write_text(
            config.replace("failed_calls_above = 0", f"failed_calls_above = {most}")
        )
        ended = await night.run("run")
        assert (ended.code, ended.json["failed"]) == (1, 1), ended.err
        assert check.suffixes[-2:] == ["/start", suffix]
    assert len({ping.rid for ping in check.pings}) == 2
    assert "call failed" in check.pings[-1].body
    assert "ffffffff-ffff" not in check.pings[-1].body


async def test_what_fails_before_it_begins_is_told(ground: MakeGround, check: Check) -> None:
    """A configuration that is wrong elsewhere, and a root that cannot be written; without a start."""
    night = await night_of(ground, check.url)
    good = night.config.read_text()
    night.config.write_text(good.replace("minutes = [60, 120]", "minutes = [0]"))
    ended = await night.run("run")
    assert (ended.code, check.suffixes) == (2, ["/2"])
    assert "windows.minutes" in check.pings[-1].body
    night.config.write_text(good)
    (night.folder / "data").mkdir()
    (night.folder / "data" / "lake").mkdir()
    (night.folder / "data" / "lake" / "_manifest").write_text("in the way")
    ended = await night.run("run")
    assert ended.code == 5, ended.err
    assert check.suffixes[1:] == ["/start", "/5"]
    assert ended.json["error"] in check.pings[-1].body


@pytest.mark.extended
async def test_a_run_that_is_refused_the_lock_says_nothing(
    ground: MakeGround, check: Check
) -> None:
    """The one at work is named to it, and tells its own end: by a signal or a deadline, which `stopped` tells apart."""
    night = await night_of(ground, check.url, latency_ms=4_000)
    first = await night.start("run")
    await night.arrivals(3)
    refused = await night.run("run")
    assert refused.code == 3
    assert f"`ecgrid-stats run`, process {first.pid}, since 20" in refused.json["error"]
    assert check.suffixes == ["/start"]
    first.send_signal(signal.SIGTERM)
    stopped = await night.ended(first)
    assert (stopped.code, stopped.json["stopped"]) == (4, "SIGTERM")
    assert check.suffixes == ["/start", "/4"]
    assert "stopped early (SIGTERM)" in check.pings[1].body
    night.simulator.control.change({"switches": {"latency_ms": "300"}})
    late = await night.run("run", "--deadline", "0.2")
    assert (late.code, late.json["stopped"]) == (4, "deadline")
    assert check.suffixes == ["/start", "/4"] * 2
    assert "stopped early (deadline)" in check.pings[3].body


async def test_addresses_and_places_that_are_wrong(ground: MakeGround) -> None:
    """The run is as it is without, with a warning of what and where; `check` says it before, and pings nobody."""
    place = "gone/ecgrid.prom"
    text = f'{CONFIG}[metrics]\ntextfile = "{place}"\n'
    night = await night_of(ground, "ftp://127.0.0.1/a-fake-check", text)
    ended = await night.run("run")
    assert (ended.code, ended.json["ok"]) == (0, 6)
    assert "nobody is pinged" in ended.err
    assert "must be an https:// address" in ended.err
    assert "a-fake-check" not in ended.err
    assert ended.err.count("the metrics cannot be written") == 2
    assert str(night.folder / place) in ended.err
    assert "No such file or directory" in ended.err
    checked = await night.run("check")
    assert checked.code == 1
    said = {each["about"]: each["said"] for each in checked.json["findings"] if not each["good"]}
    assert said["ping"].startswith(
        "alert.ping_url = 'env:ECGRID_PING_URL': what it refers to must be"
    )
    assert str(night.folder / "gone") in said["metrics"]


async def test_check_pings_nobody(ground: MakeGround, check: Check) -> None:
    """It says that the address can be read."""
    night = await night_of(ground, check.url)
    checked = await night.run("check")
    assert checked.code == 0, checked.err
    found = {"about": "ping", "good": True, "said": "alert.ping_url can be read"}
    assert found in checked.json["findings"]
    assert check.pings == []


class Heard:
    """What one pair of pings came to."""

    def __init__(self, url: str) -> None:
        started = time.monotonic()
        with structlog.testing.capture_logs() as logs:
            pings = Pings(Secret(url))
            pings.start()
            self.start_seconds = time.monotonic() - started
            pings.end(None, "the last line")
        self.seconds = time.monotonic() - started
        self.said = {each["ping"]: each["said"] for each in logs}
        assert all(each["log_level"] == "warning" for each in logs)
        assert NAME not in repr(logs)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("ok", None),
        ("endless", None),
        ("unknown", "the check is not known there, or pinged too often"),
        ("broken", "HTTP status 500"),
        ("gone", "HTTP status 404"),
        ("redirecting", "HTTP status 302; name the address that it leads to"),
    ],
)
def test_answers(way: str, said: str | None) -> None:
    """Of every kind: what is no success is said, no redirect is followed, and of a long answer little is read."""
    with checking(way) as server:
        heard = Heard(server.url)
    assert heard.said == ({} if said is None else {"start": said, "success": said})
    assert server.suffixes == ["/start", ""]
    assert heard.seconds < 2


def test_nobody_there() -> None:
    """A port that is closed, a server that says nothing of HTTP, a name that there is not."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert Heard(f"http://127.0.0.1:{port}/{NAME}").said == dict.fromkeys(
            ("start", "success"), "Connection refused"
        )
    heard = Heard(f"http://no.such.host.invalid/{NAME}")
    assert set(heard.said) == {"start", "success"}


@pytest.mark.parametrize("fault", ["self-signed", "name"])
def test_a_certificate_that_is_not_trusted(fault: str) -> None:
    """Nothing is sent to whoever shows it."""
    seen = []
    context = tls_server(trustme.CA(), fault)

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(ssl.SSLError, OSError):
                    seen.append(context.wrap_socket(connection, server_side=True).recv(1_000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        heard = Heard(f"https://127.0.0.1:{listener.getsockname()[1]}/{NAME}")
        listener.shutdown(socket.SHUT_RDWR)
    assert heard.said == dict.fromkeys(("start", "success"), "its certificate is refused")
    assert b"".join(seen) == b""


DNS = """
import socket, sys, time
socket.getaddrinfo = lambda *_args, **_named: time.sleep(60)
from collector.domain.secret import Secret
from pipelines.job.ping import Pings
pings = Pings(Secret("https://hangs.invalid/x"))
pings.start()
pings.end(5, "the end")
"""


async def test_what_hangs_delays_a_run_by_ten_seconds_at_most(ground: MakeGround) -> None:
    """A check that never answers, one that answers a letter at a time, and a resolver that hangs; all at once."""
    with checking("slow") as slow, checking("dripping") as dripping:
        night = await night_of(ground, slow.url)
        resolving = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DNS), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started = time.monotonic()
        (told, _), ended, heard = await asyncio.gather(
            resolving.communicate(), night.run("run"), asyncio.to_thread(Heard, dripping.url)
        )
        seconds = time.monotonic() - started
    assert (heard.start_seconds < 0.5, heard.seconds < 7.5) == (True, True)
    assert heard.said == dict.fromkeys(("start", "success"), "no answer in time")
    assert ended.code == 0
    assert slow.suffixes == ["/start", ""]
    assert ended.err.count("a ping was not heard") == 2
    assert resolving.returncode == 0
    assert told.count(b"no answer in time") == 2
    assert seconds - ended.json["seconds"] < 10  # three seconds to start and end three interpreters


def test_the_last_lines_are_bounded_and_masked(check: Check) -> None:
    """As many whole lines as fit, no secret among them, and the address least of all."""
    lines = [f"line {number} of the log" for number in range(2_000)]
    lines += [f"line of {check.url} and FAKE-SECRET-ffff", "the very last: ü"]
    pings = Pings(Secret(check.url))
    pings.end(5, "\n".join(lines), (Secret("fake-secret-ffff"),))
    (ping,) = check.pings
    assert ping.suffix == "/5"
    assert MOST_BYTES - 100 < len(ping.body.encode()) <= MOST_BYTES
    assert ping.body.splitlines()[0] in lines
    assert ping.body.splitlines()[-2:] == ["line of ******** and ********", "the very last: ü"]


def test_an_address_with_a_query(check: Check) -> None:
    """What it has of its own stays."""
    pings = Pings(Secret(f"{check.url}/?create=1"))
    pings.start()
    pings.end(None, "")
    assert check.suffixes == ["/start", ""]
    assert len({ping.rid for ping in check.pings}) == 1
