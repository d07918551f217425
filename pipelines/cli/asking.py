"""The command that answers questions: sql."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from collector.errors import ConfigError
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.exit_code import ExitCode

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["sql"]

_SHOWN_ROWS: Final = 10_000


@click.command()
@click.argument("query")
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
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
            output.write_text(_text(found, form), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--output {output}: {error.strerror}") from error
        said = f"{found.num_rows} rows written to {output}"
        finish(door, {**result, "output": str(output)}, said, ExitCode.DONE)
    if door.as_json:
        finish(door, {**result, "rows": found.to_pylist()}, "", ExitCode.DONE)
    finish(door, result, _text(found, form).rstrip("\n"), ExitCode.DONE)


def _text(found: "pa.Table", form: str) -> str:
    """The rows as text; a table ends early, and says so."""
    if form == "json":
        return "".join(f"{json.dumps(row, default=str)}\n" for row in found.to_pylist())
    if form == "csv":
        return _csv(found)
    import pandas as pd  # noqa: PLC0415  # as above

    frame = found.slice(0, _SHOWN_ROWS).to_pandas(types_mapper=pd.ArrowDtype).astype(object)
    text = (
        frame.where(frame.notna(), "").to_string(index=False)
        if len(frame)
        else " ".join(frame.columns)
    )
    more = found.num_rows - len(frame)
    return f"{text}\n" + (f"... and {more} more rows; --format csv has all\n" if more else "")


def _csv(found: "pa.Table") -> str:
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(found.column_names)
    rows.writerows(zip(*(column.to_pylist() for column in found.columns), strict=True))
    return sink.getvalue()
