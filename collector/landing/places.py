"""Where a landing folder keeps what: stores, drafts of stores, and what was set aside. Reads no records."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from collector.domain.calls import Call
from collector.domain.run import RunInfo
from collector.landing.error_mapping import named_errors
from collector.landing.records import (
    APPLICATION_ID,
    LANDING_VERSION,
    PAGE_BYTES,
    PUT_CALL,
    PUT_VALUE,
    TABLES,
    call_rows,
    info_values,
)

__all__ = [
    "damaged_stores",
    "drafted",
    "landed_runs",
    "new_draft",
    "recovered_draft",
    "set_aside",
    "sweep",
    "sync_folder",
]

_ASIDE: Final = "damaged"
_BESIDE: Final = ("-journal", "-wal", "-shm")  # what SQLite keeps next to a store
_NEW: Final = ".new"
_RECOVERED: Final = ".recovered"


def landed_runs(folder: Path) -> list[Path]:
    """The landing stores of a folder, oldest first; an absent folder has none.

    Raises:
        LandingError: it is no folder, or cannot be read. `glob` would find nothing there, and nobody would know.
    """
    with named_errors(folder), contextlib.suppress(FileNotFoundError):
        names = sorted(os.listdir(folder))  # noqa: PTH208  # names are all that is needed
        return [folder / name for name in names if name.endswith(".db") and name[0] != "."]
    return []


def damaged_stores(folder: Path) -> list[Path]:
    """The stores that were set aside because they were damaged; each is kept until somebody removes it."""
    return sorted((folder / _ASIDE).glob("*.db"))


def new_draft(path: Path) -> Path:
    """Where the store of a new run is written until it is whole."""
    return path.with_name(f".{path.name}{_NEW}")


def recovered_draft(path: Path) -> Path:
    """Where what could be saved of a damaged store is written."""
    return path.with_name(f".{path.name}{_RECOVERED}")


@contextlib.contextmanager
def drafted(draft: Path, info: RunInfo, calls: Iterable[Call]) -> Iterator[sqlite3.Connection]:
    """A store with this plan, in one transaction that is committed when the block ends."""
    _remove(draft)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as store:
            store.executescript(f"PRAGMA page_size = {PAGE_BYTES}; BEGIN; {TABLES}")
            store.executemany(PUT_VALUE, info_values(info))
            store.executemany(PUT_CALL, call_rows(calls))
            store.execute("INSERT INTO run SELECT 'planned', count(*) FROM calls")
            store.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            store.execute(f"PRAGMA user_version = {LANDING_VERSION}")
            yield store
            store.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what is told
            _remove(draft)
        raise


def set_aside(path: Path) -> Path:
    """Move a store and what SQLite keeps beside it to the folder `damaged`; where it is now.

    Raises:
        LandingError: it cannot be moved.
    """
    with named_errors(path):
        folder = path.parent / _ASIDE
        folder.mkdir(mode=0o700, exist_ok=True)
        number, target = 1, folder / path.name
        while target.exists():
            number += 1
            target = folder / f"{path.stem}.{number}{path.suffix}"
        # the store first: see `sweep`
        for ending in ("", *_BESIDE):
            source = path.with_name(path.name + ending)
            if source.exists():
                source.chmod(0o600)
                source.rename(target.with_name(target.name + ending))
        sync_folder(folder)
        sync_folder(path.parent)
        return target


def sweep(folder: Path) -> None:
    """Finish or remove what a program left that was killed while it made or recovered a store.

    Only for one who holds the storage root: drafts of others look the same.

    Raises:
        LandingError: a file cannot be moved or removed.
    """
    recovered = sorted(folder.glob(f".*.db{_RECOVERED}"))
    begun = sorted(folder.glob(f".*.db{_NEW}"))
    if not recovered and not begun:
        return
    with named_errors(folder):
        for draft in recovered:
            path = draft.with_name(draft.name.removeprefix(".").removesuffix(_RECOVERED))
            # its place is free only once the draft is whole and the damaged store was moved away
            if path.exists() or draft.with_name(f"{draft.name}-journal").exists():
                _remove(draft)
                continue
            for ending in _BESIDE:  # a log of the damaged store would be read into the new one
                path.with_name(path.name + ending).unlink(missing_ok=True)
            draft.rename(path)
        for draft in begun:
            _remove(draft)
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Have the folder's names on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(draft: Path) -> None:
    for ending in ("", *_BESIDE):
        draft.with_name(draft.name + ending).unlink(missing_ok=True)
