"""Writes published rows into new files: those of several files in one order, or those of some runs only."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.contract import TABLES, Column, Table
from pipelines.errors import PublicationError
from pipelines.lake.change import WORKSHOP, Placing
from pipelines.lake.draft import Draft, DraftTable, Sizes
from pipelines.lake.layout import COMPACTED
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.opening import opened
from pipelines.lake.order import sorted_rows
from pipelines.lake.partition import PartitionFile, PartitionKey
from pipelines.lake.storage import Storage

__all__ = ["Rewritten", "rewritten"]

_SORTED_ROWS: Final = 1 << 19  # in memory at a time
_WRITTEN_ROWS: Final = 1 << 16
# a publication numbers its files from 0, and replaces its own: a file with rows of other runs must never be one of them
_FIRST_NUMBER: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Rewritten:
    """New files, and which rows of theirs are whose.

    Attributes:
        files: with `rows` of the whole file, and the runs that have some.
        rows: for each file, rows by run.
    """

    placings: tuple[Placing, ...]
    files: tuple[PublishedFile, ...]
    rows: tuple[Mapping[str, int], ...]

    def within(self, before: Manifest, gone: Collection[str]) -> Manifest:
        """A manifest with the new files in place of those that go.

        Raises:
            PublicationError: the run would have another number of rows.
        """
        went = [file for file in before.files if file.path in gone]
        origin = tuple(sorted({line for file in went for line in file.identity}))
        came = [
            replace(file, rows=rows.get(before.run_id, 0), origin=origin)
            for file, rows in zip(self.files, self.rows, strict=True)
            if before.run_id in file.runs
        ]
        had, has = sum(file.rows for file in went), sum(file.rows for file in came)
        if had != has:
            raise PublicationError(
                f"run {before.run_id}: {went[0].path} holds {has} rows of it, its manifest says {had}; nothing was"
                " changed: publish the run again"
            )
        kept = [file for file in before.files if file.path not in gone]
        order = {name: number for number, name in enumerate(TABLES)}
        files = sorted([*kept, *came], key=lambda file: (order[file.table], file.path))
        return replace(before, files=tuple(files))


def rewritten(
    storage: Storage,
    files: Sequence[PublishedFile],
    runs: Collection[str],
    sizes: Sizes,
    taken: Collection[str] = (),
) -> Rewritten:
    """The rows that these runs have in files of one partition, sorted throughout, in files of the layout for reading.

    Args:
        files: all of one version of their table, which is that of the new ones.
        taken: paths that new files must not have.

    Raises:
        PublicationError: a file is not what its manifest says, or what was written does not verify.
    """
    key = PartitionFile.parse(files[0].path).key
    run_id = min(runs)
    table = _table_of(storage, files[0])
    drafts = DraftTable(
        storage.drafts / WORKSHOP,
        table,
        key,
        run_id,
        sizes,
        COMPACTED,
        _free_number(storage, key, run_id, {*taken, *(file.path for file in files)}),
    )
    try:
        for rows in _in_order(storage, table, files, runs):
            for start in range(0, rows.num_rows, _WRITTEN_ROWS):
                drafts.append(rows.slice(start, _WRITTEN_ROWS))
        done = drafts.finish()
    except BaseException:  # an interrupt, too
        drafts.discard()
        raise
    counts = [_rows_by_run(storage, draft) for draft in done]
    have_some = {each for rows in counts for each in rows}
    counts[0] |= dict.fromkeys(set(runs) - have_some, 0)  # the first file stands for no rows, too
    return Rewritten(
        tuple(
            Placing(f"{WORKSHOP}/{draft.target.to_draft()}", draft.published.path) for draft in done
        ),
        tuple(
            replace(draft.published, runs=tuple(sorted(rows)))
            for draft, rows in zip(done, counts, strict=True)
        ),
        tuple(counts),
    )


def _table_of(storage: Storage, file: PublishedFile) -> Table:
    """The contract that the file was written by."""
    table = TABLES[file.table]
    if file.schema_version == table.version:
        return table
    with _parquet(storage, file, verified=True) as parquet:
        schema = parquet.schema_arrow
    columns = tuple(
        Column(
            each.name,
            each.type,
            (each.metadata or {}).get(b"description", b"").decode(),
            each.nullable,
        )
        for each in schema
    )
    order = tuple(name for name in table.sort if name in schema.names)
    return replace(table, version=file.schema_version, columns=columns, sort=order)


def _in_order(
    storage: Storage, table: Table, files: Sequence[PublishedFile], runs: Collection[str]
) -> Iterator[pa.Table]:
    """The rows in pieces that fit into memory: one file after the other, or sorted over all of them."""
    order = table.sort
    rows = 0
    for file in files:
        with _parquet(storage, file, verified=True) as parquet:  # before the first row is written
            rows += parquet.metadata.num_rows
    if not order:
        for file in files:
            with _parquet(storage, file) as parquet:
                for batch in parquet.iter_batches(4_096):
                    yield _of(runs, file, pa.Table.from_batches([batch]))
        return
    if rows <= _SORTED_ROWS:
        yield sorted_rows(_together(storage, files, runs), (*order, "run_id"))
        return
    for first, last in _ranges(storage, order[0], files):
        some = _together(storage, files, runs, (order[0], first, last))
        yield sorted_rows(some, (*order, "run_id"))


def _together(
    storage: Storage,
    files: Sequence[PublishedFile],
    runs: Collection[str],
    span: tuple[str, str, str] | None = None,
) -> pa.Table:
    """The runs' rows of all files, or of those with a column's value in the span."""
    parts = []
    for file in files:
        with _parquet(storage, file) as parquet:
            if span is None:
                rows = parquet.read()
            else:
                column, first, last = span
                groups = list(_holding(parquet.metadata, column, first, last))
                inside = (pc.field(column) >= first) & (pc.field(column) <= last)
                rows = parquet.read_row_groups(groups).filter(inside)
            parts.append(_of(runs, file, rows))
    return pa.concat_tables(parts)


def _of(runs: Collection[str], file: PublishedFile, rows: pa.Table) -> pa.Table:
    if set(file.runs) <= set(runs):
        return rows
    return rows.filter(pc.field("run_id").isin(pa.array(sorted(runs), pa.string())))


def _ranges(
    storage: Storage, column: str, files: Sequence[PublishedFile]
) -> Iterator[tuple[str, str]]:
    """First and last values of pieces of so many rows; a single value may have more."""
    counts: Counter[str] = Counter()
    for file in files:
        with _parquet(storage, file) as parquet:
            for batch in parquet.iter_batches(columns=[column]):
                counts.update(_counted(batch.column(0)))
    first, rows, last = None, 0, ""
    for value in sorted(counts):
        if first is not None and rows + counts[value] > _SORTED_ROWS:
            yield first, last
            first, rows = None, 0
        first, last = first if first is not None else value, value
        rows += counts[value]
    if first is not None:
        yield first, last


def _holding(metadata: pq.FileMetaData, column: str, first: str, last: str) -> Iterator[int]:
    """The row groups that may have a value of the range, by their statistics."""
    place = metadata.schema.names.index(column)
    for number in range(metadata.num_row_groups):
        found = metadata.row_group(number).column(place).statistics
        if (
            found is None
            or not found.has_min_max
            or (str(found.min) <= last and str(found.max) >= first)
        ):
            yield number


@contextmanager
def _parquet(
    storage: Storage, file: PublishedFile, *, verified: bool = False
) -> Iterator[pq.ParquetFile]:
    try:
        if verified:
            source = opened(storage, file)
        else:
            path = f"{storage.base}/{storage.place(file.path, file.sha256)}"
            source = storage.filesystem.open_input_file(path)
        if source is None:
            raise PublicationError(
                f"{storage.base}/{file.path} is not the file that its manifests name; publish run"
                f" {', '.join(file.runs)} again"
            )
        with source, pq.ParquetFile(source) as parquet:
            yield parquet
    except pa.ArrowException as error:
        raise PublicationError(f"{storage.base}/{file.path} does not read: {error}") from error


def _rows_by_run(storage: Storage, draft: Draft) -> dict[str, int]:
    path = storage.drafts / WORKSHOP / draft.target.to_draft()
    return _counted(pq.read_table(path, columns=["run_id"], partitioning=None)["run_id"])


def _counted(column: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    values, counts = pc.value_counts(column).flatten()
    pairs = zip(values.to_pylist(), counts.to_pylist(), strict=True)
    return {str(value): int(count or 0) for value, count in pairs}


def _free_number(storage: Storage, key: PartitionKey, run_id: str, paths: Collection[str]) -> int:
    """A number that no file of the run in this partition has, had a moment ago, or gets when it is published again."""
    folder, used = key.to_path(), [_FIRST_NUMBER - 1]
    theirs = [path.rpartition("/")[2] for path in paths if PurePosixPath(path).parent == folder]
    names = {*storage.names(str(folder)), *theirs}
    for name in names:
        try:
            file = PartitionFile.parse(folder / name.removeprefix(".").removesuffix(".aside"))
        except ValueError:
            continue
        if file.run_id == run_id:
            used.append(file.number)
    return max(used) + 1
