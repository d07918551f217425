"""A secret does not print itself, whoever asks; a credential in a wrong place of the configuration is not shown."""

import copy
import csv
import dataclasses
import io
import json
import logging
import pickle
import pprint
import string
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import structlog
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from collector.config import ApiKey, Login, load
from collector.config.sessions_file import COLUMNS
from collector.config.settings import SessionEntry, Settings, _reference
from collector.domain.secret import Secret
from collector.errors import ConfigError
from collector.simulator import Simulator
from collector.wire.operations import LOGIN
from collector.wire.requests import encode
from pipelines.cli.logs import set_up
from tests.reliability.canaries import canary

VALUE: Final = canary(7)
CORE: Final = VALUE.split("-")[2]
HOLDERS: Final[dict[str, Any]] = {
    "itself": Secret(VALUE),
    "list": [Secret(VALUE)],
    "dict": {"key": Secret(VALUE)},
    "api key": ApiKey(Secret(VALUE)),
    "login": Login(Secret(VALUE), Secret(VALUE)),
    "request": encode(
        LOGIN,
        {"LoginName": Secret(VALUE), "Password": Secret(VALUE)},
        "http-get",  # type: ignore[arg-type]  # equal to the binding of that name
        "https://os.ecgrid.io/v4.1/prod/ECGridOS.asmx",
        "https://os.ecgrid.io/",
    ),
}


