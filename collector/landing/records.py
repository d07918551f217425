"""The layout of a landing store: its tables, and rows out of values and back. Opens nothing."""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from collector.errors import LandingError, LandingVersionError
from collector.model import (
    Binding,
    Call,
    CallId,
    FaultClass,
    LandedReply,
    Outcome,
    RunInfo,
    SessionFacts,
    State,
    Window,
)

__all__ = [
    "ADD_LOGIN",
    "APPLICATION_ID",
    "LANDING_VERSION",
    "PUT_CALL",
    "PUT_FACTS",
    "PUT_OUTCOME",
    "PUT_REPLY",
    "PUT_VALUE",
    "TABLES",
    "Row",
    "call_of",
    "call_rows",
    "check_identity",
    "facts_of",
    "info_values",
    "named_errors",
    "outcome_of",
    "outcome_row",
    "possible_contents",
    "reply_of",
    "reply_row",
]

LANDING_VERSION: Final = 1
APPLICATION_ID: Final = (
    0x45434753  # "ECGS", in the file header: tells our files from any other SQLite file
)

TABLES: Final = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE calls (
  ordinal INTEGER PRIMARY KEY, call_id TEXT NOT NULL UNIQUE, session TEXT NOT NULL,
  window1 INTEGER NOT NULL, window2 INTEGER NOT NULL);
CREATE TABLE replies (
  call_id TEXT NOT NULL, attempt INTEGER NOT NULL, binding TEXT NOT NULL, request TEXT NOT NULL,
  status INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, sha256 BLOB NOT NULL,
  sent_at_us INTEGER NOT NULL, received_at_us INTEGER NOT NULL, masked INTEGER NOT NULL,
  cut INTEGER NOT NULL, PRIMARY KEY (call_id, attempt));
CREATE TABLE outcomes (
  call_id TEXT PRIMARY KEY, final INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  answer_attempt INTEGER, http_status INTEGER, fault_class TEXT, fault_text TEXT,
  requested_at_us INTEGER, observed_at_us INTEGER, latency_us INTEGER, reply_bytes INTEGER) WITHOUT ROWID;
CREATE TABLE session_facts (
  session TEXT PRIMARY KEY, asked_at_us INTEGER NOT NULL, network_id INTEGER, mailbox_id INTEGER,
  user_id INTEGER, timeout_seconds INTEGER, open_sessions INTEGER, fault_class TEXT,
  fault_text TEXT) WITHOUT ROWID;
"""
PUT_REPLY: Final = "INSERT OR IGNORE INTO replies VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
PUT_OUTCOME: Final = "INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
PUT_FACTS: Final = "INSERT OR REPLACE INTO session_facts VALUES (?,?,?,?,?,?,?,?,?)"
PUT_VALUE: Final = "INSERT OR REPLACE INTO run VALUES (?,?)"
ADD_LOGIN: Final = "UPDATE run SET value = value + 1 WHERE key = 'logins'"

PUT_CALL: Final = "INSERT INTO calls VALUES (?,?,?,?,?)"

Row = tuple[object, ...]

_headers_text: Final = json.JSONEncoder(sort_keys=True).encode


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into a LandingError that names the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise LandingError(
            f"landing store {path}: {error}; move the file away to go on without that run"
        ) from error
    except OSError as error:
        raise LandingError(f"landing store {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def possible_contents(path: Path) -> Iterator[None]:
    """What the file holds is what this program writes, or the store is damaged."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise LandingError(
            f"landing store {path} is damaged ({type(error).__name__}: {error}); move the file away to go on"
            " without that run"
        ) from error


def check_identity(path: Path, store: sqlite3.Connection) -> None:
    """Refuse a file that is no landing store, or one of another version."""
    ((application,),) = store.execute("PRAGMA application_id").fetchall()
    if application != APPLICATION_ID:
        raise LandingError(f"{path} is not a landing store; move it out of this folder")
    ((version,),) = store.execute("PRAGMA user_version").fetchall()
    if version != LANDING_VERSION:
        raise LandingVersionError(
            f"landing store {path} has version {version}, this program reads version"
            f" {LANDING_VERSION}: use the program that wrote it"
        )


def info_values(info: RunInfo) -> Iterator[tuple[str, str]]:
    """A run as rows of the table run."""
    yield "run_id", info.run_id
    yield "plan_digest", info.plan_digest
    yield "service_url", info.service_url
    yield "namespace", info.namespace
    yield "binding", info.binding.value
    yield "started_at_us", str(info.started_at_us)
    yield "logins", "0"


def call_rows(calls: Iterable[Call]) -> Iterator[tuple[int, str, str, int, int]]:
    """A plan as rows of the table calls."""
    for ordinal, call in enumerate(calls):
        yield ordinal, call.call_id, call.session, call.window1.minutes, call.window2.minutes


def call_of(row: tuple) -> Call:  # type: ignore[type-arg]  # as selected in LandedRun.calls
    """A planned call."""
    call_id, session, window1, window2 = row
    return Call(CallId(call_id), session, Window(window1), Window(window2))


def facts_of(row: tuple) -> SessionFacts:  # type: ignore[type-arg]  # as selected in LandedRun.session_facts
    """What WhoAmI said."""
    *facts, fault_class, fault_text = row
    fault = FaultClass(fault_class) if fault_class else None
    return replace(SessionFacts(*facts), fault_class=fault, fault_text=fault_text)


def reply_row(reply: LandedReply) -> Row:
    """A reply as a row of the table replies, with the SHA-256 of its body."""
    return (
        reply.call_id,
        reply.attempt,
        reply.binding.value,
        reply.request,
        reply.status,
        _headers_text(reply.headers),
        reply.body,
        hashlib.sha256(reply.body).digest(),
        reply.sent_at_us,
        reply.received_at_us,
        reply.masked,
        reply.cut,
    )


def reply_of(row: tuple) -> LandedReply:  # type: ignore[type-arg]  # as selected in LandedRun._replies
    """The reply of a row, columns as `LandedRun` selects them."""
    call_id, attempt, session, window1, window2, binding, request, status, headers, body, *rest = (
        row
    )
    sent_at_us, received_at_us, masked, cut = rest
    return LandedReply(
        CallId(call_id),
        attempt,
        session,
        window1,
        window2,
        Binding(binding),
        request,
        status,
        json.loads(headers),
        body,
        sent_at_us,
        received_at_us,
        masked=bool(masked),
        cut=bool(cut),
    )


def outcome_row(outcome: Outcome, *, final: bool) -> Row:
    """An outcome as a row of the table outcomes."""
    return (
        outcome.call_id,
        final,
        outcome.state.value,
        outcome.attempts,
        outcome.answer_attempt,
        outcome.http_status,
        outcome.fault_class.value if outcome.fault_class else None,
        outcome.fault_text,
        outcome.requested_at_us,
        outcome.observed_at_us,
        outcome.latency_us,
        outcome.reply_bytes,
    )


def outcome_of(row: tuple) -> Outcome:  # type: ignore[type-arg]  # as selected in LandedRun.outcomes
    """The outcome of a row; a call without one was not attempted."""
    call_id, state, attempts, answer_attempt, http_status, fault_class, fault_text, *times = row
    if state is None:
        return Outcome(CallId(call_id), State.NOT_ATTEMPTED, 0)
    return Outcome(
        CallId(call_id),
        State(state),
        attempts,
        answer_attempt,
        http_status,
        FaultClass(fault_class) if fault_class else None,
        fault_text,
        *times,
    )
