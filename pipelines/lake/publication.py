"""Publishes a run's files: all of them or none, in place of those it had published before."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import date
from types import TracebackType
from typing import Self

import pyarrow as pa

from pipelines.contract import RUN_TABLES, TABLES
from pipelines.lake.changing import Change, commit, settling
from pipelines.lake.draft import DraftTable, Sizes
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.partition import PartitionFile, PartitionKey
from pipelines.lake.rewriting import split_shared
from pipelines.lake.split_by_partition import split_by_partition
from pipelines.lake.state import Published, manifest_path, read_published
from pipelines.lake.storage import Storage, named_errors
from pipelines.lake.verified_files import is_whole

__all__ = ["Publication"]


class Publication:
    """A publication that is being written. Leaving its context without `commit` leaves no trace."""

    def __init__(self, storage: Storage, run_id: str, run_date: date, sizes: Sizes) -> None:
        self._storage, self._sizes = storage, sizes
        self._run_id, self._run_date = run_id, run_date
        self._tables: dict[PartitionKey, DraftTable] = {}
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
        for table in self._tables.values():
            # a writer that failed may fail again when it is closed: its draft goes in any case
            with contextlib.suppress(OSError, pa.ArrowException):
                table.close()
        with named_errors(self._storage.address):
            self._stack.__exit__(kind, error, trace)

    def append(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table; each goes into the partition that it belongs to.

        Raises:
            PublicationError: they cannot be written.
        """
        with named_errors(self._storage.address):
            for day, some in split_by_partition(TABLES[table], rows, self._run_date):
                self._draft(PartitionKey(table, day)).append(some)
            # what waits has one bound, however many partitions there are
            while self._waiting_bytes() > self._sizes.waiting_bytes:
                max(self._tables.values(), key=lambda each: each.waiting_bytes).flush()

    def commit(self, counts: Mapping[str, int]) -> Manifest:
        """Publish: the run's files replace those it published before.

        Raises:
            PublicationError: something cannot be written or does not verify; what was published stays.
        """
        with named_errors(self._storage.address):
            files = tuple(file for table in self._in_order() for file in table.finish())
            manifest = Manifest(self._run_id, self._run_date, dict(counts), files)
            commit(self._storage, self._change(manifest))
        return manifest

    def _draft(self, key: PartitionKey) -> DraftTable:
        """The drafts of a partition, made when it is first needed."""
        if key not in self._tables:
            table, drafts = TABLES[key.table], self._storage.drafts
            self._tables[key] = DraftTable(drafts, table, key, self._run_id, self._sizes)
        return self._tables[key]

    def _waiting_bytes(self) -> int:
        return sum(each.waiting_bytes for each in self._tables.values())

    def _in_order(self) -> list[DraftTable]:
        """Table by table, day by day; a table without rows gets a file without rows."""
        days = {name: [key for key in self._tables if key.table == name] for name in RUN_TABLES}
        keys = [
            key
            for name, found in days.items()
            for key in sorted(found) or [PartitionKey(name, self._run_date)]
        ]
        return [self._draft(key) for key in keys]

    def _change(self, manifest: Manifest) -> Change:
        """What of the run's files comes and goes, and what becomes of the rows of others in files that it shared."""
        published, before = self._before()
        there = {file.path for file in before}
        mended = [
            file.path
            for file in manifest.files
            if file.path in there and not is_whole(self._storage, file)
        ]
        entry = published.state.runs.get(self._run_id)
        if self._run_id in published.damaged and entry and entry.manifest == manifest.digest:
            mended.append(manifest_path(self._run_id, manifest.digest))
        come = [
            file.path for file in manifest.files if file.path not in there or file.path in mended
        ]
        kept = {file.path for file in manifest.files}
        own = [file for file in before if not file.is_shared and file.path not in kept]
        others = split_shared(
            published, [self._run_id], [file for file in before if file.is_shared]
        )
        return Change(
            come=[*come, *others.come],
            go=[*(file.path for file in own), *others.go],
            manifests={**others.manifests, self._run_id: manifest},
            mended=mended,
        )

    def _before(self) -> tuple[Published, Sequence[PublishedFile]]:
        """The runs that this one shares files with, itself included, and the files that hold rows of it now."""
        published = read_published(self._storage, lambda run_id, _: run_id == self._run_id)
        if self._run_id in published.damaged:
            return self._told_by_others()
        manifest = published.manifests.get(self._run_id)
        files = manifest.files if manifest else ()
        sharing = {run_id for file in files for run_id in file.runs} - {self._run_id}
        if sharing:
            published = read_published(self._storage, lambda run_id, _: run_id in sharing)
        return published, files

    def _told_by_others(self) -> tuple[Published, Sequence[PublishedFile]]:
        """Where the run's own manifest is damaged: what others share with it, and what is named after it.

        If no other one is damaged, whatever no manifest names is a rest of this run's.
        """
        published = read_published(self._storage)
        manifests = [*published.manifests.values(), *filter(None, [published.derived])]
        named = {file.path: file for each in manifests for file in each.files}
        shared = [file for file in named.values() if self._run_id in file.runs]
        is_last = set(published.damaged) == {self._run_id} and not published.derived_damage
        own = []
        for path, size in self._storage.sizes("").items():
            with contextlib.suppress(ValueError):  # not a file of ours
                file = PartitionFile.parse(path)
                if path not in named and (is_last or file.owner == self._run_id):
                    own.append(_unknown(path, file, size, self._run_id))
        return published, [*shared, *own]


def _unknown(path: str, file: PartitionFile, size: int, run_id: str) -> PublishedFile:
    """A file of which no more is known than its name."""
    partition = file.key.to_path().name
    return PublishedFile(path, file.key.table, partition, 0, 0, size, "", (run_id,))
