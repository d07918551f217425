"""Tables that are made of all runs: the files of some days are written anew, those of others stay."""

import contextlib
import hashlib
from collections.abc import Collection, Mapping
from datetime import date
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.contract import TABLES
from pipelines.lake.changing import Change, commit, settling
from pipelines.lake.draft import DraftTable, Sizes
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.partition import DERIVED, PartitionFile, PartitionKey
from pipelines.lake.state import manifest_path, read_published
from pipelines.lake.storage import Storage, named_errors
from pipelines.lake.verified_files import is_whole

__all__ = ["DerivedPublication", "derived_day"]

_FILES_A_DAY: Final = 1000
_RUN_DATE: Final = date(1970, 1, 1)  # derived tables are of no run


class DerivedPublication:
    """A change of derived tables that is being written. Leaving its context without `commit` leaves no trace."""

    def __init__(self, storage: Storage, sizes: Sizes) -> None:
        self._storage, self._sizes = storage, sizes
        self._written: list[PublishedFile] = []
        self._open: DraftTable | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(settling(self._storage))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open is not None:
            # a writer that failed may fail again when it is closed: its draft goes in any case
            with contextlib.suppress(OSError, pa.ArrowException):
                self._open.close()
        with named_errors(self._storage.address):
            self._stack.__exit__(kind, error, trace)

    def write(self, table: str, day: date, rows: pa.Table) -> None:
        """Write a day of a table; what is the same makes the same bytes.

        Args:
            rows: all of them, in the table's order.

        Raises:
            PublicationError: they cannot be written.
        """
        with named_errors(self._storage.address):
            self._open = DraftTable(
                self._storage.drafts,
                TABLES[table],
                PartitionKey(table, day.replace(day=1)),
                DERIVED,
                self._sizes,
                first=day.day * _FILES_A_DAY,
            )
            for first in range(0, rows.num_rows, self._sizes.group_rows):
                self._open.append(rows.slice(first, self._sizes.group_rows))
                self._open.flush()
            self._written += self._open.finish()
            self._open = None

    def commit(
        self,
        days: Collection[date] | None,
        counts: Mapping[str, int],
        sources: Mapping[str, tuple[str, ...]],
    ) -> Manifest:
        """Publish: what was written takes the place of what was there of these days.

        Where the manifest is lost or damaged, what was there are the files whose names are those of their contents.

        Args:
            days: those that are replaced, also where nothing was written; None for all.
            sources: what the tables are made of, by run.

        Raises:
            PublicationError: something cannot be written or does not verify; what was published stays.
        """
        with named_errors(self._storage.address):
            published = read_published(self._storage)
            old = published.derived.files if published.derived else ()
            if published.derived_damage is not None:
                old = _whole_by_name(self._storage)
            stays = [
                file for file in old if days is not None and derived_day(file.path) not in days
            ]
            files = sorted([*stays, *self._written], key=lambda file: (file.table, file.path))
            manifest = Manifest(
                DERIVED, _RUN_DATE, dict(counts), tuple(files), sources=dict(sources)
            )
            is_damaged = published.derived_damage is not None
            commit(self._storage, self._change(manifest, old, self._written, is_damaged))
        return manifest

    def _change(
        self,
        manifest: Manifest,
        old: Collection[PublishedFile],
        written: Collection[PublishedFile],
        is_damaged: bool,
    ) -> Change:
        there, kept = {file.path for file in old}, {file.path for file in manifest.files}
        go = [path for path in there if path not in kept]
        if is_damaged:  # which files there were is not known any more
            go = [
                path for path in self._storage.sizes("") if _is_derived(path) and path not in kept
            ]
            there = {path for path in self._storage.sizes("") if path in kept}
        mended = [
            file.path
            for file in written
            if file.path in there and not is_whole(self._storage, file)
        ]
        come = [file.path for file in written if file.path not in there or file.path in mended]
        if is_damaged:
            mended.append(manifest_path(DERIVED, manifest.digest))
        return Change(come=come, go=sorted(go), manifests={DERIVED: manifest}, mended=mended)


def derived_day(path: str) -> date:
    """The day whose rows a file of a derived table has.

    Raises:
        ValueError: the path is not one of a lake.
    """
    file = PartitionFile.parse(path)
    return file.key.day.replace(day=file.number // _FILES_A_DAY)


def _whole_by_name(storage: Storage) -> tuple[PublishedFile, ...]:
    """The files of derived tables that are there; a name has part of the SHA-256."""
    found = []
    for path in sorted(each for each in storage.sizes("") if _is_derived(each)):
        content, named = storage.read(path), PartitionFile.parse(path)
        digest = hashlib.sha256(content).hexdigest()
        if digest[:16] != named.digest:
            continue
        with pq.ParquetFile(pa.BufferReader(content)) as parquet:
            version = (parquet.schema_arrow.metadata or {}).get(b"ecgrid.schema_version", b"0")
            found.append(
                PublishedFile(
                    path=path,
                    table=named.key.table,
                    partition=named.key.to_path().name,
                    schema_version=int(version),
                    rows=parquet.metadata.num_rows,
                    bytes=len(content),
                    sha256=digest,
                    runs=(DERIVED,),
                )
            )
    return tuple(found)


def _is_derived(path: str) -> bool:
    with contextlib.suppress(ValueError):
        return PartitionFile.parse(path).owner == DERIVED
    return False
