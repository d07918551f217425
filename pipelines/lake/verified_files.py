"""The one way to open a published file: it is there, and it is the one that its manifest names."""

import contextlib
import errno
import hashlib
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from pipelines.errors import PublicationError
from pipelines.lake.manifest import PublishedFile
from pipelines.lake.partition import DERIVED
from pipelines.lake.state import Pending
from pipelines.lake.storage import Storage

__all__ = ["MissingFileError", "is_whole", "open_verified", "publish_again"]

_CHUNK: Final = 1 << 20


class MissingFileError(PublicationError):
    """A file is not there: it is lost, or a change took it away since its manifest was read."""


def publish_again(runs: Sequence[str]) -> str:
    """What to do about a file of these runs; several, and the history, are made again with everything else."""
    which = f" --run {runs[0]}" if len(runs) == 1 and runs[0] != DERIVED else ""
    return f"publish run {', '.join(runs)} again: `ecgrid-stats normalize{which}`"


def open_verified(
    storage: Storage, file: PublishedFile, pending: Pending | None = None
) -> pa.NativeFile:
    """The file at its beginning, read through once. What happens to its name afterwards does not change what is read.

    Args:
        pending: what is to be done yet in the state that names the file, where that is not known to be nothing.

    Raises:
        MissingFileError: it is not there.
        PublicationError: its bytes are others.
        OSError: it cannot be read.
    """
    path, again = f"{storage.base}/{file.path}", publish_again(file.runs)
    content = None
    is_coming = pending is not None and file.path in pending.come
    # it may have been shown since it was looked for
    for place in (storage.locate(file.path), file.path) if is_coming else (file.path,):
        with contextlib.suppress(FileNotFoundError):
            content = storage.filesystem.open_input_file(f"{storage.base}/{place}")
            break
    if content is None:
        raise MissingFileError(f"{path} is missing: {again}")
    digest = hashlib.sha256()
    try:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    except OSError as error:
        content.close()
        if error.errno != errno.EIO:
            raise
        raise PublicationError(f"{path} cannot be read, {error.strerror}: {again}") from error
    if digest.hexdigest() != file.sha256:
        content.close()
        raise PublicationError(
            f"{path} is damaged: its SHA-256 is {digest.hexdigest()[:16]}…, its manifest says"
            f" {file.sha256[:16]}…: {again}"
        )
    content.seek(0)
    return content


def is_whole(storage: Storage, file: PublishedFile) -> bool:
    """Whether the file is there and is the one that its manifest names. Reads all of it."""
    try:
        open_verified(storage, file).close()
    except PublicationError:
        return False
    return True
