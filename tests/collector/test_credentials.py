import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from lxml import etree

from collector.config import ApiKey, Credential, Login
from collector.domain.outcomes import FaultClass
from collector.domain.secret import Secret
from collector.errors import ConnectError, CredentialError, ReplyTimeoutError
from collector.outcomes.classification import classify_fault_at
from collector.outcomes.meaning import Meaning, meaning_of_error
from collector.outcomes.policy import Backoff, Circumstances, Decision, decide
from collector.sessions.credentials import Credentials, LoginFailedError
from collector.wire.operations import LOGIN, LOGOUT, Operation
from collector.wire.replies import Fault, Payload
from collector.wire.requests import Argument

GUID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
JANE = Login(Secret("fake-login-0001"), Secret("fake-password-0001"))
JOE = Login(Secret("fake-login-0002"), Secret("fake-password-0002"))


def text_answer(text: str) -> Meaning:
    """An answer whose result is a text."""
    result = etree.Element("LoginResult")
    result.text = text
    return Meaning(Payload(result), status=200)


def fault(
    text: str, *, status: int = 500, code: str = "", retry_after: float | None = None
) -> Meaning:
    """A fault of the service, or a text that a proxy sent."""
    said, has_retry_after = Fault("", text, detail_code=code), retry_after is not None
    fault_class = classify_fault_at(status, said, has_retry_after=has_retry_after)
    return Meaning(None, fault_class, text, status, retry_after_seconds=retry_after)


def broken(fault_class: FaultClass) -> Meaning:
    """Something that could not be opened."""
    return Meaning(None, fault_class, "broken", 200)


@dataclass
class Service:
    """Answers in order, the last one for ever; writes down what it was asked. Failures are decided on by the policy."""

    answers: list[Meaning | BaseException]
    attempts: int = 4
    asked: list[str] = field(default_factory=list)
    arguments: list[Mapping[str, Argument]] = field(default_factory=list)
    most_at_once: int = 0
    is_service_down: bool = False
    _now: int = 0

    async def ask(self, operation: Operation, arguments: Mapping[str, Argument]) -> Meaning:
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

    def decide(
        self,
        operation: Operation,
        meaning: Meaning,
        charged: int,
        *,
        failed_before: int | None = None,
        is_free: bool = False,
        may_log_in: bool = True,
    ) -> Decision:
        """What the policy says, with the longest waits."""
        return decide(
            operation,
            meaning,
            charged,
            Backoff(self.attempts, 0.5, 30.0),
            1.0,
            Circumstances(is_free=is_free, may_log_in=may_log_in, failed_before=failed_before),
        )


def shared(count: int, login: Login = JANE) -> dict[str, Credential]:
    """So many sessions with one login."""
    return {f"s{n}": Login(login.name, login.password) for n in range(count)}


def test_api_key_is_the_session_id() -> None:
    """A key needs no Login, and is used as it is."""
    credentials = Credentials({"a": ApiKey(Secret(GUID))})
    assert credentials.session_id("a") == Secret(GUID)
    assert not credentials.has_login("a")
    assert not credentials.needs_login("a")
    assert not credentials.gone("a", Secret(GUID))
    assert credentials.open_logins() == []
    assert credentials.secrets("a") == (Secret(GUID),)


async def test_one_login_for_a_thousand_labels() -> None:
    """However many labels share it, a credential is logged in once."""
    service, credentials = Service([text_answer(GUID)], attempts=4), Credentials(shared(1_000))
    for n in range(1_000):
        assert await credentials.log_in(f"s{n}", service)
    assert service.asked == ["Login"]
    assert {credentials.session_of(f"s{n}") for n in range(1_000)} == {"s0"}
    assert service.arguments[0] == {"LoginName": JANE.name, "Password": JANE.password}
    assert {credentials.session_id(f"s{n}") for n in range(1_000)} == {Secret(GUID)}


async def test_different_logins_do_not_wait_for_each_other() -> None:
    """Two credentials are two accounts."""
    service = Service([text_answer(GUID)])
    credentials = Credentials({"a": JANE, "b": JOE})
    await asyncio.gather(*(credentials.log_in(label, service) for label in "ab"))
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
async def test_refusal_is_final(answer: Meaning) -> None:
    """A credential that the service refuses is asked for once and never again: account lock-out is real."""
    service, credentials = Service([answer, text_answer(GUID)], attempts=4), Credentials(shared(50))
    for n in range(50):
        with pytest.raises(CredentialError):
            await credentials.log_in(f"s{n}", service)
    assert service.asked == ["Login"]
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
        meaning_of_error(ConnectError("refused")),
        meaning_of_error(ReplyTimeoutError("late")),
        broken(FaultClass.NOT_SERVICE),
        broken(FaultClass.MALFORMED),
        fault("Not Found", status=404),
    ],
    ids=["502", "503", "429", "cap", "server", "refused", "late", "page", "truncated", "404"],
)
async def test_failure_that_may_pass_is_no_refusal(answer: Meaning) -> None:
    """A proxy's hiccup or a throttled Login costs a delay, not the credential."""
    service = Service([answer, text_answer(GUID)])
    credentials = Credentials(shared(1))
    assert not await credentials.log_in("s0", service)
    assert credentials.needs_login("s0")
    await credentials.log_in("s0", service)
    assert credentials.session_id("s0") == Secret(GUID)


