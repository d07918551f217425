"""From a session's label to its SessionID: API keys as they are, logins by Login, ended by Logout.

One Login per credential, however many calls wait for it. A credential that the service refuses is not tried again in
this run: account lock-out is real. Replies to Login hold credentials and are never landed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from collector.config import ApiKey, Credential, Login, Unreadable
from collector.domain.secret import Secret
from collector.domain.values import FaultClass
from collector.errors import (
    CollectorError,
    CredentialError,
    ThrottledError,
    TransportError,
    WireError,
)
from collector.outcomes.policy import classify_error, classify_fault_at
from collector.wire.operations import LOGIN, LOGOUT, Operation
from collector.wire.replies import Fault, Payload
from collector.wire.requests import Argument

__all__ = ["Answered", "Credentials", "Exchange", "LoginDelayedError", "LoginFailedError"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply opened: payload or fault, and the HTTP status and Retry-After that came with it.

    Attributes:
        told: the class of a fault that came as a page, where its status tells more than its words.
    """

    content: Payload | Fault
    status: int
    retry_after: float | None = None
    told: FaultClass | None = None


# sends one operation through the rate gates and opens the reply; raises TransportError or WireError
Exchange = Callable[[Operation, Mapping[str, Argument]], Awaitable[Answered]]

_PERMANENT: Final = frozenset(
    {
        FaultClass.AUTHENTICATION,
        FaultClass.AUTHORISATION,
        FaultClass.PARAMETER,
        FaultClass.NOT_FOUND,
        FaultClass.TOO_LARGE,
        FaultClass.UNCLASSIFIED,
    }
)

_NOT_DONE: Final = frozenset({FaultClass.THROTTLED, FaultClass.SERVER})


_STRIKES: Final = 3  # then a key is not sent any more in this run: account lock-out is real


class LoginFailedError(CredentialError):
    """Login was not refused, but did not succeed in `retry.attempts` either.

    Attributes:
        fault_class: what stood in the way last.
    """

    def __init__(self, message: str, fault_class: FaultClass) -> None:
        super().__init__(message)
        self.fault_class = fault_class


class LoginDelayedError(CollectorError):
    """Login failed in a way that may pass; try again later.

    Attributes:
        attempt: how many Login requests in a row have failed.
        retry_after: seconds the service asked for, if it did.
    """

    def __init__(self, attempt: int, retry_after: float | None) -> None:
        super().__init__(f"Login failed for now (attempt {attempt})")
        self.attempt, self.retry_after = attempt, retry_after


