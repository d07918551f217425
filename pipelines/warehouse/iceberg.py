"""Registers the published files in an Iceberg catalog: nothing is rewritten, one snapshot per table for each load.

What is registered is what the table's snapshot holds: a published file's path never means other bytes. The digest of
all these paths is a property, so that a load with nothing to do need not read the snapshot. Both go in by one commit,
so a killed load is seen by the next one, table by table.
"""

import contextlib
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from collector.domain.secret import Secret, mask
from pipelines.contract import TABLES, Table
from pipelines.errors import PipelineError, PublicationError, WarehouseError
from pipelines.lake import COMPACTED, Lake, PartitionFile, PublishedFile
from pipelines.warehouse.behaviour import LoadedRows, Step
from pipelines.warehouse.publications import PublishedRun, address, location, verify
from pipelines.warehouse.shape import Alteration, Existing, alterations
from pipelines.warehouse.target import IcebergCatalog

try:
    from pyiceberg.catalog import Catalog, load_catalog
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
    from pyiceberg.io.pyarrow import parquet_file_to_data_file
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table import TableProperties

    from pipelines.warehouse.iceberg_schema import ARROW, evolve, make_room, schema_of
except ImportError as error:  # the extra is not installed
    raise WarehouseError(
        "warehouse iceberg: pyiceberg is not installed; install ecgrid-stats[iceberg]"
    ) from error

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["IcebergWarehouse"]

# it warns of each column without statistics, and digests have none on purpose
logging.getLogger("pyiceberg.io.pyarrow").setLevel(logging.ERROR)

_LAKE: Final = "ecgrid.lake"
_PUBLISHED: Final = "ecgrid.published"
_NEW_TABLE: Final = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "true",
}
_ADVICE: Final = "set warehouse.iceberg.namespace to one of its own"
_ANEW: Final = "`ecgrid-stats load --anew` registers what is there instead"


@dataclass(slots=True)
class _Work:
    """What is to be done with a table.

    Attributes:
        wanted: the files that are published, by location.
        live: the files that are registered, by location; None if that was not looked at, nothing being to do.
        is_outdated: a program that knows another version of the table registered them.
    """

    table: Table
    wanted: dict[str, PublishedFile]
    live: dict[str, DataFile] | None = None
    is_outdated: bool = False
    refused: set[str] = field(default_factory=set)  # of `wanted`: they are damaged

    @property
    def add(self) -> list[str]:
        """The files that are to be registered."""
        live = self.live if self.live is not None else self.wanted
        return [path for path in self.wanted if path not in live and path not in self.refused]

    @property
    def drop(self) -> list[DataFile]:
        """The registered files that are published no more."""
        return [file for path, file in (self.live or {}).items() if path not in self.wanted]


