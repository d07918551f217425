"""The rate promise, seen from where it counts: the arrivals at the service."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest

from collector.landing import LandedRun
from tests.nightly.conftest import HOURS, MakeGround
from tests.nightly.ground import Ground, most_in_a_second, population, switches

LIMITS = """timeout_seconds = 10
[limits]
requests_per_second = {rate}
per_session_per_second = {session_rate}
concurrency = 32
[retry]
backoff_seconds = 0.05
"""


STALL_SECONDS = (
    0.010  # a machine that delivers a request to this very machine later than this tells nothing
)
TRIES = 4
RATES = [(5, 2), (500, 120), (50, 30)]  # the last also in tests/reliability/test_rate.py


@dataclass(frozen=True, slots=True)
class Measured:
    """What one night says about the limit: sends by the client's clock, arrivals by the service's."""

    most_sent: int
    most_arrived: int
    used: float
    longest_way: float


def measured(night: Ground, rate: int) -> Measured:
    """From the landing store and the simulator's log."""
    (path,) = (night.folder / "data" / "landing").glob("*.db")
    with LandedRun.open(path) as landed:
        sent = {
            (each.session, each.minutes[0], each.attempt): each.sent_at_us / 1e6
            for each in landed.replies()
        }
    log = list(night.simulator.log.arrivals)
    attempts: Counter[tuple[str, int | None]] = Counter()
    ways = []
    for each in log:
        if each.operation == "ReportInstantStats":
            attempts[each.session, each.minutes1] += 1
            number = attempts[each.session, each.minutes1]
            ways.append(each.wall_us / 1e6 - sent[each.session, each.minutes1 or 0, number])
    instants = [each.monotonic for each in log]
    used = (len(instants) - 1) / (max(instants) - min(instants)) / rate
    return Measured(
        most_in_a_second(list(sent.values())), most_in_a_second(instants), used, max(ways)
    )


@pytest.mark.alone
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("rate", "sessions"), RATES)
@pytest.mark.few(1)
async def test_the_service_never_sees_more_than_the_limit(
    ground: MakeGround, rate: int, sessions: int
) -> None:
    """No sliding second holds more arrivals than the limit, and at least 97 % of it is used; retries count.

    A night in which the machine held up requests on their way to itself is measured again; its sends count. So is one
    that used less: a machine busy with something else is slower, never faster, so one night in four that uses the
    limit shows that the program can.
    """
    config = LIMITS.format(rate=rate, session_rate=rate) + HOURS
    found = None
    for _ in range(TRIES):
        flaky = switches(html_200="p:0.05", jitter_ms=20)
        night = await ground(population(sessions), config, switches=flaky)
        ended = await night.run("run")
        assert ended.code == 0, ended.err[-2000:]
        found = measured(night, rate)
        assert found.most_sent <= rate
        if found.most_arrived <= rate and found.used >= 0.97:
            return
        assert found.most_arrived <= rate or found.longest_way > STALL_SECONDS, found
    pytest.fail(f"not once in {TRIES} nights: {found}")


@pytest.mark.alone
async def test_no_session_is_asked_more_often_than_its_limit(ground: MakeGround) -> None:
    """The limit of a session holds for each of them, logins included, while others fill the service's limit."""
    config = (
        LIMITS.format(rate=100, session_rate=4) + "[windows]\nminutes = [1, 2, 3, 4, 5, 6, 7, 8]\n"
    )
    for _ in range(TRIES):
        night = await ground(population(20, 2), config)
        assert (await night.run("run")).code == 0
        arrivals = defaultdict(list)
        for each in night.simulator.log.arrivals:
            arrivals[each.session].append(each.monotonic)
        assert len(arrivals) == 20
        if max(most_in_a_second(instants) for instants in arrivals.values()) <= 4:
            return
        assert measured(night, 100).longest_way > STALL_SECONDS
    pytest.fail("this machine is too busy to measure anything")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.few(1)
async def test_retry_after_pauses_who_is_meant(ground: MakeGround, status: int, form: str) -> None:
    """After a Retry-After of 2 s nothing arrives from that session in between (429), or from anybody (503)."""
    limited = {
        "mailbox-0001": switches(
            throttle="call:1", throttle_status=status, retry_after=form, retry_after_seconds=2
        )
    }
    config = LIMITS.format(rate=50, session_rate=50) + "[windows]\nminutes = [1, 2, 3, 4]\n"
    night = await ground(population(30, 0), config, overrides=limited)
    assert (await night.run("run")).code == 0
    log = list(night.simulator.log.arrivals)
    refused = next(each for each in log if each.status == status)
    # a date has whole seconds, so it is up to one second less
    ends = refused.monotonic + (2.0 if form == "seconds" else 1.0)
    meant = [each for each in log if status == 503 or each.session == "mailbox-0001"]
    # what is on its way cannot be called back, and a reply is on disk before anybody looks at it
    told = (refused.answered_monotonic or refused.monotonic) + 0.3
    assert [each.session for each in meant if told < each.monotonic < ends] == []
    others = [each for each in log if each.session != "mailbox-0001" and each.monotonic < ends]
    assert (len(others) > 50) is (status == 429)


@pytest.mark.extended
async def test_everybody_pauses_when_everybody_is_told_to(ground: MakeGround) -> None:
    """A limit that the service puts on all together is learned from a few refusals, not from one for each session."""
    config = LIMITS.format(rate=200, session_rate=200) + "[windows]\nminutes = [1, 2, 3, 4]\n"
    strict = switches(rate_limit=20, rate_limit_seconds=1, retry_after_seconds=1)
    night = await ground(population(30, 0), config, switches=strict)
    run = asyncio.create_task(night.run("run"))
    ended = await run
    said = ended.json
    assert said["planned"] == said["ok"] + said["failed"]
    refused = sum(each.status == 429 for each in night.simulator.log.arrivals)
    assert 0 < refused <= 40
