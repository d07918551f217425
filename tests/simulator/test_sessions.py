"""Login, Logout, WhoAmI: cap, expiry, address, and the counts of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collector.domain.binding import Binding
from collector.simulator import Population, Simulator, Switches
from collector.simulator.operations import SESSION_INFO
from tests.simulator.wire import Reply, call, result, stats

START = datetime(2024, 1, 15, 12, tzinfo=UTC)
PEOPLE = Population(4, login_every=2)  # mailbox-0002 and mailbox-0004 log in


def simulator(**switches: Any) -> Simulator:
    """A simulator whose clock the test sets."""
    return Simulator(PEOPLE, Switches(**switches), now=START)


async def login(running: Simulator, password: str = "fake-password-0002") -> Reply:
    """Logs mailbox-0002 in."""
    arguments: dict[str, object] = {"LoginName": "fake-login-0002", "Password": password}
    return await call(running, "Login", arguments)


async def logged_in(running: Simulator) -> str:
    """Logs in and gives the SessionID."""
    return result(await login(running), "Login")


async def test_a_session_lives_from_login_to_logout() -> None:
    """Its SessionID is good for calls in between, and for one Logout."""
    async with simulator() as running:
        session_id = await logged_in(running)
        assert (await stats(running, session_id)).status == 200
        logout = await call(running, "Logout", {"SessionID": session_id})
        assert (logout.status, result(logout, "Logout")) == (200, "0")
        assert "Invalid Session" in (await stats(running, session_id)).text
        assert (await call(running, "Logout", {"SessionID": session_id})).status == 500
        assert running.control.state()["totals"] == {
            "open_sessions": 0,
            "logins": 1,
            "logouts": 1,
        }


async def test_a_key_needs_no_login_and_never_expires() -> None:
    """API keys go where SessionIDs go."""
    async with simulator(expire_after_calls=1) as running:
        for _ in range(3):
            assert (await stats(running, "fake-key-0001")).status == 200
        running.clock.set(START + timedelta(days=400))
        assert (await stats(running, "fake-key-0001")).status == 200


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_a_wrong_password_is_an_authentication_fault(password: str) -> None:
    """The login name alone opens nothing."""
    async with simulator() as running:
        reply = await login(running, password)
        assert reply.status == 500
        assert "<ErrorItem>LoginName</ErrorItem>" in reply.text
        assert running.log.arrivals[-1].fault == "authentication"
        assert running.log.arrivals[-1].session == "mailbox-0002"


async def test_the_cap_holds_and_a_logout_makes_room() -> None:
    """A sixth session is refused; the state remembers the most there were."""
    async with simulator() as running:
        ids = [await logged_in(running) for _ in range(5)]
        assert len(set(ids)) == 5
        assert (await login(running)).status == 500
        assert running.log.arrivals[-1].fault == "session_cap"
        await call(running, "Logout", {"SessionID": ids[0]})
        assert (await login(running)).status == 200
        assert running.control.state()["most_open"] == {"mailbox-0002": 5}


@pytest.mark.parametrize(("sliding", "alive"), [(True, True), (False, False)])
async def test_the_timeout_slides_or_not(*, sliding: bool, alive: bool) -> None:
    """A call restarts a sliding timeout only."""
    async with simulator(session_timeout_seconds=60, sliding_timeout=sliding) as running:
        session_id = await logged_in(running)
        running.clock.set(START + timedelta(seconds=40))
        assert (await stats(running, session_id)).status == 200
        running.clock.set(START + timedelta(seconds=80))
        assert ((await stats(running, session_id)).status == 200) is alive
        running.clock.set(START + timedelta(seconds=200))
        assert (await stats(running, session_id)).status == 500


async def test_a_session_ends_after_so_many_calls() -> None:
    """The switch counts calls, not time."""
    async with simulator(expire_after_calls=2) as running:
        session_id = await logged_in(running)
        statuses = [(await stats(running, session_id)).status for _ in range(3)]
        assert statuses == [200, 200, 500]
        assert {each.session for each in running.log.arrivals} == {"mailbox-0002"}


@pytest.mark.parametrize(("released", "status"), [(True, 200), (False, 500)])
async def test_an_expired_session_keeps_its_place_or_not(*, released: bool, status: int) -> None:
    """Without housekeeping, sessions nobody logged out lock the user out."""
    switches = {"session_cap": 1, "session_timeout_seconds": 60, "release_expired": released}
    async with simulator(**switches) as running:
        await logged_in(running)
        running.clock.set(START + timedelta(minutes=2))
        assert (await login(running)).status == status


@pytest.mark.parametrize(("bound", "status"), [(True, 500), (False, 200)])
async def test_a_session_is_bound_to_its_address(*, bound: bool, status: int) -> None:
    """Another client address cannot use the SessionID unless binding is off."""
    async with simulator(ip_binding=bound) as running:
        session_id = await logged_in(running)
        arguments: dict[str, object] = {"SessionID": session_id}
        assert (await call(running, "WhoAmI", arguments, local="127.0.0.2")).status == status
        assert (await call(running, "WhoAmI", arguments)).status == 200


@pytest.mark.parametrize("binding", Binding)
async def test_who_am_i_names_the_session(binding: Binding) -> None:
    """Every field of the contract in its order, with the numbers of this user."""
    async with simulator() as running:
        session_id = await logged_in(running)
        reply = await call(running, "WhoAmI", {"SessionID": session_id}, binding)
    fields = [name for name, _ in SESSION_INFO if f"<{name}>" in reply.text]
    assert [name for name, _ in SESSION_INFO if name != "Phone"] == fields
    places = [reply.text.index(f"<{name}>") for name in fields]
    assert places == sorted(places)
    user = PEOPLE.users()[1]
    for name, value in (
        ("SessionID", session_id),
        ("UserID", user.user_id),
        ("NetworkID", user.network_id),
        ("MailboxID", user.mailbox_id),
        ("TimeOut", 1_200),
        ("OpenSessions", 1),
        ("LastLogin", "2024-01-15T12:00:00Z"),
    ):
        assert f"<{name}>{value}</{name}>" in reply.text


async def test_version_and_time_need_no_credential() -> None:
    """Health check and clock offset work without a session."""
    async with simulator(clock_offset_seconds=90) as running:
        assert result(await call(running, "Version", {}), "Version").startswith("v4.1")
        now = await call(running, "NowUTC", {})
        assert result(now, "NowUTC") == "2024-01-15T12:01:30Z"
        assert now.headers["date"] == "Mon, 15 Jan 2024 12:01:30 GMT"


@pytest.mark.parametrize(
    ("scope", "mailbox_id", "network_id", "fault"),
    [
        ("own", 10_001, 300, ""),
        ("own", 10_003, 300, "authorisation"),
        ("network", 10_003, 300, ""),
        ("none", 10_001, 300, "authorisation"),
        ("network", 10_003, 301, "not_found"),
        ("network", 99_999, 300, "not_found"),
    ],
)
async def test_the_ex_operation_needs_the_scope(
    scope: str, mailbox_id: int, network_id: int, fault: str
) -> None:
    """Whose mailbox may be asked for is a switch."""
    switches = Switches.parse({"ex_scope": scope})
    arguments: dict[str, object] = {
        "SessionID": "fake-key-0001",
        "NetworkID": network_id,
        "MailboxID": mailbox_id,
        "ECGridID": 0,
        "Minutes1": 15,
        "Minutes2": 60,
    }
    async with Simulator(PEOPLE, switches, now=START) as running:
        reply = await call(running, "ReportInstantStatsEx", arguments)
        assert running.log.arrivals[-1].fault == fault
        assert ("<ParcelsIn1>" in reply.text) is (fault == "")


@pytest.mark.parametrize(
    ("total", "scope", "network_id", "fault"),
    [
        ("sum", "network", 300, ""),
        ("root", "network", 300, ""),
        ("denied", "network", 300, "authorisation"),
        ("sum", "own", 300, "authorisation"),
        ("sum", "network", 301, "not_found"),
    ],
)
async def test_mailbox_0_is_the_network_or_its_root(
    total: str, scope: str, network_id: int, fault: str
) -> None:
    """The sum of its mailboxes counts each of their events; Root has traffic of its own."""
    switches = Switches.parse({"ex_scope": scope, "network_total": total})
    ids = {"NetworkID": network_id, "MailboxID": 0, "ECGridID": 0}
    asked = {"SessionID": "fake-key-0001", **ids, "Minutes1": 60, "Minutes2": 1440}
    async with Simulator(PEOPLE, switches, now=START, seed=1) as running:
        reply = await call(running, "ReportInstantStatsEx", asked)
        assert running.log.arrivals[-1].fault == fault
        assert ("<ParcelsIn1>" in reply.text) is (fault == "")
        if not fault:
            (told,) = running.log.answers
            assert told.session == "network-300"
            labels = PEOPLE.credentials() if total == "sum" else ["network-300"]
            end_us = int(START.timestamp()) * 1_000_000
            of_day = [
                running.traffic.counts(label, end_us - 86_400_000_000, end_us) for label in labels
            ]
            assert told.counts[4:] == (
                sum(each.parcels_in for each in of_day),
                sum(each.parcels_out for each in of_day),
                sum(each.interchanges_in for each in of_day),
                sum(each.interchanges_out for each in of_day),
            )
            assert any(told.counts)


def test_credentials_are_plainly_fake(tmp_path: Any) -> None:
    """The file has a row for each label, with a key or a login, never both."""
    path = tmp_path / "credentials.csv"
    PEOPLE.write_credentials(path)
    assert path.read_text().splitlines() == [
        "label,api_key,login_name,password",
        "mailbox-0001,fake-key-0001,,",
        "mailbox-0002,,fake-login-0002,fake-password-0002",
        "mailbox-0003,fake-key-0003,,",
        "mailbox-0004,,fake-login-0004,fake-password-0004",
    ]
    assert "fake-key-0001" not in repr(PEOPLE.users())


@pytest.mark.parametrize(("sessions", "every"), [(0, 5), (-1, 5), (5, -1)])
def test_impossible_populations_are_refused(sessions: int, every: int) -> None:
    """The message gives the range."""
    with pytest.raises(ValueError, match="must be"):
        Population(sessions, every)
