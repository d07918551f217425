"""`check`: tells what it finds as it finds it, through the limit, and leaves no session open."""

import asyncio
import signal
import time

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, most_in_a_second, population, switches

CONFIG = """[limits]
requests_per_second = 100
per_session_per_second = 100
[retry]
backoff_seconds = 0.05
max_backoff_seconds = 0.2
[windows]
minutes = [60, 120]
"""


def open_sessions(night: Ground) -> object:
    """What is open at the service, by login."""
    return night.simulator.control.state()["open_sessions"]


async def test_everything_is_good(ground: MakeGround) -> None:
    """Each session is let in and out once."""
    night = await ground(population(6, 2), CONFIG)
    checked = await night.run("check")
    assert checked.code == 0, checked.err
    findings = {each["about"]: each["good"] for each in checked.json["findings"]}
    assert [about for about in findings if about.startswith("session")] == [
        f"session mailbox-{number:04}" for number in range(1, 7)
    ]
    assert all(findings.values())
    assert open_sessions(night) == {}


async def test_what_is_bad_says_what_to_look_at(ground: MakeGround) -> None:
    """A clock that is off, a key that is refused, a password that is; and how many are to be mended."""
    night = await ground(population(2, 2), CONFIG, switches=switches(clock_offset_seconds=7200))
    night.environment |= {"T_KEY_0": "fake-and-wrong", "T_PASSWORD_1": "fake-and-wrong"}
    process = await night.shell(f"{' '.join(night.program)} check -c {night.config}")
    ended = await night.ended(process)
    assert ended.code == 1, ended.err
    clock, key, password, summary = ended.out.splitlines()[-4:]
    assert clock.startswith(
        "BAD clock: the service's clock is 7200 s ahead of this machine's; must be"
    )
    assert key.endswith("; is its api_key right?")
    assert password.endswith("; are its login_name and password right?")
    assert "3 bad: mend what each names" in summary


@pytest.mark.parametrize(
    "more",
    [
        {"throttle": "first:2", "operations": "WhoAmI"},
        {"throttle": "always", "operations": "WhoAmI"},
        {"html_502": "always", "operations": "WhoAmI"},
        {"throttle": "first:1", "operations": "Logout"},
        {"drop_connection": "first:1", "operations": "Logout"},
    ],
    ids=["who-throttled", "who-always-throttled", "who-502", "logout-throttled", "logout-dropped"],
)
@pytest.mark.few(1)
async def test_no_session_stays_open(ground: MakeGround, more: dict[str, object]) -> None:
    """Whatever WhoAmI or the first Logout came to."""
    night = await ground(
        population(2, 1), CONFIG, switches=switches(retry_after_seconds=0.1, **more)
    )
    checked = await night.run("check")
    assert checked.code in (0, 1), checked.err
    assert open_sessions(night) == {}


async def test_one_of_several_labels_of_a_login_fails(ground: MakeGround) -> None:
    """The session that they share is ended all the same, after the last of them."""
    night = await ground(
        population(4, 1),
        CONFIG,
        switches=switches(fault_unknown="call:1", operations="WhoAmI"),
    )
    sessions = night.folder / "sessions.csv"
    head, first, *rest = sessions.read_text().splitlines()
    twins = [first.replace("mailbox-0001", f"twin-{number}", 1) for number in range(3)]
    sessions.write_text("\n".join([head, first, *rest, *twins, ""]))
    checked = await night.run("check")
    assert checked.code in (0, 1), checked.err
    assert open_sessions(night) == {}
    logins = [each for each in night.simulator.log.arrivals if each.operation == "Login"]
    assert len(logins) == 4


