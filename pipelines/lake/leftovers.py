"""What a publication that was killed has left beside the published files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.lake.partition import PartitionFile
from pipelines.lake.storage import Storage

__all__ = ["leftovers"]


def leftovers(storage: Storage) -> Iterator[tuple[Path, PartitionFile]]:
    """The drafts and asides that lie about, each with the file that it is, or was, to be."""
    for path in sorted(storage.drafts.glob("*/*/.*")):
        name = path.name.removeprefix(".").removesuffix(".draft").removesuffix(".aside")
        folder = path.parent.relative_to(storage.drafts)
        with contextlib.suppress(ValueError):  # not a file of ours
            yield path, PartitionFile.parse((folder / name).as_posix())
