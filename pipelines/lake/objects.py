"""A lake in object storage: no rename and no folders, so files are seen by name as soon as they are sent."""

import contextlib
import errno
import posixpath
import shutil
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pyarrow import fs

from pipelines.errors import StorageError

__all__ = ["ObjectStorage"]

_PART_BYTES: Final = 8 << 20
_AT_ONCE: Final = 16  # small files that are asked for at the same time
_WITHOUT_FOLDERS: Final = (fs.S3FileSystem, fs.GcsFileSystem)


class ObjectStorage:
    """The place of a lake where a write shows whole at its end, or not at all. Making one asks nothing."""

    def __init__(self, address: str, filesystem: fs.FileSystem, base: str, drafts: Path) -> None:
        self.address, self.filesystem, self.base = address, filesystem, base
        self.drafts = drafts
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

    def read_all(self, paths: Sequence[str]) -> list[bytes | None]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._read_if_there, paths))

    def put(self, path: str, data: bytes) -> None:
        # in a thread, which no signal interrupts: a stream that is left by an exception keeps what it has
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self._put, path, data).result()

    def sizes(self, folder: str) -> dict[str, int]:
        prefix = len(self.base) + 1
        selector = fs.FileSelector(
            self._at(folder).rstrip("/"), allow_not_found=True, recursive=True
        )
        try:
            found = self.filesystem.get_file_info(selector)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            found = []
        if not found:
            self.prepare()
        return {info.path[prefix:]: info.size or 0 for info in found if info.is_file}

    def remove(self, paths: Collection[str]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self.filesystem.delete_file(self._at(path))

    def place(self, paths: Collection[str]) -> None:
        for path in paths:
            self.upload(path)

    def reveal(self, come: Collection[str], go: Collection[str]) -> None:  # noqa: ARG002  # what came is seen already
        self.remove(go)

    def locate(self, path: str) -> str:
        return path

    def clear(self) -> None:
        shutil.rmtree(self.drafts, ignore_errors=True)

    def upload(self, path: str) -> None:
        """Send a draft; it is there whole or not at all."""
        draft = self.drafts / path
        with draft.open("rb") as content, self._open(path) as stream:
            shutil.copyfileobj(content, stream, _PART_BYTES)
        written = draft.stat().st_size
        found = self.filesystem.get_file_info(self._at(path))
        if found.size != written:
            raise StorageError(
                f"the lake {self.address}: {path} has {found.size} bytes there, not the {written} sent"
            )

    def _put(self, path: str, data: bytes) -> None:
        with self._open(path) as stream:
            stream.write(data)

    def _read_if_there(self, path: str) -> bytes | None:
        try:
            return self.read(path)
        except FileNotFoundError:
            return None

    def _at(self, path: str) -> str:
        return f"{self.base}/{path}"

    def _open(self, path: str) -> "fs.NativeFile":  # type: ignore[name-defined]  # the stubs have it in pyarrow.lib
        if not isinstance(self.filesystem, _WITHOUT_FOLDERS):
            self.filesystem.create_dir(posixpath.dirname(self._at(path)), recursive=True)
        return self.filesystem.open_output_stream(self._at(path), compression=None)
