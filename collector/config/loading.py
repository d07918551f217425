"""A TOML file, and the CSV it may name -> settings; every error names key, value and what is allowed."""

import csv
import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from collector.config.settings import SessionEntry, Settings
from collector.domain.secret import MASK
from collector.domain.trust import trust
from collector.domain.values import MAX_WINDOW_MINUTES, MIN_WINDOW_MINUTES
from collector.errors import ConfigError

__all__ = ["load"]

_FORMS: Final = (  # what a validator's kind of error starts with -> what would be right
    ("finite_number", "must be a number"),
    ("greater_than_equal", "must be at least {ge}"),
    ("less_than_equal", "must be at most {le}"),
    ("greater_than", "must be more than {gt}"),
    ("less_than", "must be less than {lt}"),
    ("literal_error", "must be {expected}"),
    ("enum", "must be {expected}"),
    ("too_short", "must have at least {min_length} entry"),
    ("string_too_short", "must not be empty"),
    ("string_too_long", "must have at most {max_length} characters"),
    ("string", "must be text"),
    ("bool", "must be true or false"),
    ("int", "must be a whole number"),
    ("float", "must be a number"),
    ("tuple", "must be a list"),
    ("path", "must be a path"),
    ("model", "must be a table"),
)
_CSV_COLUMNS: Final = ("label", "api_key", "login_name", "password")


@dataclass(frozen=True, slots=True)
class _Listed:
    """The sessions of a CSV file, and the line on which each ends."""

    path: Path
    rows: list[dict[str, str]]
    lines: list[int]


def load(path: Path) -> Settings:
    """Read and validate a configuration file.

    Raises:
        ConfigError: unreadable, not TOML, or a key or value that is not allowed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"configuration {path}: not TOML of ours: nested too deeply") from error
    _refuse_null(path, "", document)
    listed = _Listed(path, [], [])
    if isinstance(document.get("sessions_file"), str):
        listed = _listed_sessions(path.parent / document["sessions_file"])
        own = document.get("sessions", [])
        document["sessions"] = [*own, *listed.rows] if isinstance(own, list) else own
    _from_here(document, path.parent)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        said = _explained(error, document, listed)
        raise ConfigError(f"configuration {path}: {said}") from error
    return _with_ca_file(settings, path)


def _refuse_null(path: Path, key: str, value: object) -> None:
    """No name of a file, host or variable may hold the character 0; the system's calls stumble over it."""
    if isinstance(value, dict):
        for name, each in value.items():
            _refuse_null(path, f"{key}.{name}" if key else name, each)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            _refuse_null(path, f"{key}.{place}", each)
    elif isinstance(value, str) and "\0" in value:
        raise ConfigError(f"configuration {path}: {key}: must be text without the character 0")


def _refuse_null_in_cell(where: str, column: str, cell: str) -> None:
    """Likewise; a cell other than the label may be a credential, and is not shown."""
    if "\0" in cell:
        named = f"{column} = {cell!r}" if column == "label" else column
        raise ConfigError(f"{where}, {named}: must be text without the character 0")


def _with_ca_file(settings: Settings, path: Path) -> Settings:
    """The private authority's file found from the configuration's folder, and good for something."""
    named = settings.service.ca_file
    if named is None:
        return settings
    ca_file = path.parent / named
    try:
        trust(ca_file)
    except ValueError as error:
        said = f"configuration {path}: service.ca_file = {str(named)!r}: {error}"
        raise ConfigError(said) from error
    service = settings.service.model_copy(update={"ca_file": ca_file})
    return settings.model_copy(update={"service": service})


def _from_here(document: dict[str, Any], folder: Path) -> None:
    """Secrets of the storage in files: relative to the configuration, as those of the sessions are."""
    storage = document.get("storage")
    s3 = storage.get("s3") if isinstance(storage, dict) else None
    if not isinstance(s3, dict):
        return
    for key, value in s3.items():
        if isinstance(value, str) and value.startswith("file:") and value != "file:":
            s3[key] = f"file:{folder.absolute() / value.removeprefix('file:')}"


