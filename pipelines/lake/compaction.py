"""Few files instead of many, with the same rows: partition by partition, each in one change."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from pipelines.contract import TABLES
from pipelines.errors import PublicationError, StorageError
from pipelines.lake.catalog import read_manifest, run_ids
from pipelines.lake.change import Change, Placing
from pipelines.lake.draft import COMPACTED_SIZES
from pipelines.lake.leftovers import leftovers
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.opening import opened
from pipelines.lake.rewriting import Rewritten, rewritten
from pipelines.lake.storage import Storage

__all__ = ["TARGET_BYTES", "Compacted", "compacted"]

TARGET_BYTES: Final = 128 << 20

_LOG: Final = structlog.get_logger("lake")


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of the files.

    Attributes:
        partitions: of which files were rewritten.
        rows: in them.
        passed_over: files that are not what their manifests say; they are as they were.
    """

    partitions: int = 0
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows: int = 0
    passed_over: tuple[str, ...] = ()

    def __add__(self, other: "Compacted") -> "Compacted":
        return Compacted(
            self.partitions + other.partitions,
            self.files_before + other.files_before,
            self.files_after + other.files_after,
            self.bytes_before + other.bytes_before,
            self.bytes_after + other.bytes_after,
            self.rows + other.rows,
            self.passed_over + other.passed_over,
        )


def compacted(
    storage: Storage,
    target_bytes: int = TARGET_BYTES,
    but: Collection[str] = (),
    done: Callable[[int, int], None] = lambda _done, _all: None,
) -> Compacted:
    """Compact every partition that has files which were not yet; changes nothing a second time.

    Args:
        but: runs whose files are left alone.
        done: is told how many partitions are done, and of how many.

    Raises:
        PublicationError: the lake cannot be read or written; what was compacted by then stays so.
    """
    work = _Work(storage, target_bytes, but)
    days = work.days()
    total = Compacted()
    for number, day in enumerate(days):
        done(number, len(days))
        try:
            total += work.compact(day)
        except BaseException:  # an interrupt, too
            with contextlib.suppress(OSError, StorageError):
                storage.settle()  # drafts go, or a change that was written down is completed
            raise
    done(len(days), len(days))
    return total


_Files = list[PublishedFile]


@dataclass(slots=True)
class _Day:
    """The files of one day's partitions, of all tables that have the same partition column."""

    files: dict[str, _Files] = field(default_factory=dict)  # by table


class _Work:
    """A lake, and its manifests as they are now."""

    def __init__(self, storage: Storage, target_bytes: int, but: Collection[str]) -> None:
        self._storage, self._target_bytes = storage, target_bytes
        self._sizes = replace(COMPACTED_SIZES, file_bytes=target_bytes)
        self._manifests: dict[str, Manifest] = {}
        self._shut = {*but, *(file.run_id for _, file in leftovers(storage))}
        for run_id in run_ids(storage):
            try:
                manifest = read_manifest(storage, run_id)
            except StorageError:
                raise
            except PublicationError as error:
                _LOG.error("a run is passed over", run_id=run_id, said=str(error))
                continue
            if manifest is not None:
                self._manifests[run_id] = manifest

    def days(self) -> list[_Day]:
        """What there is to do."""
        found: dict[str, dict[str, dict[str, PublishedFile]]] = {}
        for manifest in self._manifests.values():
            for file in manifest.files:
                if self._is_open(file):
                    of_table = found.setdefault(file.partition, {}).setdefault(file.table, {})
                    of_table[file.path] = file
        days = []
        for _, tables in sorted(found.items()):
            chosen = {name: self._chosen(list(files.values())) for name, files in tables.items()}
            day = _Day({name: files for name, files in chosen.items() if files})
            if day.files:
                days.append(day)
        return days

    def compact(self, day: _Day) -> Compacted:
        """Rewrite the day's files and commit that, all tables at once."""
        total, new, old = Compacted(), [], []
        for chosen in day.files.values():
            files, rewriting, passed_over = self._rewritten(chosen)
            total += Compacted(passed_over=tuple(file.path for file in passed_over))
            if rewriting is not None:
                old.append(files)
                new.append(rewriting)
                total += _counted(files, rewriting)
        if new:
            self._commit(old, new)
        return total

    def _rewritten(self, files: _Files) -> tuple[_Files, Rewritten | None, _Files]:
        """The files that are rewritten, what of them, and those that are passed over since they are not whole."""
        try:
            runs = {run_id for file in files for run_id in file.runs}
            return files, rewritten(self._storage, files, runs, self._sizes), []
        except StorageError:
            raise
        except PublicationError as error:
            _LOG.error("files are passed over", said=str(error))
            whole = [file for file in files if self._is_whole(file)]
            damaged = [file for file in files if file not in whole]
        if not damaged:  # it is about all of them together
            return [], None, files
        if all(file.is_compacted for file in whole):
            return [], None, damaged
        rest, rewriting, more = self._rewritten(whole)
        return rest, rewriting, damaged + more

    def _is_whole(self, file: PublishedFile) -> bool:
        content = opened(self._storage, file)
        if content is None:
            return False
        content.close()
        return True

    def _commit(self, old: Sequence[_Files], new: Sequence[Rewritten]) -> None:
        manifests: dict[str, Manifest] = {}
        for files, rewriting in zip(old, new, strict=True):
            for run_id in sorted({run_id for file in files for run_id in file.runs}):
                before = manifests.get(run_id, self._manifests[run_id])
                manifests[run_id] = rewriting.within(before, {file.path for file in files})
        placings: list[Placing] = [each for some in new for each in some.placings]
        stale = sorted(file.path for files in old for file in files)
        texts = {run_id: manifest.to_json() for run_id, manifest in manifests.items()}
        self._storage.change(Change(placings, stale, texts))
        self._manifests.update(manifests)

    def _is_open(self, file: PublishedFile) -> bool:
        """Whether every run with rows in the file agrees that it has, and none is shut."""
        return (
            file.schema_version == TABLES[file.table].version
            and not self._shut & set(file.runs)
            and all(
                run_id in self._manifests
                and any(
                    each.path == file.path and each.sha256 == file.sha256
                    for each in self._manifests[run_id].files
                )
                for run_id in file.runs
            )
        )

    def _chosen(self, files: _Files) -> _Files:
        """The files of a partition that are to be rewritten: those that never were, and small ones with them."""
        if all(file.is_compacted for file in files):
            return []
        return sorted(
            (
                file
                for file in files
                if not file.is_compacted or file.bytes < self._target_bytes // 2
            ),
            key=lambda file: file.path,
        )


def _counted(old: Sequence[PublishedFile], new: Rewritten) -> Compacted:
    return Compacted(
        partitions=1,
        files_before=len(old),
        files_after=len(new.files),
        bytes_before=sum(file.bytes for file in old),
        bytes_after=sum(file.bytes for file in new.files),
        rows=sum(file.rows for file in new.files),
    )
