"""A service that is down for everybody is probed, not hammered; the run waits, and loses no call over it."""

import asyncio
import sys

import pytest

from collector.scheduling.breaker import FAILURES
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import population, switches
from tests.reliability.front import Line, fronting
from tests.reliability.network_ground import CONFIG, accounted, asked, redirected

CONCURRENCY = 8
PAIRS = 11  # calls of a session with twelve windows, chained


@pytest.mark.extended
@pytest.mark.parametrize("down_by", ["refusal", "503"])
@pytest.mark.few(1)
async def test_a_run_waits_out_an_outage(ground: MakeGround, down_by: str) -> None:
    """The service goes away in the middle of a run for two seconds: nothing is lost, and few asked meanwhile."""
    down = switches(down_from=30, down_seconds=2, down_by=down_by)
    night = await ground(population(30, 3), CONFIG, switches=down)
    ended = await night.run("run", "--deadline", "50")
    assert ended.code == 0, ended.err
    assert ended.json["ok"] == 60
    assert accounted(night, ended) == {}
    # more than one where a late answer of before came in between
    line, *_ = [line for line in ended.err.splitlines() if "the service does not answer" in line]
    assert "said=" in line
    assert ("503" in line) == (down_by == "503")
    assert "the service answers again" in ended.err
    meanwhile = [each for each in night.simulator.log.arrivals if each.fault == "down"]
    # those that opened it, those in flight then, and probes after 1 and 3 s; some more where late answers of before
    # came in between. 60 calls of four attempts each would be 240
    assert len(meanwhile) <= 3 * (FAILURES + CONCURRENCY)
    assert night.simulator.control.state()["open_sessions"] == {}


@pytest.mark.extended
async def test_a_service_that_stays_down(ground: MakeGround) -> None:
    """After `retry.max_outage_seconds` the run ends honestly, and the next one completes it."""
    config = CONFIG.replace("[retry]", "[retry]\nmax_outage_seconds = 1.5")
    night = await ground(population(40, 4), config, switches=switches(html_503="always"))
    ended = await night.run("run")
    said = ended.json
    assert ended.code == 5
    assert said["stopped"] == "outage"
    assert said["ok"] == 0
    assert said["not_attempted"] > 50
    assert set(accounted(night, ended)) == {"server"}
    # 80 calls of four attempts each would be 320
    assert asked(night.simulator) <= 3 * (FAILURES + CONCURRENCY)

    night.simulator.change({"html_503": "never"})
    again = await night.run("run")
    assert again.code == 0
    assert (again.json["run_id"], again.json["ok"]) == (said["run_id"], 80)
    assert accounted(night, again) == {}


@pytest.mark.parametrize(
    ("hours", "seconds"),
    [(1, 6.0), pytest.param(1, 36.0, marks=pytest.mark.extended)],
    ids=["an-hour-in-6s", "an-hour-in-36s"],
)
@pytest.mark.extended
async def test_an_hour_and_then_everything(ground: MakeGround, hours: int, seconds: float) -> None:
    """An hour of outage in the middle of a run, with the breaker's clock faster: few probes, and then all of it."""
    factor = hours * 3600 / seconds
    config = CONFIG.replace("[retry]", f"[retry]\nmax_outage_seconds = {seconds * 2}")
    down = switches(down_from=30, down_seconds=seconds, down_by="503")
    night = await ground(population(30, 3), config, switches=down)
    night.program = (sys.executable, "-m", "tests.reliability.scaled", str(factor))
    ended = await night.run("run")
    assert (ended.code, ended.json["ok"]) == (0, 60), ended.err
    assert accounted(night, ended) == {}
    meanwhile = [each for each in night.simulator.log.arrivals if each.fault == "down"]
    print(f"requests in an hour: {len(meanwhile)}")  # noqa: T201  # a figure for the docs
    # those that opened it and those in flight, up to two rounds of that; 6 probes in the first minute, then one each
    assert 10 <= len(meanwhile) <= 2 * (FAILURES + CONCURRENCY) + 6 + 60
    assert night.simulator.control.state()["open_sessions"] == {}


@pytest.mark.extended
async def test_a_whole_night(ground: MakeGround) -> None:
    """Down for all of eight hours (a twelve-hundredth of that here): about a probe a minute, then it ends with 4."""
    seconds, factor = 24.0, 1200.0
    config = CONFIG.replace("[retry]", f"[retry]\nmax_outage_seconds = {seconds}")
    night = await ground(
        population(40, 3), config, switches=switches(html_503="always", operations="*")
    )
    night.program = (sys.executable, "-m", "tests.reliability.scaled", str(factor))
    ended = await night.run("run")
    assert (ended.code, ended.json["stopped"]) == (5, "outage"), ended.err
    accounted(night, ended)
    everything = night.simulator.log.total
    print("requests in the night:", everything)  # noqa: T201  # a figure for the docs
    assert everything <= 2 * (FAILURES + CONCURRENCY) + 6 + 8 * 60


@pytest.mark.extended
async def test_a_deadline_ends_the_waiting(ground: MakeGround) -> None:
    """The bound of an outage is the deadline, where there is one."""
    night = await ground(population(20, 0), CONFIG, switches=switches(html_503="always"))
    ended = await night.run("run", "--deadline", "2")
    assert (ended.code, ended.json["stopped"]) == (5, "deadline")
    assert asked(night.simulator) <= 2 * (FAILURES + CONCURRENCY)
    accounted(night, ended)


