"""Whole runs against a service that refuses, expires, slows down or answers something else, seen from its own log."""

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any, Final

import pytest

from collector.simulator.accounts import LoginRefusal, OpenSession
from collector.simulator.switches import FaultShape
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, counts_sent, counts_told, population, switches
from tests.reliability.front import Line, fronting
from tests.reliability.network_ground import CONFIG, KEY, accounted, asked, redirected

ONE_CALL: Final = CONFIG.replace("60, 120, 180, 240", "60, 120")
FAULTS: Final = {
    "fault_authentication": "authentication",
    "fault_authorisation": "authorisation",
    "fault_parameter": "parameter",
    "fault_not_found": "not_found",
    "fault_system": "server",
}
PAGES: Final = {
    "fault_framework": "server",
    "fault_unknown": "unclassified",
    "html_200": "not_service",
    "html_502": "server",
    "html_503": "server",
    "empty_200": "malformed",
    "empty_500": "server",
    "redirect": "not_service",
    "other_operation": "malformed",
    "foreign_namespace": None,
}
JSON: Final = (
    b'{"success":false,"errorCode":"RateLimitExceeded","message":"Slow down.","data":null}'
)
ALL_BINDINGS: Final = [
    "soap12",
    "http-get",
    pytest.param("soap11", marks=pytest.mark.extended),
    pytest.param("http-post", marks=pytest.mark.extended),
]


def label(number: int) -> str:
    """The label of the nth session."""
    return f"mailbox-{number:04d}"


@pytest.mark.parametrize("binding", ALL_BINDINGS)
async def test_every_fault_shape(ground: MakeGround, binding: str) -> None:
    """One session for each shape and kind of fault, page or JSON: each has the same class in every binding."""
    kinds: list[tuple[dict[str, object], str | None]] = [
        ({"fault_shape": shape, name: "always"}, fault_class)
        for shape in FaultShape
        for name, fault_class in FAULTS.items()
    ]
    kinds += [({name: "always"}, fault_class) for name, fault_class in PAGES.items()]
    expected = {label(number): kind for number, (_, kind) in enumerate(kinds, 1)}
    wrong = {label(number): switches(**each) for number, (each, _) in enumerate(kinds, 1)}
    speaks_json = label(len(kinds) + 1)
    expected[speaks_json] = "throttled"
    config = ONE_CALL.replace("[retry]", "[retry]\nattempts = 2\nmax_outage_seconds = 20")
    night = await ground(population(len(kinds) + 30, 0), config, overrides=wrong)
    key = speaks_json.replace("mailbox", "fake-key").encode()

    async def gateway(line: Line) -> None:
        while True:
            request = await line.request()
            reply = await line.reply(request)
            if key in request and b"ReportInstantStats" in request:
                head = b"HTTP/1.1 429 Slow\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                reply = head % len(JSON) + JSON
            await line.say(reply)

    async with fronting(night.simulator, gateway) as front:
        redirected(night, front.url(), f'binding = "{binding}"')
        ended = await night.run("run")
    assert ended.code == 1, ended.err
    faults = accounted(night, ended)
    assert faults.total() == sum(kind is not None for kind in expected.values())
    calls = night.table("calls").set_index("session")["fault_class"]
    found = {name: calls[name] if isinstance(calls[name], str) else None for name in expected}
    assert found == expected


@pytest.mark.extended
async def test_retry_after_in_every_form(ground: MakeGround) -> None:
    """Absent, past, absurd and unreadable, with 429 and 503: never longer than the cap, and everything is collected."""
    forms = [
        (form, status) for form in ("none", "past", "words", "absurd") for status in (429, 503)
    ]
    wrong = {
        label(number): switches(throttle="call:1", throttle_status=status, retry_after=form)
        for number, (form, status) in enumerate(forms, 1)
    }
    config = CONFIG.replace("[retry]", "[retry]\nmax_retry_after_seconds = 1.5")
    night = await ground(population(20, 0), config, overrides=wrong)
    ended = await night.run("run")
    assert (ended.code, ended.json["ok"]) == (0, 40), ended.err
    assert accounted(night, ended) == {}
    log = list(night.simulator.log.arrivals)
    assert sum(each.status in (429, 503) for each in log) == len(forms)
    for number, (form, _) in enumerate(forms, 1):
        own = [each for each in log if each.session == label(number)]
        refused = next(at for at, each in enumerate(own) if each.status in (429, 503))
        waited = own[refused + 1].monotonic - (own[refused].answered_monotonic or 0.0)
        if form == "absurd":
            assert waited >= 1.45
        assert waited < 4.0  # two pauses of the whole service may come together


