"""The commands `collect`, `normalize` and `run`, which do the nightly job or a part of it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import structlog

from collector.config import Credential, Settings, Unreadable, credentials, require_readable
from collector.domain.outcomes import FaultClass
from collector.observers import Counts, EventLog, Progress
from collector.runs.plan import repeated, same_mailbox
from collector.runs.run import WRONG_SERVICE
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.cli.duration import Duration
from pipelines.cli.loading import configured, loads_said
from pipelines.cli.logs import last_lines
from pipelines.cli.progress import shown
from pipelines.job.exit_code import ExitCode
from pipelines.job.lock import storage_lock
from pipelines.job.night import Night
from pipelines.job.publishing import derive_history, normalize_landed
from pipelines.job.sequence import collect_only, run_night
from pipelines.job.sharing import shared
from pipelines.job.watched import Watched

if TYPE_CHECKING:
    from pipelines.history import Coverage

__all__ = ["collect", "history_said", "looked_at", "night_said", "normalize", "ready", "run"]

_LOG = structlog.get_logger("ecgrid-stats")


_MOST_NAMED: Final = 10  # pairs of labels in as many lines
_FAILED_CALLS: Final = (
    "SELECT session, fault_class, fault_text FROM calls WHERE state = 'failed' AND run_id = '{}'"
)

_deadline_option = click.option(
    "--deadline",
    type=Duration(7 * 86_400),
    metavar="DURATION",
    help=(
        "Stop calling after this long (90s, 30m, 26h), exit code 4; `run` publishes what is there."
        " [run.deadline_seconds]"
    ),
)


@click.command()
@config_option
@_deadline_option
@shared_options
def run(door: Door, config: Path, deadline: float | None) -> None:
    """All of it, once a night: plan, collect, land, normalize, publish, load into the configured warehouses.

    An unfinished run is resumed with the plan it began with: only the calls that are missing are made. Ctrl-C or
    SIGTERM ends the run in order (exit code 4); a second one ends it at once. What was answered by then is safe.
    """
    watched = Watched(config)
    door.at_end.append(lambda code, said: watched.ended(code, "\n".join((*last_lines(), said))))
    settings, known = ready(door, config)
    targets = configured(settings, config.parent)
    progress, counts = Progress(), Counts()
    observers = (progress, counts, EventLog(settings.limits.requests_per_second))
    with storage_lock(settings.storage.root, "run"), shared(settings), shown(progress):
        watched.began(known)
        night = run_night(settings, known, deadline, observers, targets)
    watched.night, watched.retries = night, counts.retried.total()
    finish(
        door,
        {**asdict(night), **counts.summary()},
        night_said(night, settings, counts),
        night.exit_code,
    )


@click.command()
@config_option
@_deadline_option
@shared_options
def collect(door: Door, config: Path, deadline: float | None) -> None:
    """Fan out and land every reply; publish nothing. `normalize` does the rest, later or elsewhere."""
    settings, known = ready(door, config)
    progress, counts = Progress(), Counts()
    observers = (progress, counts, EventLog(settings.limits.requests_per_second))
    with storage_lock(settings.storage.root, "collect"), shown(progress):
        night = collect_only(settings, known, deadline, observers)
    finish(
        door,
        {**asdict(night), **counts.summary()},
        night_said(night, settings, counts),
        night.exit_code,
    )


@click.command()
@config_option
@click.option("--run", "run_id", metavar="RUN_ID", help="Only this run; all landed runs otherwise.")
@shared_options
def normalize(door: Door, config: Path, run_id: str | None) -> None:
    """Publish landed replies as Parquet, again if need be; needs no network and no credential.

    The same landed replies give byte-identical files. A run replaces its own files and nothing else.
    """
    settings = door.settings(config)
    with storage_lock(settings.storage.root, "normalize"), shared(settings):
        done = normalize_landed(settings, run_id)
        derive_history(settings, thorough=True)
    good = {name: each for name, each in done.items() if each is not None}
    runs = [
        {"run_id": name, "rows": each.rows, "files": each.files, "failed": each.failed}
        for name, each in good.items()
    ]
    rows, files = (
        sum(each.rows for each in good.values()),
        sum(each.files for each in good.values()),
    )
    unreadable = [name for name in done if name not in good]
    code = ExitCode.CALLS_FAILED if unreadable else ExitCode.DONE
    result = {"runs": runs, "unreadable": unreadable, "rows": rows, "files": files}
    said = f"{len(runs)} runs published: {rows} rows in {files} files"
    if unreadable:
        said += f"\nnot readable: {', '.join(unreadable)}; see above"
    finish(door, {**result, "exit_code": int(code)}, said, code)


def ready(door: Door, config: Path) -> tuple[Settings, dict[str, Credential]]:
    """Settings and credentials of a command that makes calls, or says what they would cost.

    A credential that cannot be read fails the calls of its session alone.

    Raises:
        ConfigError: the settings are wrong, or not one credential can be read.
    """
    settings, known = looked_at(door, config)
    require_readable(known)
    unreadable = sum(isinstance(each, Unreadable) for each in known.values())
    if unreadable:
        _LOG.warning(
            "credentials that cannot be read: the calls of their sessions fail; `check` names each",
            sessions=unreadable,
            of=len(known),
        )
    return settings, known


def looked_at(door: Door, config: Path) -> tuple[Settings, dict[str, Credential]]:
    """Settings and credentials, readable or not, with a warning for what is odd but allowed.

    Raises:
        ConfigError: the settings are wrong.
    """
    settings = door.settings(config)
    for span in repeated(settings.windows.minutes or ()):
        _LOG.warning("windows.minutes names a window twice; it is asked for once", minutes=span)
    twins = list(same_mailbox(settings.sessions))
    for first, second in twins[:_MOST_NAMED]:
        _LOG.warning(
            "two labels ask for the same mailbox, whose traffic is there twice: take one of them out",
            labels=f"{first}, {second}",
        )
    if len(twins) > _MOST_NAMED:
        _LOG.warning("more labels ask for the same mailboxes", more=len(twins) - _MOST_NAMED)
    if settings.service.binding == "http-get":
        _LOG.warning("service.binding = http-get: credentials travel in the URL, where proxies log")
    return settings, credentials(settings, config.parent)


def history_said(history: "Coverage") -> str:
    """How much of the history is known, for people."""
    line = (
        f"history: {history.spans} spans of sessions = {history.exact} exact + {history.bounded} bounded"
        f" + {history.unseen} unseen"
    )
    if history.healed:
        line += f"; {history.healed} of earlier nights healed"
    if history.lost:
        line += f"; {history.lost} lost, which the service cannot answer any more"
    return line


def night_said(night: Night, settings: Settings, counts: Counts | None = None) -> str:
    """The summary of a run for people; `counts` are of this invocation."""
    lines = [
        (
            f"run {night.run_id}: {night.planned} calls planned = {night.ok} ok + {night.empty} empty"
            f" + {night.failed} failed + {night.not_attempted} not attempted"
        ),
        f"{night.attempts} requests, {night.logins} logins, {night.seconds:.1f} s",
    ]
    if counts is not None and counts.retried:
        retries = ", ".join(f"{n} {fault.value}" for fault, n in counts.retried.most_common())
        paused = f"; paused {counts.paused_seconds:.1f} s as the service asked"
        lines.append(f"made again after faults: {retries}{paused if counts.paused_seconds else ''}")
    if night.files:
        lake = settings.storage.lake or f"{settings.storage.root}/lake"
        lines.append(f"{night.rows} rows of instant_stats, {night.files} files under {lake}")
    if night.history is not None:
        lines.append(history_said(night.history))
    if night.faults:
        lines += _failed_said(night)
    for check, count in (night.checks or {}).items():
        lines.append(f"check {check}: {count} answers did not pass; calls.quality names them")
    lines += [f"{label}: {said}" for label, said in (night.networks or {}).items()]
    lines += loads_said(night.loads or {})
    return "\n".join([*lines, _end_said(night, settings)])


def _failed_said(night: Night) -> list[str]:
    """Failed calls by the class of their fault, what to do about each, and where each call's own reason stands."""
    from pipelines.report.advice import for_fault  # noqa: PLC0415  # the page is slow to import

    faults = night.faults or {}
    classes = ", ".join(f"{count} {name}" for name, count in faults.items())
    named: dict[str, list[str]] = {}  # classes by what is to be done about them
    for name in [FaultClass.NOT_FOUND] if _is_elsewhere(night) else faults:
        named.setdefault(for_fault(name), []).append(name)
    advice = [f"  {', '.join(names)}: {what}" for what, names in named.items()]
    if not night.files:
        return [f"failed: {classes}; the log says which and why", *advice]
    query = _FAILED_CALLS.format(night.run_id)
    return [f"failed: {classes}; `ecgrid-stats sql` says which and why: {query}", *advice]


