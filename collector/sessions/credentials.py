"""From a session's label to its SessionID: API keys as they are, logins by Login, ended by Logout.

One Login per credential, however many calls wait for it. A credential that the service refuses is not tried again in
this run: account lock-out is real. Replies to Login hold credentials and are never landed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from collector.config import ApiKey, Credential, Login, Unreadable
from collector.domain.outcomes import FaultClass
from collector.domain.secret import Secret, mask
from collector.errors import CredentialError
from collector.outcomes.meaning import FAULT_TEXT_LIMIT, Meaning
from collector.outcomes.policy import Decision, ends_session
from collector.wire.operations import LOGIN, LOGOUT, Operation
from collector.wire.replies import Payload
from collector.wire.requests import Argument

__all__ = ["Asker", "Credentials", "LoginFailedError"]

_STRIKES: Final = 3  # refusals in a row after which a credential is not sent any more in this run


class Asker(Protocol):
    """Sends operations for one session, and says what is done about what comes back."""

    @property
    def is_service_down(self) -> bool:
        """Nobody is served: what can wait for ever is not sent again."""

    async def ask(self, operation: Operation, arguments: Mapping[str, Argument]) -> Meaning:
        """Send one request through the rate gates; what it came to, secrets masked in its text."""

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
        """What the policy says about it; the arguments are those of `policy.decide`."""


class LoginFailedError(CredentialError):
    """Login was not refused, but did not succeed in `retry.attempts` either.

    Attributes:
        fault_class: what stood in the way last.
    """

    def __init__(self, message: str, fault_class: FaultClass) -> None:
        super().__init__(message)
        self.fault_class = fault_class


@dataclass(slots=True)
class _Account:
    """A login and what became of it.

    Attributes:
        labels: the sessions that still use it; the last one to leave logs out.
        failures: Logins in a row that failed.
        charged: those of them that count against `retry.attempts`.
        fruitless: SessionIDs in a row that were refused without one call having been answered.
        ready_at: no label of this credential sends the next Login before this instant (monotonic seconds).
        expired: a SessionID that a fault called gone. The service may still count the session as open: what only
            expired fills its place until it is logged out.
        stays_open: Logout was given up.
        turn: held by the one label that sends Login or waits to.
    """

    login: Login
    labels: set[str] = field(default_factory=set)
    session_id: Secret | None = None
    refusal: CredentialError | None = None
    failures: int = 0
    charged: int = 0
    fruitless: int = 0
    ready_at: float = 0.0
    expired: Secret | None = None
    stays_open: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Credentials:
    """The SessionIDs of all sessions of a run."""

    def __init__(self, credentials: Mapping[str, Credential]) -> None:
        self._keys: dict[str, Secret] = {}
        self._strikes: dict[str, int] = {}  # faults in a row that say a key is not valid
        self._accounts: dict[str, _Account] = {}
        self._unreadable: dict[str, Unreadable] = {}
        shared: dict[Login, _Account] = {}
        for label, credential in credentials.items():
            if isinstance(credential, ApiKey):
                self._keys[label] = credential.key
            elif isinstance(credential, Unreadable):
                self._unreadable[label] = credential
            else:
                account = shared.setdefault(credential, _Account(credential))
                account.labels.add(label)
                self._accounts[label] = account

    def __contains__(self, label: str) -> bool:
        """There is a credential of that label."""
        return label in self._keys or label in self._accounts or label in self._unreadable

    def has_login(self, label: str) -> bool:
        """The session needs a Login (and a Logout)."""
        return label in self._accounts

    def session_id(self, label: str) -> Secret | None:
        """The SessionID in force; None where a Login is due.

        Raises:
            CredentialError: the credential was refused, or could not be read.
        """
        if label in self._unreadable:
            raise CredentialError(self._unreadable[label].reason)
        if label in self._keys:
            if self._strikes.get(label, 0) >= _STRIKES:
                raise CredentialError(f"the API key was refused {_STRIKES} times in a row")
            return self._keys[label]
        account = self._accounts[label]
        if account.refusal:
            raise account.refusal
        return account.session_id

    def needs_login(self, label: str) -> bool:
        """A Login is due before the next call, and may help."""
        account = self._accounts.get(label)
        return account is not None and account.session_id is None and account.refusal is None

    def secrets(self, label: str) -> tuple[Secret, ...]:
        """What must not be kept of a reply to this session."""
        if label in self._keys:
            return (self._keys[label],)
        account = self._accounts.get(label)
        if account is None:  # it could not be read
            return ()
        known = (account.session_id, account.expired, account.login.password)
        return tuple(each for each in known if each is not None)

    def unspoken(self, label: str) -> tuple[Secret, ...]:
        """What must not be said in a text: the login name too. In a reply it may be a table's or a column's name."""
        own, account = self.secrets(label), self._accounts.get(label)
        return own if account is None else (*own, account.login.name)

    def masked(self, label: str, text: str, *more: Secret) -> str:
        """A text with the session's secrets, and more, masked; it may be unescaped, or quote the bytes of a reply."""
        if not text:
            return text
        found, _ = mask(text.encode(errors="replace"), (*more, *self.unspoken(label)))
        return found.decode(errors="replace")

    def accepted(self, label: str) -> None:
        """The service accepted this session's SessionID."""
        if label in self._accounts:
            self._accounts[label].fruitless = 0
        else:
            self._strikes.pop(label, None)

    def is_known_gone(self, label: str, session_id: Secret) -> bool:
        """Another call has found out before that this SessionID is not valid any more."""
        account = self._accounts.get(label)
        return account is not None and account.session_id != session_id

    def gone(self, label: str, session_id: Secret) -> bool:
        """A fault says that `session_id` is not valid (any more). True if a Login may help."""
        account = self._accounts.get(label)
        if account is None:
            self._strikes[label] = self._strikes.get(label, 0) + 1
            return False
        if account.session_id == session_id:
            account.session_id, account.expired = None, session_id
            account.fruitless += 1
            if account.fruitless >= _STRIKES:
                account.refusal = CredentialError("Login succeeds, but its SessionIDs are refused")
        return account.refusal is None

    async def log_in(self, label: str, asker: Asker) -> bool:
        """Make sure there is a SessionID: one Login, whoever else waits for it; whether there is one now.

        False: Login failed in a way that may pass, and the next one of this credential may be sent at `login_ready_at`.

        Raises:
            CredentialError: the service refuses this credential, or Login failed too often.
        """
        account = self._accounts[label]
        failures = account.failures
        async with account.turn:
            if account.refusal:
                raise account.refusal
            if account.session_id is not None or account.failures > failures:
                return account.session_id is not None  # what was waited for has come to its end
            if account.expired is not None:  # logged out once, whatever comes of it, to make room
                made_room = await asker.ask(LOGOUT, {"SessionID": account.expired})
                asker.decide(LOGOUT, made_room, 0)  # whoever is to pause does; it is not sent again
                account.expired = None
            arguments = {"LoginName": account.login.name, "Password": account.login.password}
            meaning = await asker.ask(LOGIN, arguments)
            if meaning.payload is not None:
                self._open(account, meaning.payload)
                return True
            self._delay(account, meaning, asker)
            return False

    def login_ready_at(self, label: str) -> float:
        """Before this instant (monotonic seconds) no Login may be sent: one of this credential has failed."""
        return self._accounts[label].ready_at

    def is_logging_in(self, label: str) -> bool:
        """A Login of this credential is on its way."""
        return self._accounts[label].turn.locked()

    async def login_ended(self, label: str) -> None:
        """Return when the Login that is on its way has ended, however it ended."""
        async with self._accounts[label].turn:
            pass

    def open_logins(self) -> list[str]:
        """The labels whose credential has an open session at the service."""
        return [
            label
            for label, account in self._accounts.items()
            if account.session_id or account.expired
        ]

    async def log_out(self, label: str, asker: Asker) -> Meaning | None:
        """End the session at the service once no label uses it any more; what stood in the way, None if nothing did.

        Most faults are an end too: there is no such session any more.
        """
        account = self._accounts[label]
        account.labels.discard(label)
        session_id = account.session_id or account.expired
        if account.labels or session_id is None:
            return None
        meaning = await asker.ask(LOGOUT, {"SessionID": session_id})
        if not ends_session(meaning):
            return meaning
        account.session_id = account.expired = None
        return None

    async def end(
        self, label: str, asker: Asker, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> bool:
        """`log_out`, again as often and as late as the policy says; whether nothing of this label is open any more.

        While the service is down it is sent once: nobody waits for it.
        """
        charged = 0
        while (failed := await self.log_out(label, asker)) is not None:
            decision = asker.decide(LOGOUT, failed, charged)
            if decision.wait_seconds is None or asker.is_service_down:
                return False
            charged = decision.charged
            await wait(decision.wait_seconds)
        return True

    def stays_open(self, label: str) -> None:
        """Logout was given up: nobody needs to wait for the room that it would have made."""
        self._accounts[label].stays_open = True

    def _open(self, account: _Account, answer: Payload) -> None:
        session_id = answer.field("SessionID") or answer.text
        if not session_id.strip("0-"):  # .NET's empty GUID is no session either
            account.refusal = CredentialError("Login was refused: the answer holds no SessionID")
            raise account.refusal
        account.session_id = Secret(session_id)
        account.failures = account.charged = 0

    def _delay(self, account: _Account, meaning: Meaning, asker: Asker) -> None:
        """When the next Login may be sent, or why there will be none."""
        fault_class = meaning.fault_class or FaultClass.UNCLASSIFIED
        # the sessions of this very run may fill a cap: each that ends makes room
        is_free = fault_class is FaultClass.THROTTLED and self._others_are_in(account)
        before = account.charged
        decision = asker.decide(
            LOGIN, meaning, before, failed_before=account.failures, is_free=is_free
        )
        account.failures += 1
        account.charged = decision.charged
        if decision.wait_seconds is not None:
            account.ready_at = time.monotonic() + decision.wait_seconds
        else:
            account.refusal = _refusal(fault_class, meaning.text, account.charged)
            raise account.refusal

    def _others_are_in(self, account: _Account) -> bool:
        return any(
            other is not account and other.session_id is not None and not other.stays_open
            for other in self._accounts.values()
        )


_REFUSALS: Final = frozenset(
    {
        FaultClass.AUTHENTICATION,
        FaultClass.AUTHORISATION,
        FaultClass.PARAMETER,
        FaultClass.NOT_FOUND,
        FaultClass.TOO_LARGE,
        FaultClass.UNCLASSIFIED,
    }
)


def _refusal(fault_class: FaultClass, text: str, attempts: int) -> CredentialError:
    """Why there will be no SessionID: the credential was refused, or Login came to nothing too often."""
    if fault_class in _REFUSALS:
        return CredentialError(
            f"Login was refused ({fault_class.value}): {text}"[:FAULT_TEXT_LIMIT]
        )
    said = f"Login failed {attempts} times ({fault_class.value}): {text}"[:FAULT_TEXT_LIMIT]
    return LoginFailedError(said, fault_class)
