"""Who may call: users, their credentials and mailboxes, and the sessions they have open. No HTTP."""

import csv
import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from collector.simulator.switches import Switches

__all__ = ["Accounts", "Credentials", "LoginRefusal", "OpenSession", "Population", "User"]

_FIRST_USER_ID: Final = 7_000
_FIRST_NETWORK_ID: Final = 300
_FIRST_MAILBOX_ID: Final = 10_000
_MAILBOXES_PER_NETWORK: Final = 25
_MAX_FORMER: Final = 100_000


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one label calls with: an API key, or a login name and password. All made up."""

    label: str
    api_key: str | None = field(default=None, repr=False)
    login_name: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """One user of the service; each has a mailbox of its own."""

    credentials: Credentials
    user_id: int
    network_id: int
    mailbox_id: int

    @property
    def label(self) -> str:
        """The name of the session, in logs and in the truth."""
        return self.credentials.label


@dataclass(frozen=True, slots=True)
class Population:
    """The users there are.

    Attributes:
        login_every: every Nth user logs in with name and password; 0 is none, 1 is all.
        prefix: labels are `<prefix>-0001` and so on.
    """

    sessions: int = 50
    login_every: int = 5
    prefix: str = "mailbox"

    def __post_init__(self) -> None:
        if not 1 <= self.sessions <= 1_000_000:
            raise ValueError(f"a population of {self.sessions} sessions: must be 1 to 1,000,000")
        if self.login_every < 0:
            raise ValueError(f"login_every = {self.login_every}: must be 0 (none) or more")

    def credentials(self) -> dict[str, Credentials]:
        """What each label calls with."""
        return {user.label: user.credentials for user in self.users()}

    def users(self) -> tuple[User, ...]:
        """Every user, by number."""
        return tuple(self._user(number) for number in range(1, self.sessions + 1))

    def _user(self, number: int) -> User:
        """The user of that number; one network holds several mailboxes in a row."""
        label = f"{self.prefix}-{number:04d}"
        if self.login_every and number % self.login_every == 0:
            credentials = Credentials(
                label, None, f"fake-login-{number:04d}", f"fake-password-{number:04d}"
            )
        else:
            credentials = Credentials(label, f"fake-key-{number:04d}")
        return User(
            credentials,
            _FIRST_USER_ID + number,
            _FIRST_NETWORK_ID + (number - 1) // _MAILBOXES_PER_NETWORK,
            _FIRST_MAILBOX_ID + number,
        )

    def write_credentials(self, path: Path) -> None:
        """A CSV with the columns label, api_key, login_name, password."""
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("label", "api_key", "login_name", "password"))
            for each in self.credentials().values():
                rows.writerow((each.label, each.api_key, each.login_name, each.password))


class LoginRefusal(StrEnum):
    """Why there is no session."""

    WRONG = "authentication"
    CAP = "session_cap"


@dataclass(slots=True)
class OpenSession:
    """One login that was not followed by a logout."""

    session_id: str
    user: User
    address: str
    opened_us: int
    used_us: int
    calls: int = 0
    expired: bool = False


class Accounts:
    """The users, and the sessions open at the moment."""

    def __init__(self, population: Population, seed: int) -> None:
        self._seed = seed
        self._users = population.users()
        self._by_key = {
            user.credentials.api_key: user for user in self._users if user.credentials.api_key
        }
        self._by_login = {
            user.credentials.login_name: user for user in self._users if user.credentials.login_name
        }
        self._by_mailbox = {user.mailbox_id: user for user in self._users}
        self._by_label = {user.label: user for user in self._users}
        self._open: dict[str, OpenSession] = {}
        self._former: dict[str, User] = {}  # so that the log can name who used an ended session
        self._by_user: dict[str, dict[str, OpenSession]] = {user.label: {} for user in self._users}
        self._last_login_us: dict[str, int] = {}
        self.logins: dict[str, int] = {}
        self.logouts: dict[str, int] = {}
        self.most_open: dict[str, int] = {}

    def user(self, label: str) -> User | None:
        """The user of that label."""
        return self._by_label.get(label)

    def user_of_login(self, login_name: str) -> User | None:
        """The user with that login name, whatever the password."""
        return self._by_login.get(login_name)

    def user_of_mailbox(self, mailbox_id: int) -> User | None:
        """The user that owns the mailbox."""
        return self._by_mailbox.get(mailbox_id)

    def users_of_network(self, network_id: int) -> tuple[User, ...]:
        """The users whose mailboxes are in the network."""
        return tuple(user for user in self._users if user.network_id == network_id)

    def owner(self, session_id: str) -> User | None:
        """Whose key or session this is, still valid or not."""
        session = self._open.get(session_id)
        if session is not None:
            return session.user
        return self._by_key.get(session_id) or self._former.get(session_id)

    def session(self, session_id: str) -> OpenSession | None:
        """The open session of that id; None for an API key."""
        return self._open.get(session_id)

    def login(
        self, login_name: str, password: str, address: str, now_us: int, switches: Switches
    ) -> OpenSession | LoginRefusal:
        """Opens a session."""
        user = self._by_login.get(login_name)
        if user is None or user.credentials.password != password:
            return LoginRefusal.WRONG
        sessions = self._by_user[user.label]
        # An expired session counts until somebody looks, so this is the moment to look.
        for session in list(sessions.values()):
            self._check_expiry(session, now_us, switches)
        if len(sessions) >= switches.session_cap:
            return LoginRefusal.CAP
        count = self.logins[user.label] = self.logins.get(user.label, 0) + 1
        session = OpenSession(self._session_id(user, count), user, address, now_us, now_us)
        self._open[session.session_id] = sessions[session.session_id] = session
        self._last_login_us[user.label] = now_us
        self.most_open[user.label] = max(self.most_open.get(user.label, 0), len(sessions))
        return session

    def admitted(
        self, session_id: str, address: str, now_us: int, switches: Switches
    ) -> User | None:
        """The user a call is for; None if the key or session is not valid (any more)."""
        session = self._open.get(session_id)
        if session is None:
            return self._by_key.get(session_id)  # a key is bound to no address and never expires
        if self._check_expiry(session, now_us, switches):
            return None
        if switches.ip_binding and session.address != address:
            return None
        session.calls += 1
        session.used_us = now_us
        return session.user

    def logout(self, session_id: str) -> bool:
        """Closes a session; False if there is none of that id."""
        session = self._open.get(session_id)
        if session is None:
            return False
        self._close(session)
        label = session.user.label
        self.logouts[label] = self.logouts.get(label, 0) + 1
        return True

    def open_sessions(self, label: str) -> int:
        """How many sessions of that user count against the cap."""
        return len(self._by_user.get(label, {}))

    def last_login_us(self, label: str) -> int | None:
        """When that user logged in last."""
        return self._last_login_us.get(label)

    def state(self) -> dict[str, object]:
        """Open sessions, logins and logouts, by label and in sum."""
        labels = {label: len(sessions) for label, sessions in self._by_user.items() if sessions}
        return {
            "users": len(self._users),
            "open_sessions": labels,
            "logins": dict(self.logins),
            "logouts": dict(self.logouts),
            "most_open": dict(self.most_open),
            "totals": {
                "open_sessions": sum(labels.values()),
                "logins": sum(self.logins.values()),
                "logouts": sum(self.logouts.values()),
            },
        }

    def _session_id(self, user: User, count: int) -> str:
        """An id that depends on seed, user and number of the login only."""
        digest = hashlib.blake2b(
            f"{self._seed}\0{user.label}\0{count}".encode(), digest_size=6
        ).hexdigest()
        return f"ffffffff-ffff-ffff-ffff-{digest}"  # GUID-shaped, and plainly not a real one

    def _check_expiry(self, session: OpenSession, now_us: int, switches: Switches) -> bool:
        """Whether the session is no longer good; what housekeeping would do is done on the spot."""
        since_us = session.used_us if switches.sliding_timeout else session.opened_us
        spent = 0 < switches.expire_after_calls <= session.calls
        if spent or now_us - since_us > switches.session_timeout_seconds * 1_000_000:
            session.expired = True
        if session.expired and switches.release_expired:
            self._close(session)
        return session.expired

    def _close(self, session: OpenSession) -> None:
        """Frees the session's place under the cap."""
        if self._open.pop(session.session_id, None) is not None:
            if len(self._former) >= _MAX_FORMER:
                self._former.pop(next(iter(self._former)))
            self._former[session.session_id] = session.user
        self._by_user[session.user.label].pop(session.session_id, None)
