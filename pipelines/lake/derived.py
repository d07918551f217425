"""Publishes tables that are derived from all runs: files of some days are written anew, those of others stay."""

import calendar
import contextlib
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.contract import TABLES
from pipelines.lake.changing import Change, commit, settling
from pipelines.lake.draft import DraftTable, Sizes
from pipelines.lake.durable import make_folder
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.partition import DERIVED, PartitionFile, PartitionKey
from pipelines.lake.state import manifest_path, read_published
from pipelines.lake.storage import Storage, named_errors
from pipelines.lake.verified_files import is_whole

__all__ = ["Days", "DerivedPublication"]

_FILES_OF_DAYS: Final = (
    1000  # for each day of a month; those of the whole month are numbered as of day 0
)
_RUN_DATE: Final = date(1970, 1, 1)  # derived tables are of no run
_OF_A_DAY: Final = (
    1 << 13
)  # rows in a group: a day is read again, some sessions at a time, when it is changed


@dataclass(frozen=True, slots=True, order=True)
class Days:
    """What a file of a derived table has rows of: one day, or a whole month. As text, `2026-01-31` or `2026-01`."""

    first: date
    last: date

    @classmethod
    def day(cls, day: date) -> Self:
        """One day."""
        return cls(day, day)

    @classmethod
    def month(cls, day: date) -> Self:
        """The month that a day is of."""
        last = calendar.monthrange(day.year, day.month)[1]
        return cls(day.replace(day=1), day.replace(day=last))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value of its text.

        Raises:
            ValueError: it is none.
        """
        if len(text) == len("2026-01"):
            return cls.month(date.fromisoformat(f"{text}-01"))
        return cls.day(date.fromisoformat(text))

    @classmethod
    def of_file(cls, path: str) -> Self:
        """The days of a file.

        Raises:
            ValueError: the path is not one of a lake.
        """
        file = PartitionFile.parse(path)
        day = file.number // _FILES_OF_DAYS
        return cls.day(file.key.day.replace(day=day)) if day else cls.month(file.key.day)

    @property
    def is_month(self) -> bool:
        """Whether these are all days of a month."""
        return self.first != self.last

    @property
    def number(self) -> int:
        """Of the first file of these days."""
        return 0 if self.is_month else self.first.day * _FILES_OF_DAYS

    def each(self) -> list["Days"]:
        """These days, one by one."""
        count = (self.last - self.first).days + 1
        return [Days.day(self.first + timedelta(days=number)) for number in range(count)]

    def touches(self, other: "Days") -> bool:
        """Whether there is a day that both have."""
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}" if self.is_month else str(self.first)


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

    def scratch(self) -> Path:
        """A folder of this machine that goes when the change ends, however it ends."""
        folder = self._storage.drafts / "scratch"
        make_folder(folder, is_durable=False)
        return folder

    def write(self, table: str, days: Days, rows: Iterable[pa.Table]) -> None:
        """Write some days of a table; what is the same makes the same bytes.

        Args:
            rows: all of them, in the table's order; without one, there is no file.

        Raises:
            PublicationError: they cannot be written.
        """
        with named_errors(self._storage.address):
            most = (
                self._sizes.group_rows if days.is_month else min(_OF_A_DAY, self._sizes.group_rows)
            )
            for group in _groups(rows, most):
                if self._open is None:
                    self._open = DraftTable(
                        self._storage.drafts,
                        TABLES[table],
                        PartitionKey(table, days.first.replace(day=1)),
                        DERIVED,
                        self._sizes,
                        first=days.number,
                    )
                self._open.append(group)
                self._open.flush()
            if self._open is not None:
                self._written += self._open.finish()
                self._open = None

    def commit(
        self,
        replaced: Collection[Days] | None,
        counts: Mapping[str, int],
        sources: Mapping[str, tuple[str, ...]],
    ) -> Manifest:
        """Publish: what was written takes the place of what was there of these days.

        Where the manifest is lost or damaged, what was there are the files whose names are those of their contents.

        Args:
            replaced: the days whose files are, also where nothing was written; None for all.
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
                file
                for file in old
                if replaced is not None
                and not any(Days.of_file(file.path).touches(days) for days in replaced)
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


def _groups(tables: Iterable[pa.Table], count: int) -> Iterator[pa.Table]:
    """The rows of all tables, `count` in each new table but the last."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(each.num_rows for each in waiting) >= count:
            rows = pa.concat_tables(waiting)
            waiting = [rows.slice(count)]
            yield rows.slice(0, count)
    if any(each.num_rows for each in waiting):
        yield pa.concat_tables(waiting)


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
