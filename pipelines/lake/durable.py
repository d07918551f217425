"""Files and folders of this machine, private unless the folder that they are in is shared; having them on disk."""

import os
import stat
from pathlib import Path

__all__ = ["as_its_folder", "create_private", "make_folder", "sync_file", "sync_folder"]


def make_folder(folder: Path, *, is_durable: bool = True) -> None:
    """Make the folder and those above it, for their owner only, or as `as_its_folder`; on disk if need be."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        as_its_folder(folder)
        if is_durable:
            sync_folder(folder.parent)


def create_private(path: Path) -> None:
    """Create an empty file, for its owner only, or as `as_its_folder`; it must not exist."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    as_its_folder(path)


def as_its_folder(path: Path) -> None:
    """Have a file or folder read by the group of the folder that it is in, if that one has the set-group-ID bit.

    By the bit the system has given it the group already (inode(7)); without it nothing is changed.
    """
    if path.parent.stat().st_mode & stat.S_ISGID:
        path.chmod(0o2750 if path.is_dir() else 0o640)


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
