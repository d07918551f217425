"""Puts a run's files into the lake: all of them or none, the manifest last."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from types import TracebackType
from typing import Self

import pyarrow as pa

from pipelines.contract import TABLES
from pipelines.errors import PublicationError, StorageError
from pipelines.lake.catalog import read_manifest
from pipelines.lake.change import Change, Placing
from pipelines.lake.days import by_day
from pipelines.lake.draft import Draft, DraftTable, Sizes
from pipelines.lake.leftovers import leftovers
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.partition import PartitionFile, PartitionKey, manifest_path
from pipelines.lake.sharing import known_to_others, parted
from pipelines.lake.storage import Move, Storage, named_errors
from pipelines.lake.swap import give_back

__all__ = ["Publication"]


class Publication:
    """A publication that is being written. Leaving its context without `commit` leaves no trace."""

    def __init__(self, storage: Storage, run_id: str, run_date: date, sizes: Sizes) -> None:
        self._storage, self._sizes = storage, sizes
        self._run_id, self._run_date = run_id, run_date
        self._tables: dict[PartitionKey, DraftTable] = {}

    def __enter__(self) -> Self:
        with named_errors(self._storage.address):
            self._remove_leftovers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with named_errors(self._storage.address):
            for table in self._tables.values():
                table.discard()

    def append(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table; each goes into the partition that it belongs to.

        Raises:
            PublicationError: they cannot be written.
        """
        with named_errors(self._storage.address):
            for day, some in by_day(TABLES[table], rows, self._run_date):
                self._draft(PartitionKey(table, day)).append(some)

    def commit(self, counts: Mapping[str, int]) -> Manifest:
        """Publish: the run's files replace those it published before.

        Raises:
            PublicationError: something cannot be written or does not verify; what was published stays.
        """
        with named_errors(self._storage.address):
            drafts = [draft for table in self._in_order() for draft in table.finish()]
            before, others = self._before()
            moves, files = self._named(drafts, before, others)
            manifest = Manifest(self._run_id, self._run_date, dict(counts), files)
            kept = {file.path for file in (*files, *others)}
            stale = sorted({*self._published(), *(file.path for file in before)} - kept)
            # one that compaction named after another run must not be taken aside: that run would not give it back
            shared = [each for each in before if each.is_shared or not self._is_named(each)]
            if shared:
                self._storage.change(self._parted(shared, moves, stale, manifest))
            else:
                text = manifest.to_json().encode()
                self._storage.commit(moves, stale, manifest_path(self._run_id), text)
        return manifest

    def _draft(self, key: PartitionKey) -> DraftTable:
        """The drafts of a partition, made when it is first needed."""
        if key not in self._tables:
            table = TABLES[key.table]
            drafts = self._storage.drafts
            self._tables[key] = DraftTable(drafts, table, key, self._run_id, self._sizes)
        return self._tables[key]

    def _in_order(self) -> list[DraftTable]:
        """Table by table, day by day; a table without rows gets a file without rows."""
        days = {name: [key for key in self._tables if key.table == name] for name in TABLES}
        keys = [
            key
            for name, found in days.items()
            for key in sorted(found) or [PartitionKey(name, self._run_date)]
        ]
        return [self._draft(key) for key in keys]

    def _before(self) -> tuple[list[PublishedFile], list[PublishedFile]]:
        """The files that hold rows of the run, and those that are only named like its own.

        Where no manifest of its own says so, the other runs' manifests do for the files that it shares with them.
        """
        own, is_told = [], True
        try:
            if manifest := read_manifest(self._storage, self._run_id):
                own = list(manifest.files)
        except StorageError:
            raise
        except PublicationError:  # damaged; it is replaced
            is_told = False
        if is_told and {*self._published()} <= {file.path for file in own}:
            return own, []
        others = known_to_others(self._storage, [self._run_id])
        known = {file.path for file in own}
        own += [each for each in others if self._run_id in each.runs and each.path not in known]
        return own, [each for each in others if self._run_id not in each.runs]

    def _parted(
        self,
        shared: Sequence[PublishedFile],
        moves: Sequence[Move],
        stale: Sequence[str],
        manifest: Manifest,
    ) -> Change:
        """The publication, and files without this run for those that shared some with it."""
        parting = parted(self._storage, [self._run_id], shared)
        self._tables.clear()  # the drafts belong to the change now
        placings = [
            Placing(move.draft.relative_to(self._storage.drafts).as_posix(), move.path)
            for move in moves
        ]
        manifests = {**parting.manifests, self._run_id: manifest}
        return Change(
            [*placings, *parting.placings],
            [path for path in stale if path not in parting.kept],
            {run_id: each.to_json() for run_id, each in manifests.items()},
        )

    def _named(
        self,
        drafts: Sequence[Draft],
        before: Sequence[PublishedFile],
        others: Sequence[PublishedFile],
    ) -> tuple[list[Move], tuple[PublishedFile, ...]]:
        """What is to be moved where.

        Where names cannot be replaced, a file whose bytes are there already stays, and any other gets a number that
        no manifest named before.
        """
        numbers = _Numbers({}, ())
        if not self._storage.keeps_names:
            numbers = _Numbers({f.path: f.sha256 for f in before}, [f.path for f in others])
        moves, files = [], []
        for draft in drafts:
            path, is_there = numbers.take(draft)
            written = self._storage.drafts / draft.target.to_draft()
            if is_there:
                written.unlink()
            else:
                moves.append(Move(written, path))
            files.append(replace(draft.published, path=path))
        return moves, tuple(files)

    def _partitions(self) -> Iterator[PartitionKey]:
        """Where files of this run may be: its date, and for a table by another date every partition there is."""
        for table in TABLES.values():
            if table.partition_from is None:
                yield PartitionKey(table.name, self._run_date)
                continue
            for name in self._storage.folders(table.name):
                with contextlib.suppress(ValueError):  # not a partition of ours
                    yield PartitionKey.parse(f"{table.name}/{name}")

    def _published(self) -> Iterator[str]:
        """The run's files that readers can see now, by their names."""
        for key in self._partitions():
            folder = key.to_path()
            for name in self._storage.names(str(folder)):
                with contextlib.suppress(ValueError):  # not a file of ours
                    if not name.startswith(".") and self._is_own(
                        PartitionFile.parse(folder / name)
                    ):
                        yield str(folder / name)

    def _remove_leftovers(self) -> None:
        """What a publication of this run left when it was killed; what it had taken aside is given back."""
        mine = [(path, file) for path, file in leftovers(self._storage) if self._is_own(file)]
        digests = {file.path: file.sha256 for file in self._before()[0]} if mine else {}
        for path, file in mine:
            if path.name.endswith(".aside"):
                published = path.with_name(file.to_path().name)
                give_back(published, digests.get(str(file.to_path())))
            else:
                path.unlink(missing_ok=True)

    def _is_own(self, file: PartitionFile) -> bool:
        return file.run_id == self._run_id

    def _is_named(self, file: PublishedFile) -> bool:
        return self._is_own(PartitionFile.parse(file.path))


class _Numbers:
    """Gives files their names beside those that a manifest names already."""

    def __init__(self, digests: Mapping[str, str], taken: Sequence[str]) -> None:
        self._digests = digests
        self._next: dict[PartitionKey, int] = {}
        for path in (*digests, *taken):
            with contextlib.suppress(ValueError):
                file = PartitionFile.parse(path)
                self._next[file.key] = max(self._next.get(file.key, 0), file.number + 1)

    def take(self, draft: Draft) -> tuple[str, bool]:
        """The path for a draft, and whether its very bytes are there already."""
        folder = str(draft.target.key.to_path())
        for path, digest in self._digests.items():
            if digest == draft.published.sha256 and path.rpartition("/")[0] == folder:
                return path, True
        if draft.target.key not in self._next:
            return draft.published.path, False
        number = self._next[draft.target.key]
        self._next[draft.target.key] += 1
        return str(replace(draft.target, number=number).to_path()), False
