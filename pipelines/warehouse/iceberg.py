"""Registers the published files in an Iceberg catalog: nothing is rewritten, one snapshot per table for each run.

A table of the catalog has, as properties, what was registered of which run. Snapshot and property go in by one commit,
so a killed load is seen by the next one, table by table.
"""

import contextlib
import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from collector.domain.secret import Secret, mask
from pipelines.contract import TABLES, Table
from pipelines.errors import PipelineError, WarehouseError
from pipelines.lake import Lake, PublishedFile
from pipelines.warehouse.behaviour import Counts, Step
from pipelines.warehouse.grouping import joined
from pipelines.warehouse.publications import Publication, address, location, verify
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

__all__ = ["IcebergWarehouse"]

# it warns of each column without statistics, and digests have none on purpose
logging.getLogger("pyiceberg.io.pyarrow").setLevel(logging.ERROR)

_LAKE: Final = "ecgrid.lake"
_RUN: Final = "ecgrid.run."
_NEW_TABLE: Final = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
_ADVICE: Final = "set warehouse.iceberg.namespace to one of its own"


@dataclass(frozen=True, slots=True)
class _Registered:
    """What a table's property says of a run.

    Attributes:
        publication: the digest of what was registered.
        rows: of the run, in this table.
        files: location -> SHA-256.
    """

    publication: str
    rows: int
    files: dict[str, str]


