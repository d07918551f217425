"""What SQLite and the file system say of a landing store -> one error that names the file and the way out."""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from collector.errors import LandingDamagedError, LandingError

__all__ = [
    "IMPOSSIBLE",
    "damaged",
    "named_errors",
    "not_possible",
    "possible_contents",
    "said_of",
]

IMPOSSIBLE: Final = (LookupError, TypeError, ValueError)  # what contents that nobody wrote lead to
_DAMAGE: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WRITABLE: Final = "storage.root must be a folder that can be written; put that right and run again"
_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "free some space and run again, what was landed is safe",
    sqlite3.SQLITE_IOERR: (
        "see to the disk, its quota and its limits (the system's log says more) and run again, what"
        " was landed is safe"
    ),
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_PERM: _WRITABLE,
    sqlite3.SQLITE_BUSY: "another program holds it; run again when that has ended",
    sqlite3.SQLITE_LOCKED: "another program holds it; run again when that has ended",
}
_ERRNOS: Final = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.EIO: sqlite3.SQLITE_IOERR,
}
_SAVE: Final = "`ecgrid-stats run` or `ecgrid-stats normalize` saves what can be read of it"


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into a LandingError that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's own message, where it quotes what it found
        raise damaged(path, str(error)) from error
    except (sqlite3.Error, OSError) as error:
        raise said_of(path, error) from error


@contextlib.contextmanager
def possible_contents(path: Path) -> Iterator[None]:
    """What the file holds is what this program writes, or the store is damaged."""
    try:
        yield
    except IMPOSSIBLE as error:
        raise not_possible(path, error) from error


def not_possible(path: Path, error: Exception) -> LandingDamagedError:
    """The error for contents that this program does not write."""
    return damaged(path, f"it holds what is not written there: {error}")


def said_of(path: Path, error: Exception) -> LandingError:
    """The error to raise for this one: what happened to which file, and what to do."""
    if isinstance(error, LandingError):
        return error
    if isinstance(error, OSError):
        advice = _ADVICE[_ERRNOS.get(error.errno or 0, sqlite3.SQLITE_READONLY)]
        return LandingError(
            f"landing store {path}: cannot be used ({error.strerror or error}); {advice}"
        )
    if not isinstance(error, sqlite3.Error):
        return LandingError(
            f"landing store {path}: cannot be used ({type(error).__name__}: {error}); run again"
        )
    # text that is no UTF-8 has no code: the module says so, not SQLite
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in _DAMAGE:
        return damaged(path, str(error))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
    return LandingError(f"landing store {path}: cannot be used ({error}, {name}){advice}")


def damaged(path: Path, what: str) -> LandingDamagedError:
    """The error for a store that is not what was written."""
    return LandingDamagedError(f"landing store {path} is damaged ({what}); {_SAVE}")
