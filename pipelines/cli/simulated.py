"""The commands `simulate` and `demo`, around the built-in simulator."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from collector.config import Settings, credentials
from collector.errors import ConfigError
from collector.observers import EventLog, Progress
from collector.simulator import Population, Simulator, Switches, serve
from pipelines.cli.door import Door, finish, shared_options
from pipelines.cli.loading import configured
from pipelines.cli.nights import played, set_simulator
from pipelines.cli.progress import shown
from pipelines.cli.working import night_said
from pipelines.errors import PipelineError
from pipelines.job.lock import storage_lock
from pipelines.job.night import Night
from pipelines.job.publishing import lake_of
from pipelines.job.sequence import run_night

__all__ = ["demo", "simulate"]

_SESSIONS: Final = 50
_HISTORY: Final = 'every = "1h"\nsince = "24h"'
_HOURS: Final = f"minutes = {list(range(60, 1441, 60))}"
_START_SECONDS: Final = 20
_RATE: Final = 200
_FAST: Final = 1000  # for many nights in a minute

_CONFIG: Final = """\
# Written by `ecgrid-stats {command}`: the simulator, its sessions, and the last 24 hours.
sessions_file = {sessions_file}

[service]
url = {url}
binding = "soap12"
timeout_seconds = 10

[limits]
requests_per_second = {rate}
per_session_per_second = 50
concurrency = 16

[windows]
{windows}

[storage]
root = {root}

[warehouse.duckdb]
path = {database}
"""


@click.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on; loopback only.")
@click.option("--port", default=0, type=click.IntRange(0, 65_535), help="0 takes a free one.")
@click.option(
    "--sessions",
    default=_SESSIONS,
    type=click.IntRange(1, 1_000_000),
    help="Users, each with a mailbox of its own.",
)
@click.option(
    "--login-every",
    default=5,
    type=click.IntRange(min=0),
    help="Every Nth session logs in; 0: none.",
)
@click.option("--seed", default=0, help="The traffic, and which calls a switch hits.")
@click.option(
    "--switch",
    "texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="Behaviour; see docs/simulator.md.",
)
@click.option(
    "--credentials-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a CSV of all labels and their (fake) credentials.",
)
@click.option(
    "--write-config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a configuration for this simulator, and its fake secrets beside it.",
)
@shared_options
def simulate(  # noqa: PLR0913, PLR0917  # click passes them by name
    door: Door,  # noqa: ARG001  # the line is JSON either way
    host: str,
    port: int,
    sessions: int,
    login_every: int,
    seed: int,
    texts: tuple[str, ...],
    credentials_file: Path | None,
    write_config: Path | None,
) -> None:
    """Serve the simulator until SIGTERM or Ctrl-C; prints one JSON line with its url when ready."""
    try:
        switches = Switches.parse(dict(_pair(text) for text in texts))
        population = Population(sessions, login_every)
        simulator = Simulator(population, switches, seed=seed, host=host, port=port)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if credentials_file is not None:
        try:
            population.write_credentials(credentials_file)
        except OSError as error:
            raise ConfigError(f"--credentials-file {credentials_file}: {error.strerror}") from error

    def before_ready(url: str) -> None:
        if write_config is not None:
            root = write_config.absolute().parent / "data"
            _write_config(write_config, "simulate", url, population, root)

    try:
        asyncio.run(serve(simulator, before_ready))
    except OSError as error:
        raise ConfigError(f"{host}:{port}: {error.strerror or error}") from error


@click.command()
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the demo's data goes.  [default: data/demo; with --nights data/demo-nights]",
)
@click.option(
    "--nights",
    type=click.IntRange(2, 366),
    help="So many nights, one of them without a run, and a mailbox out for two.",
)
@shared_options
def demo(door: Door, root: Path | None, nights: int | None) -> None:
    """The whole nightly job against the built-in simulator: 50 sessions, 24 hours each; needs nothing.

    The simulator runs as a process of its own on a free port of this machine and ends with the demo.
    """
    root = root or Path("data/demo" if nights is None else "data/demo-nights")
    config = root / "demo.toml"
    with storage_lock(root, "demo"), _simulator() as url:
        _write_config(
            config, "demo", url, Population(_SESSIONS), root, _RATE if nights is None else _FAST
        )
        settings = door.settings(config)
        job = partial(run_night, settings, credentials(settings, root), None)
        targets = configured(settings, root)
        if nights is None:
            progress = Progress()
            with shown(progress):
                night = job((progress, EventLog(_RATE)), targets)
            result = asdict(night)
        else:
            night, result = _nights(settings, nights, url, lambda: job((), targets))
    table = root / "lake" / "traffic_history"
    shown_by = (
        f"  {_near(sys.executable)} -c \"import pandas; print(pandas.read_parquet('{table}'))\""
    )
    lines = [night_said(night, settings), "Look at it:", f"  {_program()} status -c {config}"]
    page = root / "reports" / f"{night.run_id}.html"
    if page.is_file():
        lines.append(f"  {_near(str(page.absolute()))} in a browser")
    if table.is_dir():  # nothing is published where the demo was stopped
        lines.insert(2, shown_by)
    finish(door, result, "\n".join(lines), night.exit_code)


def _nights(
    settings: Settings, nights: int, url: str, run: Callable[[], Night]
) -> tuple[Night, dict[str, Any]]:
    """The last night, and what `--json` prints: it, and each of them; the lines are on stderr as they come."""
    if runs := lake_of(settings).run_ids():
        raise ConfigError(
            f"{settings.storage.root}: has {len(runs)} runs already, and their nights would not be asked for again:"
            " remove it, or name another place with --root"
        )
    found = []
    for each in played(settings, nights, partial(set_simulator, url), run):
        click.echo(each.said(), err=True)
        found.append(each)
    night = next(each.night for each in reversed(found) if each.night is not None)
    told = [
        {"started": each.started.isoformat(), "before": each.before and asdict(each.before)}
        | {"run": each.night and asdict(each.night)}
        for each in found
    ]
    return night, {**asdict(night), "nights": told}


def _program() -> str:
    """How this program was called, so that the next command can be copied."""
    script = _near(sys.argv[0])
    is_script = Path(script).name == "ecgrid-stats"
    return script if is_script else f"{_near(sys.executable)} -m pipelines.cli"


def _near(path: str) -> str:
    """A path as one would type it from here."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--switch {text!r}: must be NAME=VALUE")
    return name, value


