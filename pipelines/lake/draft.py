"""Writes rows of one table and partition into drafts, verifies them and names them after their bytes.

Row groups and files are cut by what is written alone, so the same rows make the same bytes.
"""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.contract import Table, arrow_schema
from pipelines.errors import PublicationError
from pipelines.lake.durable import create_private, make_folder, sync_file
from pipelines.lake.layout import sorted_rows, writer_options
from pipelines.lake.manifest import PublishedFile
from pipelines.lake.partition import PartitionFile, PartitionKey

__all__ = ["DEFAULT_SIZES", "DraftTable", "Sizes"]

_DISK: Final = "is the disk sound? What was published stays; run again"


@dataclass(frozen=True, slots=True)
class Sizes:
    """When a row group or a file is full.

    Attributes:
        group_bytes: of the rows in memory, so that large bodies make small groups.
        waiting_bytes: of the rows of all partitions that wait for their row groups to be full.
    """

    group_rows: int = 1 << 15
    group_bytes: int = 8 << 20
    file_rows: int = 5_000_000
    waiting_bytes: int = 16 << 20


DEFAULT_SIZES: Final = Sizes()


class DraftTable:
    """The drafts of a table in one partition. Ends with `finish` or `close`.

    Args:
        first: the number of the first file.
    """

    def __init__(
        self,
        drafts: Path,
        table: Table,
        key: PartitionKey,
        owner: str,
        sizes: Sizes,
        first: int = 0,
    ) -> None:
        self._folder = drafts / key.to_path()
        self._table, self._key, self._owner, self._sizes = table, key, owner, sizes
        self._schema, self._first = arrow_schema(table), first
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self.waiting_bytes = 0
        self._rows: list[int] = []  # of each file; the last one is open
        self._sink: pa.OSFile | None = None
        self._writer: pq.ParquetWriter | None = None

    def append(self, rows: pa.Table) -> None:
        """Add rows; they are written once they fill a row group."""
        if not rows.schema.equals(self._schema):
            raise TypeError(
                f"{self._table.name}: got {rows.schema.names}, not the contract's schema"
            )
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        self.waiting_bytes += rows.nbytes
        while self._waiting_rows >= self._sizes.group_rows:
            self._write_group(self._sizes.group_rows)
        if self.waiting_bytes >= self._sizes.group_bytes:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait as a row group of their own."""
        self._write_group(self._waiting_rows)

    def finish(self) -> list[PublishedFile]:
        """Write what is left, have it on disk, and verify every file; at least one, if without rows.

        Raises:
            PublicationError: a file does not read back as it was written.
        """
        if self._waiting_rows or not self._rows:
            self.flush()
        self.close()
        return [self._verified(number, rows) for number, rows in enumerate(self._rows)]

    def close(self) -> None:
        """Let go of the file that is open."""
        writer, sink = self._writer, self._sink
        self._writer = self._sink = None
        with contextlib.ExitStack() as stack:
            for each in (sink, writer):
                if each is not None:
                    stack.callback(each.close)

    def _draft(self, number: int) -> Path:
        return self._folder / f"{self._owner}-{self._first + number}.writing"

    def _write_group(self, count: int) -> None:
        rows = pa.concat_tables([self._schema.empty_table(), *self._waiting])
        rest = rows.slice(count)
        self._waiting = [rest] if rest.num_rows else []
        self._waiting_rows, self.waiting_bytes = rest.num_rows, rest.nbytes
        writer = self._writer_for(count)
        if count:
            group = sorted_rows(rows.slice(0, count), self._table.sort)
            writer.write_table(group, row_group_size=count)
        self._rows[-1] += count

    def _writer_for(self, count: int) -> pq.ParquetWriter:
        if self._writer is not None:
            if self._rows[-1] + count <= self._sizes.file_rows:
                return self._writer
            self.close()
        path = self._draft(len(self._rows))
        make_folder(path.parent, is_durable=False)  # drafts are, once they are placed
        create_private(path)
        self._rows.append(0)
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pq.ParquetWriter(self._sink, self._schema, **writer_options(self._table))
        return self._writer

    def _verified(self, number: int, rows: int) -> PublishedFile:
        draft = self._draft(number)
        sync_file(draft)
        try:
            with pq.ParquetFile(draft) as written:
                found, schema = written.metadata.num_rows, written.schema_arrow
        except pa.ArrowException as error:
            raise PublicationError(f"{draft} does not read back ({error}): {_DISK}") from error
        if found != rows or not schema.equals(self._schema, check_metadata=True):
            raise PublicationError(
                f"{draft} reads back as {found} rows of {schema.names}, not as the {rows} rows written: {_DISK}"
            )
        with draft.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        path = PartitionFile(self._key, self._owner, self._first + number, digest[:16]).to_path()
        draft.rename(draft.with_name(path.name))
        return PublishedFile(
            path=str(path),
            table=self._table.name,
            partition=path.parent.name,
            schema_version=self._table.version,
            rows=rows,
            bytes=draft.with_name(path.name).stat().st_size,
            sha256=digest,
            runs=(self._owner,),
        )
