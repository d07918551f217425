"""The layout of a landing store: its tables, and rows out of values and back. Opens nothing."""

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from collector.domain.binding import Binding
from collector.domain.calls import Call, CallId, arguments_of, arguments_text, call_id_of
from collector.domain.outcomes import FaultClass, Outcome, State
from collector.domain.replies import LandedReply
from collector.domain.run import RunInfo
from collector.domain.whoami import WhoAmI
from collector.errors import LandingDamagedError, LandingVersionError

__all__ = [
    "ADD_LOGIN",
    "APPLICATION_ID",
    "LANDING_VERSION",
    "PAGE_BYTES",
    "PUT_CALL",
    "PUT_OUTCOME",
    "PUT_REPLY",
    "PUT_VALUE",
    "PUT_WHOAMI",
    "TABLES",
    "Row",
    "call_of",
    "call_rows",
    "changed_rows",
    "check_identity",
    "info_of",
    "info_values",
    "is_same_reply",
    "outcome_of",
    "outcome_row",
    "pair_of",
    "reply_of",
    "reply_row",
    "whoami_of",
    "whoami_row",
]

LANDING_VERSION: Final = 5
APPLICATION_ID: Final = (
    0x45434753  # "ECGS", in the file header: tells our files from any other SQLite file
)
# a key that falls anywhere makes SQLite write a page for a few bytes, and an answer fits into two of these: writing
# takes a fifth less, and the file a third, than with the usual 4,096
PAGE_BYTES: Final = 2_048

TABLES: Final = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE calls (
  ordinal INTEGER PRIMARY KEY, call_id TEXT NOT NULL UNIQUE, session TEXT NOT NULL,
  operation TEXT NOT NULL, arguments TEXT NOT NULL);
CREATE TABLE replies (
  call_id TEXT NOT NULL, attempt INTEGER NOT NULL, minutes1 INTEGER, minutes2 INTEGER,
  binding TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL,
  body BLOB NOT NULL, sha256 BLOB NOT NULL, sent_at_us INTEGER NOT NULL,
  received_at_us INTEGER NOT NULL, masked INTEGER NOT NULL, cut INTEGER NOT NULL,
  seal INTEGER NOT NULL, PRIMARY KEY (call_id, attempt));
