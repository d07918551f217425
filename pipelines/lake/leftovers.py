"""What a publication that was killed has left beside the published files."""

import contextlib
from collections.abc import Iterator
from glob import glob
from pathlib import Path

from pipelines.lake.partition import PartitionFile
from pipelines.lake.storage import Storage

__all__ = ["leftovers"]


def leftovers(storage: Storage) -> Iterator[tuple[Path, PartitionFile]]:
    """The drafts and asides that lie about, each with the file that it is, or was, to be."""
    # not Path.glob, which fails over a folder that somebody at work takes away
    for found in sorted(glob("*/*/.*", root_dir=storage.drafts)):  # noqa: PTH207
        folder, hidden = found.rsplit("/", 1)
        name = hidden.removeprefix(".").removesuffix(".draft").removesuffix(".aside")
        with contextlib.suppress(ValueError):  # not a file of ours
            yield storage.drafts / found, PartitionFile.parse(f"{folder}/{name}")