class IcebergWarehouse:
    """A namespace of a catalog, with a table for each published one."""

    def __init__(self, target: IcebergCatalog, lake: Lake, tables: Sequence[str]) -> None:
        self._namespace, self._lake, self._target = target.namespace, lake, target
        self._tables = [TABLES[name] for name in tables]
        self._lake_location = address(lake)
        self._secrets = (*target.properties.values(), *_passwords(target.uri))
        self._work: dict[str, _Work] = {}
        self._damaged: dict[str, PublicationError] = {}
        self._columns: dict[str, dict[str, pa.DataType]] = {}
        with self._named():
            _make_folder_of(target.uri.reveal())
            properties = {name: value.reveal() for name, value in target.properties.items()}
            self._catalog: Catalog = load_catalog(
                target.catalog, uri=target.uri.reveal(), warehouse=target.location, **properties
            )

    def pending(
        self, publications: Sequence[PublishedRun], published: Collection[str]
    ) -> list[Step]:
        """All runs of which a table lacks a file, or has one too many, together; those with damaged files apart."""
        unreadable = set(published) - {each.run_id for each in publications}
        with self._named():
            for table in self._tables:
                self._work[table.name] = self._look(table, publications, published, unreadable)
        changed = [each for each in publications if self._is_changed(each)]
        for each in changed:
            for table in self._tables:
                self._verify(each, table)
        good = tuple(each for each in changed if each.run_id not in self._damaged)
        return [
            *([good] if good else []),
            *((each,) for each in changed if each.run_id in self._damaged),
        ]

    def prepare(self) -> None:
        """Make namespace and tables, or evolve their schemas; a commit for each table that needs one."""
        with self._named():
            self._catalog.create_namespace_if_not_exists(self._namespace)
            for table in self._tables:
                there = self._table(table)
                if there is None:
                    self._create(table)
                else:
                    evolve(there, self._check(table, there), table)

    def load(self, step: Step) -> LoadedRows:
        """One snapshot for each table: the files that are published instead of what was registered."""
        for each in step:
            if each.run_id in self._damaged:
                raise self._damaged[each.run_id]
        total = LoadedRows()
        with self._named():
            for table in self._tables:
                total += self._register(table, step)
        return total

    def close(self) -> None:
        """Let go of the catalog."""
        with contextlib.suppress(Exception):
            self._catalog.close()

    def _look(
        self,
        table: Table,
        publications: Sequence[PublishedRun],
        published: Collection[str],
        unreadable: Collection[str],
    ) -> _Work:
        """What is to be done with a table; files of runs whose manifest cannot be read stay."""
        files = [file for each in publications for file in each.files[table.name]]
        work = _Work(table, {location(self._lake, file): file for file in files})
        there = self._table(table)
        if there is None:
            work.live = {}
            return work
        known = there.properties.get(_PUBLISHED, "")
        if known == _digest(table, work.wanted) and not unreadable:
            return work
        work.is_outdated = not known.startswith(f"{table.version}:")
        registered = _registered_in(there)
        if not self._target.anew:
            self._refuse_unknown(registered, published)
        work.live = {
            path: file
            for path, file in registered.items()
            if path in work.wanted or not self._is_of(path, unreadable)
        }
        return work

    def _refuse_unknown(self, registered: Iterable[str], published: Collection[str]) -> None:
        """A lake that does not know what is registered is perhaps another one, or none: nothing is given up for it."""
        for path in registered:
            owner = self._owner(path)
            if not published or not (owner in published or owner.startswith(COMPACTED)):
                raise WarehouseError(
                    f"warehouse iceberg: it registers {path}, of a run that the lake {self._lake_location} does not"
                    f" know; nothing was changed. Is storage.root mounted? If that run is gone for good, {_ANEW}"
                )

    def _owner(self, path: str) -> str:
        """The run that wrote a registered file, or what stands for several; empty for a file of another lake."""
        with contextlib.suppress(ValueError):
            return PartitionFile.parse(path.removeprefix(f"{self._lake_location}/")).owner
        return ""

    def _is_of(self, path: str, runs: Collection[str]) -> bool:
        """Whether a registered file may hold rows of one of the runs."""
        owner = self._owner(path)
        return owner in runs or (owner.startswith(COMPACTED) and bool(runs))

    def _is_changed(self, each: PublishedRun) -> bool:
        """Whether files of the run come, or go."""
        for table in self._tables:
            work = self._work[table.name]
            add = set(work.add)
            if any(location(self._lake, file) in add for file in each.files[table.name]):
                return True
            owners = {self._owner(file.file_path) for file in work.drop}
            is_gone = each.run_id in owners or (table.name in each.pruned and bool(owners))
            if is_gone or (self._target.anew and owners) or work.is_outdated:
                return True
        return False

    def _verify(self, each: PublishedRun, table: Table) -> None:
        """Hold the run's new files of a table against their digests, and note the columns that they have."""
        work = self._work[table.name]
        add = set(work.add)
        new = [file for file in each.files[table.name] if location(self._lake, file) in add]
        try:
            self._columns.setdefault(table.name, {}).update(verify(self._lake, new))
        except PublicationError as error:
            self._damaged[each.run_id] = error
            work.refused |= {location(self._lake, file) for file in new}

    def _register(self, table: Table, step: Step) -> LoadedRows:
        there, work = self._catalog.load_table(self._identifier(table)), self._work[table.name]
        if not (work.add or work.drop):
            self._note(there, work)
            return LoadedRows(
                unchanged=sum(f.rows for each in step for f in each.files[table.name])
            )
        with there.transaction() as change:
            change.set_properties(self._properties(work))
            make_room(change, there.schema(), self._columns.get(table.name, {}))
            update = change.update_snapshot(snapshot_properties={"ecgrid.runs": str(len(step))})
            added = [
                parquet_file_to_data_file(there.io, change.table_metadata, path)
                for path in work.add
            ]
            with update.overwrite() if work.drop else update.merge_append() as snapshot:
                for file in work.drop:
                    snapshot.delete_data_file(file)
                for file in added:
                    snapshot.append_data_file(file)
        self._expire(there)
        return self._counted(work.drop, added)

    def _properties(self, work: _Work) -> dict[str, str]:
        registered = [path for path in work.wanted if path not in work.refused]
        return {_LAKE: self._lake_location, _PUBLISHED: _digest(work.table, registered)}

    def _note(self, there: IcebergTable, work: _Work) -> None:
        """The digest of what is registered, if it is not there yet."""
        properties = self._properties(work)
        if any(there.properties.get(name) != value for name, value in properties.items()):
            with there.transaction() as change:
                change.set_properties(properties)

    def _counted(self, dropped: Sequence[DataFile], added: Sequence[DataFile]) -> LoadedRows:
        """Rows by the run that they are of; where files are of several runs, all together."""
        before, after = Counter[str](), Counter[str]()
        for files, rows in ((dropped, before), (added, after)):
            for file in files:
                rows[self._owner(file.file_path)] += file.record_count
        if any(owner.startswith(COMPACTED) for owner in (*before, *after)):
            before, after = Counter({"": before.total()}), Counter({"": after.total()})
        total = LoadedRows()
        for owner in before.keys() | after.keys():
            had, has = before[owner], after[owner]
            total += LoadedRows(max(has - had, 0), min(had, has), 0, max(had - has, 0))
        return total

    def _expire(self, there: IcebergTable) -> None:
        """Let old snapshots go, and the catalog's own files that only they name. Files of the lake are not touched."""
        if self._target.keep_snapshots is None:
            return
        there.refresh()
        oldest = (datetime.now(UTC) - self._target.keep_snapshots).timestamp() * 1000
        current = there.current_snapshot()
        old = [each for each in there.snapshots() if each.timestamp_ms < oldest and each != current]
        if not old:
            return
        gone = {
            *(each.manifest_list for each in old),
            *(file.manifest_path for each in old for file in each.manifests(there.io)),
        }
        there.maintenance.expire_snapshots().by_ids([each.snapshot_id for each in old]).commit()
        there.refresh()
        kept = {
            file.manifest_path for each in there.snapshots() for file in each.manifests(there.io)
        }
        for path in sorted(gone - kept):
            there.io.delete(path)

    def _table(self, table: Table) -> IcebergTable | None:
        """The table, if it is there and is one for this lake."""
        try:
            there = self._catalog.load_table(self._identifier(table))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None
        elsewhere = there.properties.get(_LAKE, self._lake_location)
        if elsewhere != self._lake_location and not self._target.anew:
            raise WarehouseError(
                f"warehouse iceberg: the table {self._identifier(table)} registers files of {elsewhere}, this lake is"
                f" {self._lake_location}: {_ADVICE}; if the lake has moved, {_ANEW}"
            )
        return there

    def _identifier(self, table: Table) -> str:
        return f"{self._namespace}.{table.name}"

    def _create(self, table: Table) -> None:
        properties = {"comment": table.description, _LAKE: self._lake_location, **_NEW_TABLE}
        schema = schema_of(table)
        properties[TableProperties.DEFAULT_NAME_MAPPING] = schema.name_mapping.model_dump_json()
        self._catalog.create_table(self._identifier(table), schema, properties=properties)

    def _check(self, table: Table, there: IcebergTable) -> tuple[Alteration, ...]:
        existing = {
            field.name: Existing(
                ARROW.get(field.field_type), str(field.field_type), not field.required
            )
            for field in there.schema().fields
        }
        return alterations(
            table,
            existing,
            ours=_LAKE in there.properties,
            where=f"warehouse iceberg: the table {self._identifier(table)}",
            advice=f"rename it, or {_ADVICE}",
        )

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:  # noqa: BLE001  # catalogs of every kind raise what their libraries raise
            said = " ".join(str(error).partition("\n")[0].split()) or type(error).__name__
            shown = mask(said.encode(), self._secrets)[0].decode(errors="replace")[:300]
            raise WarehouseError(
                "warehouse iceberg: is the catalog of warehouse.iceberg.catalog_uri there, and may it be written?"
                f" What was committed stays, load again ({shown})"
            ) from None


def _registered_in(there: IcebergTable) -> dict[str, DataFile]:
    """The files of the current snapshot, those without rows included, which a scan leaves out."""
    snapshot = there.current_snapshot()
    return {
        entry.data_file.file_path: entry.data_file
        for manifest in (snapshot.manifests(there.io) if snapshot else ())
        for entry in manifest.fetch_manifest_entry(there.io, discard_deleted=True)
    }


def _digest(table: Table, paths: Iterable[str]) -> str:
    return f"{table.version}:{hashlib.sha256(' '.join(sorted(paths)).encode()).hexdigest()}"


def _passwords(uri: Secret) -> Iterator[Secret]:
    for found in re.findall(r"://[^/@]*?:([^/]*)@", uri.reveal()):
        yield from (uri, Secret(found))
    for found in re.findall(r"[?&]\w*(?:password|token|secret)\w*=([^&]*)", uri.reveal()):
        yield from (uri, Secret(found))


def _make_folder_of(uri: str) -> None:
    """SQLite makes its file, but not the folder."""
    if uri.startswith("sqlite:///"):
        path = Path(uri.removeprefix("sqlite:///").partition("?")[0])
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