@pytest.mark.extended
async def test_hundreds_of_calls_lose_their_sessions_at_once(ground: MakeGround) -> None:
    """Three logins, shared by thirty labels, expire while hundreds of calls are in flight: three Logins mend it."""
    windows = ", ".join(str(60 + number) for number in range(80))
    config = f"""timeout_seconds = 50
[limits]
requests_per_second = 1000
per_session_per_second = 1000
concurrency = 1000
per_session_concurrency = 400
[windows]
minutes = [{windows}]
"""
    night = await ground(population(3, 1), config)
    rows = (night.folder / "sessions.csv").read_text().splitlines()
    shared = [row.partition(",")[2] for row in rows[1:]]
    copies = [f"copy-{number},{shared[number % 3]}" for number in range(30)]
    (night.folder / "sessions.csv").write_text("\n".join([rows[0], *copies]) + "\n")
    simulator, release, asked_for = night.simulator, asyncio.Event(), 0

    async def hold(line: Line) -> None:
        nonlocal asked_for
        while True:
            request = await line.request()
            if b"ReportInstantStats" in request:
                asked_for += 1
                if asked_for > 300:
                    await release.wait()
            await line.say(await line.reply(request))

    async with fronting(simulator, hold) as front:
        redirected(night, front.url())
        process = await night.start("run")
        async with asyncio.timeout(45):
            while asked_for < 500:  # noqa: ASYNC110  # another process makes them
                await asyncio.sleep(0.02)
        assert asked(simulator, "Login") == 3
        for session in simulator.accounts._open.values():
            session.expired = True
        release.set()
        ended = await night.ended(process)
    assert (ended.code, ended.json["ok"]) == (0, 1200), ended.err
    assert sum(each.fault == "authentication" for each in simulator.log.arrivals) >= 200
    assert asked(simulator, "Login") == ended.json["logins"] == 6
    assert set(simulator.accounts.logins.values()) == {2}
    assert simulator.control.state()["open_sessions"] == {}


@pytest.mark.extended
async def test_trouble_of_single_sessions(ground: MakeGround) -> None:
    """Refused logins, full houses, clocks seven hours off, answers to other questions: each alone, all in one night."""
    hours = {"throttle": "call:1", "retry_after": "date", "retry_after_seconds": 1}
    wrong = {
        label(2): switches(login_refused="always"),
        label(10): switches(clock_offset_seconds=7 * 3600, **hours),
        label(12): switches(clock_offset_seconds=-7 * 3600, **hours),
        label(1): switches(other_operation="always"),
        label(3): switches(other_operation="attempts:1"),
        label(5): switches(other_windows="always"),
        label(7): switches(decreasing_windows="always"),
    }
    night = await ground(population(24, 2), CONFIG, overrides=wrong)
    accounts, log = night.simulator.accounts, night.simulator.log
    night.environment["T_PASSWORD_3"] = "fake-password-of-last-year"  # mailbox-0004's
    strangers = {
        session.session_id: number
        for number in (6, 8)
        for _ in range(5)
        if isinstance(session := entered(night, number), OpenSession)
    }
    assert len(strangers) == 10

    async def leave() -> None:
        while not any(  # noqa: ASYNC110  # another process makes them
            each.session == label(8) and each.fault == "session_cap" for each in log.arrivals
        ):
            await asyncio.sleep(0.01)
        for session_id, number in strangers.items():
            if number == 8:
                accounts.logout(session_id)

    leaving = asyncio.create_task(leave())
    ended = await night.run("run")
    await asyncio.wait_for(leaving, 1)
    assert ended.code == 1, ended.err

    calls, stats = night.table("calls"), night.table("instant_stats")
    failed = calls[calls["state"] == "failed"].groupby("session")["fault_class"].agg(set).to_dict()
    assert failed == {
        label(1): {"malformed"},
        label(2): {"credential"},
        label(4): {"credential"},
        label(6): {"throttled"},
    }
    assert ended.json["failed"] == 8
    # an answer for other windows is noticed where it contradicts itself, or names its windows, and only there
    told_wrong = {label(5), label(7)}
    states: dict[Any, str] = calls.set_index(KEY)["state"].to_dict()
    told = {
        key: "ok" if state == "ok" and key[0] not in told_wrong else ""
        for key, state in states.items()
    }
    assert counts_sent(stats[~stats["session"].isin(told_wrong)]) == counts_told(
        night.simulator, told
    )
    assert ended.json["checks"] == {"longer_window_not_less": 2, "service_clock": 4}

    logins = Counter(each.session for each in log.arrivals if each.operation == "Login")
    assert (logins[label(2)], logins[label(4)]) == (1, 1)
    assert logins[label(8)] == 2
    assert 4 <= logins[label(6)] <= 40  # ever more slowly, while others are in that may make room
    assert night.simulator.control.state()["open_sessions"] == {label(6): 5}, (
        "strangers' sessions are left alone"
    )
    assert not calls[calls["session"].isin([label(2), label(4)])]["attempts"].any()

    for number, offset in ((10, 7), (12, -7)):
        seen = stats[stats["session"] == label(number)]
        assert (
            (seen["observed_at"] - seen["requested_at"]).dt.total_seconds() - offset * 3600
        ).abs().max() < 5
        own = [each for each in log.arrivals if each.session == label(number)]
        refused = next(at for at, each in enumerate(own) if each.status == 429)
        waited = own[refused + 1].monotonic - own[refused].monotonic
        assert 0.0 < waited < 4.0


