"""Puts a run's files into the lake: all of them or none, the manifest last."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa

from pipelines.contract import TABLES
from pipelines.errors import LakeVersionError, PublicationError
from pipelines.lake.days import by_day
from pipelines.lake.draft import DEFAULT_SIZES, Draft, DraftTable, Sizes
from pipelines.lake.manifest import LAKE_VERSION, Manifest
from pipelines.lake.partition import MANIFESTS, PartitionFile, PartitionKey, check_run_id
from pipelines.lake.storage import (
    create_private,
    make_folder,
    named_errors,
    sync_file,
    sync_folder,
)

__all__ = ["Lake", "Publication"]

_VERSION_FILE: Final = "version"


class Lake:
    """The folder of published tables. Making one touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publication(
        self, run_id: str, run_date: date, sizes: Sizes = DEFAULT_SIZES
    ) -> "Publication":
        """Start to publish a run; a context manager.

        Raises:
            ValueError: a file cannot be named after the run id.
            PublicationError: the folder cannot be written.
            LakeVersionError: a newer version wrote the lake.
        """
        check_run_id(run_id)
        with named_errors(self.folder):
            self.check_version()
            make_folder(self.folder / MANIFESTS)
            version = self.folder / MANIFESTS / _VERSION_FILE
            if not version.exists():
                _put(version, f"{LAKE_VERSION}\n")
        return Publication(self.folder, run_id, run_date, sizes)

    def check_version(self) -> None:
        """Refuse a lake that this program cannot know.

        Raises:
            LakeVersionError: a newer version wrote it.
            PublicationError: its version cannot be read.
        """
        path = self.folder / MANIFESTS / _VERSION_FILE
        try:
            text = path.read_text()
        except (FileNotFoundError, NotADirectoryError):  # nothing published yet
            return
        except (OSError, UnicodeDecodeError) as error:
            raise PublicationError(f"cannot read {path}: {error}") from error
        if not text.strip().isdecimal():
            raise PublicationError(
                f"{path} says {text[:40]!r}: must be a number, as {LAKE_VERSION}"
            )
        if int(text) > LAKE_VERSION:
            raise LakeVersionError(
                f"the lake {self.folder} has version {int(text)}, this program writes version"
                f" {LAKE_VERSION}: use the newer program, or another storage.root"
            )

    def manifest(self, run_id: str) -> Manifest | None:
        """What the run published; None if nothing.

        Raises:
            PublicationError: its manifest cannot be read.
        """
        path = _manifest_path(self.folder, check_run_id(run_id))
        try:
            return Manifest.from_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise PublicationError(f"{path}: {error}; publish the run again") from error

    def run_ids(self) -> list[str]:
        """The published runs, oldest first."""
        return sorted(path.stem for path in (self.folder / MANIFESTS).glob("[!.]*.json"))


