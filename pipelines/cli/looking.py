"""The commands `check` and `plan`, which look ahead and change nothing."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from collector.config import Credential, Settings, Unreadable, is_plain, ping_url
from collector.errors import ConfigError
from collector.runs.plan import Estimate, estimate, pairs_of
from collector.runs.preflight import Finding, preflight
from collector.runs.run import Stop
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.cli.streams import printed, said
from pipelines.cli.working import looked_at
from pipelines.errors import PublicationError
from pipelines.job.collecting import until_stopped
from pipelines.job.exit_code import ExitCode
from pipelines.job.lock import storage_writable
from pipelines.job.planning import Plan, plan_now
from pipelines.job.publishing import lake_of
from pipelines.job.sharing import group_id

__all__ = ["check", "plan"]


@click.command()
@config_option
@shared_options
def check(door: Door, config: Path) -> None:
    """Configuration, storage, service, clock and every session: say what is wrong before the night does.

    Sends Version in every known namespace, then Login, WhoAmI and Logout with each credential, and asks in between for
    a minute of the mailboxes that its labels name, at most 500, within the rate limit. A refused credential is asked
    for once. One that cannot be read is named; exit code 2 if none can. Nobody is pinged.
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
    todo = ": mend what each names, then check again" if bad else ""
    summed = f"{len(findings)} looked at, {bad or 'none'} bad{todo}"
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
    sessions, unreadable = 0, sum(isinstance(each, Unreadable) for each in known.values())
    of = unreadable + len({each for each in known.values() if not isinstance(each, Unreadable)})
    async for finding in preflight(settings, known, stop):
        is_session = finding.about.startswith("session ")
        sessions += is_session
        _tell(door, finding, f" ({sessions} of {of})" if is_session else "")
        findings.append(finding)
    return stop.reason


@click.command()
@config_option
@shared_options
def plan(door: Door, config: Path) -> None:
    """What would be called, how many calls, and how long the limit makes it take. Sends nothing."""
    settings, _ = looked_at(door, config)
    planned = plan_now(settings)
    cost = estimate(settings, planned.calls())
    why, reasons = _trailing(settings, cost) if planned.grid is None else _on_grid(planned, cost)
    result = {**asdict(cost), "pairing": settings.windows.pairing, **why, "exit_code": 0}
    minutes, seconds = divmod(int(cost.seconds_at_limit), 60)
    lines = [
        *reasons,
        f"{cost.requests} requests with WhoAmI, Login and Logout{_shared(cost)}",
        (
            f"at least {minutes} min {seconds} s at {settings.limits.requests_per_second:g}/s,"
            f" {settings.limits.per_session_per_second:g}/s a credential"
        ),
    ]
    finish(door, result, "\n".join(lines), ExitCode.DONE)


def _shared(cost: Estimate) -> str:
    """That labels share credentials, where they do."""
    if cost.credentials == cost.sessions:
        return ""
    what = "one credential" if cost.credentials == 1 else f"{cost.credentials} credentials"
    return f"; the {cost.sessions} labels share {what}"


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


def _storage(settings: Settings) -> Iterator[Finding]:
    storage_writable(settings.storage.root)
    free = shutil.disk_usage(settings.storage.root).free
    said = f"{settings.storage.root} is writable, {free / 1e9:.1f} GB free"
    yield Finding("storage", free > 100_000_000, said)
    try:
        group = group_id(settings)
    except ConfigError as error:
        yield Finding("group", good=False, said=str(error))
    else:
        if group is not None:
            good = os.geteuid() == 0 or group in (os.getegid(), *os.getgroups())
            said = "may read what is published" if good else "this user must be a member of it"
            yield Finding("group", good, f"storage.group = {settings.storage.group!r}: {said}")
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
