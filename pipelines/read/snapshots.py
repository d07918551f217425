"""Reads a run as one publication left it, whole, even while it is published again."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.contract import TABLES, arrow_schema
from pipelines.contract.evolution import check_file
from pipelines.errors import PublicationError
from pipelines.lake.lake import Lake
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.storage import named_errors
from pipelines.lake.verified_files import MissingFileError, open_verified

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
            TableSchemaError: a file of another version does not fit this program's.
        """
        schema = arrow_schema(TABLES[name])
        wanted = list(columns) if columns is not None else schema.names
        empty = schema.empty_table().select(wanted)
        parts = []
        for file, content in self.files:
            if file.table == name:
                content.seek(0)
                with pq.ParquetFile(content) as parquet:
                    check_file(TABLES[name], parquet.schema_arrow, file.path)
                    rows = parquet.read()
                if file.is_shared:
                    rows = rows.filter(pc.field("run_id") == self.manifest.run_id)
                parts.append(_conformed(rows, empty.schema))
        return pa.concat_tables([empty, *parts])


def _conformed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of a file of another version: null for columns that it does not have, the wider type where types differ."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.schema.names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


@contextlib.contextmanager
def snapshot(lake: Lake, run_id: str) -> Iterator[Snapshot]:
    """What the run published last, every file verified.

    Raises:
        LookupError: the run published nothing.
        PublicationError: its files are not those of its manifest, or cannot be read.
    """
    before: object = None
    for _ in range(_TRIES):
        published = lake.published(lambda each, _entry: each == run_id)
        if run_id in published.damaged:
            raise PublicationError(published.damaged[run_id])
        if run_id not in published.manifests:
            raise LookupError(f"run {run_id!r}: not published")
        manifest, state = published.manifests[run_id], published.state
        with contextlib.ExitStack() as stack:
            try:
                opened = tuple(
                    (file, stack.enter_context(open_verified(lake.storage, file, state.pending)))
                    for file in manifest.files
                )
            except (MissingFileError, OSError) as error:
                if state == before:  # nobody published meanwhile
                    with named_errors(lake.storage.address):
                        raise error from None
                before = state
                continue
            yield Snapshot(manifest, opened)
            return
    raise PublicationError(f"run {run_id}: published again and again while it was read; read again")
