"""What answers is not the service, or asks for patience: that is recognised, said, and costs few requests."""

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import population, switches
from tests.reliability.front import Line, fronting
from tests.reliability.network_ground import CONFIG, asked, redirected

PAGES = {
    "404-page": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 25\r\n\r\n"
    b"<html>No such page</html>",
    "404-empty": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "404-text": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n"
    b"Not Found",
    "405": b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n",
    "login-page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 28\r\n\r\n"
    b"<html>Please sign in.</html>",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.few(1)
async def test_pages_instead_of_the_service(ground: MakeGround, page: str) -> None:
    """Keys and logins alike: the run ends early with a sentence, nobody is called mis-keyed, and it can be resumed."""
    night = await ground(population(40, 2), CONFIG)

    async def behave(line: Line) -> None:
        while True:
            await line.request()
            await line.say(PAGES[page])

    async with fronting(night.simulator, behave) as front:
        redirected(night, front.url())
        ended = await night.run("run")
        assert front.requests < 40, "of 240 with their retries"
    assert ended.code == 5, ended.err
    assert ended.json["stopped"] == "not_service"
    assert set(ended.json["faults"] or {}) <= {"not_service"}
    (line,) = [
        each
        for each in ended.err.splitlines()
        if "a web server answers that is not the service" in each
    ]
    assert front.url() in line
    redirected_back = night.config.read_text().replace(front.url(), night.simulator.url)
    night.config.write_text(redirected_back)
    again = await night.run("run")
    assert (again.code, again.json["ok"], again.json["resumed"]) == (0, 80, True), again.err


async def test_the_sentence_for_people(ground: MakeGround) -> None:
    """Without --json too: which address, and what to do."""
    night = await ground(population(6, 2), CONFIG)

    async def behave(line: Line) -> None:
        while True:
            await line.request()
            await line.say(PAGES["404-page"])

    async with fronting(night.simulator, behave) as front:
        redirected(night, front.url())
        process = await night.shell(f"{' '.join(night.program)} run -c {night.config}")
        ended = await night.ended(process)
    assert ended.code == 5
    last = ended.out.splitlines()[-1]
    assert front.url() in last
    assert "service.url" in last
    assert "`ecgrid-stats check`" in last


@pytest.mark.extended
async def test_slow_down_at_login_pauses_everybody(ground: MakeGround) -> None:
    """A third 429 in a row to a Login: nobody sends anything, Logins too, before Retry-After has passed."""
    throttled = switches(login_throttled="first:1", retry_after="seconds", retry_after_seconds=2)
    night = await ground(population(8, 1), CONFIG, switches=throttled)
    ended = await night.run("run")
    assert ended.code == 0, ended.err
    arrived = [each.monotonic for each in night.simulator.log.arrivals]
    early = [at for at in arrived if at - arrived[0] < 1.5]
    assert 3 <= len(early) <= 3 + 8, "three, and those that were on their way"
    assert asked(night.simulator, "ReportInstantStats") == 16
    assert "the service asks for a pause" in ended.err
