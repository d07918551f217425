"""What every command shares: its options, its logging, and how an error becomes one sentence and an exit code."""

import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import click
import structlog

from collector.config import Settings, load
from collector.errors import CollectorError, ConfigError, LockHeldError, RefusedError
from pipelines.cli.logs import set_up
from pipelines.cli.streams import failed, printed
from pipelines.errors import PipelineError, QueryError, ReportError
from pipelines.job.exit_code import ExitCode

__all__ = ["Door", "config_option", "finish", "opened", "shared_options"]

_LOG = structlog.get_logger("ecgrid-stats")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Door:
    """How a command was called.

    Attributes:
        as_json: exactly one JSON object on stdout, everything else on stderr.
        at_end: who is told how the command ended: its exit code, and what was said last.
    """

    as_json: bool
    verbose: bool
    log_format: str
    at_end: list[Callable[[int, str], None]] = field(default_factory=list)

    def settings(self, config: Path) -> Settings:
        """The configuration, with logging set up as it says.

        Raises:
            ConfigError: it is wrong.
        """
        settings = load(config)
        form = settings.logging.format if self.log_format == "auto" else self.log_format
        set_up("debug" if self.verbose else settings.logging.level, form)
        return settings


config_option = click.option(
    "-c",
    "--config",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration (TOML); see config/production.toml.",
)


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--json, --verbose and --log-format, handed over as `door`; errors end the process with their code."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
    @click.option("-v", "--verbose", is_flag=True, help="Log more.")
    @click.option(
        "--log-format",
        type=click.Choice(["auto", "plain", "json"]),
        default="auto",
        help="Form of the log lines on stderr.",
    )
    @functools.wraps(command)
    def wrapped(as_json: bool, verbose: bool, log_format: str, **options: object) -> object:
        door = Door(as_json, verbose, log_format)
        set_up("debug" if verbose else "info", log_format)
        return opened(door, functools.partial(command, door=door, **options))

    return wrapped


def opened(door: Door, work: Callable[[], object]) -> object:
    """Run `work`; an error of ours is one sentence and an exit code, never a traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return work()
    except KeyboardInterrupt:
        _fail(door, "stopped by a signal; the same command again goes on", ExitCode.STOPPED)
    except (ConfigError, QueryError) as error:
        _fail(door, str(error), ExitCode.USAGE)
    except LockHeldError as error:
        _fail(door, str(error), ExitCode.LOCKED)
    except (RefusedError, ReportError) as error:
        _fail(door, str(error), ExitCode.CALLS_FAILED)
    except (CollectorError, PipelineError) as error:
        _fail(door, str(error), ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001  # a traceback helps nobody at night; -v shows it
        _LOG.debug("unexpected", exc_info=True)
        said = " ".join(str(error).split())[:500]
        _fail(
            door,
            f"an error that is not foreseen ({type(error).__name__}: {said}); --verbose shows where it comes from",
            ExitCode.FAILED,
        )


def finish(door: Door, result: Mapping[str, Any], said: str, exit_code: int) -> NoReturn:
    """Print the result in the form that was asked for and end the process; a result that nobody got is no success."""
    _settle(exit_code)
    is_there = printed(json.dumps(result, default=str) if door.as_json else said)
    _leave(door, said, exit_code if is_there or exit_code else ExitCode.FAILED)


def _fail(door: Door, message: str, exit_code: ExitCode) -> NoReturn:
    _settle(exit_code)
    failed(message, exit_code, as_json=door.as_json)
    _leave(door, message, exit_code)


def _settle(exit_code: int) -> None:
    """From here on a signal changes nothing; a second one ends the process at once, with the same code."""
    told = False

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal told
        if told:
            os._exit(exit_code)
        told = True

    for number in _SIGNALS:
        signal.signal(number, on_signal)


def _leave(door: Door, said: str, exit_code: int) -> NoReturn:
    """End the process; the interpreter gives signals their deadly default back before it has ended."""
    for told in door.at_end:
        try:
            told(int(exit_code), said)
        except Exception as error:  # noqa: BLE001  # the command has ended as it has
            _LOG.warning("its end could not be told", said=type(error).__name__)
    for number in _SIGNALS:  # in every thread, also those that libraries started
        signal.signal(number, signal.SIG_IGN)
    sys.exit(exit_code)
