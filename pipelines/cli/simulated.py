"""The commands `simulate` and `demo`, around the built-in simulator."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any, Final

import click

from collector.config import credentials
from collector.errors import ConfigError
from collector.simulator import Population, Simulator, Switches, serve
from pipelines.cli.door import Door, finish, shared_options
from pipelines.cli.loading import configured
from pipelines.cli.nights import played, set_simulator
from pipelines.cli.working import night_said
from pipelines.errors import PipelineError
from pipelines.job.lock import storage_lock
from pipelines.job.night import Night
from pipelines.job.sequence import run_night

__all__ = ["demo", "simulate"]

_SESSIONS: Final = 50
_HISTORY: Final = 'every = "1h"\nsince = "24h"'
_HOURS: Final = f"minutes = {list(range(60, 1441, 60))}"
_START_SECONDS: Final = 20
_RATE: Final = 1000  # a fortnight in a minute

_CONFIG: Final = """\
# Written by `ecgrid-stats {command}`: the simulator, its sessions, and the last 24 hours.
sessions_file = {sessions_file}

[service]
url = {url}
binding = "soap12"
timeout_seconds = 10

[limits]
requests_per_second = {rate}
per_session_per_second = {session_rate}
concurrency = 16
per_session_concurrency = {session_concurrency}

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
    help="Every Nth session (or key) logs in; 0: none.",
)
@click.option(
    "--keys",
    default=0,
    type=click.IntRange(0, 1_000_000),
    help="So many credentials see all mailboxes, each those of one network; 0: each mailbox has its own.",
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
    keys: int,
    seed: int,
    texts: tuple[str, ...],
    credentials_file: Path | None,
    write_config: Path | None,
) -> None:
    """Serve the simulator until SIGTERM or Ctrl-C; prints one JSON line with its url when ready."""
    try:
        named = {"ex_scope": "network"} if keys else {}
        switches = Switches.parse({**named, **dict(_pair(text) for text in texts)})
        population = Population(sessions, login_every, keys=keys)
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
    default=Path("data/demo"),
    type=click.Path(path_type=Path, file_okay=False),
    show_default=True,
    help="Where the demo's data goes; what an earlier demo left there is removed.",
)
@click.option(
    "--nights",
    default=14,
    type=click.IntRange(1, 366),
    show_default=True,
    help="So many nights; of three or more one has no run, and a mailbox is out before it.",
)
@shared_options
def demo(door: Door, root: Path, nights: int) -> None:
    """A fortnight of the nightly job against the built-in simulator: one key, 50 mailboxes, by the hour; needs nothing.

    One night nobody runs, and a mailbox is denied in the two before it; the next run asks for their hours again.
    The simulator runs as a process of its own on a free port of this machine and ends with the demo.
    """
    config = root / "demo.toml"
    with storage_lock(root, "demo"):
        _remove_earlier(root, config)
        with _simulator() as url:
            _write_config(config, "demo", url, Population(_SESSIONS, keys=1), root)
            settings = door.settings(config)
            known, targets = credentials(settings, root), configured(settings, root)
            job = partial(run_night, settings, known, None, (), targets)
            found = []
            for each in played(settings, nights, partial(set_simulator, url), job):
                click.echo(each.said(), err=True)
                found.append(each)
    night = next(each.night for each in reversed(found) if each.night is not None)
    told = [
        {"started": each.started.isoformat(), "before": each.before and asdict(each.before)}
        | {"run": each.night and asdict(each.night)}
        for each in found
    ]
    text = "\n".join((night_said(night, settings), "", *_look_at_it(root, config, night)))
    finish(door, {**asdict(night), "nights": told}, text, night.exit_code)


def _remove_earlier(root: Path, config: Path) -> None:
    """Make room for another demo: the past is played again, and its nights are published once.

    Raises:
        ConfigError: something there was not left by a demo, or cannot be removed.
    """
    if not config.is_file():
        if (root / "lake").exists():
            raise ConfigError(
                f"--root {root}: has a lake that no demo left there, and the demo would mix its own into it:"
                " name another folder"
            )
        return
    try:
        for name in ("lake", "landing", "reports"):
            shutil.rmtree(root / name, ignore_errors=not (root / name).exists())
        for name in ("sends", "warehouse.duckdb", "warehouse.duckdb.wal"):
            (root / name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--root {root}: what an earlier demo left cannot be removed: {error}"
        ) from error


