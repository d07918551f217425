"""Loads publications into a SQL database: staging, merge by natural key, one transaction for each run."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa

from pipelines.contract import TABLES, Table
from pipelines.errors import WarehouseError
from pipelines.lake import Days, Lake
from pipelines.warehouse.behaviour import LoadedRows, Step
from pipelines.warehouse.publications import PublishedRun, rows, with_partition
from pipelines.warehouse.shape import Alteration, Existing, alterations
from pipelines.warehouse.statements import (
    LOADS,
    STAGE,
    alter,
    comments,
    create,
    delete,
    index,
    literal,
    merge,
    of_days,
    of_run,
    quoted,
    stage,
)

__all__ = ["Database", "DatabaseSession"]


class DatabaseSession(Protocol):
    """One connection, with what the databases do differently.

    Attributes:
        name: of the target.
        binary: what the database calls bytes.
        with_key: tables are made with a primary key.
        elsewhere: how to have the tables in another place, as advice.
    """

    name: str
    binary: str
    with_key: bool
    elsewhere: str

    def run(self, sql: str) -> int:
        """Run a statement; the rows it changed."""
        ...

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        ...

    def ingest(self, reader: pa.RecordBatchReader) -> int:
        """Append to the stage; how many rows."""
        ...

    def place(self, table: str) -> str:
        """The table's full name, quoted."""
        ...

    def columns(self, table: str) -> dict[str, Existing]:
        """The columns of the table that is there; empty if none is."""
        ...

    def views(self) -> list[str]:
        """The statements that make the views of the history."""
        ...

    def begin(self) -> None:
        """Start a transaction, alone among loaders."""
        ...

    def commit(self) -> None:
        """End it."""
        ...

    def rollback(self) -> None:
        """Undo it; never raises."""
        ...

    def show(self, lake: Lake, tables: Sequence[str]) -> None:
        """Whatever the database can show of the lake itself."""
        ...

    def close(self) -> None:
        """Close the connection; never raises."""
        ...


