"""A lake in a folder of this machine: private modes, durable names, files replaced by rename."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from pyarrow import fs

from pipelines.lake.storage import Move

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
        return {
            path.relative_to(self.folder).as_posix(): path.stat().st_size
            for path in (self.folder / folder).rglob("*")
            if path.is_file()
        }

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)
        self._sync(paths)

    def commit(
        self, moves: Sequence[Move], stale: Sequence[str], manifest: str, text: bytes
    ) -> None:
        place = self.folder / manifest
        draft = _draft_of(place)
        try:
            # before the first rename, so that a full disk is met while nothing has changed
            _write(draft, text)
            _rename_all([(move.draft, self.folder / move.path) for move in moves])
            for path in stale:
                (self.folder / path).unlink(missing_ok=True)
            self._sync([*(move.path for move in moves), *stale])
            draft.rename(place)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(place.parent)

    def _sync(self, paths: Iterable[str]) -> None:
        """Have the names in these files' folders on disk; an empty folder goes."""
        for folder in sorted({(self.folder / path).parent for path in paths}):
            with contextlib.suppress(OSError):  # it has files
                folder.rmdir()
            sync_folder(folder if folder.exists() else folder.parent)


def _rename_all(moves: Sequence[tuple[Path, Path]]) -> None:
    """Give every draft its name; if one cannot have it, the earlier ones give theirs back."""
    steps = [(draft, path, path.with_name(f".{path.name}.aside")) for draft, path in moves]
    try:
        for _, path, aside in steps:
            if path.exists():
                _keep(path, aside)
        # nothing but renames in between, so that a kill hardly finds its way here
        for draft, path, _ in steps:
            draft.replace(path)
    except BaseException:  # an interrupt, too
        for draft, path, aside in steps:
            if aside.exists():
                aside.replace(path)
                aside.unlink(missing_ok=True)  # two names of one file: the rename did nothing
            elif not draft.exists():
                path.unlink()
        raise
    for _, _, aside in steps:
        aside.unlink(missing_ok=True)


def _keep(path: Path, aside: Path) -> None:
    try:
        os.link(path, aside)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, aside)


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
