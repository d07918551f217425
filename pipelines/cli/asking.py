"""The command that answers questions: sql."""

from pathlib import Path
from typing import Any

import click

from collector.errors import ConfigError
from pipelines.cli.answer import as_csv, as_json_lines, as_table, plain_rows
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.exit_code import ExitCode

__all__ = ["sql"]

_FORMS = {"table": as_table, "csv": as_csv, "json": as_json_lines}


@click.command()
@click.argument("query")
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMS)),
    default="table",
    help="How the rows are printed; json is one object a line.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows to this file instead.",
)
@shared_options
def sql(door: Door, config: Path, query: str, form: str, output: Path | None) -> None:
    """Ask the published tables with one SELECT in DuckDB's SQL; every table is a view under its name.

    Nothing is changed, and nothing but the lake can be read.
    """
    from pipelines.nightly import lake_of  # noqa: PLC0415  # pyarrow and duckdb, which other commands need not wait for
    from pipelines.query import queried  # noqa: PLC0415
    from pipelines.reading import OpenLake  # noqa: PLC0415

    settings = door.settings(config)
    found = queried(OpenLake(lake_of(settings)), query)
    result: dict[str, Any] = {
        "columns": {field.name: str(field.type) for field in found.schema},
        "row_count": found.num_rows,
        "exit_code": int(ExitCode.DONE),
    }
    if output is not None:
        try:
            output.write_text(_FORMS[form](found), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--output {output}: {error.strerror}") from error
        said = f"{found.num_rows} rows written to {output}"
        finish(door, {**result, "output": str(output)}, said, ExitCode.DONE)
    if door.as_json:
        finish(door, {**result, "rows": list(plain_rows(found))}, "", ExitCode.DONE)
    finish(door, result, _FORMS[form](found).removesuffix("\n"), ExitCode.DONE)
