"""References to secrets (`env:NAME`, `file:PATH`) -> the credentials of the sessions."""

import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collector.config.settings import Settings
from collector.domain.secret import Secret
from collector.errors import ConfigError

__all__ = ["ApiKey", "Credential", "Login", "credentials", "referred", "s3_secrets"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is used as the SessionID; no login needed."""

    key: Secret


@dataclass(frozen=True, slots=True)
class Login:
    """A login name and password; the operation Login gives the SessionID."""

    name: Secret
    password: Secret


_MAX_SECRET: Final = 65_536
Credential = ApiKey | Login


def credentials(settings: Settings, beside: Path) -> dict[str, Credential]:
    """The credential of every session, by label; `file:` paths are relative to the folder `beside`.

    Raises:
        ConfigError: a variable or file that is missing, empty, or readable by everyone.
    """

    def secret(label: str, key: str, reference: str) -> Secret:
        value = _resolved(f"session {label!r}: {key} = {reference!r}", reference, beside)
        return Secret(value)

    found: dict[str, Credential] = {}
    for entry in settings.sessions:
        if entry.api_key is not None:
            found[entry.label] = ApiKey(key=secret(entry.label, "api_key", entry.api_key))
        elif entry.login_name is not None and entry.password is not None:
            found[entry.label] = Login(
                name=secret(entry.label, "login_name", entry.login_name),
                password=secret(entry.label, "password", entry.password),
            )
    return found


def referred(key: str, value: str, beside: Path) -> Secret:
    """What a key of the configuration refers to, or its own value where it is no reference.

    Raises:
        ConfigError: a variable or file that is missing, empty, or readable by everyone.
    """
    kind, _, target = value.partition(":")
    if kind not in ("env", "file") or target.startswith("//"):
        return Secret(value)
    return Secret(_resolved(f"{key} = {value!r}", value, beside))


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
    kind, _, target = reference.partition(":")
    if kind == "env":
        value = os.environ.get(target)
        if value is None:
            raise ConfigError(f"{what}: the environment variable {target} is not set")
    else:
        value = _read_secret_file(what, beside / target)
    if not value.strip():
        raise ConfigError(f"{what}: it is empty")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value.strip()):
        raise ConfigError(f"{what}: must be one line of text, without control characters")
    return value.strip()


def _read_secret_file(what: str, path: Path) -> str:
    try:
        with open(path, encoding="utf-8-sig", opener=_at_once) as file:  # pathlib has no opener
            found = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(found):
                raise ConfigError(
                    f"{what}: {path} is no plain file; must be one, with the secret in it"
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
        raise ConfigError(f"{what}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: {path} is not UTF-8 text") from error


def _at_once(path: str, flags: int) -> int:
    """Opening a FIFO would wait for somebody who writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)
