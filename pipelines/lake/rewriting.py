"""Writes published rows into new files: those of several files together, or those of some runs only."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from pipelines.contract import TABLES, Column, Table
from pipelines.errors import PublicationError, StorageError
from pipelines.lake.changing import Change
from pipelines.lake.draft import DraftTable, Sizes
from pipelines.lake.layout import sorted_rows
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.partition import COMPACTED, PartitionFile
from pipelines.lake.state import Published
from pipelines.lake.storage import Storage
from pipelines.lake.verified_files import open_verified

__all__ = ["MOST_ROWS", "MOST_UNPACKED", "Rewritten", "rewrite", "split_shared", "with_file"]

MOST_ROWS: Final = 1 << 19  # in memory: files with more rows are not compacted
MOST_UNPACKED: Final = 64 << 20  # in bytes, by their footers
_SIZES: Final = Sizes(file_rows=1 << 40)
_LOG: Final = structlog.get_logger("lake")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A new file.

    Attributes:
        file: with `rows` of the whole file, and the runs that have some.
        rows: by run.
    """

    file: PublishedFile
    rows: Mapping[str, int]


def rewrite(storage: Storage, files: Sequence[PublishedFile], runs: Collection[str]) -> Rewritten:
    """The rows that these runs have in files of one partition, sorted throughout, as the draft of one file.

    Args:
        files: all of one version of their table, which is that of the new one.

    Raises:
        PublicationError: a file is not what its manifest says, or what was written does not verify.
    """
    parts, schema = [], None
    for file in files:
        with open_verified(storage, file) as source, pq.ParquetFile(source) as parquet:
            schema = parquet.schema_arrow
            parts.append(parquet.read())
    assert schema is not None  # noqa: S101  # tells the type checker
    table = _table_of(files[0], schema)
    rows = pa.concat_tables(parts)
    rows = rows.filter(pc.is_in(rows["run_id"], pa.array(sorted(runs), pa.string())))
    if table.sort:
        rows = sorted_rows(rows, (*table.sort, "run_id"))
    # files without rows have the same bytes: what tells them apart is whose they are
    owner = f"{COMPACTED}-{hashlib.sha256(' '.join(sorted(runs)).encode()).hexdigest()[:8]}"
    key = PartitionFile.parse(files[0].path).key
    drafts = DraftTable(storage.drafts, table, key, owner, _SIZES)
    try:
        drafts.append(rows)
        (file,) = drafts.finish()
    finally:
        drafts.close()
    written = storage.drafts / file.path
    if not pq.read_table(written, partitioning=None).equals(rows):
        raise PublicationError(f"{written} reads back with other values than were written")
    found = Counter(map(str, rows["run_id"].to_pylist()))
    counts = {run_id: found[run_id] for run_id in sorted(runs)}  # those without rows, too
    return Rewritten(replace(file, runs=tuple(counts)), counts)


def with_file(manifest: Manifest, gone: Collection[PublishedFile], new: Rewritten) -> Manifest:
    """The manifest of one of the runs, with the new file in place of those that go.

    Raises:
        PublicationError: the run would have another number of rows.
    """
    paths = {file.path for file in gone}
    went = [file for file in manifest.files if file.path in paths]
    origin = tuple(sorted({line for file in went for line in file.identity}))
    came = replace(new.file, rows=new.rows[manifest.run_id], origin=origin)
    if (had := sum(file.rows for file in went)) != came.rows:
        raise PublicationError(
            f"run {manifest.run_id}: {went[0].path} holds {came.rows} rows of it, its manifest says {had}; nothing was"
            " changed: publish the run again"
        )
    kept = [file for file in manifest.files if file.path not in paths]
    order = {name: number for number, name in enumerate(TABLES)}
    files = sorted([*kept, came], key=lambda file: (order[file.table], file.path))
    return replace(manifest, files=tuple(files))


def split_shared(
    published: Published, leaving: Collection[str], shared: Sequence[PublishedFile]
) -> Change:
    """New files for the rows that other runs have in files which these runs leave, and the manifests of those others.

    The rows of a run whose manifest cannot be read are kept, too: only publishing that run again tells which count. A
    shared file that cannot be read stays as it is, and counts for the others only.
    """
    groups: dict[tuple[str, str, int, tuple[str, ...]], list[PublishedFile]] = defaultdict(list)
    for file in shared:
        staying = tuple(
            run_id
            for run_id in file.runs
            if run_id not in leaving
            and (run_id in published.damaged or _names(published, run_id, file))
        )
        groups[file.table, file.partition, file.schema_version, staying].append(file)
    come: list[str] = []
    go: list[str] = []
    manifests: dict[str, Manifest] = {}
    for (*_, staying), files in groups.items():
        paths = [file.path for file in files]
        if not staying:
            go += paths
            continue
        try:
            new = rewrite(published.storage, files, staying)
            changed = {
                run_id: with_file(manifests.get(run_id, published.manifests[run_id]), files, new)
                for run_id in staying
                if run_id in published.manifests
            }
        except StorageError:
            raise
        except PublicationError as error:
            _LOG.error(
                "other runs' rows stay where they are", runs=", ".join(staying), said=str(error)
            )
            continue
        come.append(new.file.path)
        go += paths
        manifests |= changed
    return Change(come, go, manifests)


def _names(published: Published, run_id: str, file: PublishedFile) -> bool:
    manifest = published.manifests.get(run_id)
    return manifest is not None and any(each.path == file.path for each in manifest.files)


def _table_of(file: PublishedFile, schema: pa.Schema) -> Table:
    """The contract that the file was written by."""
    table = TABLES[file.table]
    if file.schema_version == table.version:
        return table
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
