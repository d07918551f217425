"""The folder that all commands share: that it can be written, and that one of them at a time is at work there."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from collector.errors import ConfigError, LockHeldError

__all__ = ["storage_lock", "storage_writable"]


@contextlib.contextmanager
def storage_lock(root: Path) -> Iterator[None]:
    """Hold the storage root; the operating system lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: the root cannot be written.
        LockHeldError: another process holds it.
    """
    storage_writable(root)
    lock = FileLock(root / ".lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise LockHeldError(
            f"storage.root = {str(root)!r}: another run is at work there"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"storage.root = {str(root)!r}: {root / '.lock'}: {error.strerror};"
            " must be a plain file that this user may write, or absent"
        ) from error
    try:
        yield
    finally:
        lock.release()


def storage_writable(root: Path) -> None:
    """Make the storage root if need be.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise ConfigError(
            f"storage.root = {str(root)!r}: {error.strerror}; must be a folder that this user may write"
        ) from error
