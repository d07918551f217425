"""The lake as its users see it: what is published, and the doors to change it."""

from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import Self

from pipelines.errors import PublicationError, StorageError
from pipelines.lake import catalog
from pipelines.lake.catalog import TableFile
from pipelines.lake.change import JOURNAL
from pipelines.lake.compaction import TARGET_BYTES, Compacted, compacted
from pipelines.lake.draft import DEFAULT_SIZES, Sizes
from pipelines.lake.leftovers import leftovers
from pipelines.lake.local import LocalStorage
from pipelines.lake.manifest import LAKE_VERSION, Manifest
from pipelines.lake.objects import ObjectStorage
from pipelines.lake.opening import damage
from pipelines.lake.partition import MANIFESTS, check_run_id, day_of_run
from pipelines.lake.publication import Publication
from pipelines.lake.retention import Pruned, pruned
from pipelines.lake.storage import S3Options, Storage, named_errors, open_storage

__all__ = ["Lake"]


class Lake:
    """The published tables. Making one touches nothing."""

    def __init__(self, where: Path | Storage) -> None:
        self.storage: Storage = LocalStorage(where) if isinstance(where, Path) else where

    @classmethod
    def at(
        cls, address: str | Path, s3: S3Options | None = None, drafts: Path = Path("drafts")
    ) -> Self:
        """The lake of an address, a local folder or for instance `s3://bucket/prefix`.

        Args:
            drafts: a local folder where files for a store of objects are written before they are sent.

        Raises:
            ValueError: nothing opens the address.
        """
        filesystem, base = open_storage(address, s3)
        if filesystem.type_name == "local":
            return cls(Path(base))
        shown = str(address).partition("?")[0].rstrip("/")
        return cls(ObjectStorage(shown, filesystem, base, drafts))

    @property
    def folder(self) -> Path:
        """Where a lake on this machine is."""
        if not isinstance(self.storage, LocalStorage):
            raise TypeError(f"the lake {self.storage.address} is no folder")
        return self.storage.folder

    def publication(self, run_id: str, run_date: date, sizes: Sizes = DEFAULT_SIZES) -> Publication:
        """Start to publish a run; a context manager.

        Raises:
            ValueError: a file cannot be named after the run id, or it begins with another date.
            PublicationError: the lake cannot be written.
            LakeVersionError: a newer version wrote the lake.
        """
        check_run_id(run_id)
        if day_of_run(run_id) not in (None, run_date):  # readers go by it
            raise ValueError(f"run id {run_id!r}: must begin with the run's date, {run_date}")
        self.check_version()
        self.settle()
        with named_errors(self.storage.address):
            self.storage.prepare()
            if "version" not in self.storage.names(MANIFESTS):
                self.storage.put(catalog.VERSION, f"{LAKE_VERSION}\n".encode())
        return Publication(self.storage, run_id, run_date, sizes)

    def check_version(self) -> None:
        """Refuse a lake that this program cannot know.

        Raises:
            LakeVersionError: a newer version wrote it.
            StorageError: the store of objects does not answer or refuses.
            PublicationError: its version cannot be read.
        """
        catalog.check_version(self.storage)

    def settle(self) -> None:
        """Complete what a kill ended on the way. Only for who holds the storage root.

        Raises:
            PublicationError: that cannot be done.
        """
        with named_errors(self.storage.address):
            try:
                self.storage.settle()
            except ValueError as error:
                path = f"{self.storage.base}/{JOURNAL}"
                raise PublicationError(
                    f"{path}: {error}; remove it and publish every run again"
                ) from error

    def compact(
        self,
        target_bytes: int = TARGET_BYTES,
        but: Collection[str] = (),
        done: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Compacted:
        """Few files instead of many, sorted throughout, with the same rows; nothing changes a second time.

        Args:
            target_bytes: a file that has so many is full.
            but: runs whose files are left alone.
            done: is told how many days are done, and of how many.

        Raises:
            PublicationError: the lake cannot be read or written; what was compacted by then stays so.
        """
        self.check_version()
        self.settle()
        with named_errors(self.storage.address):
            return compacted(self.storage, target_bytes, but, done)

    def prune(
        self,
        before: date,
        tables: Collection[str],
        but: Collection[str] = (),
        *,
        dry_run: bool = False,
    ) -> Pruned:
        """Remove what runs that started before a date have in these tables; their manifests stay and say so.

        Args:
            but: runs that are left alone.
            dry_run: say what would go, and change nothing.

        Raises:
            PublicationError: the lake cannot be read or written.
        """
        self.check_version()
        if not dry_run:
            self.settle()
        with named_errors(self.storage.address):
            return pruned(self.storage, before, tables, but, dry_run=dry_run)

    def try_out(self) -> None:
        """Write, list, read and remove a small file.

        Raises:
            PublicationError: one of these does not work.
        """
        self.check_version()
        path = f"{MANIFESTS}/.check"
        with named_errors(self.storage.address):
            self.storage.prepare()
            self.storage.put(path, b"")
            self.storage.names(MANIFESTS)
            self.storage.read(path)
            self.storage.remove([path])

    def manifest(self, run_id: str) -> Manifest | None:
        """What the run published; None if nothing.

        Raises:
            StorageError: the store of objects does not answer or refuses.
            PublicationError: its manifest cannot be read.
        """
        return catalog.read_manifest(self.storage, run_id)

    def is_pruned(self, run_id: str) -> bool:
        """Whether every file of a published run was pruned; no, if its manifest cannot be read."""
        try:
            manifest = self.manifest(run_id)
        except StorageError:
            raise
        except PublicationError:
            return False
        return manifest is not None and manifest.is_pruned

    def run_ids(self) -> list[str]:
        """The published runs, oldest first.

        Raises:
            PublicationError: the lake cannot be read.
        """
        return catalog.run_ids(self.storage)

    def torn_runs(self) -> set[str]:
        """The runs whose publication was killed on the way; publishing them again mends it."""
        return {file.run_id for _, file in leftovers(self.storage)}

    def files(self, table: str, run_ids: Collection[str] | None = None) -> list[TableFile]:
        """The files of a table as the manifests name them, of some runs or of all, each once, oldest run first.

        Raises:
            PublicationError: a manifest cannot be read.
        """
        return catalog.table_files(self.storage, table, run_ids)

    def wrong_files(self) -> dict[str, list[str]]:
        """Files that are absent or have another size than was published, by run id; `normalize` publishes them again.

        Raises:
            PublicationError: the lake cannot be read.
        """
        return catalog.wrong_files(self.storage)

    def damage(self, table: str) -> str | None:
        """The first file of a table that is not what was published, and what to do; reads all of them.

        Raises:
            PublicationError: a manifest cannot be read, or the store does not answer.
        """
        return damage(self.storage, table)