@pytest.mark.extended
async def test_timeouts_for_everybody(ground: MakeGround) -> None:
    """A service that takes connections and says nothing is down as well; when it speaks, all is collected."""
    night = await ground(population(20, 4), CONFIG.replace("= 5\n", "= 0.5\n", 1))
    hanging = True

    async def hang(line: Line) -> None:
        while True:
            request = await line.request()
            if hanging:
                await asyncio.sleep(60)
            await line.say(await line.reply(request))

    async with fronting(night.simulator, hang) as front:
        redirected(night, front.url())
        process = await night.start("run")
        async with asyncio.timeout(30):
            while front.requests < FAILURES:  # noqa: ASYNC110  # another process makes them
                await asyncio.sleep(0.01)
        await asyncio.sleep(3)
        assert front.requests <= FAILURES + CONCURRENCY + 2
        hanging = False
        ended = await night.ended(process)
    assert ended.code == 0, ended.err
    assert ended.json["ok"] == 40
    assert accounted(night, ended) == {}


async def test_sessions_in_trouble_of_their_own_hold_up_nobody(ground: MakeGround) -> None:
    """A fifth of the sessions gets pages only: their calls fail, the others are collected, nobody waits."""
    bad = {f"mailbox-{n:04d}": switches(html_502="always") for n in range(1, 7)}
    night = await ground(population(30, 0), CONFIG, overrides=bad)
    ended = await night.run("run")
    assert ended.code == 1, ended.err
    assert (ended.json["ok"], ended.json["failed"]) == (48, 12)
    assert accounted(night, ended) == {"server": 12}
    failed = night.table("calls").query("state == 'failed'")
    assert set(failed["attempts"]) == {4}


ONE_BY_ONE = f"""timeout_seconds = 5
[limits]
requests_per_second = 50
per_session_per_second = 1000
concurrency = 1
[retry]
max_outage_seconds = 4
backoff_seconds = 0.05
max_backoff_seconds = 0.4
[windows]
minutes = {[60 * n for n in range(1, 13)]}
pairing = "chain"
"""


@pytest.mark.parametrize("bad", [1, 4])
@pytest.mark.few(1)
async def test_one_session_alone_in_trouble(ground: MakeGround, bad: int) -> None:
    """Served first, or (the fourth) last, when all others are done: its calls fail, and nobody waits for it."""
    alone = {f"mailbox-{bad:04d}": switches(html_502="always")}
    night = await ground(population(4, 0), ONE_BY_ONE, overrides=alone)
    ended = await night.run("run")
    assert ended.code == 1, ended.err
    assert ended.json["stopped"] is None
    assert (ended.json["ok"], ended.json["failed"]) == (3 * PAIRS, PAIRS)
    assert accounted(night, ended) == {"server": PAIRS}
    assert "the service does not answer" not in ended.err


@pytest.mark.parametrize("down_from", [3, 14])
@pytest.mark.few(1)
@pytest.mark.extended
async def test_a_run_of_few_sessions_waits(ground: MakeGround, down_from: int) -> None:
    """One session, or the last one of two, that was answered and then no more: the service is gone, and awaited."""
    sessions = 1 if down_from < PAIRS else 2
    down = switches(down_from=down_from, down_seconds=2, down_by="503")
    night = await ground(population(sessions, 0), ONE_BY_ONE, switches=down)
    ended = await night.run("run", "--deadline", "40")
    assert (ended.code, ended.json["ok"]) == (0, sessions * PAIRS), ended.err
    assert accounted(night, ended) == {}
    assert "the service answers again" in ended.err


@pytest.mark.parametrize("by", ["page", "drop", "timeout"])
@pytest.mark.few(1)
@pytest.mark.extended
async def test_probes_are_free_across_resumed_runs(ground: MakeGround, by: str) -> None:
    """A service that is down while six runs are resumed one after the other: no call uses up its attempts over it."""
    night = await ground(population(40, 0), CONFIG)
    is_down = True

    async def behave(line: Line) -> None:
        while True:
            request = await line.request()
            if not is_down:
                await line.say(await line.reply(request))
            elif by == "page":
                await line.say(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            elif by == "timeout":
                await asyncio.sleep(1.0)
                return
            else:
                return

    async with fronting(night.simulator, behave) as front:
        lines = ("timeout_seconds = 0.2",) if by == "timeout" else ()
        text = night.config.read_text().replace("timeout_seconds = 5\n", "")
        night.config.write_text(text.replace("[retry]", "[retry]\nmax_outage_seconds = 0.2"))
        redirected(night, front.url(), *lines)
        for _ in range(6):
            ended = await night.run("run")
            assert (ended.code, ended.json["stopped"]) == (5, "outage"), ended.err
            assert "answers again" not in ended.err
        is_down = False
        night.config.write_text(night.config.read_text().replace("timeout_seconds = 0.2", ""))
        last = await night.run("run")
    assert (last.code, last.json["ok"], last.json["resumed"]) == (0, 80, True), last.err
