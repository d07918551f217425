"""The commands that change nothing: check, plan, status."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from collector.config import Credential, Settings, Unreadable, is_plain, ping_url
from collector.domain.run import RunInfo
from collector.errors import ConfigError, LandingError
from collector.landing import LandedRun, damaged_stores, landed_runs
from collector.runs.plan import Estimate, estimate, pairs_of
from collector.runs.preflight import Finding, preflight
from collector.runs.run import Stop, is_resumable
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.cli.streams import printed, said
from pipelines.cli.working import history_said, looked_at, ready
from pipelines.errors import PublicationError
from pipelines.job.collecting import until_stopped
from pipelines.job.exit_code import ExitCode
from pipelines.job.lock import storage_writable
from pipelines.job.planning import Plan, plan_now
from pipelines.job.publishing import lake_of

if TYPE_CHECKING:
    from pipelines.lake import Published

__all__ = ["check", "plan", "status"]

_UNFINISHED: Final = {
    True: "unfinished, to be resumed by run",
    False: "unfinished, too old to be resumed",
}


@click.command()
@config_option
@shared_options
def check(door: Door, config: Path) -> None:
    """Configuration, storage, service, clock and every session: say what is wrong before the night does.

    Sends Version in every known namespace, then Login, WhoAmI and Logout for each session, within the rate limit. A
    refused credential is asked for once. One that cannot be read is named; exit code 2 if none can. Nobody is pinged.
    """
    settings, known = looked_at(door, config)
    findings = [*_storage(settings), *_watchers(settings, config.parent)]
    for finding in findings:
        _tell(door, finding)
    stopped = until_stopped(partial(_ask, door, settings, known, findings), settings)
    good = all(finding.good for finding in findings)
    reached = any(finding.about == "clock" for finding in findings)
    code = ExitCode.DONE if good else ExitCode.CALLS_FAILED if reached else ExitCode.FAILED
    if all(isinstance(each, Unreadable) for each in known.values()):
        code = ExitCode.USAGE
    code = code if stopped is None else ExitCode.STOPPED
    result = {
        "findings": [asdict(finding) for finding in findings],
        "stopped": stopped,
        "exit_code": int(code),
    }
    bad = sum(not finding.good for finding in findings)
    summed = f"{len(findings)} looked at, {bad or 'none'} bad"
    finish(door, result, summed if stopped is None else f"stopped ({stopped}); {summed}", code)


def _tell(door: Door, finding: Finding, place: str = "") -> None:
    """Say a finding as soon as it is made: on stdout, or where that is for JSON, on stderr."""
    line = f"{'ok ' if finding.good else 'BAD'} {finding.about}{place}: {finding.said}"
    if door.as_json:
        said(line)
    else:
        printed(line)


async def _ask(
    door: Door,
    settings: Settings,
    known: Mapping[str, Credential],
    findings: list[Finding],
    stop: Stop,
) -> str | None:
    """Ask the service, telling and adding to the findings as they come; why it was stopped, if it was."""
    sessions = 0
    async for finding in preflight(settings, known, stop):
        is_session = finding.about.startswith("session ")
        sessions += is_session
        _tell(door, finding, f" ({sessions} of {len(known)})" if is_session else "")
        findings.append(finding)
    return stop.reason


@click.command()
@config_option
@shared_options
def plan(door: Door, config: Path) -> None:
    """What would be called, how many calls, and how long the limit makes it take. Sends nothing."""
    settings, _ = ready(door, config)
    planned = plan_now(settings)
    cost = estimate(settings, planned.calls())
    why, reasons = _trailing(settings, cost) if planned.grid is None else _on_grid(planned, cost)
    result = {**asdict(cost), "pairing": settings.windows.pairing, **why, "exit_code": 0}
    minutes, seconds = divmod(int(cost.seconds_at_limit), 60)
    lines = [
        *reasons,
        f"{cost.requests} requests with WhoAmI, Login and Logout",
        (
            f"at least {minutes} min {seconds} s at {settings.limits.requests_per_second:g}/s,"
            f" {settings.limits.per_session_per_second:g}/s a session"
        ),
    ]
    finish(door, result, "\n".join(lines), ExitCode.DONE)


def _trailing(settings: Settings, cost: Estimate) -> tuple[dict[str, Any], list[str]]:
    """The windows that are asked for as they are."""
    pairs = [
        [pair.minutes1, pair.minutes2]
        for pair in pairs_of(settings.windows.minutes or (), settings.windows.pairing)
    ]
    return {"pairs": pairs}, [
        f"{cost.sessions} sessions x {cost.calls_per_session} calls = {cost.calls} calls",
        f"windows ({settings.windows.pairing}): " + " ".join(f"({w1}, {w2})" for w1, w2 in pairs),
    ]


def _on_grid(planned: Plan, cost: Estimate) -> tuple[dict[str, Any], list[str]]:
    """What is new, what is healed, and what is lost for good; spans count once for each session."""
    coverage, missed = planned.coverage(), planned.missed
    lost = coverage.lost if coverage else 0
    ends = (min(missed).start_us, max(missed).end_us) if missed else (None, None)
    oldest, youngest = (None if edge is None else _time(edge) for edge in ends)
    result: dict[str, Any] = {
        "every": planned.settings.windows.every,
        "new": planned.new,
        "healed": len(missed),
        "healed_sessions": planned.sessions_missed,
        "healed_from": oldest,
        "healed_to": youngest,
        "lost": lost,
        "answered_without_a_count": planned.answered,
        "left_to_next_run": planned.left,
    }
    lines = [
        (
            f"{cost.calls} calls of {cost.sessions} sessions, for spans of {planned.settings.windows.every}"
            f" ({planned.settings.windows.pairing})"
        ),
        f"new: {planned.new} spans",
        f"healed: {len(missed)} spans that earlier runs missed"
        + (
            f", of {planned.sessions_missed} sessions, from {oldest} to {youngest}"
            if missed
            else ""
        ),
        f"lost: {lost} spans that nobody counted and the service cannot answer any more",
    ]
    if planned.answered:
        lines.append(
            f"{planned.answered} spans are not asked for again: the service answered twice without a count"
        )
    if planned.left:
        lines.append(f"{planned.left} calls are left to the next run (windows.max_calls)")
    return result, lines


def _time(instant_us: int) -> str:
    return datetime.fromtimestamp(instant_us // 1_000_000, UTC).isoformat()


@click.command()
@config_option
@shared_options
def status(door: Door, config: Path) -> None:
    """The runs of this storage root, how much of the history is known, and what the next `run` resumes or asks for."""
    settings = door.settings(config)
    lake = lake_of(settings)
    lake.check_version()
    folder = settings.storage.root / "landing"
    wrong, published = lake.wrong_files(), lake.published()
    resumes = partial(is_resumable, settings)
    runs = [
        _run_status(path, published, wrong.get(path.stem, []), resumes)
        for path in landed_runs(folder)
    ]
    aside = [str(path) for path in damaged_stores(folder)]
    lines = [_line(each, config) for each in runs] or [f"no runs under {settings.storage.root}"]
    lines += [f"set aside, damaged: {path}; put a good copy back or remove it" for path in aside]
    history, told = _history_status(settings)
    lines += told
    result = {
        "runs": runs,
        "damaged": aside,
        "history": history,
        "exit_code": int(ExitCode.DONE),
    }
    finish(door, result, "\n".join(lines), ExitCode.DONE)


def _history_status(settings: Settings) -> tuple[dict[str, Any] | None, list[str]]:
    """What is known of the hours up to now, and what the next run asks for; nothing where windows are trailing."""
    planned = plan_now(settings)
    try:
        coverage = planned.coverage()
    except PublicationError as error:
        return None, [f"the history cannot be read: {error}"]
    if coverage is None:
        return None, []
    missed = planned.missed
    oldest = _time(min(missed).start_us) if missed else None
    line = f"the next run asks for {planned.new} new spans"
    if missed:
        line += f" and for {len(missed)} that were missed, of {planned.sessions_missed} sessions, since {oldest}"
    wanted = {"new": planned.new, "missed": len(missed), "missed_since": oldest}
    return {**asdict(coverage), **wanted}, [history_said(coverage), line]


def _line(run: dict[str, Any], config: Path) -> str:
    said = f"{run['run_id']}  {run['standing']}"
    if "planned" in run:
        said += (
            f": {run['planned']} planned, {run['ok']} ok, {run['empty']} empty, {run['failed']} failed,"
            f" {run['not_attempted']} not attempted"
        )
    for path in run["wrong_files"]:
        again = f"ecgrid-stats normalize -c {config} --run {run['run_id']}"
        said += f"\n  {path} is not what was published: `{again}`"
    return said


def _run_status(
    path: Path,
    published: "Published",
    wrong: list[str],
    resumes: Callable[[RunInfo], bool],
) -> dict[str, Any]:
    """A run as its ledger has it: the published one knows which answers were quarantined."""
    is_published = path.stem in published.state.runs
    standing: dict[str, Any] = {"published": is_published, "wrong_files": wrong, "pruned": []}
    try:
        with LandedRun.open(path) as landed:
            is_finished = landed.info.finished_at_us is not None
            is_resumed = not is_finished and resumes(landed.info)
            counts = asdict(landed.summary())
    except LandingError as error:  # one bad store hides no other run
        return {"run_id": path.stem, "finished": False, **standing, "standing": str(error)}
    manifest = published.manifests.get(path.stem)  # none where it is among the wrong files
    if is_finished and manifest:
        counts |= manifest.counts
        standing["pruned"] = sorted(manifest.pruned)
    said = "finished" if is_finished else _UNFINISHED[is_resumed]
    said += ", published" if is_published else ", not published"
    if standing["pruned"]:
        said += f", pruned: {' '.join(standing['pruned'])}"
    return {**counts, "finished": is_finished, **standing, "standing": said}


def _storage(settings: Settings) -> Iterator[Finding]:
    storage_writable(settings.storage.root)
    free = shutil.disk_usage(settings.storage.root).free
    said = f"{settings.storage.root} is writable, {free / 1e9:.1f} GB free"
    yield Finding("storage", free > 100_000_000, said)
    if settings.storage.lake is None:
        return
    try:
        lake_of(settings).try_out()
    except PublicationError as error:
        yield Finding("lake", good=False, said=str(error))
    else:
        yield Finding("lake", good=True, said=f"{settings.storage.lake} can be written and read")


def _watchers(settings: Settings, beside: Path) -> Iterator[Finding]:
    """Whether those who watch a run can be told: no ping is sent, no file is written."""
    try:
        url = ping_url(settings.alert, beside)
    except ConfigError as error:
        yield Finding("ping", good=False, said=str(error))
    else:
        if url is not None:
            plain = ", to another machine by plain http: whoever reads it can report a success"
            said = f"alert.ping_url can be read{plain if is_plain(url) else ''}"
            yield Finding("ping", good=True, said=said)
    if (textfile := settings.metrics.textfile) is not None:
        folder = (beside / textfile).parent
        good = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        said = "can be written" if good else "must be a folder that this user may write"
        yield Finding("metrics", good=good, said=f"metrics.textfile: {folder} {said}")