@dataclass(slots=True)
class _Account:
    """A login and what became of it.

    Attributes:
        labels: the sessions that still use it; the last one to leave logs out.
        fruitless: SessionIDs in a row that were refused without one call having been answered.
        waits: the number of the failed Login after which `ready_at` was set.
        ready_at: no label of this credential sends the next Login before this instant (monotonic seconds).
        left: a SessionID that a fault called gone. The service may still count the session as open: what only expired
            fills its place until it is logged out.
        stays_open: Logout was given up.
    """

    login: Login
    labels: set[str] = field(default_factory=set)
    session_id: Secret | None = None
    refusal: CredentialError | None = None
    failures: int = 0
    retry_after: float | None = None
    fruitless: int = 0
    waits: int = 0
    ready_at: float = 0.0
    left: Secret | None = None
    stays_open: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Credentials:
    """The SessionIDs of all sessions of a run."""

    def __init__(self, credentials: Mapping[str, Credential], *, attempts: int) -> None:
        self._attempts = attempts
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
        account = self._accounts[label]
        own = (account.login.password,)
        known = (account.session_id, account.left, *own)
        return tuple(each for each in known if each is not None)

    def unspoken(self, label: str) -> tuple[Secret, ...]:
        """What must not be said in a text: the login name too. In a reply it may be a table's or a column's name."""
        own = self.secrets(label)
        return own if label in self._keys else (*own, self._accounts[label].login.name)

    def answered(self, label: str) -> None:
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
            account.session_id, account.left = None, session_id
            account.fruitless += 1
            if account.fruitless >= _STRIKES:
                account.refusal = CredentialError("Login succeeds, but its SessionIDs are refused")
        return account.refusal is None

    async def log_in(self, label: str, exchange: Exchange) -> None:
        """Make sure there is a SessionID: one Login, whoever else waits for it.

        Raises:
            CredentialError: the service refuses this credential.
            LoginDelayedError: it failed in a way that may pass.
        """
        account = self._accounts[label]
        failures = account.failures
        async with account.turn:
            if account.session_id is not None:
                return
            if account.refusal:
                raise account.refusal
            if account.failures > failures:  # the Login that was waited for has failed
                raise LoginDelayedError(account.failures, account.retry_after)
            await _clear(account, exchange)
            arguments = {"LoginName": account.login.name, "Password": account.login.password}
            try:
                answered = await exchange(LOGIN, arguments)
            except (TransportError, WireError) as error:
                retry_after = error.retry_after if isinstance(error, ThrottledError) else None
                self._failed(account, classify_error(error), str(error), retry_after)
            else:
                self._opened(account, answered)

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

    def delay_login(self, label: str, attempt: int, until: float) -> float:
        """When the next Login of this credential may be sent; who learns of a failure first decides for all labels."""
        account = self._accounts[label]
        if account.waits != attempt:
            account.waits, account.ready_at = attempt, until
        return account.ready_at

    def _others_are_in(self, account: _Account) -> bool:
        return any(
            other is not account and other.session_id is not None and not other.stays_open
            for other in self._accounts.values()
        )

    def open_logins(self) -> list[str]:
        """The labels whose credential has an open session at the service."""
        return [
            label for label, account in self._accounts.items() if account.session_id or account.left
        ]

    async def log_out(self, label: str, exchange: Exchange) -> None:
        """End the session at the service once no label uses it any more. Most faults are an end too: it was gone.

        Raises:
            TransportError, WireError: the service did not do it; the session may still be open.
        """
        account = self._accounts[label]
        account.labels.discard(label)
        if account.labels:
            return
        session_id = account.session_id or account.left
        if session_id is not None:
            await _logged_out(session_id, exchange)
            account.session_id = account.left = None

    def stays_open(self, label: str) -> None:
        """Logout was given up: nobody needs to wait for the room that it would have made."""
        self._accounts[label].stays_open = True

    def _opened(self, account: _Account, answered: Answered) -> None:
        content = answered.content
        if isinstance(content, Payload):
            session_id = content.field("SessionID") or content.text
            if session_id.strip("0-"):  # .NET's empty GUID is no session either
                account.session_id = Secret(session_id)
                account.failures = account.waits = 0
                return
            account.refusal = CredentialError("Login was refused: the answer holds no SessionID")
            raise account.refusal
        self._failed(account, _class_of(answered, content), str(content), answered.retry_after)

    def _failed(
        self, account: _Account, fault_class: FaultClass, text: str, retry_after: float | None
    ) -> None:
        account.failures += 1
        account.retry_after = retry_after
        if fault_class is FaultClass.THROTTLED and self._others_are_in(account):
            # the sessions of this very run may fill a cap: each that ends makes room
            raise LoginDelayedError(account.failures, retry_after)
        if fault_class in _PERMANENT:
            said = f"Login was refused ({fault_class.value}): {text}"[:500]
            account.refusal = CredentialError(said)
            raise account.refusal
        if account.failures >= self._attempts:
            said = f"Login failed {account.failures} times ({fault_class.value}): {text}"[:500]
            account.refusal = LoginFailedError(said, fault_class)
            raise account.refusal
        raise LoginDelayedError(account.failures, retry_after)


async def _clear(account: _Account, exchange: Exchange) -> None:
    """Log out what is said to be gone, before the next Login; once, whatever comes of it."""
    if account.left is not None:
        with contextlib.suppress(TransportError, WireError):
            await _logged_out(account.left, exchange)
        account.left = None


async def _logged_out(session_id: Secret, exchange: Exchange) -> None:
    answered = await exchange(LOGOUT, {"SessionID": session_id})
    content = answered.content
    if isinstance(content, Fault) and _class_of(answered, content) in _NOT_DONE:
        raise WireError(f"Logout failed: {content}")


def _class_of(answered: Answered, fault: Fault) -> FaultClass:
    if answered.told is not None:
        return answered.told
    has_retry_after = answered.retry_after is not None
    return classify_fault_at(answered.status, fault, has_retry_after=has_retry_after)
