"""What the lake asks of the file system: durable writes, private modes, errors that say what to do."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipelines.errors import PublicationError

__all__ = ["create_private", "make_folder", "named_errors", "sync_file", "sync_folder"]

_ADVICE: Final = {
    errno.ENOSPC: "free some space and publish the run again",
    errno.EDQUOT: "raise the quota or free some space, and publish the run again",
    errno.EFBIG: "raise the limit on file sizes and publish the run again",
    errno.EACCES: "storage.root must be a folder that this user may write",
    errno.EPERM: "storage.root must be a folder that this user may write",
    errno.EROFS: "storage.root must be on a file system that can be written",
    errno.ENOTDIR: "storage.root must be a folder",
    errno.EEXIST: "storage.root must be a folder",
}


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turns an OSError into a PublicationError that names the path and what would be right."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0)
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = f"; {advice}" if advice else ""
        raise PublicationError(f"cannot write {error.filename or path}: {reason}{hint}") from error


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, readable by their owner only, and their names durable."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def create_private(path: Path) -> None:
    """Create an empty file, readable by its owner only; it must not exist."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def sync_file(path: Path) -> None:
    """Have the file's bytes on disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Have the folder's names on disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