class Database:
    """A warehouse behind a session."""

    def __init__(self, session: DatabaseSession, lake: Lake, tables: Sequence[str]) -> None:
        self._session, self._lake = session, lake
        self._tables = [with_partition(TABLES[name]) for name in tables]

    def pending(
        self,
        publications: Sequence[PublishedRun],
        published: Collection[str],  # noqa: ARG002  # rows of a run that left the lake stay
    ) -> list[Step]:
        """The runs whose publication is not the one in the ledger of loads."""
        seen: dict[object, object] = {}
        if self._session.columns(LOADS.name):
            self._check(LOADS, ours=False)
            query = f"SELECT run_id, publication FROM {self._session.place(LOADS.name)}"  # noqa: S608  # a name of ours
            seen = {run_id: digest for run_id, digest, *_ in self._session.query(query)}
        return [
            (each,)
            for each in publications
            if seen.get(each.run_id) not in (each.digest(), each.digest(each.pruned))
        ]

    def prepare(self) -> None:
        """Make the tables, or alter them, all in one transaction."""
        with self._transaction():
            ours = bool(self._session.columns(LOADS.name))
            for table in (LOADS, *self._tables):
                self._prepare(table, ours=ours)
            for statement in self._session.views():
                self._session.run(statement)
        self._session.show(self._lake, [table.name for table in self._tables])

    def load(self, step: Step) -> LoadedRows:
        """Stage and merge every table of the run, then its line in the ledger of loads."""
        total = LoadedRows()
        with self._transaction():
            for publication in step:
                counts = self._replace if publication.is_derived else self._load
                total += counts(publication)
        return total

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._session.begin()
        try:
            yield
            self._session.commit()
        except BaseException:  # an interrupt, too
            self._session.rollback()
            raise

    def _prepare(self, table: Table, *, ours: bool) -> None:
        name, session = self._session.place(table.name), self._session
        if not session.columns(table.name):
            session.run(create(table, name, binary=session.binary, with_key=session.with_key))
            if table.is_derived and session.with_key:
                session.run(index(table, name))
            for comment in comments(table, name):
                session.run(comment)
            return
        needed = self._check(table, ours=ours)
        for alteration in needed:
            session.run(alter(alteration, name, binary=session.binary))
        if needed:
            for comment in comments(table, name):
                session.run(comment)

    def _check(self, table: Table, *, ours: bool) -> tuple[Alteration, ...]:
        return alterations(
            table,
            self._session.columns(table.name),
            ours=ours,
            where=f"warehouse {self._session.name}: the table {self._session.place(table.name)}",
            advice=f"rename it, or {self._session.elsewhere}",
        )

    def _load(self, publication: PublishedRun) -> LoadedRows:
        """Every table of a run, and its line in the ledger of loads."""
        counts, own = LoadedRows(), of_run(publication.run_id)
        for table in self._tables:
            # what was loaded of a pruned one stays
            if not table.is_derived and table.name not in publication.pruned:
                counts += self._merge(publication, table, own)
        self._note(publication.run_id, publication.digest(publication.pruned), counts)
        return counts

    def _replace(self, publication: PublishedRun) -> LoadedRows:
        """The days of the history that are not what was loaded, with a line for each, and one for all of it."""
        parts, total = publication.by_days(), LoadedRows()
        query = f"SELECT run_id, publication FROM {self._session.place(LOADS.name)} WHERE run_id LIKE 'history %'"  # noqa: S608  # names of ours
        seen = {
            Days.parse(str(name).rpartition(" ")[2]): digest
            for name, digest in self._session.query(query)
        }
        for days in sorted(seen.keys() - parts.keys()):
            # rows of days that come as a month now are compared with these
            is_gone = days.is_month or not any(days.touches(other) for other in parts)
            total += self._forget(publication.run_id, days, with_rows=is_gone)
        for days, part in sorted(parts.items(), key=lambda each: each[0]):
            digest = part.digest()
            if seen.get(days) != digest:
                counts = LoadedRows()
                for table in self._derived:
                    counts += self._merge(part, table, of_days(table, days))
                self._note(f"{publication.run_id} {days}", digest, counts)
                total += counts
        self._note(publication.run_id, publication.digest(), total)
        return total

    def _forget(self, run_id: str, days: Days, *, with_rows: bool) -> LoadedRows:
        """Days that the history has no more as they were."""
        removed = 0
        for table in self._derived if with_rows else ():
            removed += self._session.run(
                delete(self._session.place(table.name), of_days(table, days))
            )
        self._session.run(delete(self._session.place(LOADS.name), of_run(f"{run_id} {days}")))
        return LoadedRows(removed=removed)

    @property
    def _derived(self) -> list[Table]:
        return [table for table in self._tables if table.is_derived]

    def _merge(self, publication: PublishedRun, table: Table, own: str) -> LoadedRows:
        session = self._session
        do = merge(table, session.place(table.name), own)
        session.run(stage(table, binary=session.binary))
        staged = session.ingest(rows(self._lake, publication, table))
        if repeated := session.query(do.repeated):
            key = ", ".join(map(str, repeated[0]))
            raise WarehouseError(
                f"warehouse {session.name}: run {publication.run_id} has the key ({key}) of {table.name} more than"
                " once; publish the run again"
            )
        removed = updated = 0
        if session.query(do.present) != [(0,)]:
            removed, updated = session.run(do.remove), session.run(do.update)
        inserted = session.run(do.insert)
        session.run(f"DROP TABLE {STAGE}")
        return LoadedRows(inserted, updated, staged - inserted - updated, removed)

    def _note(self, name: str, digest: str, counts: LoadedRows) -> None:
        """A line in the ledger; of a run, its digest is without what is pruned: if that comes back, it is loaded."""
        place = self._session.place(LOADS.name)
        names = ", ".join(quoted(column.name) for column in LOADS.columns)
        held = counts.inserted + counts.updated + counts.unchanged
        now = literal(datetime.now(UTC).isoformat(timespec="microseconds"))
        self._session.run(delete(place, of_run(name)))
        self._session.run(
            f"INSERT INTO {place} ({names}) VALUES"  # noqa: S608  # quoted
            f" ({literal(name)}, {literal(digest)}, {held}, {now})"
        )