REFUSING: Final = (  # status, body
    (500, b"<html><head><title>Login failed</title></head><body>Server Error</body></html>"),
    (500, b"<html><body><h1>The user name or password is incorrect</h1></body></html>"),
    (401, b"<html><body><h1>401 - Unauthorized</h1></body></html>"),
    (403, b"<html><body><h1>Forbidden. You may try again.</h1></body></html>"),
    (400, b"<html><body><h1>Bad Request</h1></body></html>"),
    (403, b""),
)


@pytest.mark.parametrize("binding", ["http-post", "soap12"])
async def test_logins_that_are_refused_by_a_page(ground: MakeGround, binding: str) -> None:
    """Six credentials refused by a page of the web server: one Login each, and no service that is down."""
    night = await ground(population(12, 2), f'binding = "{binding}"\n{CONFIG}')
    logins = 0

    async def refuse(line: Line) -> None:
        nonlocal logins
        while True:
            request = await line.request()
            if b"LoginName" not in request:
                await line.say(await line.reply(request))
                continue
            status, page = REFUSING[logins % len(REFUSING)]
            logins += 1
            head = f"HTTP/1.1 {status} No\r\nContent-Type: text/html\r\nContent-Length: {len(page)}"
            await line.say(f"{head}\r\n\r\n".encode() + page)

    async with fronting(night.simulator, refuse) as front:
        redirected(night, front.url())
        ended = await night.run("run", "--deadline", "20")
    assert (ended.code, ended.json["ok"], ended.json["failed"]) == (1, 12, 12), ended.err
    assert accounted(night, ended) == {"credential": 12}
    assert logins == ended.json["logins"] == len(REFUSING)
    assert not night.table("calls").query("state == 'failed'")["attempts"].any()


def share_the_login(night: Ground, labels: int) -> None:
    """The first session's login, under that many labels; the sessions with a key stay as they are."""
    path = night.folder / "sessions.csv"
    head, *rows = path.read_text().splitlines()
    (login,) = [row.partition(",")[2] for row in rows if "LOGIN" in row]
    keys = [row for row in rows if "LOGIN" not in row]
    copies = [f"copy-{number},{login}" for number in range(labels)]
    path.write_text("\n".join([head, *keys, *copies]) + "\n")


async def test_a_session_that_many_share_and_that_ends_soon(ground: MakeGround) -> None:
    """Twelve labels lose their session every other call: one call pays for that each time, and none all its attempts.

    Which one it is, is chance, so each has many.
    """
    config = CONFIG.replace("[retry]", "[retry]\nattempts = 12")
    night = await ground(population(1, 1), config, switches=switches(expire_after_calls=2))
    share_the_login(night, 12)
    ended = await night.run("run")
    assert (ended.code, ended.json["ok"]) == (0, 24), ended.err
    assert night.simulator.control.state()["open_sessions"] == {}


@pytest.mark.extended
async def test_a_login_that_many_share(ground: MakeGround) -> None:
    """Told to slow down, then slow: the pause holds for all twelve labels, and nobody else waits for the answer."""
    night = await ground(population(30, 30), CONFIG)
    share_the_login(night, 12)
    began: list[float] = []

    async def slow(line: Line) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            request = await line.request()
            if b"LoginName" not in request:
                await line.say(await line.reply(request))
                continue
            began.append(clock())
            if len(began) <= 2:
                head = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
                await line.say(head.encode())
                continue
            await asyncio.sleep(3)
            await line.say(await line.reply(request))

    async with fronting(night.simulator, slow) as front:
        redirected(night, front.url())
        ended = await night.run("run")
    assert (ended.code, ended.json["ok"]) == (0, 82), ended.err
    assert ended.json["logins"] == len(began) == 3
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(began))
    (login,) = [
        each.monotonic for each in night.simulator.log.arrivals if each.operation == "Login"
    ]
    with_key = [
        each.monotonic
        for each in night.simulator.log.arrivals
        if each.operation == "ReportInstantStats" and each.monotonic < login
    ]
    assert len(with_key) == 58


def entered(night: Ground, number: int) -> OpenSession | LoginRefusal:
    """Somebody else logs in with the same login."""
    accounts = night.simulator.accounts
    known = night.simulator.population.credentials()[label(number)]
    assert known.login_name is not None
    assert known.password is not None
    now_us = night.simulator.clock.now_us()
    return accounts.login(
        known.login_name, known.password, "127.0.0.1", now_us, night.simulator.switches
    )
