"""From a session's label to its SessionID: API keys as they are, logins by Login, ended by Logout.

Labels with the same key, or the same login name and password, share a credential: its SessionID, and what the service
has refused. A credential that the service refuses is not tried again in this run: account lock-out is real. What it may
not see is remembered of each label, so that it is asked for once. Replies to Login hold credentials and are never
landed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
class _Key:
    """An API key and what became of it.

    Attributes:
        label: the first that has it.
        labels: how many have it.
        strikes: faults in a row that say that it is not valid.
    """

    label: str
    key: Secret
    labels: int = 0
    strikes: int = 0

    @property
    def refusal(self) -> str | None:
        """Why it is not sent any more; None while it is."""
        if self.strikes < _STRIKES:
            return None
        others = self.labels - 1
        shared = f", which {self.label!r} and {others} other labels share," if others else ""
        return f"the API key{shared} was refused {_STRIKES} times in a row"


@dataclass(slots=True)
class _Account:
    """A login and what became of it.

    Attributes:
        label: the first that has it.
        failures: Logins in a row that failed.
        charged: those of them that count against `retry.attempts`.
        fruitless: SessionIDs in a row that were refused without one call having been answered.
        ready_at: the next Login is not sent before this instant (monotonic seconds).
        expired: a SessionID that a fault called gone. The service may still count the session as open: what only
            expired fills its place until it is logged out.
        stays_open: Logout was given up.
    """

    label: str
    login: Login
    session_id: Secret | None = None
    refusal: CredentialError | None = None
    failures: int = 0
    charged: int = 0
    fruitless: int = 0
    ready_at: float = 0.0
    expired: Secret | None = None
    stays_open: bool = False


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A credential that could not be read; each label has its own."""

    label: str
    reason: str


class Credentials:
    """The SessionIDs of all sessions of a run."""

    def __init__(self, credentials: Mapping[str, Credential]) -> None:
        self._of: dict[str, _Key | _Account | _Unreadable] = {}
        self._denials: dict[str, str] = {}  # label -> what the service said
        keys: dict[ApiKey, _Key] = {}
        accounts: dict[Login, _Account] = {}
        for label, credential in credentials.items():
            if isinstance(credential, Unreadable):
                self._of[label] = _Unreadable(label, credential.reason)
            elif isinstance(credential, ApiKey):
                key = keys.setdefault(credential, _Key(label, credential.key))
                self._of[label] = key
                key.labels += 1
            else:
                self._of[label] = accounts.setdefault(credential, _Account(label, credential))
        self._accounts = tuple(accounts.values())

    def __contains__(self, label: str) -> bool:
        """There is a credential of that label."""
        return label in self._of

    def session_of(self, label: str) -> str:
        """The first of the labels that share this one's credential: it stands for all of them."""
        return self._of[label].label

    def has_login(self, label: str) -> bool:
        """The session needs a Login (and a Logout)."""
        return isinstance(self._of[label], _Account)

    def session_id(self, label: str) -> Secret | None:
        """The SessionID in force; None where a Login is due.

        Raises:
            CredentialError: the credential was refused, or could not be read.
        """
        known = self._of[label]
        if isinstance(known, _Unreadable):
            raise CredentialError(known.reason)
        if isinstance(known, _Key):
            if known.refusal:
                raise CredentialError(known.refusal)
            return known.key
        if known.refusal:
            raise known.refusal
        return known.session_id

    def needs_login(self, label: str) -> bool:
        """A Login is due before the next call, and may help."""
        account = self._of[label]
        if not isinstance(account, _Account):
            return False
        return account.session_id is None and account.refusal is None

    def secrets(self, label: str) -> tuple[Secret, ...]:
        """What must not be kept of a reply to this session."""
        known = self._of.get(label)
        if isinstance(known, _Key):
            return (known.key,)
        if not isinstance(known, _Account):  # it could not be read
            return ()
        every = (known.session_id, known.expired, known.login.password)
        return tuple(each for each in every if each is not None)

    def unspoken(self, label: str) -> tuple[Secret, ...]:
        """What must not be said in a text: the login name too. In a reply it may be a table's or a column's name."""
        own, known = self.secrets(label), self._of.get(label)
        return (*own, known.login.name) if isinstance(known, _Account) else own

    def masked(self, label: str, text: str, *more: Secret) -> str:
        """A text with the session's secrets, and more, masked; it may be unescaped, or quote the bytes of a reply."""
        if not text:
            return text
        found, _ = mask(text.encode(errors="replace"), (*more, *self.unspoken(label)))
        return found.decode(errors="replace")

    def accepted(self, label: str) -> None:
        """The service accepted this session's SessionID."""
        known = self._of[label]
        if isinstance(known, _Account):
            known.fruitless = 0
        elif isinstance(known, _Key):
            known.strikes = 0

    def denied(self, label: str, said: str) -> None:
        """The service does not let this label's session see what the label asks for."""
        self._denials[label] = said

    def denial(self, label: str) -> str | None:
        """What the service said when it did not let the label see what it asks for; None if it never did."""
        return self._denials.get(label)

    def key_refusal(self, label: str) -> str | None:
        """Why the label's key is not sent any more; None while it is, and for a login."""
        known = self._of[label]
        return known.refusal if isinstance(known, _Key) else None

    def is_known_gone(self, label: str, session_id: Secret) -> bool:
        """Another call has found out before that this SessionID is not valid any more."""
        account = self._of[label]
        return isinstance(account, _Account) and account.session_id != session_id

    def gone(self, label: str, session_id: Secret) -> bool:
        """A fault says that `session_id` is not valid (any more). True if a Login may help."""
        known = self._of[label]
        if isinstance(known, _Key):
            known.strikes += 1
        if not isinstance(known, _Account):
            return False
        if known.session_id == session_id:
            known.session_id, known.expired = None, session_id
            known.fruitless += 1
            if known.fruitless >= _STRIKES:
                known.refusal = CredentialError("Login succeeds, but its SessionIDs are refused")
        return known.refusal is None

    async def log_in(self, label: str, asker: Asker) -> bool:
        """Send Login, which only one label of a credential does at a time; whether there is a SessionID now.

        False: Login failed in a way that may pass, and the next one of this credential may be sent at `login_ready_at`.

        Raises:
            CredentialError: the service refuses this credential, or Login failed too often.
        """
        account = self._account(label)
        if account.refusal:
            raise account.refusal
        if account.session_id is not None:
            return True
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
        return self._account(label).ready_at

    def open_logins(self) -> list[str]:
        """The labels that stand for credentials with an open session at the service."""
        return [each.label for each in self._accounts if each.session_id or each.expired]

    async def log_out(self, label: str, asker: Asker) -> Meaning | None:
        """End the session at the service, for all labels that share it; what stood in the way, None if nothing did.

        Most faults are an end too: there is no such session any more.
        """
        account = self._account(label)
        session_id = account.session_id or account.expired
        if session_id is None:
            return None
        meaning = await asker.ask(LOGOUT, {"SessionID": session_id})
        if not ends_session(meaning):
            return meaning
        account.session_id = account.expired = None
        return None

    async def end(
        self, label: str, asker: Asker, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> bool:
        """`log_out`, again as often and as late as the policy says; whether nothing of the credential is open any more.

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
        self._account(label).stays_open = True

    def _account(self, label: str) -> _Account:
        account = self._of[label]
        if isinstance(account, _Account):
            return account
        raise LookupError(f"session {label!r} has no login")

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
            for other in self._accounts
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
