"""The order of a nightly run: plan, make the calls, publish their answers, derive the history, load the warehouses."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from collector.config import Credential, Settings
from collector.events import Observer
from collector.runs.run import OUTAGE, WRONG_SERVICE
from pipelines.errors import PublicationError, StorageError
from pipelines.job.collecting import DEADLINE, collect_now
from pipelines.job.earlier import catch_up, finish
from pipelines.job.exit_code import ExitCode
from pipelines.job.night import Night, night_of
from pipelines.job.planning import plan_now
from pipelines.job.publishing import derive_history, lake_of, load_published, publish
from pipelines.job.reporting import report_if_wanted
from pipelines.warehouse.target import Target

__all__ = ["collect_only", "run_night"]

_LOG = structlog.get_logger("nightly")
_SAFE: Final = "What was answered is safe in landing; `ecgrid-stats run` again publishes it"


def collect_only(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    observers: Sequence[Observer],
) -> Night:
    """Fan out and land; publish nothing."""
    started = time.monotonic()
    plan = plan_now(settings)
    collected = collect_now(
        settings, credentials, deadline_seconds, observers, finish=True, planned=plan.calls
    )
    return night_of(collected, collected.summary, None, started)


def run_night(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    observers: Sequence[Observer],
    targets: Sequence[Target] = (),
) -> Night:
    """Collect, publish what was landed, load it. A run stopped by a signal is not published: it is to be resumed.

    It is finished at the very end: one that was killed while it was published is resumed too, and sends nothing.
    """
    started = time.monotonic()
    _check_lake(settings)
    if settings.windows.every is not None:
        _bring_up_to_date(settings)
    plan = plan_now(settings)
    collected = collect_now(
        settings, credentials, deadline_seconds, observers, finish=False, planned=plan.calls
    )
    if collected.stopped not in (None, DEADLINE, OUTAGE, WRONG_SERVICE):
        return night_of(collected, collected.summary, None, started)
    try:
        normalized = publish(settings, collected.path)
    except PublicationError as error:
        raise PublicationError(f"{error}. {_SAFE}") from error
    catch_up(settings, collected.path)
    coverage, is_behind = None, False
    try:
        derive_history(settings)
        coverage = plan.coverage()
    except PublicationError as error:
        is_behind = True
        _LOG.error("the history is not up to date", said=str(error))
    loads = load_published(settings, targets)
    if collected.stopped is None:
        asyncio.run(finish(collected.path))
    night = night_of(collected, collected.summary, normalized, started, loads)
    if is_behind:
        is_done = night.exit_code is ExitCode.DONE
        code = ExitCode.CALLS_FAILED if is_done else night.exit_code
        night = replace(night, exit_code=code, behind=True)
    report_if_wanted(settings)
    return replace(night, history=coverage)


def _bring_up_to_date(settings: Settings) -> None:
    """Have what earlier runs landed in the history, so that nothing is asked for twice."""
    try:
        catch_up(settings)
        derive_history(settings)
    except (PublicationError, OSError) as error:
        _LOG.error(
            "the history is not up to date: more may be asked for than is missing", said=str(error)
        )


def _check_lake(settings: Settings) -> None:
    """Refuse a lake of another version before a night of calls; one that does not answer may do so by the morning."""
    try:
        lake_of(settings).check_version()
    except StorageError as error:
        _LOG.warning("the lake cannot be reached; collecting all the same", said=str(error))
