"""The order: the lake is looked at, calls are made, what they brought is published and loaded, the run is finished."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import structlog

from collector.config import Credential, Settings
from collector.events import Observer
from collector.runs.run import OUTAGE, WRONG_SERVICE
from pipelines.errors import StorageError
from pipelines.job.collecting import DEADLINE, collect_now
from pipelines.job.earlier import catch_up, finish
from pipelines.job.night import Night, night_of
from pipelines.job.publishing import lake_of, load_published, publish
from pipelines.warehouse.target import Target

__all__ = ["collect_only", "run_night"]

_LOG = structlog.get_logger("nightly")


def collect_only(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    observers: Sequence[Observer],
) -> Night:
    """Fan out and land; publish nothing."""
    started = time.monotonic()
    collected = collect_now(settings, credentials, deadline_seconds, observers, finish=True)
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
    collected = collect_now(settings, credentials, deadline_seconds, observers, finish=False)
    if collected.stopped not in (None, DEADLINE, OUTAGE, WRONG_SERVICE):
        return night_of(collected, collected.summary, None, started)
    normalized = publish(settings, collected.path)
    catch_up(settings, collected.path)
    loads = load_published(settings, targets)
    if collected.stopped is None:
        asyncio.run(finish(collected.path))
    return night_of(collected, collected.summary, normalized, started, loads)


def _check_lake(settings: Settings) -> None:
    """Refuse a lake of another version before a night of calls; one that does not answer may do so by the morning."""
    try:
        lake_of(settings).check_version()
    except StorageError as error:
        _LOG.warning("the lake cannot be reached; collecting all the same", said=str(error))
