"""Private files and folders of this machine, and having them on disk."""

import os
from pathlib import Path

__all__ = ["create_private", "make_folder", "sync_file", "sync_folder"]


def make_folder(folder: Path, *, is_durable: bool = True) -> None:
    """Make the folder and those above it, readable by their owner only, and have their names on disk if need be."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        if is_durable:
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