async def test_findings_are_told_as_they_are_made(ground: MakeGround) -> None:
    """The first line is there long before the last session was asked."""
    night = await ground(
        population(6, 2), CONFIG.replace("requests_per_second = 100", "requests_per_second = 5")
    )
    process = await night.shell(f"{' '.join(night.program)} check -c {night.config}")
    assert process.stdout is not None
    lines, at = [], []
    while line := await asyncio.wait_for(process.stdout.readline(), 30):
        lines.append(line.decode())
        at.append(time.monotonic())
    assert await process.wait() == 0
    assert at[-1] - at[0] > 1.0
    assert "(1 of 6)" in next(line for line in lines if "session" in line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_keeps_what_was_found(ground: MakeGround, number: signal.Signals) -> None:
    """What was found by then is in the result, the exit code says that it is not all, and nothing stays open."""
    night = await ground(
        population(40, 1), CONFIG.replace("requests_per_second = 100", "requests_per_second = 10")
    )
    process = await night.start("check")
    await night.arrivals(12)
    process.send_signal(number)
    ended = await night.ended(process)
    assert ended.code == 4, ended.err
    assert ended.json["stopped"] == number.name
    about = [each["about"] for each in ended.json["findings"]]
    assert "session mailbox-0001" in about
    assert len(about) < 20
    assert open_sessions(night) == {}


async def test_ctrl_c_while_a_logout_is_to_wait(ground: MakeGround) -> None:
    """The service asks for five minutes: what was found is told soon after the signal, not after them."""
    night = await ground(
        population(6, 1),
        f"{CONFIG}[run]\ndrain_seconds = 1\n",
        switches=switches(
            throttle="always", throttle_status=503, retry_after_seconds=300, operations="Logout"
        ),
    )
    process = await night.start("check")
    async with asyncio.timeout(30):
        while night.simulator.log.total < 5:  # noqa: ASYNC110  # two namespaces, Login, WhoAmI, Logout
            await asyncio.sleep(0.01)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    ended = await night.ended(process)
    assert ended.code == 4, ended.err
    assert time.monotonic() - began < 6.0
    assert "session mailbox-0001" in [each["about"] for each in ended.json["findings"]]


@pytest.mark.extended
async def test_logins_that_hang(ground: MakeGround) -> None:
    """No reply to the Logins of three sessions in a row is enough, too."""
    night = await ground(
        population(12, 1),
        f"timeout_seconds = 0.3\n{CONFIG}",
        switches=switches(never_answer="always", operations="Login"),
    )
    checked = await night.run("check")
    assert checked.code == 1, checked.err
    assert "3 sessions in a row" in checked.json["findings"][-1]["said"]
    asked = {each.session for each in night.simulator.log.arrivals if each.operation == "Login"}
    assert len(asked) == 3


async def test_a_service_that_goes_away(ground: MakeGround) -> None:
    """After three sessions without a reply nobody else is asked."""
    night = await ground(
        population(40, 0),
        CONFIG,
        switches=switches(down_from=10, down_seconds=60, down_by="503"),
    )
    checked = await night.run("check")
    assert checked.code == 1, checked.err
    last = checked.json["findings"][-1]
    assert (last["about"], last["good"]) == ("service", False)
    assert "3 sessions in a row" in last["said"]
    assert night.simulator.log.total < 40


@pytest.mark.alone
@pytest.mark.parametrize("rate", [20])
@pytest.mark.extended
async def test_beside_a_run_there_is_one_limit(ground: MakeGround, rate: int) -> None:
    """What `check` sends comes out of the budget of the run that is at work on the same storage root."""
    config = CONFIG.replace("requests_per_second = 100", f"requests_per_second = {rate}")
    seen = []
    for _ in range(3):  # the arrivals are seen by a busy process
        night = await ground(population(60, 6), config)
        run = await night.start("run")
        await night.arrivals(10)
        checked = await night.run("check")
        assert checked.code == 0, checked.err
        ended = await night.ended(run)
        assert ended.code == 0, ended.err
        arrived = [each.monotonic for each in night.simulator.log.arrivals]
        assert len(arrived) >= 200
        used = (len(arrived) - rate) / (arrived[-1] - arrived[0]) / rate
        seen.append((most_in_a_second(arrived), used))
        if seen[-1][0] <= rate and used >= 0.9:
            return
    pytest.fail(f"at most so many in a second, and the share used: {seen}")
