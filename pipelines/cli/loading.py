"""The command `load`, and the warehouses of a configuration as targets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from collector.config import Settings, referred
from collector.domain.durations import parse_duration
from collector.errors import ConfigError
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.job.exit_code import ExitCode
from pipelines.job.lock import storage_lock
from pipelines.job.publishing import load_published
from pipelines.job.sharing import shared
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target

if TYPE_CHECKING:
    from pipelines.warehouse.loading import Load

__all__ = ["configured", "load", "loads_said"]

_NAMES: Final = (DuckDbFile.name, PostgresServer.name, IcebergCatalog.name)


@click.command()
@config_option
@click.option(
    "--target",
    "names",
    multiple=True,
    type=click.Choice(_NAMES),
    help="Only this one, may be given again; all configured ones otherwise, or duckdb if there are none.",
)
@click.option(
    "--anew",
    is_flag=True,
    help="An Iceberg catalog registers this lake's files instead of whatever it does now: after the root was moved.",
)
@shared_options
def load(door: Door, config: Path, names: tuple[str, ...], anew: bool) -> None:
    """Bring the warehouses to what is published: every run that they have not seen, and every one published again.

    One transaction for each run; what is there already stays untouched, so loading twice changes nothing. Exit code 1:
    a target could not be loaded, or not all of it; correct what the message names and load again.
    """
    settings = door.settings(config)
    targets = [
        replace(each, anew=anew) if isinstance(each, IcebergCatalog) else each
        for each in configured(settings, config.parent, names or _default(settings))
    ]
    with storage_lock(settings.storage.root, "load"), shared(settings):
        loads = load_published(settings, targets)
    good = all(each.caught_up for each in loads.values())
    code = ExitCode.DONE if good else ExitCode.CALLS_FAILED
    result = {
        "loads": {name: asdict(each) for name, each in loads.items()},
        "exit_code": int(code),
    }
    finish(door, result, "\n".join(loads_said(loads)), code)


def configured(
    settings: Settings, beside: Path, names: Sequence[str] | None = None
) -> tuple[Target, ...]:
    """The warehouses of the configuration, or those named; `file:` references are relative to the folder `beside`.

    Raises:
        ConfigError: one that is named is not configured, or what a reference names is not there.
    """
    sections = settings.warehouse
    wanted = [name for name in _NAMES if getattr(sections, name)] if names is None else names
    return tuple(_target(settings, beside, name) for name in dict.fromkeys(wanted))


def loads_said(loads: "Mapping[str, Load]") -> list[str]:
    """The loads for people, a line for each target."""
    lines = []
    for name, each in loads.items():
        said = (
            f"warehouse {name}: {each.runs} runs loaded, {each.inserted} rows inserted, {each.updated} updated,"
            f" {each.unchanged} unchanged, {each.removed} removed, {each.seconds:.1f} s"
        )
        lines.append(said)
        if each.error is not None:
            lines.append(
                f"warehouse {name} is behind: {each.error.removeprefix(f'warehouse {name}: ')}"
            )
    return lines


def _default(settings: Settings) -> Sequence[str] | None:
    """None for what is configured; DuckDB where nothing is."""
    sections = settings.warehouse
    return None if any(getattr(sections, name) for name in _NAMES) else (DuckDbFile.name,)


def _target(settings: Settings, beside: Path, name: str) -> Target:
    root, sections = settings.storage.root.absolute(), settings.warehouse
    if name == DuckDbFile.name:
        path = sections.duckdb.path if sections.duckdb is not None else None
        return DuckDbFile((path or root / "warehouse.duckdb").absolute())
    if name == PostgresServer.name and (postgres := sections.postgres) is not None:
        dsn = referred("warehouse.postgres.dsn", postgres.dsn, beside)
        return PostgresServer(dsn, postgres.db_schema)
    if name == IcebergCatalog.name and (iceberg := sections.iceberg) is not None:
        key = "warehouse.iceberg"
        return IcebergCatalog(
            uri=referred(f"{key}.catalog_uri", iceberg.catalog_uri, beside),
            location=iceberg.location or f"file://{root / 'iceberg'}",
            namespace=iceberg.namespace,
            catalog=iceberg.catalog_name,
            keep_snapshots=timedelta(seconds=parse_duration(iceberg.keep_snapshots)),
            properties={
                each: referred(f"{key}.properties.{each}", value, beside)
                for each, value in iceberg.properties.items()
            },
        )
    raise ConfigError(f"--target {name}: there is no [warehouse.{name}] in the configuration")
