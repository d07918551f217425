"""Reads a run as one publication left it, whole, even while it is published again or after that was killed.

The manifest says which bytes belong together. They are opened before they are compared with it, so that nothing that
happens afterwards can change them.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.contract import TABLES, arrow_schema
from pipelines.errors import PublicationError
from pipelines.lake.lake import Lake
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.opening import opened

__all__ = ["Snapshot", "snapshot"]

_TRIES: Final = 20  # publications that may overtake a reader while it opens the files


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A publication with its files open."""

    manifest: Manifest
    files: tuple[tuple[PublishedFile, pa.NativeFile], ...]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows that the run published of a table.

        Raises:
            KeyError: no such table.
        """
        schema = arrow_schema(TABLES[name])
        wanted = list(columns) if columns is not None else schema.names
        empty = schema.empty_table().select(wanted)
        parts = []
        for file, content in self.files:
            if file.table == name:
                content.seek(0)
                with pq.ParquetFile(content) as parquet:
                    rows = parquet.read()
                if file.is_shared:
                    rows = rows.filter(pc.field("run_id") == self.manifest.run_id)
                parts.append(rows.select(wanted))
        return pa.concat_tables([empty, *parts])


@contextlib.contextmanager
def snapshot(lake: Lake, run_id: str) -> Iterator[Snapshot]:
    """What the run published last, every file verified.

    Raises:
        LookupError: the run published nothing.
        PublicationError: its files are not those of its manifest, or cannot be read.
    """
    bad = ""
    for _ in range(_TRIES):
        manifest = lake.manifest(run_id)
        if manifest is None:
            raise LookupError(f"run {run_id!r}: not published")
        with contextlib.ExitStack() as stack:
            files: list[tuple[PublishedFile, pa.NativeFile | None]] = []
            for file in manifest.files:
                content = opened(lake.storage, file)
                files.append((file, stack.enter_context(content) if content else None))
            whole = tuple((file, content) for file, content in files if content is not None)
            if len(whole) == len(files):
                yield Snapshot(manifest, whole)
                return
        bad = next(file.path for file, content in files if content is None)
        if lake.manifest(run_id) == manifest:  # nobody published meanwhile
            break
    raise PublicationError(
        f"run {run_id}: {lake.storage.base}/{bad} is not the file that its manifest names; publish the run again"
    )