async def test_delays_are_bounded() -> None:
    """After `retry.attempts` Logins in a row that failed, the credential counts as refused."""
    service, credentials = (
        Service([meaning_of_error(ReplyTimeoutError("late"))], attempts=3),
        Credentials(shared(1)),
    )
    for _ in range(2):
        assert not await credentials.log_in("s0", service)
    for _ in range(3):
        with pytest.raises(CredentialError):
            await credentials.log_in("s0", service)
    assert len(service.asked) == 3


async def test_a_cap_that_others_fill_costs_no_credential() -> None:
    """While other sessions of the run are open, each of which will end, a Login that finds no room waits."""
    service = Service([text_answer(GUID)])
    service.attempts = 2
    credentials = Credentials({"a": JANE, "b": JOE})
    await credentials.log_in("a", service)
    service.answers = [fault("Too many open sessions", code="Authorization")]
    for _ in range(10):
        assert not await credentials.log_in("b", service)
    service.answers = [text_answer("0")]
    await credentials.log_out("a", service)
    service.answers = [text_answer("session-0002")]
    await credentials.log_in("b", service)
    assert credentials.session_id("b") == Secret("session-0002")


async def test_a_cap_that_strangers_fill_is_bounded() -> None:
    """Nobody of this run will make room, so `retry.attempts` hold."""
    service = Service([fault("Too many open sessions", code="Authorization")], attempts=2)
    credentials = Credentials(shared(1))
    assert not await credentials.log_in("s0", service)
    with pytest.raises(CredentialError, match="failed 2 times"):
        await credentials.log_in("s0", service)


async def test_a_cap_that_a_failed_logout_fills_is_bounded() -> None:
    """A session of this run that could not be ended makes no room either."""
    service = Service([text_answer(GUID)])
    service.attempts = 2
    credentials = Credentials({"a": JANE, "b": JOE})
    await credentials.log_in("a", service)
    service.answers = [fault("Too many open sessions", code="Authorization")]
    for _ in range(5):
        assert not await credentials.log_in("b", service)
    credentials.stays_open("a")
    assert not await credentials.log_in("b", service)
    with pytest.raises(CredentialError, match="failed 2 times"):
        await credentials.log_in("b", service)
    assert credentials.open_logins() == ["a"]


async def test_labels_share_a_failure() -> None:
    """A Login that failed for one label has failed for all that share it: they wait for the same instant."""
    service = Service([fault("later", status=503, retry_after=9.0), text_answer(GUID)])
    credentials = Credentials(shared(1_000))
    assert not await credentials.log_in("s0", service)
    assert 8.0 < credentials.login_ready_at("s7") - time.monotonic() <= 9.0
    assert await credentials.log_in("s7", service)
    assert credentials.session_id("s999") == Secret(GUID)


async def test_cancelled_login_lets_the_next_one_try() -> None:
    """A worker that is cancelled in the middle of a Login leaves nobody locked out."""
    service, credentials = Service([text_answer(GUID)], attempts=4), Credentials(shared(2))
    first = asyncio.ensure_future(credentials.log_in("s0", service))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait((first,))
    assert first.cancelled()
    assert credentials.needs_login("s1")
    await credentials.log_in("s1", service)
    assert credentials.session_id("s0") == Secret(GUID)


async def logged_in(count: int = 2) -> tuple[Credentials, Service]:
    """Sessions with one login, logged in."""
    service, credentials = Service([text_answer(GUID)], attempts=4), Credentials(shared(count))
    await credentials.log_in("s0", service)
    return credentials, service


