"""The lake as its users see it: what is published, and the functions that change it."""

import tempfile
import uuid
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import Final, Self

from pipelines.contract import TABLES
from pipelines.errors import PublicationError
from pipelines.lake import changing, compaction, retention, state
from pipelines.lake.addresses import S3Options, open_filesystem
from pipelines.lake.compaction import TARGET_BYTES, Compacted
from pipelines.lake.derived import DerivedPublication
from pipelines.lake.draft import DEFAULT_SIZES, Sizes
from pipelines.lake.local import LocalStorage
from pipelines.lake.manifest import Manifest
from pipelines.lake.objects import ObjectStorage
from pipelines.lake.partition import DERIVED, check_run_id, day_of_run
from pipelines.lake.publication import Publication
from pipelines.lake.retention import Pruned
from pipelines.lake.state import Entry, Published, TableFile
from pipelines.lake.storage import Storage, named_errors
from pipelines.lake.verified_files import open_verified

__all__ = ["Lake"]

_TRIES: Final = 5  # changes that may overtake a listing


class Lake:
    """The published tables. Making one touches nothing."""

    def __init__(self, where: Path | Storage) -> None:
        self.storage: Storage = LocalStorage(where) if isinstance(where, Path) else where

    @classmethod
    def at(
        cls, address: str | Path, s3: S3Options | None = None, drafts: Path | None = None
    ) -> Self:
        """The lake of an address, a local folder or for instance `s3://bucket/prefix`.

        Args:
            drafts: a local folder, for this alone, where files for object storage are written before they are
                sent; one of its own below the system's folder for temporary files if it is None.

        Raises:
            ValueError: nothing opens the address.
        """
        filesystem, base = open_filesystem(address, s3)
        if filesystem.type_name == "local":
            return cls(Path(base))
        shown = str(address).partition("?")[0].rstrip("/")
        drafts = drafts or Path(tempfile.gettempdir()) / f"ecgrid-drafts-{uuid.uuid4().hex}"
        return cls(ObjectStorage(shown, filesystem, base, drafts))

    @property
    def folder(self) -> Path:
        """Where a lake on this machine is."""
        if not isinstance(self.storage, LocalStorage):
            raise TypeError(f"the lake {self.storage.address} is no folder")
        return self.storage.folder

    def publication(self, run_id: str, run_date: date, sizes: Sizes = DEFAULT_SIZES) -> Publication:
        """Start to publish a run; a context manager. Only for who holds the storage root.

        Raises:
            ValueError: a file cannot be named after the run id, or it begins with another date.
            PublicationError: the lake cannot be written.
            LakeVersionError: another version wrote the lake.
        """
        check_run_id(run_id)
        if day_of_run(run_id) not in (None, run_date):
            raise ValueError(f"run id {run_id!r}: must begin with the run's date, {run_date}")
        self.settle()
        with named_errors(self.storage.address):
            self.storage.prepare()
        return Publication(self.storage, run_id, run_date, sizes)

    def derived_publication(self, sizes: Sizes = DEFAULT_SIZES) -> DerivedPublication:
        """Start to change the tables that are made of all runs; a context manager. Only for who holds the storage root.

        Raises:
            PublicationError: the lake cannot be written.
            LakeVersionError: another version wrote the lake.
        """
        self.settle()
        with named_errors(self.storage.address):
            self.storage.prepare()
        return DerivedPublication(self.storage, sizes)

    def check_version(self) -> None:
        """Refuse a lake that this program cannot know.

        Raises:
            LakeVersionError: another version wrote it.
            StorageError: object storage does not answer or refuses.
            PublicationError: its version cannot be read.
        """
        state.check_version(self.storage)

    def settle(self) -> None:
        """Complete or undo what a kill ended on the way. Only for who holds the storage root.

        Raises:
            LakeVersionError: another version wrote the lake.
            PublicationError: that cannot be done.
        """
        self.check_version()
        with named_errors(self.storage.address):
            changing.settle(self.storage)

    def compact(
        self,
        target_bytes: int = TARGET_BYTES,
        but: Collection[str] = (),
        done: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Compacted:
        """One file instead of several small ones in a partition, with the same rows; nothing changes a second time.

        Args:
            target_bytes: no file is made larger.
            but: runs whose files are left alone.
            done: is told how many days are done, and of how many.

        Raises:
            PublicationError: the lake cannot be read or written; what was compacted by then stays so.
        """
        self.settle()
        with named_errors(self.storage.address), changing.settling(self.storage):
            return compaction.compact(self.storage, target_bytes, but, done)

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
        if dry_run:
            self.check_version()
            with named_errors(self.storage.address):
                return retention.prune(self.storage, before, tables, but, dry_run=True)
        self.settle()
        with named_errors(self.storage.address), changing.settling(self.storage):
            return retention.prune(self.storage, before, tables, but)

    def try_out(self) -> None:
        """Write, list, read and remove a small file.

        Raises:
            PublicationError: one of these does not work.
        """
        self.check_version()
        path = "_check"
        with named_errors(self.storage.address):
            self.storage.prepare()
            self.storage.put(path, b"")
            self.storage.sizes(path)
            self.storage.read(path)
            self.storage.remove([path])

    def published(
        self, wanted: Callable[[str, Entry], bool] = lambda _run_id, _entry: True
    ) -> Published:
        """The runs of one state of the lake, those that are wanted, with their manifests.

        Raises:
            PublicationError: the lake cannot be read.
        """
        return state.read_published(self.storage, wanted)

    def manifest(self, run_id: str) -> Manifest | None:
        """What the run published; None if nothing.

        Raises:
            StorageError: object storage does not answer or refuses.
            PublicationError: its manifest cannot be read.
        """
        published = self.published(lambda each, _entry: each == run_id)
        if run_id in published.damaged:
            raise PublicationError(published.damaged[run_id])
        return published.manifests.get(run_id)

    def run_ids(self) -> list[str]:
        """The published runs, oldest first.

        Raises:
            PublicationError: the lake cannot be read.
        """
        return [run_id for run_id in state.read_state(self.storage).runs if run_id != DERIVED]

    def files(self, table: str, run_ids: Collection[str] | None = None) -> list[TableFile]:
        """The files of a table, of some runs or of all, each once, oldest run first.

        Raises:
            PublicationError: a manifest cannot be read.
        """
        wanted = None if run_ids is None else {*run_ids}
        return self.published(lambda run_id, _: wanted is None or run_id in wanted).files(table)

    def wrong_files(self) -> dict[str, list[str]]:
        """Files that are absent or have another size than was published, and damaged manifests, by run id.

        `normalize` publishes them again; those of derived tables are under `history`. Contents are not read.

        Raises:
            PublicationError: the lake cannot be read.
        """
        published, sizes = self._listed()
        wrong = {
            run_id: [state.manifest_path(run_id, published.state.runs[run_id].manifest)]
            for run_id in published.damaged
        }
        if published.derived_damage:
            digest = published.state.runs[DERIVED].manifest
            wrong[DERIVED] = [state.manifest_path(DERIVED, digest)]
        derived = {DERIVED: published.derived} if published.derived else {}
        for run_id, manifest in {**published.manifests, **derived}.items():
            for file in manifest.files:
                is_coming = file.path in published.state.pending.come
                if sizes.get(file.path) != file.bytes and not is_coming:
                    wrong.setdefault(run_id, []).append(file.path)
        return wrong

    def _listed(self) -> tuple[Published, dict[str, int]]:
        """The runs, and the sizes of all files, of one state of the lake."""
        published, sizes = self.published(), {}
        for _ in range(_TRIES):
            with named_errors(self.storage.address):
                sizes = self.storage.sizes("")
            before, published = published, self.published()
            if published.state == before.state:
                break
        return published, sizes

    def damage(self, table: str) -> str | None:
        """The first file of a table that is not what was published, and what to do; reads all of them.

        Raises:
            PublicationError: a manifest cannot be read, or the store does not answer.
        """
        published = self.published()
        for said in published.damaged.values():
            raise PublicationError(said)
        if TABLES[table].is_derived and published.derived_damage:
            raise PublicationError(published.derived_damage)
        derived = {DERIVED: published.derived} if published.derived else {}
        for manifest in {**published.manifests, **derived}.values():
            for file in manifest.files:
                if file.table != table:
                    continue
                try:
                    with named_errors(self.storage.address):
                        open_verified(self.storage, file, published.state.pending).close()
                except PublicationError as error:
                    return str(error)
        return None