def _end_said(night: Night, settings: Settings) -> str:
    """The last line: whether all is well, or what to do."""
    if night.stopped == WRONG_SERVICE:
        return (
            f"stopped: {settings.service.url} is answered by a web server that is not the service; is service.url"
            " right? `ecgrid-stats check` looks closer, `ecgrid-stats run` again resumes the run"
        )
    if night.not_attempted == night.planned > 0 and night.stopped is None:
        return (
            "no session of this run is in the configuration any more, so nothing was asked; `ecgrid-stats run` again"
            " begins a new run"
        )
    unheard = f"not one of the {night.planned} planned calls brought an answer to use"
    if night.stopped is not None:
        said = f"stopped early ({night.stopped})"
        if night.faults and not night.ok + night.empty:
            said += f", and {unheard}: `ecgrid-stats check` looks closer"
        return f"{said}; `ecgrid-stats run` again resumes it"
    if night.exit_code == ExitCode.FAILED:
        hint = "; are service.url and service.namespace right?" if _is_elsewhere(night) else ";"
        return f"{unheard}{hint} `ecgrid-stats check` looks closer"
    if night.exit_code == ExitCode.CALLS_FAILED:
        return f"not all good: {_lacking(night)}"
    if night.checks:
        return "all calls were answered, but not all is well: see the checks above"
    if night.history is not None and night.history.next_expiry_us is not None:
        return "all calls were answered, but not every hour is known yet: `ecgrid-stats run` again asks for the rest"
    return "all good" if night.planned else "all good: there was nothing to ask for"


def _is_elsewhere(night: Night) -> bool:
    """Whether the service knows nothing that was asked, Login included: the address is wrong then, and no password."""
    faults = set(night.faults or {})
    is_unheard = not night.ok + night.empty and FaultClass.NOT_FOUND in faults
    return is_unheard and faults <= {FaultClass.NOT_FOUND, FaultClass.CREDENTIAL}


def _lacking(night: Night) -> str:
    """What a run that ended with exit code 1 lacks, and who brings it."""
    parts = []
    if calls := night.failed + night.not_attempted:
        again = "the next run asks for these hours again" if night.history else "see above"
        parts.append(f"{calls} of {night.planned} calls brought nothing ({again})")
    if night.behind:
        late = [name for name, load in (night.loads or {}).items() if not load.caught_up]
        if late:
            catches_up = "mended, the next run or `ecgrid-stats load` catches up"
            parts.append(f"warehouse {', '.join(late)} is behind ({catches_up})")
        else:
            parts.append("the history is behind (the log says why; the next run catches up)")
    return "; ".join(parts)