async def test_session_that_is_gone_is_logged_in_again_once() -> None:
    """All calls in flight learn that the session is gone; one Login follows, and a late fault changes nothing."""
    credentials, service = await logged_in()
    service.answers = [text_answer("new-session-0002")]
    credentials.accepted("s0")
    assert credentials.gone("s0", Secret(GUID))
    assert credentials.gone("s1", Secret(GUID))
    assert credentials.needs_login("s0")
    assert credentials.needs_login("s1")
    for n in range(20):
        await credentials.log_in(f"s{n % 2}", service)
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
        await credentials.log_in("s0", service)
    assert credentials.open_logins() == ["s0"]
    service.answers = [meaning_of_error(ReplyTimeoutError("late")), text_answer("new-session-0002")]
    await credentials.log_in("s0", service)
    assert service.asked == ["Login", "Logout", "Logout", "Login"]
    assert credentials.session_id("s0") == Secret("new-session-0002")


async def test_login_that_does_not_help_is_not_repeated() -> None:
    """Three SessionIDs in a row that are refused before they ever worked: another Login would change nothing."""
    credentials, service = await logged_in()
    for _ in range(2):
        assert credentials.gone("s0", Secret(GUID))
        await credentials.log_in("s0", service)
    assert not credentials.gone("s0", Secret(GUID))
    with pytest.raises(CredentialError, match="SessionIDs are refused"):
        credentials.session_id("s1")
    with pytest.raises(CredentialError):
        await credentials.log_in("s1", service)
    assert service.asked == ["Login", "Logout", "Login", "Logout", "Login"]
    assert credentials.open_logins() == ["s0"]
    await credentials.log_out("s1", service)
    assert service.asked[-1] == "Logout", (
        "what Login gave may be open, whatever the calls were told"
    )
    assert credentials.open_logins() == []


async def test_a_session_id_that_worked_may_end_again() -> None:
    """Only such in a row count that never worked."""
    credentials, service = await logged_in()
    for _ in range(5):
        assert credentials.gone("s0", Secret(GUID))
        await credentials.log_in("s0", service)
        assert credentials.gone("s0", Secret(GUID))
        await credentials.log_in("s0", service)
        credentials.accepted("s1")
    assert credentials.session_id("s0") == Secret(GUID)


def test_an_api_key_that_is_refused() -> None:
    """Three times in a row it is; a call that was answered in between says that it is valid."""
    credentials = Credentials({"acme": ApiKey(Secret("a-fake-key"))})
    for refused in (2, 2, 3):
        for _ in range(refused):
            assert credentials.session_id("acme") == Secret("a-fake-key")
            assert not credentials.gone("acme", Secret("a-fake-key"))
        if refused == 2:
            credentials.accepted("acme")
    with pytest.raises(CredentialError, match="refused 3 times in a row"):
        credentials.session_id("acme")


def test_labels_share_the_strikes_against_their_key() -> None:
    """A key that is refused is so for all labels that have it, by whomever it was sent, and for no other."""
    own, other = ApiKey(Secret("a-fake-key")), ApiKey(Secret("another-fake-key"))
    credentials = Credentials({"a": own, "x": other, "b": ApiKey(Secret("a-fake-key")), "c": own})
    assert [credentials.session_of(each) for each in "abcx"] == ["a", "a", "a", "x"]
    for label in "ab":
        credentials.gone(label, Secret("a-fake-key"))
    assert credentials.key_refusal("c") is None
    credentials.gone("b", Secret("a-fake-key"))
    with pytest.raises(CredentialError, match="'a' and 2 other labels share, was refused 3 times"):
        credentials.session_id("c")
    assert credentials.session_id("x") == Secret("another-fake-key")


def test_a_denial_is_of_one_label() -> None:
    """What a label may not see says nothing of its neighbours, nor of the key."""
    credentials = Credentials(
        {"a": ApiKey(Secret("a-fake-key")), "b": ApiKey(Secret("a-fake-key"))}
    )
    credentials.denied("a", "Access Denied")
    assert (credentials.denial("a"), credentials.denial("b")) == ("Access Denied", None)
    assert credentials.session_id("a") == Secret("a-fake-key")


async def test_what_a_session_knows_is_masked_in_a_text() -> None:
    """SessionID, password and login name, and what else is named."""
    credentials, _ = await logged_in()
    said = f"fake-login-0001 with fake-password-0001 has {GUID.upper()} and another-one"
    masked = credentials.masked("s0", said, Secret("another-one"))
    assert [each in masked for each in ("fake-", GUID, GUID.upper(), "another")] == [False] * 4
    assert (masked.startswith("***"), " with " in masked) == (True, True)
    assert credentials.masked("s0", "") == ""