def _look_at_it(root: Path, config: Path, night: Night) -> list[str]:
    """Lines to copy that show numbers, of what there is."""
    days = (
        "SELECT day, direction, sum(estimate) AS parcels, bool_and(complete) AS complete FROM traffic_days"
        " WHERE traffic = 'parcel' GROUP BY ALL ORDER BY ALL"
    )
    history = root / "lake" / "traffic_history"
    frame = (
        f"import pandas; h = pandas.read_parquet({str(history)!r});"
        " p = h[(h.traffic == 'parcel') & (h.scope == 'mailbox')];"
        " print(p.pivot_table('estimate', p.span_start.dt.date, 'direction', 'sum'))"
    )
    lines = [f"{_program()} status -c {quote(str(config))}"]
    if history.is_dir():  # nothing is published where the demo was stopped
        lines += [
            f"{_program()} sql -c {quote(str(config))} {_quoted(days)}",
            f"{_near(sys.executable)} -c {_quoted(frame)}",
        ]
    page = root / "reports" / f"{night.run_id}.html"
    if page.is_file():
        lines.append(f"{_near(str(page.absolute()))} in a browser")
    return ["Look at it:", *(f"  {line}" for line in lines)]


def _program() -> str:
    """How this program was called, so that the next command can be copied."""
    script = _near(sys.argv[0])
    is_script = Path(script).name == "ecgrid-stats"
    return script if is_script else f"{_near(sys.executable)} -m pipelines.cli"


def _quoted(text: str) -> str:
    """A word for a shell: in double quotes, which are easier to read around single ones, where those will do."""
    return quote(text) if set(text) & set('"$`!\\') else f'"{text}"'


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
    options = ("--sessions", str(_SESSIONS), "--keys", "1")
    command = [sys.executable, "-m", "pipelines.cli", "simulate", *options]
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
    config: Path, command: str, url: str, population: Population, root: Path
) -> None:
    """A configuration that works as it is: fake secrets in private files beside it."""
    secrets = config.with_suffix(".secrets")
    try:
        secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        ids = ",network_id,mailbox_id" if population.keys else ""
        rows, written = [f"label,api_key,login_name,password{ids}"], dict[tuple[str, str], str]()
        for user in population.users():
            known = user.credentials
            values = (known.api_key, known.login_name, known.password)
            references = [
                _secret_file(secrets, written, user.label, name, value)
                for name, value in zip(("key", "login", "password"), values, strict=True)
            ]
            named = (user.network_id, user.mailbox_id) if population.keys else ()
            rows.append(",".join((user.label, *references, *map(str, named))))
        sessions_file = config.with_suffix(".sessions.csv")
        sessions_file.write_text("\n".join(rows) + "\n", encoding="utf-8")
        text = _CONFIG.format(
            command=command,
            sessions_file=json.dumps(sessions_file.name),
            url=json.dumps(url),
            windows=_HISTORY if command == "demo" else _HOURS,
            rate=_RATE,
            # one that many mailboxes share has the rate of many
            session_rate=_RATE if population.keys else 50,
            session_concurrency=16 if population.keys else 2,
            root=json.dumps(str(root)),
            database=json.dumps(str(root / "warehouse.duckdb")),
        )
        config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{config}: cannot be written: {error.strerror}") from error


def _secret_file(
    folder: Path, written: dict[tuple[str, str], str], label: str, name: str, value: str | None
) -> str:
    """A reference to a private file that holds `value`, new unless one was written; empty for none."""
    if value is None:
        return ""
    reference = written.get((name, value))
    if reference is None:
        path = folder / f"{label}.{name}"
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
        reference = written[name, value] = f"file:{folder.name}/{path.name}"
    return reference