@contextlib.contextmanager
def _simulator() -> Iterator[str]:
    """A simulator in a process of its own; its url."""
    command = [sys.executable, "-m", "pipelines.cli", "simulate", "--sessions", str(_SESSIONS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own module
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            raise PipelineError("the simulator did not start; `ecgrid-stats simulate` shows why")
        ready: Mapping[str, Any] = json.loads(line)
        yield str(ready["url"])
    finally:
        process.terminate()
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _write_config(  # what stands in it
    config: Path, command: str, url: str, population: Population, root: Path, rate: int = _RATE
) -> None:
    """A configuration that works as it is: fake secrets in private files beside it."""
    secrets = config.with_suffix(".secrets")
    try:
        secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        rows = ["label,api_key,login_name,password"]
        for label, known in population.credentials().items():
            values = (known.api_key, known.login_name, known.password)
            references = [
                _secret_file(secrets, f"{label}.{name}", value)
                for name, value in zip(("key", "login", "password"), values, strict=True)
            ]
            rows.append(",".join((label, *references)))
        sessions_file = config.with_suffix(".sessions.csv")
        sessions_file.write_text("\n".join(rows) + "\n", encoding="utf-8")
        text = _CONFIG.format(
            command=command,
            sessions_file=json.dumps(sessions_file.name),
            url=json.dumps(url),
            windows=_HISTORY if command == "demo" else _HOURS,
            rate=rate,
            root=json.dumps(str(root)),
            database=json.dumps(str(root / "warehouse.duckdb")),
        )
        config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{config}: cannot be written: {error.strerror}") from error


def _secret_file(folder: Path, name: str, value: str | None) -> str:
    """A reference to a new private file that holds `value`; empty for none."""
    if value is None:
        return ""
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(value, encoding="utf-8")
    return f"file:{folder.name}/{name}"