@pytest.mark.parametrize(
    ("answers", "is_down", "ended", "waits", "asked"),
    [
        ([text_answer("")], False, True, 0, 1),
        ([fault("Busy", status=503, retry_after=3.0), text_answer("")], False, True, 1, 2),
        ([fault("Busy", status=503, retry_after=3.0), text_answer("")], True, False, 0, 1),
        ([fault("unable to process request")], False, False, 3, 4),
    ],
)
async def test_a_logout_is_sent_as_often_as_the_policy_says(
    answers: list[Meaning | BaseException], is_down: bool, ended: bool, waits: int, asked: int
) -> None:
    """While the service is down once: nobody waits for it."""
    credentials, service = await logged_in(1)
    service.answers, service.is_service_down = answers, is_down
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    assert await credentials.end("s0", service, wait) is ended
    assert len(waited) == waits
    assert service.asked[1:] == ["Logout"] * asked
    assert (credentials.open_logins() == []) is ended
    if waits == 1:
        assert waited[0] >= 3.0


async def test_who_knows_that_a_session_is_gone() -> None:
    """The first call that finds out is told no; those that were on their way with the same SessionID, yes."""
    credentials, service = await logged_in()
    assert not credentials.is_known_gone("s0", Secret(GUID))
    credentials.gone("s0", Secret(GUID))
    assert credentials.is_known_gone("s1", Secret(GUID))
    service.answers = [text_answer("new-session-0002")]
    await credentials.log_in("s0", service)
    assert credentials.is_known_gone("s1", Secret(GUID))
    assert not credentials.is_known_gone("s1", Secret("new-session-0002"))
    keys = Credentials({"acme": ApiKey(Secret("a-fake-key"))})
    assert not keys.is_known_gone("acme", Secret("a-fake-key"))
    assert ("acme" in keys, "s0" in credentials, "acme" in credentials) == (True, True, False)


async def test_one_logout_for_all_labels() -> None:
    """A login that several labels share is open once, and ends once, in whoever's name."""
    credentials, service = await logged_in(3)
    assert credentials.open_logins() == ["s0"]
    await credentials.log_out("s2", service)
    assert service.asked == ["Login", "Logout"]
    assert service.arguments[-1] == {"SessionID": Secret(GUID)}
    assert credentials.open_logins() == []
    await credentials.log_out("s0", service)
    assert service.asked == ["Login", "Logout"]


async def test_logout_of_a_session_that_is_gone() -> None:
    """The fault that says so is an end too; nothing is left open."""
    credentials, service = await logged_in(1)
    service.answers = [fault("Invalid Session", code="Authentication")]
    await credentials.log_out("s0", service)
    assert credentials.open_logins() == []


@pytest.mark.parametrize(
    "answer",
    [
        meaning_of_error(ReplyTimeoutError("late")),
        broken(FaultClass.MALFORMED),
        fault("slow down", status=429),
        fault("Service Unavailable", status=503, retry_after=1.0),
        fault("Server was unable to process request. ---> Deadlock"),
        fault("Not Found", status=404),
    ],
    ids=["late", "empty", "429", "503", "deadlock", "404"],
)
async def test_logout_that_was_not_done_is_not_forgotten(answer: Meaning) -> None:
    """The session stays in the list of open ones until the service has really ended it."""
    credentials, service = await logged_in(1)
    service.answers = [answer, text_answer("true")]
    assert await credentials.log_out("s0", service) == answer
    assert credentials.open_logins() == ["s0"]
    await credentials.log_out("s0", service)
    assert credentials.open_logins() == []
    assert service.asked == [LOGIN.name, LOGOUT.name, LOGOUT.name]


async def test_secrets_of_a_login() -> None:
    """Password and SessionID are masked in what is kept of a reply, the name too in what is said of it."""
    credentials, _ = await logged_in(1)
    assert set(credentials.secrets("s0")) == {Secret(GUID), JANE.password}
    assert set(credentials.unspoken("s0")) == {Secret(GUID), JANE.password, JANE.name}


async def test_refusal_text_is_bounded() -> None:
    """A refusal does not grow with what the service says."""
    service, credentials = Service([fault("x" * 10_000)], attempts=1), Credentials(shared(1))
    with pytest.raises(CredentialError) as refused:
        await credentials.log_in("s0", service)
    assert len(str(refused.value)) <= 500


async def test_a_web_server_in_the_services_place_refuses_no_credential() -> None:
    """What answers 404 or a page to Login is not the service: its calls fail with that class, not as badly keyed."""
    service = Service([fault("Not Found", status=404)], attempts=2)
    credentials = Credentials(shared(1))
    assert not await credentials.log_in("s0", service)
    with pytest.raises(LoginFailedError, match="failed 2 times") as failed:
        await credentials.log_in("s0", service)
    assert failed.value.fault_class is FaultClass.NOT_SERVICE
