"""Resolves references to secrets: `env:NAME`, `file:PATH`. Knows nothing of what the secrets are used for."""

import os
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from collector.config.settings import Alert, SessionEntry, Settings, is_loopback
from collector.domain.secret import Secret
from collector.errors import ConfigError

__all__ = [
    "ApiKey",
    "Credential",
    "Login",
    "Unreadable",
    "credentials",
    "is_plain",
    "ping_url",
    "referred",
    "require_readable",
    "s3_secrets",
]

_MAX_SECRET: Final = 65_536  # characters
_MOST_NAMED: Final = 20  # sessions in one message


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is used as the SessionID; no login needed."""

    key: Secret


@dataclass(frozen=True, slots=True)
class Login:
    """A login name and password; the operation Login gives the SessionID."""

    name: Secret
    password: Secret


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A credential whose variable or file could not be read: its session cannot be asked.

    Attributes:
        reason: key and reference, what is wrong, and what would be right.
    """

    reason: str


Credential = ApiKey | Login | Unreadable


def credentials(settings: Settings, beside: Path) -> dict[str, Credential]:
    """The credential of every session, by label; `file:` paths are relative to the folder `beside`.

    One that refers to a variable or file that is missing, empty, or readable by everyone is `Unreadable`.
    """
    return {entry.label: _credential(entry, beside) for entry in settings.sessions}


def require_readable(found: Mapping[str, Credential]) -> None:
    """Refuse to go on where no credential at all could be read.

    Raises:
        ConfigError: all are unreadable; the message names their sessions and the reasons.
    """
    unreadable = [
        f"session {label!r}: {credential.reason}"
        for label, credential in found.items()
        if isinstance(credential, Unreadable)
    ]
    if not unreadable or len(unreadable) < len(found):
        return
    more = len(unreadable) - _MOST_NAMED
    named = "; ".join(unreadable[:_MOST_NAMED])
    raise ConfigError(f"{named}; and {more} more" if more > 0 else named)


def _credential(entry: SessionEntry, beside: Path) -> Credential:
    values: dict[str, Secret] = {}
    reasons: list[str] = []
    for key in ("api_key", "login_name", "password"):
        reference: str | None = getattr(entry, key)
        if reference is None:
            continue
        try:
            values[key] = Secret(_resolved(f"{key} = {reference!r}", reference, beside))
        except ConfigError as error:
            reasons.append(str(error))
    if reasons:
        return Unreadable("; ".join(reasons))
    if "api_key" in values:
        return ApiKey(values["api_key"])
    return Login(values["login_name"], values["password"])


def referred(key: str, value: str, beside: Path) -> Secret:
    """What a key of the configuration refers to, or its own value where it is no reference.

    Raises:
        ConfigError: a variable or file that is missing, empty, or readable by everyone.
    """
    kind, _, target = value.partition(":")
    if kind not in ("env", "file") or target.startswith("//"):
        return Secret(value)
    return Secret(_resolved(f"{key} = {value!r}", value, beside))


def ping_url(alert: Alert, beside: Path) -> Secret | None:
    """The address that `alert.ping_url` refers to; None where there is none.

    Raises:
        ConfigError: a variable or file that is missing, empty, or readable by everyone; or no address stands there.
    """
    if alert.ping_url is None:
        return None
    what = f"alert.ping_url = {alert.ping_url!r}"
    found = _resolved(what, alert.ping_url, beside)
    try:
        url = urlsplit(found)
        is_address = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        is_address &= url.username is None
    except ValueError:
        is_address = False
    if not is_address or not found.isascii() or " " in found:
        raise ConfigError(
            f"{what}: what it refers to must be an https:// address, without spaces, and without a name and password"
            " before an @"
        )
    return Secret(found)


def is_plain(url: Secret) -> bool:
    """Whether what is sent there can be read on its way to another machine."""
    address = urlsplit(url.reveal())
    return address.scheme == "http" and not is_loopback(address.hostname or "")


def s3_secrets(settings: Settings) -> dict[str, Secret]:
    """The secrets that `storage.s3` names, by key; none where the environment is to give them.

    Raises:
        ConfigError: a variable or file that is missing, empty, or readable by everyone.
    """
    s3 = settings.storage.s3
    named = {key: getattr(s3, key) for key in ("access_key", "secret_key", "session_token")}
    return {
        key: Secret(_resolved(f"storage.s3.{key} = {reference!r}", reference, Path()))
        for key, reference in named.items()
        if reference is not None
    }


def _resolved(what: str, reference: str, beside: Path) -> str:
    """The secret that a reference leads to, without the white space around it; `what` begins the messages.

    Raises:
        ConfigError: a variable or file that is missing, empty, no line of text, or readable by everyone.
    """
    kind, _, target = reference.partition(":")
    if kind == "env":
        value = os.environ.get(target)
        if value is None:
            raise ConfigError(
                f"{what}: the environment variable {target} is not set where this command runs"
            )
    else:
        value = _read_secret_file(what, beside / target)
    if not value.strip():
        raise ConfigError(f"{what}: is empty; must be the secret itself")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value.strip()):
        raise ConfigError(f"{what}: must be one line of text, without control characters")
    return value.strip()


def _read_secret_file(what: str, path: Path) -> str:
    try:
        with open(
            path, encoding="utf-8-sig", opener=_open_without_waiting
        ) as file:  # pathlib has none
            found = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(found):
                raise ConfigError(
                    f"{what}: {path} is not a regular file; must be one that holds the secret"
                )
            mode = stat.S_IMODE(found)
            if mode & stat.S_IROTH:
                raise ConfigError(
                    f"{what}: {path} can be read by everyone (mode {mode:04o}); chmod 0600 {path}"
                )
            text = file.read(_MAX_SECRET + 1)
            if len(text) > _MAX_SECRET:
                raise ConfigError(
                    f"{what}: {path} is too long; must have at most {_MAX_SECRET} characters"
                )
            return text
    except OSError as error:
        raise ConfigError(
            f"{what}: {path} cannot be read ({error.strerror}); must be a file that this user may read"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: {path} is not text in UTF-8; must be one line of it") from error


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a FIFO, too, at once, where `open` would wait until somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)