def _listed_sessions(path: Path) -> _Listed:
    """The rows of a sessions file; white space around a cell is not part of it, and empty cells count as absent."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True, skipinitialspace=True)
            rows.fieldnames = columns = [name.strip() for name in rows.fieldnames or ()]
            wanted = set(columns) <= set(_CSV_COLUMNS) and "label" in columns
            if not wanted or len(set(columns)) < len(columns):
                # without its head, the file's first line would be a credential's
                shown = [
                    column if difflib.get_close_matches(column, _CSV_COLUMNS) else "(unknown)"
                    for column in columns
                ]
                raise ConfigError(
                    f"sessions_file {path}: columns {', '.join(shown) or '(none)'}:"
                    f" must be {', '.join(_CSV_COLUMNS)}"
                )
            listed = _Listed(path, [], [])
            for row in rows:
                where = f"sessions_file {path}, line {rows.line_num}"
                if None in row:
                    raise ConfigError(f"{where}: too many cells; must be {len(columns)}")
                cells = {column: cell.strip() for column, cell in row.items() if cell}
                for column, cell in cells.items():
                    _refuse_null_in_cell(where, column, cell)
                if not cells.get("label"):
                    raise ConfigError(f"{where}, label is missing: must be the session's name")
                listed.rows.append({column: cell for column, cell in cells.items() if cell})
                listed.lines.append(rows.line_num)
            return listed
    except OSError as error:
        raise ConfigError(f"sessions_file {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"sessions_file {path}: not a CSV file: {error}") from error


def _explained(error: ValidationError, document: dict[str, Any], listed: _Listed) -> str:
    """The first problems in one sentence: key, value, what is allowed."""
    details = error.errors(include_url=False)
    causes = [
        each for each in details if not _follows(each["loc"], [one["loc"] for one in details])
    ]
    problems = [_problem(dict(detail), document, listed) for detail in causes]
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more


def _problem(detail: dict[str, Any], document: dict[str, Any], listed: _Listed) -> str:
    location = list(detail["loc"])
    key = _key(location, document, listed)
    message = _wanted(detail)
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key}{_suggestion(location)}"
    if detail["type"] == "missing":
        return f"{key} is missing"
    value = _value_at(document, location)
    # whatever else stands where credentials belong may be one
    is_secret = location[:1] in (["sessions"], ["warehouse"]) and location[-1] != "label"
    is_secret |= location[:2] == ["storage", "s3"] and location[-1] not in ("endpoint", "region")
    if not location or is_secret or isinstance(value, dict | list):
        return f"{key}: {message}" if key else message
    return f"{key} = {_shown(value)}: {message}"


def _key(location: list[str | int], document: dict[str, Any], listed: _Listed) -> str:
    """The place of a value as its author finds it: the key, or the line of the sessions file."""
    if location[:1] == ["sessions"] and len(location) > 1 and isinstance(location[1], int):
        place = location[1] - (len(document["sessions"]) - len(listed.rows))
        if place >= 0:
            rest = "".join(f", {part}" for part in location[2:])
            return f"sessions_file {listed.path}, line {listed.lines[place]}{rest}"
    return ".".join(str(part) for part in location)


def _follows(location: tuple[int | str, ...], others: list[tuple[int | str, ...]]) -> bool:
    """A list is called empty because its entries were refused; the entries are the cause."""
    return any(other != location and other[: len(location)] == location for other in others)


def _wanted(detail: dict[str, Any]) -> str:
    """What would be right, in our words where the validator speaks of Python."""
    if list(detail["loc"])[:2] == ["windows", "minutes"] and len(detail["loc"]) > 2:
        return f"must be a whole number of minutes, {MIN_WINDOW_MINUTES} to {MAX_WINDOW_MINUTES}"
    kind, context = str(detail["type"]), detail.get("ctx", {})
    for start, form in _FORMS:
        if kind.startswith(start):
            return form.format(**context)
    message = str(detail["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _shown(value: object) -> str:
    """The value, without the credentials that a URL may hold."""
    if isinstance(value, str) and "//" in value:
        value = re.sub(r"[?#].*", "?" + MASK, re.sub(r"(?<=//).*@", MASK + "@", value))
    return repr(value)


def _value_at(document: object, location: list[str | int]) -> object:
    for part in location:
        try:
            document = document[part]  # type: ignore[index]  # what TOML holds is known only here
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _suggestion(location: list[str | int]) -> str:
    """The known keys of the table in which an unknown one stands, the closest first."""
    model: type[BaseModel] = Settings
    for part in location[:-1]:
        if isinstance(part, str):
            model = SessionEntry if part == "sessions" else _submodel(model, part)
    known = [field.alias or name for name, field in model.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f": did you mean {close[0]}?" if close else f": known are {', '.join(known)}"


def _submodel(model: type[BaseModel], name: str) -> type[BaseModel]:
    annotation = model.model_fields[name].annotation
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next(
        kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)
    )
