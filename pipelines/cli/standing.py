"""The command `status`: which runs a storage root has, what is missing, and whether somebody must do something."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from collector.config import Settings
from collector.domain.durations import format_duration
from collector.errors import ConfigError
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.cli.duration import Duration
from pipelines.cli.loading import configured
from pipelines.cli.working import history_said
from pipelines.job.exit_code import ExitCode
from pipelines.job.publishing import warehouse_lag
from pipelines.job.standing import AtWork, History, Run, Standing, standing_of

if TYPE_CHECKING:
    from pipelines.warehouse.loading import Lag

__all__ = ["status"]

_SHOWN: Final = 14  # runs; --json has all
_LONGEST: Final = 366 * 86_400


@click.command()
@config_option
@click.option(
    "--max-age",
    type=Duration(_LONGEST),
    metavar="DURATION",
    help="Exit code 1 unless a run ended, with answers, at most this long ago (26h).",
)
@click.option(
    "--complete",
    is_flag=True,
    help="Exit code 1 if something is missing that a run, `normalize` or `load` can bring.",
)
@shared_options
def status(door: Door, config: Path, max_age: float | None, complete: bool) -> None:
    """The runs of this storage root, who is at work, how much of the history is known, and what is missing.

    For a monitor: `--max-age 26h --complete` ends with exit code 1, and says why, when a night is missing or short.
    """
    settings = door.settings(config)
    standing = standing_of(settings)
    warehouses, unread = _warehouses(settings, config)
    problems = _problems(standing, warehouses, max_age, complete=complete)
    problems += unread if complete else []
    code = ExitCode.CALLS_FAILED if problems else ExitCode.DONE
    last = standing.last_success
    result = {
        "now": standing.now.isoformat(timespec="seconds"),
        "runs": [_as_json(run) for run in standing.runs],
        "last_success": last.run_id if last else None,
        "age_seconds": standing.age_seconds,
        "at_work": _at_work_json(standing.at_work) if standing.at_work else None,
        "damaged": [str(path) for path in standing.damaged],
        "history": _history_json(standing.history) if standing.history else None,
        "warehouses": {name: asdict(each) for name, each in warehouses.items()},
        "problems": problems,
        "exit_code": int(code),
    }
    lines = [
        *_runs_said(standing, config),
        *([str(standing.at_work)] if standing.at_work else []),
        *(
            f"set aside, damaged: {path}; put a good copy back or remove it"
            for path in standing.damaged
        ),
        *(_history_said(standing.history) if standing.history else []),
        *([f"the history cannot be read: {standing.unread}"] if standing.unread else []),
        *(_lag_said(name, each) for name, each in warehouses.items()),
        *([] if complete else unread),
        *(f"BAD {said}" for said in problems),
    ]
    finish(door, result, "\n".join(lines), code)


def _warehouses(settings: Settings, config: Path) -> "tuple[Mapping[str, Lag], list[str]]":
    """How far each warehouse is; and why that cannot be told, where a reference names nothing."""
    try:
        return warehouse_lag(settings, configured(settings, config.parent)), []
    except ConfigError as error:
        return {}, [f"the warehouses cannot be asked: {error}"]


def _problems(
    standing: Standing,
    warehouses: "Mapping[str, Lag]",
    max_age: float | None,
    *,
    complete: bool,
) -> list[str]:
    """What does not hold of what was asked for."""
    found = []
    age = standing.age_seconds
    if max_age is not None and (age is None or age > max_age):
        last = standing.last_success
        said = f"the last one, {last.run_id}, is {_age(age)} old" if last else "there is none"
        found.append(
            f"no run ended with answers within {format_duration(int(max_age))}: {said};"
            " is the timer or cron at work?"
        )
    if complete:
        found += standing.problems()
        found += [
            f"warehouse {name} is behind: `ecgrid-stats load`"
            for name, each in warehouses.items()
            if each.is_behind
        ]
        found += [
            f"warehouse {name} cannot be asked: {each.error}"
            for name, each in warehouses.items()
            if each.error
        ]
    return found


def _runs_said(standing: Standing, config: Path) -> list[str]:
    runs = standing.runs[-_SHOWN:]
    if not runs:
        return ["no runs here, neither landed nor published"]
    older = len(standing.runs) - len(runs)
    lines = [f"{older} older runs; --json has them"] if older else []
    return lines + [line for run in runs for line in _run_said(run, standing.now, config)]


def _run_said(run: Run, now: datetime, config: Path) -> list[str]:
    when = ""
    if run.started_at is not None:
        took = ""
        if run.finished_at is not None:
            took = f", took {_age(int((run.finished_at - run.started_at).total_seconds()))}"
        ago = _age(int((now - (run.finished_at or run.started_at)).total_seconds()))
        when = f"{run.started_at:%Y-%m-%d %H:%M:%S}{took}, {ago} ago: "
    said = f"{run.run_id}  {when}{run.standing}"
    if run.counts:
        counts = run.counts
        said += (
            f": {counts['planned']} planned, {counts['ok']} ok, {counts['empty']} empty, {counts['failed']} failed,"
            f" {counts['not_attempted']} not attempted"
        )
    again = f"ecgrid-stats normalize -c {config} --run {run.run_id}"
    wrong = [f"  {path} is not what was published: `{again}`" for path in run.wrong_files]
    return [said, *wrong]


def _history_said(history: History) -> list[str]:
    line = f"the next run asks for {history.new} new spans"
    if history.missed:
        line += (
            f" and for {history.missed} that were missed, of {history.missed_sessions} sessions,"
            f" since {_time(history.missed_since)}; that one can be asked for until {_time(history.expires_at)}"
        )
    return [history_said(history.coverage), line]


def _lag_said(name: str, lag: "Lag") -> str:
    if lag.error is not None:
        return f"warehouse {name} cannot be asked: {lag.error.removeprefix(f'warehouse {name}: ')}"
    if not lag.is_behind:
        return f"warehouse {name} has everything"
    parts = [f"{lag.runs} runs, the oldest {lag.since}"] if lag.runs else []
    parts += ["the history"] if lag.history else []
    return f"warehouse {name} has not seen {' and '.join(parts)}: `ecgrid-stats load`"


def _as_json(run: Run) -> dict[str, Any]:
    found = _plain(asdict(run))
    return {**found.pop("counts"), **found}


def _at_work_json(at_work: AtWork) -> dict[str, Any]:
    found = asdict(at_work)
    return {**_plain(found.pop("holder")), **found}


def _history_json(history: History) -> dict[str, Any]:
    found = _plain(asdict(history))
    return {**found.pop("coverage"), **found}


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Times as text."""
    return {
        name: _time(value) if isinstance(value, datetime) else value
        for name, value in found.items()
    }


def _time(instant: datetime | None) -> str | None:
    return instant.isoformat(timespec="seconds") if instant else None


def _age(seconds: int | None) -> str:
    """In the two largest units, as `3 d 4 h`."""
    if seconds is None:
        return "?"
    rest, parts = max(0, seconds), list[str]()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
