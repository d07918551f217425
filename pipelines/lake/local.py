"""A lake in a folder of this machine: private modes, durable names, files replaced by rename."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from pyarrow import fs

from pipelines.lake.change import JOURNAL, WORKSHOP, Change
from pipelines.lake.durable import create_private, make_folder, sync_file, sync_folder
from pipelines.lake.exchange import install
from pipelines.lake.storage import Move
from pipelines.lake.swap import aside_of, digest_of, swapped

__all__ = ["LocalStorage"]


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
        try:
            return sorted(path.name for path in (self.folder / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def folders(self, folder: str) -> list[str]:
        return [name for name in self.names(folder) if (self.folder / folder / name).is_dir()]

    def sizes(self, folder: str) -> dict[str, int]:
        found = {}
        # not Path.rglob, which fails over a folder that somebody at work takes away
        for place, _, names in os.walk(self.folder / folder):
            for path in (Path(place, name) for name in names):
                with contextlib.suppress(FileNotFoundError):  # a draft that got its name meanwhile
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

    def place(self, path: str, sha256: str) -> str:
        here, aside = self.folder / path, aside_of(self.folder / path)
        is_aside = False
        with contextlib.suppress(FileNotFoundError):  # somebody at work is done with it
            is_aside = aside.exists() and (
                not here.exists() or (not here.samefile(aside) and digest_of(aside) == sha256)
            )
        return aside.relative_to(self.folder).as_posix() if is_aside else path

    def change(self, change: Change) -> None:
        try:
            self._sync(self._with_folders(change))
            self.put(JOURNAL, change.to_json())
        except BaseException:
            if not (self.folder / JOURNAL).exists():
                self.remove([each.draft for each in change.placings])
            raise
        self._finish(change)

    def settle(self) -> bool:
        try:
            text = self.read(JOURNAL)
        except (FileNotFoundError, NotADirectoryError):
            shutil.rmtree(self.folder / WORKSHOP, ignore_errors=True)
            return False
        self._finish(Change.from_json(text))
        return True

    @staticmethod
    def _with_folders(change: Change) -> Iterator[str]:
        """The drafts and the folders that they are in: their names must be on disk before they are counted on."""
        for placing in change.placings:
            path = PurePosixPath(placing.draft)
            yield from map(str, (path, *path.parents[:-1]))

    def _finish(self, change: Change) -> None:
        """Every step may be done again by another process, after a kill at any moment."""
        for folder in change.folders:
            files, place = change.within(folder), self.folder / folder
            names = {Path(each.path).name: self.folder / each.draft for each in files.placings}
            gone = [Path(path).name for path in files.stale]
            install(place, names, gone, self.folder / WORKSHOP / "build")
            self._sync([f"{folder}/x", folder])
        for path, text in change.texts().items():
            self.put(path, text)
        paths = [*change.stale, *(each.path for each in change.placings)]
        self.remove([aside_of(Path(path)).as_posix() for path in paths])
        for placing in change.placings:
            (self.folder / placing.draft).unlink(missing_ok=True)
        self.remove([JOURNAL])
        shutil.rmtree(self.folder / WORKSHOP, ignore_errors=True)

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


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    create_private(path)
    path.write_bytes(data)
    sync_file(path)
