"""The command `sql`: one query over the published tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from collector.errors import ConfigError
from pipelines.cli.answer import as_csv, as_json_lines, as_table, plain_rows
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.job.exit_code import ExitCode

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["sql"]

_LOG = structlog.get_logger("ecgrid-stats")
_FORMS = {"table": as_table, "csv": as_csv, "json": as_json_lines}


@click.command()
@click.argument("query")
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMS)),
    help="How the rows are printed: a table, unless --output ends in .csv or .json; json is one object a line.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows to this file instead.",
)
@shared_options
def sql(door: Door, config: Path, query: str, form: str | None, output: Path | None) -> None:
    """Ask the published tables with one SELECT in DuckDB's SQL; every table is a view under its name.

    Nothing is changed, and nothing but the lake can be read.
    """
    from pipelines.job.publishing import lake_of  # noqa: PLC0415  # pyarrow and duckdb, which other commands need not wait for
    from pipelines.read import OpenLake  # noqa: PLC0415
    from pipelines.read.sql import queried  # noqa: PLC0415

    settings = door.settings(config)
    lake = OpenLake(lake_of(settings))
    found = queried(lake, query)
    if not found.num_rows and not lake.run_ids():
        _LOG.warning("nothing is published there", lake=lake.lake.storage.address)
    result: dict[str, Any] = {
        "columns": {field.name: str(field.type) for field in found.schema},
        "row_count": found.num_rows,
        "exit_code": int(ExitCode.DONE),
    }
    if output is not None:
        try:
            output.write_text(_written(found, form, output), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--output {output}: {error.strerror}") from error
        said = f"{found.num_rows} rows written to {output}"
        finish(door, {**result, "output": str(output)}, said, ExitCode.DONE)
    if door.as_json:
        finish(door, {**result, "rows": list(plain_rows(found))}, "", ExitCode.DONE)
    finish(door, result, _FORMS[form or "table"](found).removesuffix("\n"), ExitCode.DONE)


def _written(found: "pa.Table", form: str | None, output: Path) -> str:
    """All rows, in the form that was asked for or that the file's name ends with."""
    ending = output.suffix.lower().removeprefix(".")
    chosen = form or (ending if ending in _FORMS else "table")
    return as_table(found, most=found.num_rows) if chosen == "table" else _FORMS[chosen](found)
