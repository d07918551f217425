"""Who is let in and when: rate limits, Retry-After, Login, switches for single sessions or operations."""

import asyncio
import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from collector.simulator import Population, Simulator, Switches
from tests.simulator.switched import NOW, PEOPLE, answer, switched
from tests.simulator.wire import call, control, result, stats


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("none", lambda value: value is None),
        ("seconds", lambda value: value == "8"),
        ("date", lambda value: 7 <= (parsedate_to_datetime(value) - NOW).seconds <= 9),
        ("past", lambda value: parsedate_to_datetime(value) < NOW),
        ("absurd", lambda value: int(value) > 10**9),
        ("words", lambda value: value == "soon"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after(kind: str, check: Any, status: int) -> None:
    """Every way a server may or may not say when to come back."""
    reply = await answer(
        throttle="always", throttle_status=status, retry_after=kind, retry_after_seconds="7.5"
    )
    assert reply.status == status
    assert check(reply.headers.get("retry-after"))


async def test_the_rate_limit_is_a_sliding_window() -> None:
    """What is over the limit is refused and does not count; later there is room again."""
    async with switched(rate_limit=2, rate_limit_seconds="0.3") as simulator:
        statuses = [(await stats(simulator)).status for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        assert (await call(simulator, "Version", {})).status == 429
        first = simulator.log.arrivals[0].monotonic
        await asyncio.sleep(max(0.0, first + 0.35 - time.monotonic()))
        assert (await stats(simulator)).status == 200


async def test_the_rate_limit_of_a_session() -> None:
    """Sessions do not use up each other's share."""
    async with switched(rate_limit=1, rate_limit_seconds=60, rate_limit_scope="session") as running:
        keys = ("fake-key-0001", "fake-key-0001", "fake-key-0002")
        assert [(await stats(running, key)).status for key in keys] == [200, 429, 200]


async def test_a_retry_gets_through() -> None:
    """Failing attempts are counted for each call by itself."""
    async with switched(html_503="attempts:2") as simulator:
        first = [(await stats(simulator)).status for _ in range(3)]
        second = [(await stats(simulator, minutes=(180, 240))).status for _ in range(3)]
        assert first == second == [503, 503, 200]


async def test_switches_of_one_session() -> None:
    """An override holds for its label only, and can be set while running."""
    overrides = {"mailbox-0002": Switches.parse({"html_502": "always"})}
    async with Simulator(PEOPLE, overrides=overrides) as simulator:
        keys = ("fake-key-0001", "fake-key-0002")
        assert [(await stats(simulator, key)).status for key in keys] == [200, 502]
        simulator.change({"html_503": "always"}, "mailbox-0001")
        assert [(await stats(simulator, key)).status for key in keys] == [503, 502]


async def test_switches_over_http() -> None:
    """POST changes them, GET shows them, nonsense changes nothing."""
    async with switched() as simulator:
        wanted = {
            "switches": {"html_503": "always"},
            "sessions": {"mailbox-0003": {"bom": "always"}},
        }
        reply = await control(simulator, "switches", "POST", json.dumps(wanted).encode())
        shown = json.loads(reply.body)
        assert shown["switches"]["html_503"] == "always"
        assert shown["sessions"]["mailbox-0003"]["bom"] == "always"
        assert (await stats(simulator)).status == 503
        for bad in (b"[]", b"{", b'{"switches": {"no": 1}}', b'{"other": {}}'):
            refused = await control(simulator, "switches", "POST", bad)
            assert (refused.status, "error" in json.loads(refused.body)) == (400, True)
        assert json.loads((await control(simulator, "switches")).body) == shown


async def test_other_operations_can_be_hit() -> None:
    """Login fails twice, then works."""
    people = Population(1, login_every=1)
    switches = Switches.parse({"operations": "Login", "html_503": "first:2"})
    arguments: dict[str, object] = {
        "LoginName": "fake-login-0001",
        "Password": "fake-password-0001",
    }
    async with Simulator(people, switches) as simulator:
        statuses = [(await call(simulator, "Login", arguments)).status for _ in range(3)]
        assert statuses == [503, 503, 200]


async def test_login_alone_can_be_refused_or_throttled() -> None:
    """The operations that the other selectors apply to are not touched."""
    people = Population(1, login_every=1)
    arguments: dict[str, object] = {
        "LoginName": "fake-login-0001",
        "Password": "fake-password-0001",
    }
    switches = Switches.parse({"login_throttled": "call:1", "login_refused": "call:2"})
    async with Simulator(people, switches) as simulator:
        replies = [await call(simulator, "Login", arguments) for _ in range(3)]
        assert [reply.status for reply in replies] == [429, 500, 200]
        assert "retry-after" in replies[0].headers
        assert "<ErrorItem>LoginName</ErrorItem>" in replies[1].text
        assert (await stats(simulator, result(replies[2], "Login"))).status == 200
        assert [each.fault for each in simulator.log.arrivals] == [
            "throttled",
            "authentication",
            "",
            "",
        ]
