"""Whole runs against a service that refuses, expires, slows down or answers something else, seen from its own log."""

import asyncio
from typing import Final

import pytest

from collector.simulator.switches import FaultShape
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import population, switches
from tests.reliability.front import Line, fronting
from tests.reliability.network_ground import CONFIG, accounted, asked, redirected

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
    "html_504": "server",
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


async def test_a_thousand_calls_lose_their_sessions_at_once(ground: MakeGround) -> None:
    """Three logins, shared by thirty labels, expire while a thousand calls are in flight: three Logins mend it."""
    windows = ", ".join(str(60 + number) for number in range(80))
    config = f"""timeout_seconds = 50
[limits]
requests_per_second = 1000
per_session_per_second = 1000
concurrency = 1000
per_session_concurrency = 40
[windows]
minutes = [{windows}]
"""
    night = await ground(population(3, 1), config)
    rows = (night.folder / "sessions.csv").read_text().splitlines()
    shared = [row.partition(",")[2] for row in rows[1:]]
    copies = [f"copy-{number},{shared[number % 3]}" for number in range(30)]
    (night.folder / "sessions.csv").write_text("\n".join([rows[0], *copies]) + "\n")
    simulator, holding, release, held = night.simulator, False, asyncio.Event(), 0

    async def hold(line: Line) -> None:
        nonlocal held
        while True:
            request = await line.request()
            if holding and b"ReportInstantStats" in request:
                held += 1
                await release.wait()
            await line.say(await line.reply(request))

    async with fronting(simulator, hold) as front:
        redirected(night, front.url())
        process = await night.start("run")
        await night.arrivals(100)
        holding = True
        async with asyncio.timeout(30):
            while held < 1000:  # noqa: ASYNC110  # another process makes them
                await asyncio.sleep(0.02)
        assert asked(simulator, "Login") == 3
        for session in simulator.accounts._open.values():
            session.expired = True
        holding = False
        release.set()
        ended = await night.ended(process)
    assert (ended.code, ended.json["ok"]) == (0, 1200), ended.err
    assert sum(each.fault == "authentication" for each in simulator.log.arrivals) >= 1000
    assert asked(simulator, "Login") == ended.json["logins"] == 6
    assert set(simulator.accounts.logins.values()) == {2}
    assert simulator.control.state()["open_sessions"] == {}
