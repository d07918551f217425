"""The folder that all commands share: that it can be written, that one of them at a time is at work there, and which.

The lock is `.lock`, held through the operating system. Who holds it stands in `.holder` beside it, a file that its
writer keeps locked as long as it lives: what another, killed process left there is not locked, and not believed. Each
holder makes a file of its own and moves it into place whole, so whoever looks sees no half of it, and by looking never
touches the lock that a run is about to take.
"""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from collector.domain.clock import now_us
from collector.errors import ConfigError, LockHeldError

__all__ = ["Holder", "held_by", "storage_lock", "storage_writable"]

_MOST_BYTES: Final = 4_096
_LOOKS: Final = 3  # a file that was just replaced is looked for again


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is at work on a storage root.

    Attributes:
        pid: its process id, as that machine or container numbers them.
        command: what it does, as `run`.
        since: when it began, by its clock; in UTC, to the second.
    """

    pid: int
    command: str
    since: datetime

    def __str__(self) -> str:
        return f"`ecgrid-stats {self.command}`, process {self.pid}, since {self.since:%Y-%m-%dT%H:%M:%SZ}"


@contextlib.contextmanager
def storage_lock(root: Path, command: str) -> Iterator[None]:
    """Hold the storage root; the operating system lets go of it when the process ends, however it ends.

    Args:
        root: the folder, made if need be.
        command: what holds it, for those who are refused meanwhile.

    Raises:
        ConfigError: the root cannot be written.
        LockHeldError: another process holds it.
    """
    storage_writable(root)
    lock = FileLock(root / ".lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        holder = held_by(root)
        raise LockHeldError(
            f"storage.root = {str(root)!r}: another run is at work there"
            + (f": {holder}" if holder else "")
            + "; run again when it has ended"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"storage.root = {str(root)!r}: {root / '.lock'}: {error.strerror};"
            " must be a plain file that this user may write, or absent"
        ) from error
    try:
        with _told(root, command):
            yield
    finally:
        lock.release()


def held_by(root: Path) -> Holder | None:
    """Who is at work on the storage root; None if nobody is, or if it cannot be told.

    It takes no lock that a command waits for or is refused by: a run that begins in this instant begins.
    """
    path = root / ".holder"
    for _ in range(_LOOKS):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO would be waited for
            try:
                if _is_locked(descriptor):
                    return _holder(os.read(descriptor, _MOST_BYTES))
                if os.fstat(descriptor).st_nlink:  # else its writer went, or another came
                    return None
            finally:
                os.close(descriptor)
    return None


@contextlib.contextmanager
def _told(root: Path, command: str) -> Iterator[None]:
    """Say who holds the root while the block runs; where that cannot be written, the lock says it is held."""
    path, draft, descriptor = root / ".holder", root / ".holder.draft", None
    with contextlib.suppress(OSError):
        # of one that was killed; while the lock is held nobody else makes one
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has seen the file yet
        os.write(descriptor, _text(Holder(os.getpid(), command, _now())))
        draft.replace(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        if descriptor is not None:
            os.close(descriptor)


def _now() -> datetime:
    return datetime.fromtimestamp(now_us() // 1_000_000, UTC)


def _is_locked(descriptor: int) -> bool:
    """Whether its writer lives. The lock that this takes for an instant is on a file that no other will hold."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _text(holder: Holder) -> bytes:
    return json.dumps({**asdict(holder), "since": holder.since.isoformat()}).encode()


def _holder(text: bytes) -> Holder | None:
    """What stands in the file; None if that is not what a holder writes."""
    try:
        found: Any = json.loads(text)
        return Holder(
            int(found["pid"]), str(found["command"]), datetime.fromisoformat(found["since"])
        )
    except (ValueError, KeyError, TypeError):
        return None


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
