"""Makes the page of the configured lake, below the storage root. A page that fails changes nothing about its run."""

from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from collector.config import Settings
from pipelines.errors import ReportError
from pipelines.job.publishing import lake_of

if TYPE_CHECKING:
    from pipelines.report import Written

__all__ = ["NIGHTS", "report", "report_if_wanted"]

NIGHTS = 14
_LOG = structlog.get_logger("nightly")


def report(settings: Settings, nights: int = NIGHTS, output: Path | None = None) -> "Written":
    """Make the page of the newest run, into `reports` below the storage root unless named.

    Raises:
        PublicationError: the lake cannot be read.
        ReportError: the page cannot be written; what was there stays.
    """
    from pipelines.read import OpenLake  # noqa: PLC0415  # beside lake_of
    from pipelines.report import page_of, write_page, write_to  # noqa: PLC0415

    lake = OpenLake(lake_of(settings))
    page = page_of(lake, nights, settings.run.deadline_seconds, settings.run.resume_within_seconds)
    try:
        if output is not None:
            return write_to(page, output)
        return write_page(page, settings.storage.root / "reports")
    except OSError as error:
        place = output or settings.storage.root / "reports"
        raise ReportError(
            f"the page cannot be written to {place} ({error.strerror}); must be a place that this user may write"
        ) from error


def report_if_wanted(settings: Settings) -> "Written | None":
    """Make the page after a run, if `report.enabled`; None, and a line in the log, where it cannot be made."""
    if not settings.report.enabled:
        return None
    try:
        return report(settings)
    except Exception as error:  # noqa: BLE001  # whatever it is, the night is published
        said = " ".join(str(error).split())[:500]
        _LOG.warning(
            "the page was not made; `ecgrid-stats report` makes it",
            said=said or type(error).__name__,
        )
        return None
