"""Few files instead of many, with the same rows: partition by partition, each in one change.

It serves lakes of many runs a day, whose partitions have a file of each. A partition with one file is left alone: a
file of its own would hold the same rows in the same order.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from pipelines.contract import TABLES
from pipelines.errors import PublicationError, StorageError
from pipelines.lake.changing import Change, commit
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.rewriting import MOST_ROWS, MOST_UNPACKED, Rewritten, rewrite, with_file
from pipelines.lake.state import read_published
from pipelines.lake.storage import Storage
from pipelines.lake.verified_files import is_whole

__all__ = ["TARGET_BYTES", "Compacted", "compact"]

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


_Files = Sequence[PublishedFile]


def compact(
    storage: Storage,
    target_bytes: int = TARGET_BYTES,
    but: Collection[str] = (),
    done: Callable[[int, int], None] = lambda _done, _all: None,
) -> Compacted:
    """Compact every partition that has several small files; changes nothing a second time.

    Args:
        but: runs whose files are left alone.
        done: is told how many partitions are done, and of how many.

    Raises:
        PublicationError: the lake cannot be read or written; what was compacted by then stays so.
    """
    published = read_published(storage)
    for said in published.damaged.values():
        _LOG.error("a run is passed over", said=said)
    work = _Compaction(storage, target_bytes, {*but}, dict(published.manifests))
    days = sorted({file.day for each in published.manifests.values() for file in each.files})
    total = Compacted()
    for number, day in enumerate(days):
        done(number, len(days))
        total += work.compact(day)
    done(len(days), len(days))
    return total


@dataclass(frozen=True, slots=True)
class _Size:
    """What files have together."""

    rows: int = 0
    packed: int = 0
    unpacked: int = 0

    def __add__(self, other: "_Size") -> "_Size":
        return _Size(
            self.rows + other.rows, self.packed + other.packed, self.unpacked + other.unpacked
        )

    def fits(self, target_bytes: int) -> bool:
        """Whether one file may have so much, and memory hold it."""
        return (
            self.packed <= target_bytes
            and self.rows <= MOST_ROWS
            and self.unpacked <= MOST_UNPACKED
        )


@dataclass(slots=True)
class _Compaction:
    """A compaction under way.

    Attributes:
        but: runs whose files are left alone.
        manifests: the live ones, by run id; kept as they become.
        damaged: files that were found not to be what their manifests say.
    """

    storage: Storage
    target_bytes: int
    but: set[str]
    manifests: dict[str, Manifest]
    damaged: set[str] = field(default_factory=set)

    def compact(self, day: date) -> Compacted:
        """Rewrite the small files of a day's partitions, until none is left to go with another."""
        total, before = Compacted(), {*self.damaged}
        while groups := [group for files in self._tables(day) for group in self._groups(files)]:
            found = [(group, new) for group in groups if (new := self._rewritten(group))]
            if found:
                self._commit(found)
            total += sum((_counted(group, new) for group, new in found), Compacted())
        passed_over = tuple(sorted(self.damaged - before))
        return replace(total, passed_over=passed_over)

    def _tables(self, day: date) -> Iterator[dict[PublishedFile, int]]:
        """For each table, the day's files that may be rewritten, with their rows, in the order of their paths."""
        named: dict[str, list[tuple[str, PublishedFile]]] = defaultdict(list)
        for run_id, manifest in self.manifests.items():
            for file in manifest.files:
                if file.day == day:
                    named[file.path].append((run_id, file))
        tables: dict[str, dict[PublishedFile, int]] = defaultdict(dict)
        for path, each in sorted(named.items()):
            runs, file = {run_id for run_id, _ in each}, each[0][1]
            is_current = file.schema_version == TABLES[file.table].version
            # every run with rows in the file must agree that it has
            if (
                is_current
                and runs == {*file.runs}
                and not runs & self.but
                and path not in self.damaged
            ):
                tables[file.table][file] = sum(file.rows for _, file in each)
        yield from tables.values()

    def _groups(self, files: Mapping[PublishedFile, int]) -> list[_Files]:
        """Files that make one together: each small, and all of them as well."""
        small = {
            file: _Size(rows, file.bytes, self._unpacked(file))
            for file, rows in files.items()
            if len(files) > 1 and file.bytes <= self.target_bytes // 2 and rows <= MOST_ROWS // 2
        }
        groups: list[list[PublishedFile]] = [[]]
        together = _Size()
        for file, size in small.items():
            together += size
            if not together.fits(self.target_bytes):
                groups.append([])
                together = size
            groups[-1].append(file)
        return [group for group in groups if len(group) > 1]

    def _unpacked(self, file: PublishedFile) -> int:
        """What the file's rows take before they are compressed, by its footer; 0 if that is damaged."""
        place = f"{self.storage.base}/{file.path}"
        try:
            with (
                self.storage.filesystem.open_input_file(place) as content,
                pq.ParquetFile(content) as parquet,
            ):
                footer = parquet.metadata
                numbers = range(footer.num_row_groups)
                return sum(footer.row_group(number).total_byte_size for number in numbers)
        except (FileNotFoundError, pa.ArrowException):
            return 0

    def _rewritten(self, group: _Files) -> Rewritten | None:
        """What the files make together; None if one is damaged, which is left out from now on."""
        runs = {run_id for file in group for run_id in file.runs}
        try:
            new = rewrite(self.storage, group, runs)
            for run_id in runs:
                with_file(self.manifests[run_id], group, new)
        except StorageError:
            raise
        except PublicationError as error:
            _LOG.error("files are passed over", said=str(error))
            damaged = [file.path for file in group if not is_whole(self.storage, file)]
            self.damaged.update(damaged or [file.path for file in group])
            return None
        return new

    def _commit(self, found: Sequence[tuple[_Files, Rewritten]]) -> None:
        changed: dict[str, Manifest] = {}
        for group, new in found:
            for run_id in new.file.runs:
                before = changed.get(run_id, self.manifests[run_id])
                changed[run_id] = with_file(before, group, new)
        come = [new.file.path for _, new in found]
        go = [file.path for group, _ in found for file in group]
        commit(self.storage, Change(come, go, changed))
        self.manifests |= changed


def _counted(group: _Files, new: Rewritten) -> Compacted:
    return Compacted(
        partitions=1,
        files_before=len(group),
        files_after=1,
        bytes_before=sum(file.bytes for file in group),
        bytes_after=new.file.bytes,
        rows=sum(new.rows.values()),
    )
