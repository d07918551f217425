"""What is published, read through the manifests and verified before a row of it is handed over.

The only module here that reads the lake's files.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.contract import TABLES, Column, Table
from pipelines.contract.evolution import check_file
from pipelines.errors import PublicationError
from pipelines.lake import (
    DERIVED,
    Days,
    Lake,
    Manifest,
    PublishedFile,
    open_verified,
    publish_again,
)
from pipelines.warehouse.shape import is_wider

__all__ = [
    "PublishedRun",
    "address",
    "incoming_schema",
    "is_local",
    "location",
    "published_run",
    "rows",
    "verify",
    "with_partition",
]

_BATCH_ROWS: Final = 32_768


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """The files of one run that are to be loaded, by table; or those of the history, as of a run of that name.

    Attributes:
        identity: what was published of each table, as lines; compaction and pruning do not change them.
        pruned: the tables whose files left the lake.
    """

    run_id: str
    files: Mapping[str, tuple[PublishedFile, ...]]
    identity: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pruned: Collection[str] = ()

    @property
    def is_derived(self) -> bool:
        """Whether this is the history."""
        return self.run_id == DERIVED

    def by_days(self) -> dict[Days, "PublishedRun"]:
        """The history's files by their days: each replaces what was loaded of these."""
        found: dict[Days, PublishedRun] = {}
        for table, files in self.files.items():
            for file in files:
                days = Days.of_file(file.path)
                of_days = found.setdefault(
                    days, replace(self, files=dict.fromkeys(self.files, ()), identity={})
                )
                found[days] = replace(
                    of_days,
                    files={**of_days.files, table: (*of_days.files[table], file)},
                    identity={table: [*of_days.identity.get(table, ()), *file.identity]},
                )
        return found

    def digest(self, but: Collection[str] = ()) -> str:
        """64 hexadecimal digits that change with what is published, and with the tables that are loaded.

        Args:
            but: tables whose files are not counted.
        """
        each = [
            _digest(table, () if table in but else self.identity.get(table, ()))
            for table in sorted(self.files)
        ]
        return hashlib.sha256("\n".join(each).encode()).hexdigest()

    def digest_of(self, table: str) -> str:
        """A digest of the files of one table, which compaction changes, too."""
        return _digest(table, sorted(f"{file.path} {file.sha256}" for file in self.files[table]))


def published_run(manifest: Manifest, tables: Sequence[str]) -> PublishedRun:
    """What the run published of these tables."""
    files = {name: tuple(file for file in manifest.files if file.table == name) for name in tables}
    identity = {name: manifest.identity(name) for name in tables}
    return PublishedRun(manifest.run_id, files, identity=identity, pruned=tuple(manifest.pruned))


def location(lake: Lake, file: PublishedFile) -> str:
    """The file's address for readers of other programs."""
    return f"{address(lake)}/{file.path}"


def is_local(lake: Lake) -> bool:
    """Whether the lake is a folder of this machine."""
    return lake.storage.filesystem.type_name == "local"


def address(lake: Lake) -> str:
    """The lake's address for readers of other programs."""
    return f"file://{lake.folder.absolute()}" if is_local(lake) else lake.storage.address


def verify(lake: Lake, files: Sequence[PublishedFile]) -> dict[str, pa.DataType]:
    """See that the files are those of the manifest; the columns that they have between them, with the widest types.

    Raises:
        PublicationError: one is missing, or its bytes are others.
        TableSchemaError: one is of a version that cannot be read together with this program's.
    """
    columns: dict[str, pa.DataType] = {}
    for file in files:
        with _parquet(lake, file) as parquet:
            schema = parquet.schema_arrow
        if file.schema_version != TABLES[file.table].version:
            check_file(TABLES[file.table], schema, file.path)
        for each in schema:
            if not is_wider(columns.get(each.name), each.type):
                columns[each.name] = each.type
    return columns


def with_partition(table: Table) -> Table:
    """A table as a database has it: with the date that in the lake is in the path, as its last column."""
    said = "The UTC date on which the run started."
    if table.by_month:
        said = f"The first day of the month, in UTC, of {table.partition_from}."
    elif table.partition_from:
        said = f"The UTC date of {table.partition_from}."
    column = Column(table.partition, pa.date32(), said)
    return replace(table, columns=(*table.columns, column))


def incoming_schema(table: Table) -> pa.Schema:
    """The contract's columns and types, all nullable: what `rows` hands over."""
    return pa.schema([pa.field(column.name, column.type) for column in table.columns])


def rows(lake: Lake, publication: PublishedRun, table: Table) -> pa.RecordBatchReader:
    """The run's rows of a table in its columns; older files have nulls where a column is new.

    Args:
        table: of the contract, or `with_partition`.

    Every file is verified before the first row. Files that other runs share give the rows of this run.

    Raises:
        PublicationError: a file is missing, damaged, or holds what the contract cannot take.
    """
    files = publication.files[table.name]
    schema = incoming_schema(table)
    verify(lake, files)

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            with _parquet(lake, file) as parquet:
                for batch in parquet.iter_batches(_BATCH_ROWS, use_threads=False):
                    if file.is_shared:
                        is_own = pc.equal(batch["run_id"], pa.scalar(publication.run_id))
                        batch = batch.filter(is_own)  # noqa: PLW2901  # the same rows, fewer
                    yield _conformed(batch, schema, table.partition, file)

    return pa.RecordBatchReader.from_batches(schema, batches())


@contextmanager
def _parquet(lake: Lake, file: PublishedFile) -> Iterator[pq.ParquetFile]:
    """The file, read through once and found to be the published one."""
    try:
        source = open_verified(lake.storage, file)
    except OSError as error:
        said = " ".join(str(error).split())[:300]
        raise PublicationError(
            f"{lake.storage.base}/{file.path} cannot be read ({said}), though its manifest names it:"
            f" {publish_again(file.runs)}"
        ) from error
    with source, pq.ParquetFile(source) as parquet:
        yield parquet


def _digest(table: str, lines: Sequence[str]) -> str:
    version = TABLES[table].version  # a program that knows more columns loads them
    return hashlib.sha256("\n".join((table, str(version), *lines)).encode()).hexdigest()


def _conformed(
    batch: pa.RecordBatch, schema: pa.Schema, partition: str, file: PublishedFile
) -> pa.RecordBatch:
    columns: list[pa.Array] = []
    for each in schema:
        if each.name == partition:
            columns.append(pa.repeat(pa.scalar(file.day), batch.num_rows))
            continue
        if each.name not in batch.schema.names:
            columns.append(pa.nulls(batch.num_rows, each.type))
            continue
        column = batch[each.name]
        try:
            columns.append(column if column.type == each.type else column.cast(each.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise PublicationError(
                f"{file.path}: column {each.name!r} is {column.type}, must be {each.type} ({error}):"
                f" {publish_again(file.runs)}"
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)
