"""Whole runs over a network that fails: what the ledger says, how often was asked, how the run ends."""

from pathlib import Path

import pytest

from tests.collector.certificates import FAULTS, authority, tls_server
from tests.collector.raw_server import closed_port
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import population, switches
from tests.reliability.front import Line, fronting
from tests.reliability.network_ground import CONFIG, accounted, asked, redirected


async def test_a_night_behind_a_private_authority(ground: MakeGround, tmp_path: Path) -> None:
    """With `service.ca_file` a run over TLS is like any other."""
    ca, _ = authority(tmp_path)
    night = await ground(population(6, 3), CONFIG)
    ca.cert_pem.write_to_path(str(night.folder / "private-ca.pem"))
    async with fronting(night.simulator, tls=tls_server(ca)) as front:
        redirected(night, front.url("https", "localhost"), 'ca_file = "private-ca.pem"')
        ended = await night.run("run")
    assert ended.code == 0, ended.err
    assert ended.json["ok"] == 12
    assert accounted(night, ended) == {}


@pytest.mark.parametrize(
    "fault",
    [
        "name",
        "stranger",
        *(pytest.param(each, marks=pytest.mark.extended) for each in ("expired", "self-signed")),
    ],
)
async def test_a_wrong_certificate_ends_the_run(
    ground: MakeGround, tmp_path: Path, fault: str
) -> None:
    """At once, with exit code 5 and one sentence; the service got no request, and the next run goes on."""
    ca, _ = authority(tmp_path)
    night = await ground(population(40, 4), CONFIG)
    ca.cert_pem.write_to_path(str(night.folder / "private-ca.pem"))
    async with fronting(night.simulator, tls=tls_server(ca, fault)) as front:
        redirected(night, front.url("https", "localhost"), 'ca_file = "private-ca.pem"')
        ended = await night.run("run")
        assert ended.code == 5
        for words in FAULTS[fault]:
            assert words in ended.json["error"]
        assert "Traceback" not in ended.err
        checked = await night.run("check")
        assert checked.code == 5
        assert FAULTS[fault][0] in checked.out
    assert front.requests == 0
    assert front.connections <= 10
    assert not night.lake.exists()


@pytest.mark.parametrize("status", [302, 307])
async def test_redirects_are_never_followed(ground: MakeGround, status: int) -> None:
    """The other host hears nothing, in the binding whose credential stands in the address too."""
    night = await ground(population(2, 2), CONFIG + '[logging]\nlevel = "debug"\n')
    heard = []

    async def listen(line: Line) -> None:
        heard.append(await line.request())

    async with fronting(night.simulator, listen) as elsewhere:

        async def redirect(line: Line) -> None:
            while True:
                target = (await line.request()).split()[1].decode()
                location = f"http://127.0.0.1:{elsewhere.port}{target}"
                head = (
                    f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                )
                await line.say(head.encode())

        async with fronting(night.simulator, redirect) as front:
            lines = ('binding = "http-get"',) if status == 302 else ()
            redirected(night, front.url(), *lines)
            ended = await night.run("run")
    assert heard == []
    assert (ended.code, ended.json["stopped"]) == (5, "not_service")
    assert ended.json["ok"] == 0
    calls = night.table("calls")
    assert set(calls["fault_class"].dropna()) == {"not_service"}
    assert calls["fault_text"].str.contains(f"HTTP {status}").any()


@pytest.mark.parametrize("how", ["cut_body", "truncated", "close_after_reply", "drop_connection"])
@pytest.mark.few(2)
async def test_lines_that_break(ground: MakeGround, how: str) -> None:
    """Broken within a body, ended too early, closed on reuse, dropped: tried again, and everything is collected."""
    night = await ground(population(10, 5), CONFIG, switches=switches(**{how: "every:3"}))
    ended = await night.run("run")
    assert ended.code == 0, ended.err
    assert ended.json["ok"] == 20
    assert accounted(night, ended) == {}
    if how == "close_after_reply":  # no attempt was lost, though requests met closed connections
        assert ended.json["attempts"] == 20


async def test_a_name_that_does_not_resolve(ground: MakeGround) -> None:
    """Every call ends as `transport`; a plan of two calls is not waited for."""
    night = await ground(population(2, 0), CONFIG.replace("60, 120, 180, 240", "60, 120"))
    redirected(night, "https://nowhere.invalid/x.asmx")
    ended = await night.run("run")
    assert (ended.code, ended.json["failed"]) == (5, 2)
    assert accounted(night, ended) == {"transport": 2}


@pytest.mark.extended
async def test_refused_is_no_attempt(ground: MakeGround) -> None:
    """A port that refuses all the while: what was held back is not attempted, and can be resumed."""
    night = await ground(population(20, 0), CONFIG)
    redirected(night, f"http://127.0.0.1:{closed_port()}/x.asmx")
    config = night.config.read_text()
    night.config.write_text(config.replace("[retry]", "[retry]\nmax_outage_seconds = 1"))
    ended = await night.run("run")
    assert (ended.code, ended.json["stopped"]) == (5, "outage")
    assert set(accounted(night, ended)) == {"transport"}
    assert ended.json["not_attempted"] > 20
    assert asked(night.simulator) == 0
