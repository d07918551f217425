import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from lxml import etree

from collector.config import ApiKey, Credential, Login
from collector.domain.secret import Secret
from collector.errors import (
    ConnectError,
    CredentialError,
    DroppedError,
    ReplyTimeoutError,
    TransportError,
    WireError,
)
from collector.sessions.credentials import Answered, Credentials, LoginDelayedError
from collector.wire.operations import LOGIN, LOGOUT, Operation
from collector.wire.replies import Fault, NotServiceError, Payload
from collector.wire.requests import Argument

GUID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
JANE = Login(Secret("fake-login-0001"), Secret("fake-password-0001"))
JOE = Login(Secret("fake-login-0002"), Secret("fake-password-0002"))


def text_answer(text: str) -> Answered:
    """An answer whose result is a text."""
    result = etree.Element("LoginResult")
    result.text = text
    return Answered(Payload(result), 200)


def fault(
    text: str, *, status: int = 500, code: str = "", retry_after: float | None = None
) -> Answered:
    """A fault of the service, or a text that a proxy sent."""
    return Answered(Fault("", text, detail_code=code), status, retry_after)


@dataclass
class Service:
    """Answers in order, the last one for ever; writes down what it was asked."""

    answers: list[Answered | BaseException]
    asked: list[str] = field(default_factory=list)
    arguments: list[Mapping[str, Argument]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    async def exchange(self, operation: Operation, arguments: Mapping[str, Argument]) -> Answered:
        """One request, which takes a few turns of the loop."""
        self.asked.append(operation.name)
        self.arguments.append(arguments)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        for _ in range(3):
            await asyncio.sleep(0)
        self._now -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def shared(count: int, login: Login = JANE) -> dict[str, Credential]:
    """So many sessions with one login."""
    return {f"s{n}": Login(login.name, login.password) for n in range(count)}


def test_api_key_is_the_session_id() -> None:
    """A key needs no Login, and is used as it is."""
    credentials = Credentials({"a": ApiKey(Secret(GUID))}, attempts=4)
    assert credentials.session_id("a") == Secret(GUID)
    assert not credentials.has_login("a")
    assert not credentials.needs_login("a")
    assert not credentials.gone("a", Secret(GUID))
    assert credentials.open_logins() == []
    assert credentials.secrets("a") == (Secret(GUID),)


async def test_one_login_for_a_thousand_waiters() -> None:
    """However many calls of however many labels wait for it, a credential is logged in once."""
    service, credentials = Service([text_answer(GUID)]), Credentials(shared(1_000), attempts=4)
    await asyncio.gather(*(credentials.log_in(f"s{n}", service.exchange) for n in range(1_000)))
    assert service.asked == ["Login"]
    assert service.arguments[0] == {"LoginName": JANE.name, "Password": JANE.password}
    assert {credentials.session_id(f"s{n}") for n in range(1_000)} == {Secret(GUID)}


async def test_different_logins_do_not_wait_for_each_other() -> None:
    """Two credentials are two accounts."""
    service = Service([text_answer(GUID)])
    credentials = Credentials({"a": JANE, "b": JOE}, attempts=4)
    await asyncio.gather(*(credentials.log_in(label, service.exchange) for label in "ab"))
    assert service.asked == ["Login", "Login"]
    assert service.most_at_once == 2


@pytest.mark.parametrize(
    "answer",
    [
        fault("Invalid Login"),
        fault("Invalid Session", code="Authentication"),
        fault("Access Denied", code="Authorization"),
        fault("Missing parameter: LoginName."),
        fault("never heard of that"),
        fault("Forbidden", status=403),
        text_answer(""),
        text_answer("00000000-0000-0000-0000-000000000000"),
    ],
    ids=["login", "session", "denied", "parameter", "unknown", "proxy-403", "empty", "empty-guid"],
)
async def test_refusal_is_final(answer: Answered) -> None:
    """A credential that the service refuses is asked for once and never again: account lock-out is real."""
    service, credentials = Service([answer, text_answer(GUID)]), Credentials(shared(50), attempts=4)
    told = await asyncio.gather(
        *(credentials.log_in(f"s{n}", service.exchange) for n in range(50)), return_exceptions=True
    )
    assert service.asked == ["Login"]
    assert all(isinstance(error, CredentialError) for error in told)
    assert not credentials.needs_login("s7")
    with pytest.raises(CredentialError, match="Login was refused"):
        credentials.session_id("s7")


@pytest.mark.parametrize(
    "answer",
    [
        fault("Bad Gateway", status=502),
        fault("no healthy upstream", status=503),
        fault("whatever", status=429),
        fault("Too many open sessions"),
        fault("Server was unable to process request. ---> Object reference not set"),
        ConnectError("refused"),
        DroppedError("closed"),
        ReplyTimeoutError("late"),
        TransportError("reset"),
        NotServiceError("an HTML page"),
        WireError("truncated"),
    ],
    ids=str,
)
async def test_failure_that_may_pass_is_no_refusal(answer: Answered | Exception) -> None:
    """A proxy's hiccup or a throttled Login costs a delay, not the credential."""
    service = Service([answer, text_answer(GUID)])
    credentials = Credentials(shared(1), attempts=4)
    with pytest.raises(LoginDelayedError):
        await credentials.log_in("s0", service.exchange)
    assert credentials.needs_login("s0")
    await credentials.log_in("s0", service.exchange)
    assert credentials.session_id("s0") == Secret(GUID)


async def test_delays_are_bounded() -> None:
    """After `retry.attempts` Logins in a row that failed, the credential counts as refused."""
    service, credentials = Service([TransportError("reset")]), Credentials(shared(1), attempts=3)
    for attempt in (1, 2):
        with pytest.raises(LoginDelayedError) as delayed:
            await credentials.log_in("s0", service.exchange)
        assert delayed.value.attempt == attempt
    for _ in range(3):
        with pytest.raises(CredentialError):
            await credentials.log_in("s0", service.exchange)
    assert len(service.asked) == 3


async def test_a_cap_that_others_fill_costs_no_credential() -> None:
    """While other sessions of the run are open, each of which will end, a Login that finds no room waits."""
    service = Service([text_answer(GUID)])
    credentials = Credentials({"a": JANE, "b": JOE}, attempts=2)
    await credentials.log_in("a", service.exchange)
    service.answers = [fault("Too many open sessions", code="Authorization")]
    for attempt in range(1, 11):
        with pytest.raises(LoginDelayedError) as delayed:
            await credentials.log_in("b", service.exchange)
        assert delayed.value.attempt == attempt
    service.answers = [text_answer("0")]
    await credentials.log_out("a", service.exchange)
    service.answers = [text_answer("session-0002")]
    await credentials.log_in("b", service.exchange)
    assert credentials.session_id("b") == Secret("session-0002")


async def test_a_cap_that_strangers_fill_is_bounded() -> None:
    """Nobody of this run will make room, so `retry.attempts` hold."""
    service = Service([fault("Too many open sessions", code="Authorization")])
    credentials = Credentials(shared(1), attempts=2)
    with pytest.raises(LoginDelayedError):
        await credentials.log_in("s0", service.exchange)
    with pytest.raises(CredentialError, match="failed 2 times"):
        await credentials.log_in("s0", service.exchange)


async def test_a_cap_that_a_failed_logout_fills_is_bounded() -> None:
    """A session of this run that could not be ended makes no room either."""
    service = Service([text_answer(GUID)])
    credentials = Credentials({"a": JANE, "b": JOE}, attempts=2)
    await credentials.log_in("a", service.exchange)
    service.answers = [fault("Too many open sessions", code="Authorization")]
    for _ in range(5):
        with pytest.raises(LoginDelayedError):
            await credentials.log_in("b", service.exchange)
    credentials.stays_open("a")
    with pytest.raises(CredentialError, match="failed 6 times"):
        await credentials.log_in("b", service.exchange)
    assert credentials.open_logins() == ["a"]


async def test_waiters_share_a_failure() -> None:
    """A thousand sessions of one login that wait for a Login which fails do not each send their own."""
    service = Service([fault("later", status=503, retry_after=9.0), text_answer(GUID)])
    credentials = Credentials(shared(1_000), attempts=4)
    told = await asyncio.gather(
        *(credentials.log_in(f"s{n}", service.exchange) for n in range(1_000)),
        return_exceptions=True,
    )
    assert service.asked == ["Login"]
    assert {type(error) for error in told} == {LoginDelayedError}
    assert {error.retry_after for error in told if isinstance(error, LoginDelayedError)} == {9.0}
    await credentials.log_in("s0", service.exchange)
    assert credentials.session_id("s999") == Secret(GUID)


async def test_cancelled_login_lets_the_next_one_try() -> None:
    """A worker that is cancelled in the middle of a Login leaves nobody locked out."""
    service, credentials = Service([text_answer(GUID)]), Credentials(shared(2), attempts=4)
    first = asyncio.ensure_future(credentials.log_in("s0", service.exchange))
    second = asyncio.ensure_future(credentials.log_in("s1", service.exchange))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert credentials.session_id("s0") == Secret(GUID)
    assert first.cancelled()


async def logged_in(count: int = 2) -> tuple[Credentials, Service]:
    """Sessions with one login, logged in."""
    service, credentials = Service([text_answer(GUID)]), Credentials(shared(count), attempts=4)
    await credentials.log_in("s0", service.exchange)
    return credentials, service


async def test_session_that_is_gone_is_logged_in_again_once() -> None:
    """All calls in flight learn that the session is gone; one Login follows, and a late fault changes nothing."""
    credentials, service = await logged_in()
    service.answers = [text_answer("new-session-0002")]
    credentials.answered("s0")
    assert credentials.gone("s0", Secret(GUID))
    assert credentials.gone("s1", Secret(GUID))
    assert credentials.needs_login("s0")
    assert credentials.needs_login("s1")
    await asyncio.gather(*(credentials.log_in(f"s{n % 2}", service.exchange) for n in range(20)))
    assert service.asked == ["Login", "Logout", "Login"]
    assert service.arguments[1] == {"SessionID": Secret(GUID)}, "the old one: it may fill a place"
    assert credentials.gone("s1", Secret(GUID)), "a reply to the old SessionID: a retry may help"
    assert credentials.session_id("s1") == Secret("new-session-0002")


async def test_a_logout_that_fails_is_in_nobodys_way() -> None:
    """Nor is one that was interrupted forgotten."""
    credentials, service = await logged_in(1)
    assert credentials.gone("s0", Secret(GUID))
    service.answers = [asyncio.CancelledError()]
    with pytest.raises(asyncio.CancelledError):
        await credentials.log_in("s0", service.exchange)
    assert credentials.open_logins() == ["s0"]
    service.answers = [TransportError("reset"), text_answer("new-session-0002")]
    await credentials.log_in("s0", service.exchange)
    assert service.asked == ["Login", "Logout", "Logout", "Login"]
    assert credentials.session_id("s0") == Secret("new-session-0002")


async def test_login_that_does_not_help_is_not_repeated() -> None:
    """Three SessionIDs in a row that are refused before they ever worked: another Login would change nothing."""
    credentials, service = await logged_in()
    for _ in range(2):
        assert credentials.gone("s0", Secret(GUID))
        await credentials.log_in("s0", service.exchange)
    assert not credentials.gone("s0", Secret(GUID))
    with pytest.raises(CredentialError, match="SessionIDs are refused"):
        credentials.session_id("s1")
    with pytest.raises(CredentialError):
        await credentials.log_in("s1", service.exchange)
    assert service.asked == ["Login", "Logout", "Login", "Logout", "Login"]
    for label in ("s0", "s1"):
        assert credentials.open_logins()
        await credentials.log_out(label, service.exchange)
    assert service.asked[-1] == "Logout", (
        "what Login gave may be open, whatever the calls were told"
    )
    assert credentials.open_logins() == []


async def test_the_last_label_logs_out() -> None:
    """A login that several labels share ends when the last of them leaves, once."""
    credentials, service = await logged_in(3)
    assert credentials.open_logins() == ["s0", "s1", "s2"]
    for label in ("s1", "s0", "s0", "s2"):
        assert service.asked == ["Login"]
        await credentials.log_out(label, service.exchange)
    assert service.asked == ["Login", "Logout"]
    assert service.arguments[-1] == {"SessionID": Secret(GUID)}
    assert credentials.open_logins() == []
    await credentials.log_out("s2", service.exchange)
    assert service.asked == ["Login", "Logout"]


async def test_logout_of_a_session_that_is_gone() -> None:
    """The fault that says so is an end too; nothing is left open."""
    credentials, service = await logged_in(1)
    service.answers = [fault("Invalid Session", code="Authentication")]
    await credentials.log_out("s0", service.exchange)
    assert credentials.open_logins() == []


@pytest.mark.parametrize(
    "answer",
    [
        TransportError("reset"),
        WireError("empty"),
        fault("slow down", status=429),
        fault("Service Unavailable", status=503, retry_after=1.0),
        fault("Server was unable to process request. ---> Deadlock"),
    ],
    ids=str,
)
async def test_logout_that_was_not_done_is_not_forgotten(answer: Answered | Exception) -> None:
    """The session stays in the list of open ones until the service has really ended it."""
    credentials, service = await logged_in(1)
    service.answers = [answer, text_answer("true")]
    with pytest.raises((TransportError, WireError)):
        await credentials.log_out("s0", service.exchange)
    assert credentials.open_logins() == ["s0"]
    await credentials.log_out("s0", service.exchange)
    assert credentials.open_logins() == []
    assert service.asked == [LOGIN.name, LOGOUT.name, LOGOUT.name]


async def test_secrets_of_a_login() -> None:
    """Password and SessionID are masked in what is kept of a reply, the name too in what is said of it."""
    credentials, _ = await logged_in(1)
    assert set(credentials.secrets("s0")) == {Secret(GUID), JANE.password}
    assert set(credentials.unspoken("s0")) == {Secret(GUID), JANE.password, JANE.name}


async def test_refusal_text_is_bounded() -> None:
    """A refusal does not grow with what the service says."""
    service, credentials = Service([fault("x" * 10_000)]), Credentials(shared(1), attempts=1)
    with pytest.raises(CredentialError) as refused:
        await credentials.log_in("s0", service.exchange)
    assert len(str(refused.value)) <= 500
