"""Publishes earlier runs that were not, finishes those that are too old to be resumed, drops old landing stores."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from collector.config import Settings
from collector.domain.clock import now_us
from collector.domain.run import RunInfo
from collector.landing import LandedRun, Landing, landed_runs
from collector.runs.run import is_resumable
from pipelines.job.publishing import lake_of, publish

__all__ = ["catch_up", "finish"]

if TYPE_CHECKING:
    from pipelines.lake import Manifest

_MOST_NAMED: Final = 5  # files in a log line
_LOG = structlog.get_logger("nightly")


def catch_up(settings: Settings, current: Path | None = None) -> None:
    """Earlier runs: publish those that were not, close those that nobody will resume, drop stores that are old.

    What goes wrong with one of them does not undo tonight.

    Args:
        current: the run of tonight; None while it is not begun, and runs that may be resumed are left alone.

    Raises:
        PublicationError: the lake cannot be read or settled.
    """
    lake = lake_of(settings)
    lake.settle()
    wrong, published = lake.wrong_files(), lake.published()
    for run_id, paths in wrong.items():
        _LOG.error(
            "published files are not what was published; their run is published again",
            run_id=run_id,
            paths=", ".join(paths[:_MOST_NAMED]),
        )
    for path in landed_runs(settings.storage.root / "landing"):
        if path == current:
            continue
        try:
            with LandedRun.open(path) as landed:
                info = landed.info
                is_behind = info.run_id in wrong or _is_behind(
                    published.manifests.get(info.run_id), landed
                )
            if current is None and info.finished_at_us is None and is_resumable(settings, info):
                continue
            is_given_up = info.finished_at_us is None and not is_resumable(settings, info)
            if is_given_up or is_behind:
                _LOG.warning("an earlier run is published now", run_id=info.run_id)
                publish(settings, path)
            if is_given_up:
                asyncio.run(finish(path))
            elif info.finished_at_us is not None and _is_old(settings, info):
                path.unlink()
        except Exception as error:  # noqa: BLE001  # an old run's trouble is not tonight's
            _LOG.error(
                "an earlier run cannot be published; the next run tries again",
                path=str(path),
                said=str(error),
            )


def _is_behind(manifest: "Manifest | None", landed: LandedRun) -> bool:
    """Whether the lake lacks something that was landed: it was never published, or a deadline's part of it only."""
    if manifest is None:
        return True
    summary = landed.summary()
    return any(
        manifest.counts.get(name) != getattr(summary, name)
        for name in ("attempts", "not_attempted", "logins")
    )


def _is_old(settings: Settings, info: RunInfo) -> bool:
    age_seconds = (now_us() - info.started_at_us) / 1_000_000
    return age_seconds > settings.storage.keep_landing_days * 86_400


async def finish(path: Path) -> None:
    """Mark a run as complete: it will not be resumed."""
    landing = Landing.resume(path)
    landing.finish(now_us())
    await landing.close()
