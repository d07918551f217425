"""A TOML file, and the CSV file it may name -> settings, validated. Resolves no reference to a secret."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from collector.config.explanation import Document, explained
from collector.config.sessions_file import read_sessions_file
from collector.config.settings import Alert, Metrics, Settings
from collector.domain.trust import trust
from collector.errors import ConfigError

__all__ = ["load", "watchers"]

_Kind = TypeVar("_Kind", bound=BaseModel)


def load(path: Path) -> Settings:
    """Read and validate a configuration file.

    Raises:
        ConfigError: unreadable, not TOML, or a key or value that is not allowed.
    """
    document = _with_listed_sessions(_read_toml(path), path.parent)
    _resolve_s3_secret_files(document.content, path.parent)
    try:
        settings = Settings.model_validate(document.content)
    except ValidationError as error:
        raise ConfigError(f"configuration {path}: {explained(error, document)}") from error
    return _with_ca_file(settings, path)


def watchers(path: Path) -> tuple[Alert, Metrics]:
    """Who is to be told of a run, as far as a configuration says it, whatever else is wrong there."""
    try:
        content = _read_toml(path)
    except ConfigError:
        return Alert(), Metrics()
    return _section(Alert, content.get("alert", {})), _section(Metrics, content.get("metrics", {}))


def _section(kind: type[_Kind], content: object) -> _Kind:
    """A section by itself; as if it were not there if it is wrong."""
    try:
        return kind.model_validate(content)
    except ValidationError:
        return kind()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"configuration {path}: cannot be read ({error.strerror}); must be a TOML file that this user may read,"
            " `ecgrid-stats init` writes one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"configuration {path}: not TOML in UTF-8 ({error}); text stands in quotes, the name of a table in brackets"
        ) from error
    except RecursionError as error:
        raise ConfigError(
            f"configuration {path}: tables or lists nested too deeply; must be like config/production.toml"
        ) from error


def _with_listed_sessions(content: dict[str, Any], folder: Path) -> Document:
    """The document with the sessions of the file that `sessions_file` names after its own; wrong types are left."""
    name, own = content.get("sessions_file"), content.get("sessions", [])
    # no path holds the character 0: the validator refuses it
    if not isinstance(name, str) or not isinstance(own, list) or "\0" in name:
        return Document(content, None)
    listed = read_sessions_file(folder / name)
    return Document({**content, "sessions": [*own, *listed.rows]}, listed)


def _resolve_s3_secret_files(content: dict[str, Any], folder: Path) -> None:
    """Make `file:` references of `storage.s3` absolute: they are relative to the configuration's folder."""
    storage = content.get("storage")
    s3 = storage.get("s3") if isinstance(storage, dict) else None
    if not isinstance(s3, dict):
        return
    for key, value in s3.items():
        if isinstance(value, str) and value.startswith("file:") and value != "file:":
            s3[key] = f"file:{folder.absolute() / value.removeprefix('file:')}"


def _with_ca_file(settings: Settings, path: Path) -> Settings:
    """Settings whose `service.ca_file`, relative to the configuration's folder, was found to hold certificates.

    Raises:
        ConfigError: it cannot be read, or holds none.
    """
    name = settings.service.ca_file
    if name is None:
        return settings
    ca_file = path.parent / name
    try:
        trust(ca_file)
    except ValueError as error:
        raise ConfigError(
            f"configuration {path}: service.ca_file = {str(name)!r}: {error}"
        ) from error
    service = settings.service.model_copy(update={"ca_file": ca_file})
    return settings.model_copy(update={"service": service})
