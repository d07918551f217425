"""Writes the rows of one table of one run into drafts beside their published names, and verifies them.

Row groups and files are cut by what is written alone, so the same rows make the same bytes.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.contract import Table, arrow_schema
from pipelines.errors import PublicationError
from pipelines.lake.durable import create_private, make_folder, sync_file
from pipelines.lake.fingerprint import fingerprint
from pipelines.lake.layout import PUBLISHED, Layout
from pipelines.lake.manifest import PublishedFile
from pipelines.lake.order import sorted_rows
from pipelines.lake.partition import PartitionFile, PartitionKey
from pipelines.lake.swap import digest_of

__all__ = ["COMPACTED_SIZES", "DEFAULT_SIZES", "Draft", "DraftTable", "Sizes"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """When a row group or a file is full.

    Attributes:
        group_bytes: of the rows in memory, so that large bodies make small groups.
        file_bytes: a file that has so many gets no further row group.
    """

    group_rows: int = 131_072
    group_bytes: int = 8 << 20
    file_rows: int = 5_000_000
    file_bytes: int = 1 << 40


DEFAULT_SIZES: Final = Sizes()
COMPACTED_SIZES: Final = Sizes(group_rows=1 << 15)


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole, verified file that only wants its name."""

    target: PartitionFile
    published: PublishedFile


class DraftTable:
    """The drafts of one table. Ends with `finish` or `discard`."""

    def __init__(
        self,
        drafts: Path,
        table: Table,
        key: PartitionKey,
        run_id: str,
        sizes: Sizes,
        layout: Layout = PUBLISHED,
        first_number: int = 0,
    ) -> None:
        self._drafts, self._table, self._key = drafts, table, key
        self._run_id, self._sizes = run_id, sizes
        self._layout, self._first_number = layout, first_number
        self._prints: list[
            list[bytes]
        ] = []  # of the row groups of each file, where it is to be read again
        self._schema = arrow_schema(table)
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._files: list[tuple[PartitionFile, int]] = []  # with their rows; the last one is open
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
        self._waiting_bytes += rows.nbytes
        while self._waiting_rows >= self._sizes.group_rows:
            self._write_group(self._sizes.group_rows)
        if self._waiting_bytes >= self._sizes.group_bytes:
            self._write_group(self._waiting_rows)

    def finish(self) -> list[Draft]:
        """Write what is left, have it on disk, and verify every file; at least one, if without rows.

        Raises:
            PublicationError: a file does not read back as it was written.
        """
        if self._waiting_rows or not self._files:
            self._write_group(self._waiting_rows)
        self._close()
        return [
            self._verified(file, rows, prints)
            for (file, rows), prints in zip(self._files, self._prints, strict=True)
        ]

    def discard(self) -> None:
        """Remove every draft."""
        # a writer that failed may fail again when it is closed: the draft goes in any case
        with contextlib.suppress(OSError, pa.ArrowException):
            self._close()
        for file, _ in self._files:
            self._path(file).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other runs are in it, or it was never made
            (self._drafts / self._key.to_path()).rmdir()

    def _path(self, file: PartitionFile) -> Path:
        return self._drafts / file.to_draft()

    def _write_group(self, count: int) -> None:
        rows = pa.concat_tables([self._schema.empty_table(), *self._waiting])
        rest = rows.slice(count)
        self._waiting = [rest] if rest.num_rows else []
        self._waiting_rows, self._waiting_bytes = rest.num_rows, rest.nbytes
        group = sorted_rows(rows.slice(0, count), self._table.sort)
        writer = self._writer_for(count)
        if count:
            writer.write_table(group, row_group_size=count)
            if self._layout.is_read_again:
                self._prints[-1].append(fingerprint(group))
        file, written = self._files[-1]
        self._files[-1] = (file, written + count)

    def _writer_for(self, count: int) -> pq.ParquetWriter:
        if self._writer is not None:
            if self._has_room(count):
                return self._writer
            self._close()
        file = PartitionFile(self._key, self._run_id, self._first_number + len(self._files))
        path = self._path(file)
        make_folder(path.parent)
        create_private(path)
        self._files.append((file, 0))
        self._prints.append([])
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pq.ParquetWriter(
            self._sink, self._schema, **self._layout.options(self._table)
        )
        return self._writer

    def _has_room(self, count: int) -> bool:
        is_full = self._sink is not None and self._sink.tell() >= self._sizes.file_bytes
        return not is_full and self._files[-1][1] + count <= self._sizes.file_rows

    def _close(self) -> None:
        writer, sink = self._writer, self._sink
        self._writer = self._sink = None
        try:
            if writer is not None:
                writer.close()
        finally:
            if sink is not None:
                sink.close()

    def _verified(self, file: PartitionFile, rows: int, prints: list[bytes]) -> Draft:
        path = self._path(file)
        sync_file(path)
        try:
            with pq.ParquetFile(path) as written:
                found, schema = written.metadata.num_rows, written.schema_arrow
                again = [fingerprint(written.read_row_group(each)) for each in range(len(prints))]
        except pa.ArrowException as error:
            raise PublicationError(f"{path} does not read back: {error}") from error
        if found != rows or not schema.equals(self._schema, check_metadata=True):
            raise PublicationError(
                f"{path} reads back as {found} rows of {schema.names}, not as the {rows} rows written"
            )
        if again != prints:
            raise PublicationError(f"{path} reads back with other values than were written")
        published = PublishedFile(
            path=str(file.to_path()),
            table=self._table.name,
            partition=file.key.to_path().name,
            schema_version=self._table.version,
            rows=rows,
            bytes=path.stat().st_size,
            sha256=digest_of(path),
            runs=(self._run_id,),
        )
        return Draft(file, published)
