"""A lake on a store of objects: no rename, so every file has a name of its own and the manifest comes last."""

import contextlib
import errno
import posixpath
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pyarrow import fs

from pipelines.errors import StorageError
from pipelines.lake.change import JOURNAL, WORKSHOP, Change
from pipelines.lake.storage import Move

__all__ = ["ObjectStorage"]

_PART_BYTES: Final = 8 << 20
_WITHOUT_FOLDERS: Final = (fs.S3FileSystem, fs.GcsFileSystem)


class ObjectStorage:
    """The place of a lake where a write shows whole at its end, or not at all. Making one asks nothing."""

    def __init__(self, address: str, filesystem: fs.FileSystem, base: str, drafts: Path) -> None:
        self.address, self.filesystem, self.base = address, filesystem, base
        self.drafts = drafts
        self.keeps_names = False
        self._found = False

    def prepare(self) -> None:
        if self._found or not isinstance(self.filesystem, fs.S3FileSystem):
            return
        bucket = self.base.partition("/")[0]
        if self.filesystem.get_file_info(bucket).type is fs.FileType.NotFound:
            raise StorageError(
                f"the lake {self.address}: there is no bucket {bucket!r}: make it, or correct storage.lake"
            )
        self._found = True

    def read(self, path: str) -> bytes:
        try:
            with self.filesystem.open_input_stream(self._at(path), compression=None) as stream:
                return stream.read()
        except FileNotFoundError:
            self.prepare()  # a missing bucket looks like a missing object
            raise

    def put(self, path: str, data: bytes) -> None:
        with self._open(path) as stream:
            stream.write(data)

    def names(self, folder: str) -> list[str]:
        listed = self._listed(folder, recursive=False)
        return sorted(info.base_name for info in listed if info.is_file)

    def folders(self, folder: str) -> list[str]:
        listed = self._listed(folder, recursive=False)
        return sorted(info.base_name for info in listed if not info.is_file)

    def sizes(self, folder: str) -> dict[str, int]:
        prefix = len(self.base) + 1
        listed = self._listed(folder, recursive=True)
        return {info.path[prefix:]: info.size or 0 for info in listed if info.is_file}

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self.filesystem.delete_file(self._at(path))

    def commit(
        self, moves: Sequence[Move], stale: Sequence[str], manifest: str, text: bytes
    ) -> None:
        try:
            for move in moves:
                self.upload(move)
        except BaseException:  # an interrupt, too
            with contextlib.suppress(OSError, StorageError):
                self.remove([move.path for move in moves])
            raise
        # from here on the new files may be those that the manifest names, whatever the answer says
        self.put(manifest, text)
        self.remove(stale)
        for move in moves:
            move.draft.unlink(missing_ok=True)

    def place(self, path: str, sha256: str) -> str:  # noqa: ARG002  # objects keep their names
        return path

    def change(self, change: Change) -> None:
        self.put(JOURNAL, replace(change, is_ready=False).to_json())
        try:
            for placing in change.placings:
                self.upload(Move(self.drafts / placing.draft, placing.path))
        except BaseException:  # an interrupt, too
            with contextlib.suppress(OSError, StorageError):
                self.settle()
            raise
        self.put(JOURNAL, change.to_json())
        self._finish(change)

    def settle(self) -> bool:
        try:
            change = Change.from_json(self.read(JOURNAL))
        except FileNotFoundError:
            shutil.rmtree(self.drafts / WORKSHOP, ignore_errors=True)
            return False
        if change.is_ready:
            self._finish(change)
        else:  # no manifest names these yet
            self.remove([*(each.path for each in change.placings), JOURNAL])
            for placing in change.placings:
                (self.drafts / placing.draft).unlink(missing_ok=True)
        return True

    def _finish(self, change: Change) -> None:
        for path, text in change.texts().items():
            self.put(path, text)
        self.remove([*change.stale, JOURNAL])
        for placing in change.placings:
            (self.drafts / placing.draft).unlink(missing_ok=True)
        shutil.rmtree(self.drafts / WORKSHOP, ignore_errors=True)

    def upload(self, move: Move) -> None:
        """Bring a file to its place; it is there whole or not at all."""
        with move.draft.open("rb") as draft, self._open(move.path) as stream:
            shutil.copyfileobj(draft, stream, _PART_BYTES)
        written = move.draft.stat().st_size
        found = self.filesystem.get_file_info(self._at(move.path))
        if found.size != written:
            raise StorageError(
                f"the lake {self.address}: {move.path} has {found.size} bytes there, not the {written} sent"
            )

    def _at(self, path: str) -> str:
        return f"{self.base}/{path}"

    def _open(self, path: str) -> "fs.NativeFile":  # type: ignore[name-defined]  # the stubs have it in pyarrow.lib
        if not isinstance(self.filesystem, _WITHOUT_FOLDERS):
            self.filesystem.create_dir(posixpath.dirname(self._at(path)), recursive=True)
        return self.filesystem.open_output_stream(self._at(path), compression=None)

    def _listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        where = self._at(folder).rstrip("/")
        selector = fs.FileSelector(where, allow_not_found=True, recursive=recursive)
        try:
            found = self.filesystem.get_file_info(selector)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            found = []
        if not found:
            self.prepare()
        return list(found)