CREATE TABLE outcomes (
  call_id TEXT PRIMARY KEY, final INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  charged INTEGER NOT NULL, answer_attempt INTEGER, minutes1 INTEGER, minutes2 INTEGER,
  http_status INTEGER, fault_class TEXT, fault_text TEXT, requested_at_us INTEGER,
  observed_at_us INTEGER, latency_us INTEGER, reply_bytes INTEGER,
  seal INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE whoami (
  session TEXT PRIMARY KEY, asked_at_us INTEGER NOT NULL, network_id INTEGER, mailbox_id INTEGER,
  user_id INTEGER, timeout_seconds INTEGER, open_sessions INTEGER, fault_class TEXT,
  fault_text TEXT, seal INTEGER NOT NULL) WITHOUT ROWID;
"""
PUT_REPLY: Final = "INSERT INTO replies VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
PUT_OUTCOME: Final = "INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
PUT_WHOAMI: Final = "INSERT OR REPLACE INTO whoami VALUES (?,?,?,?,?,?,?,?,?,?)"
PUT_VALUE: Final = "INSERT OR REPLACE INTO run VALUES (?,?)"
ADD_LOGIN: Final = "UPDATE run SET value = value + 1 WHERE key = 'logins'"

PUT_CALL: Final = "INSERT INTO calls VALUES (?,?,?,?,?)"

Row = tuple[object, ...]

_headers_of = lru_cache(maxsize=256)(json.loads)  # replies of one second have the same
_BINDINGS: Final = {each.value: each for each in Binding}
_STATES: Final = {each.value: each for each in State}
_FIXED: Final = (
    "run_id",
    "service_url",
    "namespace",
    "binding",
    "started_at_us",
)
_templates: Final = ["\0".join(["%s"] * columns) for columns in range(17)]
_STATUS: Final = 6  # the place of the status in a row of replies
_BODY: Final = 8  # the place of the body, which has a digest of its own, in a row of replies


def check_identity(path: Path, store: sqlite3.Connection) -> None:
    """Refuse a file that is no landing store, or one of another version."""
    ((application,),) = store.execute("PRAGMA application_id").fetchall()
    if application != APPLICATION_ID:
        raise LandingDamagedError(f"{path} is not a landing store; move it out of this folder")
    ((version,),) = store.execute("PRAGMA user_version").fetchall()
    if version != LANDING_VERSION:
        raise LandingVersionError(
            f"landing store {path} has version {version}, this program reads version"
            f" {LANDING_VERSION}: use the program that wrote it to finish and publish that run, or move the file out"
            " of this folder"
        )


def info_values(info: RunInfo) -> Iterator[tuple[str, str]]:
    """A run as rows of the table run. The first five values never change and have a seal."""
    fixed = {
        "run_id": info.run_id,
        "service_url": info.service_url,
        "namespace": info.namespace,
        "binding": info.binding.value,
        "started_at_us": str(info.started_at_us),
    }
    yield from fixed.items()
    yield "seal", str(_seal(tuple(fixed.values())))
    yield "logins", "0"


def info_of(values: Mapping[str, str]) -> RunInfo:
    """The run of these rows."""
    if values["seal"] != str(_seal(tuple(values[key] for key in _FIXED))):
        raise ValueError("the run's own record does not match its checksum")
    finished = values.get("finished_at_us")
    return RunInfo(
        run_id=values["run_id"],
        service_url=values["service_url"],
        namespace=values["namespace"],
        binding=Binding(values["binding"]),
        started_at_us=int(values["started_at_us"]),
        finished_at_us=int(finished) if finished else None,
    )


def call_rows(calls: Iterable[Call]) -> Iterator[tuple[int, str, str, str, str]]:
    """A plan as rows of the table calls."""
    for ordinal, call in enumerate(calls):
        arguments = arguments_text(call.arguments)
        yield ordinal, call.call_id, call.session, call.operation, arguments


def call_of(row: tuple) -> Call:  # type: ignore[type-arg]  # as selected in LandedRun.calls
    """A planned call; its id is made of the rest, so it proves itself."""
    call_id, session, operation, arguments = row
    if call_id != call_id_of(session, operation, arguments):
        raise ValueError(f"planned call {call_id!r} does not match its own id")
    return Call(CallId(call_id), session, operation, arguments_of(arguments))


def whoami_row(whoami: WhoAmI) -> Row:
    """What WhoAmI said as a row of the table whoami."""
    return _sealed(
        whoami.session,
        whoami.asked_at_us,
        whoami.network_id,
        whoami.mailbox_id,
        whoami.user_id,
        whoami.timeout_seconds,
        whoami.open_sessions,
        whoami.fault_class.value if whoami.fault_class else None,
        whoami.fault_text,
    )


def whoami_of(row: tuple) -> WhoAmI:  # type: ignore[type-arg]  # a row of the table
    """What WhoAmI said."""
    *fields, fault_class, fault_text = _unsealed(row)
    fault = FaultClass(fault_class) if fault_class else None
    return replace(WhoAmI(*fields), fault_class=fault, fault_text=fault_text)


@lru_cache(maxsize=256)  # replies of one second have the same
def _headers_text(headers: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(dict(headers), sort_keys=True)


def reply_row(reply: LandedReply) -> Row:
    """A reply as a row of the table replies, with the SHA-256 of its body."""
    *before, seal = _sealed(
        reply.call_id,
        reply.attempt,
        *_two(reply.minutes),
        reply.binding.value,
        reply.request,
        reply.status,
        _headers_text(tuple(reply.headers.items())),
        hashlib.sha256(reply.body).digest(),
        reply.sent_at_us,
        reply.received_at_us,
        int(reply.masked),
        int(reply.cut),
    )
    return (*before[:_BODY], reply.body, *before[_BODY:], seal)


def reply_of(row: tuple) -> LandedReply:  # type: ignore[type-arg]  # session, operation, a row of the table
    """The reply of a row, once its body and the rest were held against their digest and checksum."""
    session, operation, *columns = row
    body = columns.pop(_BODY)
    (
        call_id,
        attempt,
        minutes1,
        minutes2,
        binding,
        request,
        status,
        headers,
        sha256,
        sent_at_us,
        received_at_us,
        masked,
        cut,
    ) = _unsealed(columns)
    if hashlib.sha256(body).digest() != sha256:
        raise ValueError(
            f"the reply to call {call_id}, attempt {attempt}, does not match its SHA-256"
        )
    return LandedReply(
        CallId(call_id),
        attempt,
        session,
        operation,
        (minutes1, minutes2),
        _BINDINGS[binding],
        request,
        status,
        dict(_headers_of(headers)),
        body,
        sent_at_us,
        received_at_us,
        masked=bool(masked),
        cut=bool(cut),
    )


def is_same_reply(row: Row, other: Row | None) -> bool:
    """Whether two rows of replies have the same status and body, whenever they were received."""
    places = [_STATUS, _BODY]
    return other is not None and [row[n] for n in places] == [other[n] for n in places]


def outcome_row(outcome: Outcome, *, final: bool) -> Row:
    """An outcome as a row of the table outcomes."""
    return _sealed(
        outcome.call_id,
        int(final),
        outcome.state.value,
        outcome.attempts,
        outcome.charged,
        outcome.answer_attempt,
        *_two(outcome.minutes),
        outcome.http_status,
        outcome.fault_class.value if outcome.fault_class else None,
        outcome.fault_text,
        outcome.requested_at_us,
        outcome.observed_at_us,
        outcome.latency_us,
        outcome.reply_bytes,
    )


def outcome_of(row: tuple) -> Outcome:  # type: ignore[type-arg]  # a planned call's id, a row of the table
    """The outcome of a row; a call without one was not attempted."""
    planned, call_id, *_ = row
    if call_id is None:
        return Outcome(CallId(planned), State.NOT_ATTEMPTED, 0)
    (
        _,
        _,
        state,
        attempts,
        charged,
        answer_attempt,
        minutes1,
        minutes2,
        http_status,
        fault_class,
        fault_text,
        requested_at_us,
        observed_at_us,
        latency_us,
        reply_bytes,
    ) = _unsealed(row[1:])
    return Outcome(
        CallId(call_id),
        _STATES[state],
        attempts,
        charged=charged,
        answer_attempt=answer_attempt,
        minutes=pair_of(minutes1, minutes2),
        http_status=http_status,
        fault_class=FaultClass(fault_class) if fault_class else None,
        fault_text=fault_text,
        requested_at_us=requested_at_us,
        observed_at_us=observed_at_us,
        latency_us=latency_us,
        reply_bytes=reply_bytes,
    )


def changed_rows(rows: Iterable[tuple[Any, ...]], first: int) -> list[tuple[Any, ...]]:
    """Those that are not what was written; `first` is where the record begins in a row, which ends with its seal."""
    seal = _seal
    return [row for row in rows if seal(row[first:-1]) != row[-1]]


def _two(minutes: tuple[int, int] | None) -> tuple[int | None, int | None]:
    return minutes or (None, None)


def pair_of(minutes1: int | None, minutes2: int | None) -> tuple[int, int] | None:
    """The minutes of two columns; None where they are empty."""
    return None if minutes1 is None or minutes2 is None else (minutes1, minutes2)


def _seal(values: tuple[object, ...]) -> int:
    """CRC-32 of the values as text, to tell a record that was changed on disk."""
    # formatted by one template: a third less than joining them, and every record is sealed once and read often
    return zlib.crc32((_templates[len(values)] % values).encode())


def _sealed(*values: object) -> Row:
    """A row that can be written: lone surrogates, which no file takes, are replaced wherever they came from."""
    try:
        return (*values, _seal(values))
    except UnicodeEncodeError:
        return _sealed(*map(_encodable, values))


def _encodable(value: object) -> object:
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _unsealed(row: Sequence[Any]) -> Sequence[Any]:
    *values, seal = row
    if _seal(tuple(values)) != seal:
        raise ValueError(f"the record of {values[0]!r} does not match its checksum")
    return values
