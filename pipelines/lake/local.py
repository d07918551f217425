"""A lake in a folder of this machine: private modes, durable names, a partition's folder exchanged at one instant.

Whoever reads by file names sees of a partition the files of before or those of after. The folder is built beside, of
hard links, and the two exchange their names (`renameat2` of Linux). Where that cannot be done, files are renamed and
removed one straight after the other.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from pyarrow import fs

from pipelines.lake.durable import (
    as_its_folder,
    create_private,
    make_folder,
    sync_file,
    sync_folder,
)
from pipelines.lake.partition import MANIFESTS

__all__ = ["LocalStorage"]

_DRAFTS: Final = "_drafts"
_LISTING_SECONDS: Final = 0.1  # from opening a folder to having its names, on a busy machine
_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE


class LocalStorage:
    """The place of a lake on a file system with rename. Making one touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.drafts = folder, folder / _DRAFTS
        self.address = self.base = str(folder)
        self.filesystem: fs.FileSystem = fs.LocalFileSystem()
        self._has_old = False  # a folder that was exchanged is among the drafts

    def prepare(self) -> None:
        """Nothing: folders are made where files are written."""

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def read_all(self, paths: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = []
        for path in paths:
            try:
                found.append(self.read(path))
            except (FileNotFoundError, NotADirectoryError):
                found.append(None)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                found.append(b"")  # a bad sector: what was there is not to be had
        return found

    def put(self, path: str, data: bytes) -> None:
        place = self.folder / path
        make_folder(place.parent)
        draft = place.with_name(f".{place.name}.draft")
        draft.unlink(missing_ok=True)
        create_private(draft)
        draft.write_bytes(data)
        sync_file(draft)
        draft.rename(place)
        sync_folder(place.parent)

    def sizes(self, folder: str) -> dict[str, int]:
        found = {}
        # not Path.rglob, which fails over a folder that somebody at work takes away
        for place, folders, names in os.walk(self.folder / folder):
            folders[:] = [name for name in folders if name != _DRAFTS]
            for path in (Path(place, name) for name in names):
                with contextlib.suppress(FileNotFoundError):
                    found[path.relative_to(self.folder).as_posix()] = path.stat().st_size
        return found

    def remove(self, paths: Collection[str]) -> None:
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)
        for folder in sorted({(self.folder / path).parent for path in paths}):
            if folder.exists():
                sync_folder(folder)

    def place(self, paths: Collection[str]) -> None:
        for path in paths:  # what is in the way is met before anything is published
            make_folder((self.folder / path).parent.parent)
        folders = {self.drafts / parent for path in paths for parent in Path(path).parents}
        for folder in (*sorted(folders), self.folder) if paths else ():
            sync_folder(folder)

    def reveal(self, come: Collection[str], go: Collection[str]) -> None:
        changed: dict[Path, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
        for paths, which in ((come, 0), (go, 1)):
            for path in map(Path, paths):
                changed[path.parent][which].add(path.name)
        for folder, (comes, goes) in sorted(changed.items()):
            drafts = {name: self.drafts / folder / name for name in comes}
            there = {name: draft for name, draft in drafts.items() if draft.exists()}
            self._install(self.folder / folder, there, goes)

    def locate(self, path: str) -> str:
        draft = f"{_DRAFTS}/{path}"
        return (
            draft if not (self.folder / path).exists() and (self.folder / draft).exists() else path
        )

    def clear(self) -> None:
        if self._has_old:
            # who has opened a folder to list it finds nothing in it once this is done
            time.sleep(_LISTING_SECONDS)
            self._has_old = False
        shutil.rmtree(self.drafts, ignore_errors=True)
        for draft in self.folder.glob(f"{MANIFESTS}/.*.draft"):
            draft.unlink(missing_ok=True)
        for table in self.folder.glob("[!_]*"):
            with contextlib.suppress(OSError):  # it has partitions, or is no folder
                table.rmdir()

    def _install(self, folder: Path, comes: dict[str, Path], goes: Collection[str]) -> None:
        """Have the drafts in the folder under their names, and those that go out of it. May be done again."""
        known = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        goes = [name for name in known if name in goes]
        comes = {
            name: draft
            for name, draft in comes.items()
            if name not in known or not draft.samefile(folder / name)
        }
        if not comes and not goes:
            if known == [] and folder.is_dir():  # left by a kill
                folder.rmdir()
            return
        make_folder(folder.parent)
        # one more file is there at one instant in any case
        is_one_more = folder.is_dir() and not goes and len(comes) == 1
        if is_one_more or not self._exchanged(folder, known, comes, goes):
            _one_by_one(folder, comes, goes)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        sync_folder(folder.parent)

    def _exchanged(
        self, folder: Path, known: Sequence[str], comes: dict[str, Path], goes: Collection[str]
    ) -> bool:
        """Do it at one instant; False where that cannot be done, and nothing was."""
        try:
            # each one anew: the folder that was exchanged stays as it was until drafts are cleared
            make_folder(self.drafts, is_durable=False)
            build = Path(tempfile.mkdtemp(prefix="build-", dir=self.drafts))
            as_its_folder(build)
            if known:
                shutil.copymode(folder, build)
            for name in known:
                if name not in goes and name not in comes:
                    os.link(folder / name, build / name, follow_symlinks=False)
            for name, draft in comes.items():
                os.link(draft, build / name)
            sync_folder(build)
            if folder.is_symlink():
                return False
            if folder.exists():
                _exchange(build, folder)
                self._has_old = True
            else:
                build.rename(folder)
        except OSError:  # no hard links, or folders cannot be exchanged here
            return False
        with contextlib.suppress(FileNotFoundError):
            for path in list(build.iterdir()):
                if path.name not in known:  # somebody else's, which came while the folder was built
                    path.replace(folder / path.name)
        return True


def _one_by_one(folder: Path, comes: dict[str, Path], goes: Iterable[str]) -> None:
    make_folder(folder)
    beside = {name: folder / f".{name}.new" for name in comes}
    for name, draft in comes.items():
        beside[name].unlink(missing_ok=True)
        try:
            os.link(draft, beside[name])
        except OSError:  # a file system without hard links
            shutil.copyfile(draft, beside[name])
            beside[name].chmod(0o600)
            as_its_folder(beside[name])
            sync_file(beside[name])
    # nothing but renames in between, so that a reader of names, or a kill, hardly finds its way here
    for name, new in beside.items():
        new.replace(folder / name)
    for name in goes:
        (folder / name).unlink(missing_ok=True)
    sync_folder(folder)


def _exchange(one: Path, other: Path) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError("there is no renameat2")
    if call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
