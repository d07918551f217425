"""Opens a published file and sees that it is the one that its manifest names."""

import contextlib
import hashlib
from typing import Final

import pyarrow as pa

from pipelines.lake.manifest import PublishedFile
from pipelines.lake.partition import PartitionFile
from pipelines.lake.storage import Storage

__all__ = ["opened"]

_CHUNK: Final = 1 << 20


def opened(storage: Storage, file: PublishedFile) -> pa.NativeFile | None:
    """The file at its beginning, or what is aside while it is replaced; None if neither is what the manifest names."""
    name = PartitionFile.parse(file.path)
    # the name once more: what is aside may have got it back since
    for path in (name.to_path(), name.to_aside(), name.to_path()):
        with contextlib.suppress(FileNotFoundError):
            content = storage.filesystem.open_input_file(f"{storage.base}/{path}")
            if _digest(content) == file.sha256:
                content.seek(0)
                return content
            content.close()
    return None


def _digest(content: pa.NativeFile) -> str:
    sums = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        sums.update(chunk)
    return sums.hexdigest()
