"""Opens a published file and sees that it is the one that its manifest names; says which one is not."""

import contextlib
import hashlib
from typing import Final

import pyarrow as pa

from pipelines.lake.catalog import read_manifest, run_ids
from pipelines.lake.manifest import PublishedFile
from pipelines.lake.partition import PartitionFile
from pipelines.lake.storage import Storage, named_errors

__all__ = ["damage", "opened"]

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


def damage(storage: Storage, table: str) -> str | None:
    """The first file of a table that is not what was published, and what to do; None if all are. Reads all of them.

    Raises:
        PublicationError: a manifest cannot be read, or the store does not answer.
    """
    for run_id in run_ids(storage):
        manifest = read_manifest(storage, run_id)
        for file in manifest.files if manifest else ():
            if file.table != table:
                continue
            with named_errors(storage.address):
                found = opened(storage, file)
            if found is None:
                path, again = (
                    f"{storage.base}/{file.path}",
                    f"`ecgrid-stats normalize --run {run_id}`",
                )
                return (
                    f"{path} is missing or not what was published: publish the run again, {again}"
                )
            found.close()
    return None


def _digest(content: pa.NativeFile) -> str:
    sums = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        sums.update(chunk)
    return sums.hexdigest()
