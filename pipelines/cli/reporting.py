"""The command `report`, which makes the page of a night."""

from pathlib import Path

import click

from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.job.exit_code import ExitCode
from pipelines.job.reporting import NIGHTS
from pipelines.job.reporting import report as report_of

__all__ = ["report"]


@click.command()
@config_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page to this file, without an index.  [default: reports/ below the storage root]",
)
@click.option(
    "--nights",
    type=click.IntRange(1, 90),
    default=NIGHTS,
    show_default=True,
    help="How many nights are shown.",
)
@shared_options
def report(door: Door, config: Path, output: Path | None, nights: int) -> None:
    """The page of the newest run: what happened, what is missing, what to do. One file of HTML, without scripts.

    Made from the published tables alone; needs no network and no credential. Exit code 1 if it cannot be written.
    """
    settings = door.settings(config)
    written = report_of(settings, nights, output)
    result = {
        "page": str(written.page),
        "index": str(written.index) if written.index else None,
        "runs": written.runs,
        "exit_code": int(ExitCode.DONE),
    }
    index = f"\nall nights: {written.index}" if written.index else ""
    finish(door, result, f"page: {written.page}{index}", ExitCode.DONE)
