"""What a validator found wrong -> one sentence: where it stands, the value unless it may be a secret, what is right."""

import difflib
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from collector.config.sessions_file import NUMBERS, SessionsFile
from collector.config.settings import LABEL_TWICE, MAX_ID, SessionEntry, Settings
from collector.domain.calls import MAX_WINDOW_MINUTES, MIN_WINDOW_MINUTES
from collector.domain.secret import MASK

__all__ = ["Document", "explained"]

_MOST_PROBLEMS: Final = 3  # in one sentence
_LONGEST_SHOWN: Final = 100  # characters of a value
_LONGEST_NUMBER: Final = 12  # characters of what may be a misspelt number; an API key is longer
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
    ("string_pattern", "must be names of letters, digits and _, joined by dots"),
    ("string", "must be text"),
    ("bool", "must be true or false"),
    ("int", "must be a whole number"),
    ("float", "must be a number"),
    ("tuple", "must be a list"),
    ("path", "must be a path"),
    ("model", "must be a table"),
)

_Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a configuration says, before it is validated.

    Attributes:
        content: the TOML document; its `sessions` are followed by those of the sessions file.
        sessions_file: None if there is none.
    """

    content: dict[str, Any]
    sessions_file: SessionsFile | None

    def place_of_session(self, index: int) -> str:
        """Where a session is written: an entry of `sessions`, or a line of the sessions file; both count from 1."""
        listed = self.sessions_file
        if listed is not None:
            row = index - (len(self.content["sessions"]) - len(listed.rows))
            if row >= 0:
                return f"sessions_file {listed.path}, line {listed.lines[row]}"
        return f"sessions, entry {index + 1}"

    def value_at(self, location: _Location) -> object:
        """The value that stands there; None if there is none."""
        value: Any = self.content
        for part in location:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def explained(error: ValidationError, document: Document) -> str:
    """The first problems in one sentence, and how many more there are."""
    details = error.errors()
    locations = {detail["loc"] for detail in details}
    # a list is called empty because its entries were refused: the entries are the cause
    outer = {location[:depth] for location in locations for depth in range(len(location))}
    causes = [detail for detail in details if detail["loc"] not in outer]
    problems = [_problem(dict(each), document, locations) for each in causes[:_MOST_PROBLEMS]]
    more = f" (and {len(causes) - len(problems)} more)" if len(causes) > len(problems) else ""
    return "; ".join(problems) + more


def _problem(detail: dict[str, Any], document: Document, locations: AbstractSet[_Location]) -> str:
    location: _Location = detail["loc"]
    if detail["type"] == LABEL_TWICE:
        first, second = (
            document.place_of_session(detail["ctx"][key]) for key in ("first", "second")
        )
        label = detail["ctx"]["label"]
        return f"label {label!r} stands twice, at {first} and at {second}; labels must differ"
    where, key = "", location
    if location[:1] == ("sessions",) and len(location) > 1:
        index, key = int(location[1]), location[2:]
        has_label = ("sessions", index, "label") not in locations
        where = f"{_session(document, index, has_label=has_label)}: "
    return where + _said(detail, ".".join(map(str, key)), document.value_at(location))


def _session(document: Document, index: int, *, has_label: bool) -> str:
    """A session by its label, where it has a good one, and the place where it is written."""
    place = document.place_of_session(index)
    label = document.value_at(("sessions", index, "label"))
    return f"session {label!r} ({place})" if has_label and isinstance(label, str) else place


def _said(detail: dict[str, Any], key: str, value: object) -> str:
    """Key, value and what is right."""
    location: _Location = detail["loc"]
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key}{_suggestion(location)}"
    if detail["type"] == "missing":
        wanted = ": must be the session's name" if location[:1] == ("sessions",) else ""
        return f"{key} is missing{wanted}"
    wanted = _wanted(detail)
    if not key:
        return wanted
    if isinstance(value, dict | list) or _may_be_secret(location, value):
        return f"{key}: {wanted}"
    return f"{key} = {_shown(value)}: {wanted}"


def _may_be_secret(location: _Location, value: object) -> bool:
    """Whatever stands where credentials belong may be one, and so may a long text in a column of numbers."""
    if location[:1] == ("sessions",):
        if location[-1] in NUMBERS:
            return isinstance(value, str) and len(value) > _LONGEST_NUMBER
        return location[-1] != "label"
    if location[:2] == ("storage", "s3"):
        return location[-1] not in ("endpoint", "region")
    return location[:1] == ("warehouse",) or location == ("alert", "ping_url")


def _wanted(detail: dict[str, Any]) -> str:
    """What would be right, in the user's terms where the validator speaks of Python."""
    location: _Location = detail["loc"]
    if location[:2] == ("windows", "minutes") and len(location) > 2:
        return f"must be a whole number of minutes, {MIN_WINDOW_MINUTES} to {MAX_WINDOW_MINUTES}"
    if location[:1] == ("sessions",) and location[-1] in NUMBERS:
        return f"must be a whole number, 0 to {MAX_ID}"
    kind, context = str(detail["type"]), detail.get("ctx", {})
    for start, form in _FORMS:
        if kind.startswith(start):
            return form.format(**{name: _plain(value) for name, value in context.items()})
    message = str(detail["msg"]).removeprefix("Value error, ")
    message = message.removeprefix(f"{detail['input']!r}: ")  # stands before it already
    return message[:1].lower() + message[1:]


def _plain(value: object) -> object:
    """A bound as its author writes it: 0 and not 0.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: object) -> str:
    """The value, without the credentials that a URL may hold, and cut off where it is long."""
    if isinstance(value, str) and "//" in value:
        value = re.sub(r"[?#].*", "?" + MASK, re.sub(r"(?<=//).*@", MASK + "@", value))
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def _suggestion(location: _Location) -> str:
    """The known key that is closest to an unknown one, or all known keys of its table."""
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