def logged(holder: Any) -> str:
    """What the standard library's logging makes of it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("reliability.secrets")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.warning("%s %r %(key)s", {"key": holder})
    except (TypeError, ValueError):
        pass
    finally:
        logger.warning("%s", holder)
        logger.warning("%r", [holder])
        logger.removeHandler(handler)
    return stream.getvalue()


def pickled(holder: Any) -> bytes:
    """As another process would get it."""
    return b"".join(pickle.dumps(holder, protocol) for protocol in range(6))


def raised(holder: Any) -> str:
    """A traceback that shows local variables."""
    try:
        raise ValueError(holder)
    except ValueError as error:
        return "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )


WAYS: Final[dict[str, Callable[[Any], Any]]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "f-string": lambda holder: f"{holder} {holder!r} {holder!s}",
    "format": lambda holder: format(str(holder), ">200"),
    "percent": lambda holder: "%s %r" % (holder, holder),  # noqa: UP031  # one of the ways
    "template": lambda holder: string.Template("$it").substitute(it=holder),
    "json": json.dumps,
    "json of anything": lambda holder: json.dumps(holder, default=str),
    "pickle": pickled,
    "copy": lambda holder: repr(copy.deepcopy(holder)),
    "pprint": pprint.pformat,
    "vars": lambda holder: repr(vars(holder)),
    "fields": lambda holder: repr(dataclasses.asdict(holder)),
    "logging": logged,
    "traceback": raised,
    "bytes": bytes,
    "encode": lambda holder: str(holder).encode("utf-16"),
}


# a request is what goes on the wire: it has no repr, and nobody takes it apart
APART: Final = ("pickle", "copy", "fields")
CASES: Final = [
    (holder, way) for holder in HOLDERS for way in WAYS if holder != "request" or way not in APART
]


@pytest.mark.parametrize(("holder", "way"), CASES)
def test_a_secret_cannot_be_printed(holder: str, way: str) -> None:
    """It is masked, or the attempt is a TypeError that says nothing of it."""
    try:
        shown = WAYS[way](HOLDERS[holder])
    except TypeError as error:
        shown = str(error)
    data = shown if isinstance(shown, bytes) else str(shown).encode()
    assert CORE.encode() not in data.replace(b"\0", b"")


@pytest.mark.parametrize("form", ["json", "plain", "auto"])
def test_the_log_shows_no_local_variables(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong while a request is put together has the plain credential in reach."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: form == "auto")

    def put_together(plain: str) -> None:
        raise ValueError(f"{len(plain)} characters")

    with redirect_stderr(stream):
        set_up("debug", form)
        try:
            put_together(VALUE)
        except ValueError:
            log = structlog.get_logger("test")
            log.debug("unexpected", exc_info=True, holder=HOLDERS["login"])
            log.exception("unexpected", key=HOLDERS["itself"])
    set_up("info", "plain")
    assert "unexpected" in stream.getvalue()
    assert CORE not in stream.getvalue()


def references(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the configuration that refers to a secret."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in kinds(field.annotation) if isinstance(kind, type)]
        if takes_reference(field):
            yield (*path, name)
        for kind in inner:
            if issubclass(kind, BaseModel):
                yield from references(kind, (*path, name))


def kinds(annotation: Any) -> list[Any]:
    """A type, and what it is made of."""
    return [annotation, *(each for part in get_args(annotation) for each in kinds(part))]


def takes_reference(field: FieldInfo) -> bool:
    """Whether the value is checked to be env:NAME or file:PATH."""
    parts = [*field.metadata, *kinds(field.annotation)]
    return any(getattr(part, "func", None) is _reference for part in parts)


KEYS: Final = tuple(references(Settings))


def configuration(folder: Path, more: str, sessions: str = "") -> Path:
    """A configuration file that is right but for what is given."""
    path = folder / "ecgrid.toml"
    given = sessions or '[[sessions]]\nlabel = "a"\napi_key = "env:A"\n'
    text = '[service]\nurl = "https://os.ecgrid.io/x.asmx"\n[windows]\nminutes = [60]\n'
    path.write_text(text + given + more, encoding="utf-8")
    return path


def test_references_are_found() -> None:
    """The guard of the test below."""
    assert {("sessions", "api_key"), ("sessions", "password")} <= set(KEYS)
    assert ("warehouse", "postgres", "dsn") in KEYS
    assert {*COLUMNS} - {"name"} == set(SessionEntry.model_fields)


@pytest.mark.parametrize("key", KEYS, ids=".".join)
@pytest.mark.parametrize("value", [VALUE, f"http://me:{CORE}@host/", f"ENV:{CORE}", f"//{CORE}"])
def test_a_credential_instead_of_a_reference(
    key: tuple[str, ...], value: str, tmp_path: Path
) -> None:
    """Refused with the key and what would be right, without a part of the value."""
    quoted = json.dumps(value)
    if key[0] == "sessions":
        login = (
            ""
            if key[-1] == "api_key"
            else "".join(
                f'{name} = "env:B"\n' for name in ("login_name", "password") if name != key[-1]
            )
        )
        path = configuration(
            tmp_path, "", f'[[sessions]]\nlabel = "a"\n{login}{key[-1]} = {quoted}\n'
        )
    else:
        path = configuration(tmp_path, f"[{'.'.join(key[:-1])}]\n{key[-1]} = {quoted}\n")
    with pytest.raises(ConfigError, match=key[-1]) as refused:
        load(path)
    assert CORE not in str(refused.value)
    assert "env:NAME" in str(refused.value)


@pytest.mark.parametrize(
    "place", ["label", "cell too many", "column", "unknown key", "url", "value"]
)
def test_a_credential_where_none_belongs(place: str, tmp_path: Path) -> None:
    """Refused without a part of it; a label is shown, that is what it is for."""
    listed = tmp_path / "sessions.csv"
    with listed.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["label", "api_key", *([CORE] if place == "column" else [])])
        rows.writerow(["a", "env:A", *([VALUE] if place == "cell too many" else [])])
    head = 'sessions_file = "sessions.csv"\n'
    text = configuration(tmp_path, "").read_text("utf-8")
    text = head + text.partition("[[sessions]]")[0]
    if place == "unknown key":
        text += f'[limits]\napi_key = "{CORE}"\n'
    elif place == "url":
        text = text.replace("os.ecgrid.io", f"me:{CORE}@os.ecgrid.io")
    elif place == "value":
        text += f'[[sessions]]\nlabel = "b"\napi_key = "env:{CORE}"\npassword = "{CORE}"\n'
    path = tmp_path / "ecgrid.toml"
    path.write_text(text, encoding="utf-8")
    said = ""
    with suppress(ConfigError):
        load(path)
    try:
        load(path)
    except ConfigError as error:
        said = str(error)
    assert bool(said) == (place != "label")
    assert CORE not in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])  # noqa: S104
def test_the_simulator_stays_on_this_machine(host: str) -> None:
    """Unless it is told otherwise in so many words."""
    with pytest.raises(ValueError, match="loopback"):
        Simulator(host=host)
    assert Simulator(host=host, allow_remote=True).host == host
    for local in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        assert Simulator(host=local).host == local
