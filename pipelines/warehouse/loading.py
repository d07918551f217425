"""The published runs into every target: what each has not seen, run after run, one transaction for each."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from pipelines.contract import RAW, TABLES
from pipelines.errors import PipelineError, PublicationError, WarehouseError
from pipelines.lake import DERIVED, Lake, Published
from pipelines.warehouse.behaviour import LoadedRows, Warehouse
from pipelines.warehouse.database import Database
from pipelines.warehouse.publications import PublishedRun, published_run
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target

__all__ = ["Lag", "Load", "lag_of", "load_all"]

_LOG: Final = structlog.get_logger("warehouse")


@dataclass(frozen=True, slots=True)
class Load:
    """What one target got.

    Attributes:
        runs: runs that were loaded now, the history not counted; what was loaded before is not looked at again.
        removed: rows that left the publication of their run.
        caught_up: everything that is published is in the target.
        error: the first reason why not.
    """

    runs: int
    inserted: int
    updated: int
    unchanged: int
    removed: int
    seconds: float
    caught_up: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """What one target has not seen of what is published.

    Attributes:
        runs: how many runs.
        since: the oldest of them; None if there is none.
        history: whether the history is another one.
        error: why it cannot be told; the rest says nothing then.
    """

    runs: int = 0
    since: str | None = None
    history: bool = False
    error: str | None = None

    @property
    def is_behind(self) -> bool:
        """Whether a load would bring something."""
        return bool(self.runs or self.history)


def lag_of(lake: Lake, targets: Sequence[Target], *, raw: bool = False) -> dict[str, Lag]:
    """What each target has not seen, by its name. Loads nothing, and makes no file of a warehouse.

    Args:
        raw: of the landed bodies, too.

    Raises:
        PublicationError: the lake cannot be read.
    """
    tables = _tables(raw=raw)
    publications, known = _publications(lake.published(), tables)
    found = {}
    for target in targets:
        pending = [each.run_id for each in publications]
        try:
            if _is_there(target):
                with _opened(target, lake, tables) as warehouse:
                    steps = warehouse.pending(publications, known)
                    pending = [each.run_id for step in steps for each in step]
        except PipelineError as error:
            found[target.name] = Lag(error=str(error))
            continue
        runs = sorted(run_id for run_id in pending if run_id != DERIVED)
        found[target.name] = Lag(len(runs), runs[0] if runs else None, DERIVED in pending)
    return found


def _is_there(target: Target) -> bool:
    """Whether there is anything to open; opening would make it."""
    match target:
        case DuckDbFile():
            return target.path.exists()
        case IcebergCatalog():
            scheme, _, path = target.uri.reveal().partition(":///")
            return scheme != "sqlite" or Path(path).exists()
    return True


def _tables(*, raw: bool) -> list[str]:
    return [name for name in TABLES if raw or name != RAW.name]


def _publications(
    published: Published, tables: Sequence[str]
) -> tuple[list[PublishedRun], list[str]]:
    """The runs and the history that can be read, and the names of all."""
    derived = [published.derived] if published.derived else []
    runs = [published_run(each, tables) for each in (*published.manifests.values(), *derived)]
    is_derived = bool(derived or published.derived_damage)
    return runs, [*published.runs, *([DERIVED] if is_derived else [])]


def load_all(lake: Lake, targets: Sequence[Target], *, raw: bool = False) -> dict[str, Load]:
    """Load what is published into each target, by its name. A target that fails does not keep the others waiting.

    Args:
        raw: load the landed bodies, too.

    Raises:
        LakeVersionError: a newer version wrote the lake.
        PublicationError: the lake's version cannot be read.
    """
    lake.check_version()
    lake.settle()
    published, tables = lake.published(), _tables(raw=raw)
    runs, known = _publications(published, tables)
    unreadable = [*published.damaged.values()]
    unreadable += [published.derived_damage] if published.derived_damage else []
    return {
        target.name: _Loading(lake, tables, runs, known, [*unreadable]).into(target)
        for target in targets
    }


@dataclass(slots=True)
class _Loading:
    """What is to go into one target."""

    lake: Lake
    tables: Sequence[str]
    publications: Sequence[PublishedRun]
    run_ids: Sequence[str]
    errors: list[str]

    def into(self, target: Target) -> Load:
        started = time.monotonic()
        runs, total = 0, LoadedRows()
        try:
            with _opened(target, self.lake, self.tables) as warehouse:
                for count, counts in self._steps(warehouse, target.name):
                    runs, total = runs + count, total + counts
        except PipelineError as error:
            self.errors.append(str(error))
        except Exception as error:  # noqa: BLE001  # a driver's surprise does not spoil the night
            _LOG.debug("unexpected", exc_info=True)
            said = " ".join(str(error).split())[:300]
            self.errors.append(
                f"warehouse {target.name}: an error that is not foreseen ({type(error).__name__}: {said}); load again"
            )
        for said in self.errors:
            _LOG.error(
                "a warehouse is behind; the next load catches up", target=target.name, said=said
            )
        return Load(
            runs=runs,
            inserted=total.inserted,
            updated=total.updated,
            unchanged=total.unchanged,
            removed=total.removed,
            seconds=round(time.monotonic() - started, 3),
            caught_up=not self.errors,
            error=self.errors[0] if self.errors else None,
        )

    def _steps(self, warehouse: Warehouse, name: str) -> Iterator[tuple[int, LoadedRows]]:
        """Every step with its runs; one whose files are damaged is passed over."""
        pending = warehouse.pending(self.publications, self.run_ids)
        if pending:
            warehouse.prepare()
        for step in pending:
            ids = [each.run_id for each in step]
            try:
                counts = warehouse.load(step)
            except PublicationError as error:
                self.errors.append(str(error))
                continue
            _LOG.debug("loaded", target=name, runs=ids, inserted=counts.inserted)
            yield sum(not each.is_derived for each in step), counts


@contextmanager
def _opened(target: Target, lake: Lake, tables: Sequence[str]) -> Iterator[Warehouse]:
    warehouse = _open(target)(lake, tables)
    try:
        yield warehouse
    finally:
        warehouse.close()


def _open(target: Target) -> Callable[[Lake, Sequence[str]], Warehouse]:
    """How the target is opened; its driver is imported now, since it may not be installed."""
    match target:
        case DuckDbFile():
            from pipelines.warehouse.duckdb import DuckDbSession  # noqa: PLC0415

            return lambda lake, tables: Database(DuckDbSession(target), lake, tables)
        case PostgresServer():
            from pipelines.warehouse.postgres import PostgresSession  # noqa: PLC0415

            return lambda lake, tables: Database(PostgresSession(target), lake, tables)
        case IcebergCatalog():
            from pipelines.warehouse.iceberg import IcebergWarehouse  # noqa: PLC0415

            return lambda lake, tables: IcebergWarehouse(target, lake, tables)
    raise WarehouseError(f"no such target: {target!r}")
