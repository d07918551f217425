"""A lake in a folder of this machine: private modes, durable names, files replaced by rename."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pyarrow import fs

from pipelines.lake.storage import Move
from pipelines.lake.swap import swapped

__all__ = ["LocalStorage", "create_private", "make_folder", "sync_file", "sync_folder"]


class LocalStorage:
    """The place of a lake on a file system with rename. Making one touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = self.drafts = folder
        self.address = self.base = str(folder)
        self.filesystem: fs.FileSystem = fs.LocalFileSystem()
        self.keeps_names = True

    def prepare(self) -> None:
        """Nothing: folders are made where files are written."""

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def put(self, path: str, data: bytes) -> None:
        place = self.folder / path
        make_folder(place.parent)
        draft = _draft_of(place)
        draft.unlink(missing_ok=True)
        _write(draft, data)
        draft.rename(place)
        sync_folder(place.parent)

    def names(self, folder: str) -> list[str]:
        place = self.folder / folder
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []

    def folders(self, folder: str) -> list[str]:
        return [name for name in self.names(folder) if (self.folder / folder / name).is_dir()]

    def sizes(self, folder: str) -> dict[str, int]:
        found = {}
        for path in (self.folder / folder).rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # a draft that got its name meanwhile
                if path.is_file():
                    found[path.relative_to(self.folder).as_posix()] = path.stat().st_size
        return found

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)
        self._sync(paths)
        self._remove_empty(paths)

    def commit(
        self, moves: Sequence[Move], stale: Sequence[str], manifest: str, text: bytes
    ) -> None:
        place = self.folder / manifest
        draft = _draft_of(place)
        try:
            # before the first rename, so that a full disk is met while nothing has changed
            _write(draft, text)
            names = [(move.draft, self.folder / move.path) for move in moves]
            dropped = [self.folder / path for path in stale]
            with swapped(names, dropped, lambda: not draft.exists()):
                self._sync([*(move.path for move in moves), *stale])
                draft.rename(place)
                sync_folder(place.parent)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._remove_empty(stale)

    def _sync(self, paths: Iterable[str]) -> None:
        """Have the names in these files' folders on disk."""
        for folder in sorted({(self.folder / path).parent for path in paths}):
            if folder.exists():
                sync_folder(folder)

    def _remove_empty(self, paths: Iterable[str]) -> None:
        """A folder without files cannot be read by pandas."""
        for folder in sorted({(self.folder / path).parent for path in paths}):
            with contextlib.suppress(OSError):  # it has files
                folder.rmdir()
                sync_folder(folder.parent)


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


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    create_private(path)
    path.write_bytes(data)
    sync_file(path)