class IcebergWarehouse:
    """A namespace of a catalog, with a table for each published one."""

    def __init__(self, target: IcebergCatalog, lake: Lake, tables: Sequence[str]) -> None:
        self._namespace, self._lake = target.namespace, lake
        self._tables = [TABLES[name] for name in tables]
        self._lake_location = address(lake)
        self._secrets = (*target.properties.values(), *_passwords(target.uri))
        self._live: dict[str, dict[str, DataFile]] = {}
        with self._named():
            _make_folder_of(target.uri.reveal())
            properties = {name: value.reveal() for name, value in target.properties.items()}
            self._catalog: Catalog = load_catalog(
                target.catalog, uri=target.uri.reveal(), warehouse=target.location, **properties
            )

    def pending(
        self, publications: Sequence[Publication], published: Collection[str]
    ) -> list[Step]:
        """What the tables' properties do not say, by files that are shared."""
        with self._named():
            registered = {table.name: self._registered(table) for table in self._tables}
        runs = {run_id for runs in registered.values() for run_id in runs}
        if unknown := sorted(runs - set(published)):
            raise WarehouseError(
                f"warehouse iceberg: it registers files of {unknown[0]} and of {len(unknown) - 1} other runs that the"
                f" lake {self._lake_location} does not know; nothing was changed. Is storage.root mounted?"
            )
        changed = [
            each
            for each in publications
            if any(
                not self._is_known(registered[table.name], table, each) for table in self._tables
            )
        ]
        files = [
            {
                path
                for table in self._tables
                for path in (
                    *self._files(table, (each,)),
                    *_files_of(filter(None, (registered[table.name].get(each.run_id),))),
                )
            }
            for each in changed
        ]
        return joined(changed, files)

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

    def load(self, step: Step) -> Counts:
        """One snapshot for each table: the files of these runs instead of what was registered of them."""
        total = Counts()
        columns = {
            table.name: verify(
                self._lake, [file for each in step for file in each.files[table.name]]
            )
            for table in self._tables
        }
        with self._named():
            for table in self._tables:
                total += self._register(table, step, columns[table.name])
        return total

    def close(self) -> None:
        """Let go of the catalog."""
        with contextlib.suppress(Exception):
            self._catalog.close()

    def _register(self, table: Table, step: Step, columns: Mapping[str, pa.DataType]) -> Counts:
        there = self._catalog.load_table(self._identifier(table))
        known = _registered_in(there)
        runs = {each.run_id for each in step}
        old = _files_of(known[run_id] for run_id in runs & known.keys())
        kept = _files_of(known[run_id] for run_id in known.keys() - runs)
        new = self._files(table, step)
        before = sum(known[run_id].rows for run_id in runs & known.keys())
        after = sum(file.rows for each in step for file in each.files[table.name])
        if all(self._is_known(known, table, each) for each in step):
            return Counts(unchanged=after)
        drop = [path for path in old if new.get(path) != old[path] and path not in kept]
        add = [path for path in new if old.get(path) != new[path] and kept.get(path) != new[path]]
        self._commit(there, table, step, drop, add, columns)
        return Counts(
            inserted=max(after - before, 0),
            updated=min(before, after),
            removed=max(before - after, 0),
        )

    def _is_known(self, known: Mapping[str, _Registered], table: Table, each: Publication) -> bool:
        entry = known.get(each.run_id)
        return entry is not None and entry.publication == each.digest_of(table.name)

    def _files(self, table: Table, step: Step) -> dict[str, str]:
        """Location -> digest."""
        return {
            location(self._lake, file): file.sha256
            for each in step
            for file in each.files[table.name]
        }

    def _commit(
        self,
        there: IcebergTable,
        table: Table,
        step: Step,
        drop: Sequence[str],
        add: Sequence[str],
        columns: Mapping[str, pa.DataType],
    ) -> None:
        """Properties, the columns of the files, and the files: all or nothing."""
        live = self._live_files(table, there) if drop else {}
        stale = [live[path] for path in drop if path in live]
        # a file registered twice would count twice: whatever else has this name goes as well
        stale += [live[path] for path in add if path in live and path not in drop]
        runs = {each.run_id: each for each in step}
        said = {"ecgrid.runs": ",".join(runs)}
        with there.transaction() as change:
            change.set_properties(
                {
                    _RUN + run_id: self._entry(table, each.files[table.name], each)
                    for run_id, each in runs.items()
                }
            )
            make_room(change, there.schema(), columns)
            update = change.update_snapshot(snapshot_properties=said)
            added = [
                parquet_file_to_data_file(there.io, change.table_metadata, path) for path in add
            ]
            if added or stale:
                with update.overwrite() if stale else update.fast_append() as snapshot:
                    for file in stale:
                        snapshot.delete_data_file(file)
                    for file in added:
                        snapshot.append_data_file(file)
        if table.name in self._live:
            for file in stale:
                self._live[table.name].pop(file.file_path, None)
            self._live[table.name].update({file.file_path: file for file in added})

    def _live_files(self, table: Table, there: IcebergTable) -> dict[str, DataFile]:
        if table.name not in self._live:
            tasks = there.scan().plan_files()
            self._live[table.name] = {task.file.file_path: task.file for task in tasks}
        return self._live[table.name]

    def _entry(self, table: Table, files: Sequence[PublishedFile], each: Publication) -> str:
        entry = _Registered(
            each.digest_of(table.name),
            sum(file.rows for file in files),
            self._files(table, (each,)),
        )
        return json.dumps(asdict(entry))

    def _registered(self, table: Table) -> dict[str, _Registered]:
        there = self._table(table)
        return {} if there is None else _registered_in(there)

    def _table(self, table: Table) -> IcebergTable | None:
        """The table, if it is there and is one for this lake."""
        try:
            there = self._catalog.load_table(self._identifier(table))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None
        elsewhere = there.properties.get(_LAKE, self._lake_location)
        if elsewhere != self._lake_location:
            raise WarehouseError(
                f"warehouse iceberg: the table {self._identifier(table)} registers files of {elsewhere}, this lake is"
                f" {self._lake_location}: {_ADVICE}, or name another catalog"
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
                f"warehouse iceberg (warehouse.iceberg.catalog_uri): {shown}: is the catalog there, and may it be"
                " written? What was committed stays, load again"
            ) from None


def _registered_in(there: IcebergTable) -> dict[str, _Registered]:
    return {
        name.removeprefix(_RUN): _Registered(**json.loads(text))
        for name, text in there.properties.items()
        if name.startswith(_RUN)
    }


def _files_of(entries: Iterable[_Registered]) -> dict[str, str]:
    return {path: digest for entry in entries for path, digest in entry.files.items()}


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