class Publication:
    """A publication that is being written. Leaving its context without `commit` leaves no trace."""

    def __init__(self, lake: Path, run_id: str, run_date: date, sizes: Sizes) -> None:
        self._lake, self._run_id, self._run_date = lake, run_id, run_date
        self._sizes = sizes
        self._tables: dict[PartitionKey, DraftTable] = {}

    def __enter__(self) -> Self:
        with named_errors(self._lake):
            self._remove_leftovers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with named_errors(self._lake):
            for table in self._tables.values():
                table.discard()
            _draft_of(_manifest_path(self._lake, self._run_id)).unlink(missing_ok=True)

    def append(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table; each goes into the partition that it belongs to.

        Raises:
            PublicationError: they cannot be written.
        """
        with named_errors(self._lake):
            for day, some in by_day(TABLES[table], rows, self._run_date):
                self._draft(PartitionKey(table, day)).append(some)

    def commit(self, counts: Mapping[str, int]) -> Manifest:
        """Publish: the run's files replace those it published before.

        Raises:
            PublicationError: something cannot be written or does not verify; what was published stays.
        """
        with named_errors(self._lake):
            drafts = [draft for table in self._in_order() for draft in table.finish()]
            files = tuple(draft.published for draft in drafts)
            manifest = Manifest(self._run_id, self._run_date, dict(counts), files)
            path = _manifest_path(self._lake, self._run_id)
            # before the first rename, so that a full disk is met while nothing has changed
            _write(_draft_of(path), manifest.to_json())
            stale = set(self._published()) - {draft.target for draft in drafts}
            _rename_all(self._lake, drafts)
            for file in stale:
                (self._lake / file.to_path()).unlink(missing_ok=True)
            for key in {file.key for file in stale} | self._tables.keys():
                _settle(self._lake / key.to_path())
            _draft_of(path).rename(path)
            sync_folder(path.parent)
        return manifest

    def _draft(self, key: PartitionKey) -> DraftTable:
        """The drafts of a partition, made when it is first needed."""
        if key not in self._tables:
            table = TABLES[key.table]
            self._tables[key] = DraftTable(self._lake, table, key, self._run_id, self._sizes)
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

    def _partitions(self) -> Iterator[PartitionKey]:
        """Where files of this run may be: its date, and for a table by another date every partition there is."""
        for table in TABLES.values():
            if table.partition_from is None:
                yield PartitionKey(table.name, self._run_date)
                continue
            for path in sorted((self._lake / table.name).glob(f"{table.partition}=*")):
                with contextlib.suppress(ValueError):  # not a partition of ours
                    yield PartitionKey.parse(f"{table.name}/{path.name}")

    def _published(self) -> Iterable[PartitionFile]:
        """The run's files that readers can see now."""
        for key in self._partitions():
            for path in (self._lake / key.to_path()).glob("[!.]*.parquet"):
                with contextlib.suppress(ValueError):  # not a file of ours
                    file = PartitionFile.parse(key.to_path() / path.name)
                    if file.run_id == self._run_id:
                        yield file

    def _remove_leftovers(self) -> None:
        """What a publication of this run left when it was killed."""
        for key in self._partitions():
            for path in (self._lake / key.to_path()).glob(".*"):
                name = path.name.removeprefix(".").removesuffix(".draft").removesuffix(".aside")
                with contextlib.suppress(ValueError):
                    if PartitionFile.parse(key.to_path() / name).run_id == self._run_id:
                        path.unlink()
        _draft_of(_manifest_path(self._lake, self._run_id)).unlink(missing_ok=True)


def _rename_all(lake: Path, drafts: Iterable[Draft]) -> None:
    """Give every draft its name; if one cannot have it, the earlier ones give theirs back."""
    steps = [
        (
            lake / draft.target.to_draft(),
            lake / draft.target.to_path(),
            lake / draft.target.to_aside(),
        )
        for draft in drafts
    ]
    try:
        for _, path, aside in steps:
            if path.exists():
                _keep(path, aside)
        # nothing but renames in between, so that a kill hardly finds its way here
        for draft, path, _ in steps:
            draft.replace(path)
    except BaseException:  # an interrupt, too
        for draft, path, aside in steps:
            if aside.exists():
                aside.replace(path)
                aside.unlink(missing_ok=True)  # two names of one file: the rename did nothing
            elif not draft.exists():
                path.unlink()
        raise
    for _, _, aside in steps:
        aside.unlink(missing_ok=True)


def _settle(partition: Path) -> None:
    """Have the names in the folder on disk; an empty folder goes."""
    with contextlib.suppress(OSError):  # it has files
        partition.rmdir()
    sync_folder(partition if partition.exists() else partition.parent)


def _keep(path: Path, aside: Path) -> None:
    try:
        os.link(path, aside)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, aside)


def _manifest_path(lake: Path, run_id: str) -> Path:
    return lake / MANIFESTS / f"{run_id}.json"


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")


def _put(path: Path, text: str) -> None:
    """Write a small file atomically."""
    draft = _draft_of(path)
    draft.unlink(missing_ok=True)
    _write(draft, text)
    draft.rename(path)
    sync_folder(path.parent)


def _write(path: Path, text: str) -> None:
    create_private(path)
    path.write_text(text, encoding="utf-8")
    sync_file(path)
