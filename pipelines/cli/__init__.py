"""`ecgrid-stats`: arguments, logging, exit codes. Each command is imported when it is asked for."""

import gc
import importlib
import os
import signal
import sys
from typing import Final

import click

from collector.version import VERSION
from pipelines.cli.streams import failed, whole
from pipelines.job.exit_code import ExitCode

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: Final = {
    "init": "pipelines.cli.beginning",
    "demo": "pipelines.cli.simulated",
    "simulate": "pipelines.cli.simulated",
    "check": "pipelines.cli.looking",
    "mailboxes": "pipelines.cli.listing",
    "plan": "pipelines.cli.looking",
    "collect": "pipelines.cli.working",
    "normalize": "pipelines.cli.working",
    "load": "pipelines.cli.loading",
    "compact": "pipelines.cli.keeping",
    "prune": "pipelines.cli.keeping",
    "run": "pipelines.cli.working",
    "report": "pipelines.cli.reporting",
    "status": "pipelines.cli.standing",
    "sql": "pipelines.cli.asking",
}
_SUMMARIES: Final = {
    "init": "A commented configuration to start from.",
    "demo": "The whole nightly job against the built-in simulator; needs nothing.",
    "simulate": "Serve the simulator; prints one JSON line with its url when ready.",
    "check": "Ask the service and every session, send no report calls; says what is wrong.",
    "mailboxes": "A sessions file for all mailboxes that one key may list; what changed in it.",
    "plan": "What would be called, how many calls, how long at the limit.",
    "collect": "Fan-out and landing only.",
    "normalize": "Landed replies to Parquet; no network.",
    "load": "Published tables to the warehouses, what they have not seen.",
    "compact": "Few files instead of many in the lake, the same rows.",
    "prune": "Old runs out of the lake, all tables or some.",
    "run": "All of it: the nightly job.",
    "report": "The page of the newest run: what happened, what is missing, what to do.",
    "sql": "Ask the published tables with a SELECT.",
    "status": "Runs, states, what is missing, what can be resumed.",
}


class _LazyGroup(click.Group):
    """Knows its commands by name; importing pandas to print a help page would cost a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUMMARIES.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ecgrid-stats")
def cli() -> None:
    """Collect ECGrid instant statistics from many mailboxes into partitioned Parquet.

    \b
    First steps:
      ecgrid-stats demo                     see the whole job work on this machine
      ecgrid-stats init                     write ecgrid.toml, a configuration to start from
      ecgrid-stats check -c ecgrid.toml     is the configuration right, are all sessions let in?
      ecgrid-stats plan  -c ecgrid.toml     how many calls, how long?
      ecgrid-stats run   -c ecgrid.toml     the nightly job: put this under cron

    \b
    Exit codes:
      0  everything planned is ok or empty
      1  finished, some calls failed or a warehouse is behind, the rest is published
      2  wrong usage or configuration
      3  another run holds the lock
      4  stopped early (signal, deadline); `run` again resumes
      5  failed
    """  # noqa: D301  # click's mark for lines to be kept apart


def main() -> None:
    """The console script: a signal before or after the calls ends it like one during them."""
    whole()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    as_json = "--json" in sys.argv[1:]
    # what a night makes by the thousand, and what importing makes, holds no circles: looking for them less often is a
    # twentieth of what starting and normalizing cost
    gc.set_threshold(20_000, 20, 50)
    # Arrow's own allocator keeps what was given back: a third of the peak of a night, at the same speed
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        cli.main(standalone_mode=False)
    except click.Abort:
        failed("stopped by a signal", ExitCode.STOPPED, as_json=as_json)
        sys.exit(ExitCode.STOPPED)
    except click.ClickException as error:
        if as_json:
            failed(error.format_message(), ExitCode.USAGE, as_json=True)
        else:
            error.show()
        sys.exit(error.exit_code)
