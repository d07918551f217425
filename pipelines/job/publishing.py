"""Publishes landed runs in the configured lake and loads the lake into the configured warehouses."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from collector.config import Settings, s3_secrets
from collector.errors import ConfigError, LandingDamagedError, LandingError
from collector.landing import LandedRun, landed_runs, sweep
from collector.runs.recovery import recover, settle_leftovers
from pipelines.warehouse.target import Target

__all__ = [
    "derive_history",
    "lake_of",
    "load_published",
    "normalize_landed",
    "publish",
    "warehouse_lag",
]

if TYPE_CHECKING:
    from pipelines.lake import Lake
    from pipelines.normalize import Normalized
    from pipelines.warehouse.loading import Lag, Load

_LOG = structlog.get_logger("nightly")
_MOST_NAMED: Final = 5  # runs in a message


def lake_of(settings: Settings) -> "Lake":
    """The lake of the configuration; nothing is touched yet.

    Raises:
        ConfigError: storage.lake is no address that anything opens, or a secret is missing.
    """
    # pyarrow takes 0.3 s to import, which `plan` and `collect` need not wait for
    from pipelines.lake import Lake, S3Options  # noqa: PLC0415

    storage = settings.storage
    address = storage.lake or str(storage.root / "lake")
    options = S3Options(storage.s3.endpoint, storage.s3.region, **s3_secrets(settings))
    try:
        return Lake.at(address, options, storage.root.absolute() / "drafts")
    except ValueError as error:
        raise ConfigError(f"storage.lake = {storage.lake!r}: {error}") from error


def publish(settings: Settings, path: Path) -> "Normalized":
    """One landed run into the lake; a damaged store is recovered first.

    Raises:
        LandingError: the store cannot be read.
        PublicationError: the lake cannot be written.
    """
    from pipelines.normalize import normalize  # noqa: PLC0415  # beside lake_of

    lake, quality = lake_of(settings), settings.quality.model_dump()
    limits = {name: quality.pop(name) for name in ("clock_seconds", "empty_share")}

    def published() -> "Normalized":
        asyncio.run(settle_leftovers(settings, path))
        with LandedRun.open(path) as landed:
            return normalize(landed, lake, quality, limits)

    try:
        normalized = published()
    except LandingDamagedError as error:  # the publication was given up: nothing changed
        recover(path, error)
        normalized = published()
    for check, count in normalized.violations.items():
        _LOG.warning(
            "answers did not pass a check: calls.quality names them", check=check, answers=count
        )
    for label, said in normalized.networks.items():
        _LOG.info("a whole network was asked for", session=label, said=said)
    return normalized


def normalize_landed(
    settings: Settings, run_id: str | None = None
) -> "dict[str, Normalized | None]":
    """Publish landed runs again, all of them or one, from the landing store alone; by run id.

    None stands for a run whose store cannot be read, one of several.

    Raises:
        ConfigError: no such run.
        LandingError: the store of that one run cannot be read.
    """
    folder = settings.storage.root / "landing"
    sweep(folder)
    paths = landed_runs(folder)
    if run_id is not None:
        known = [path.stem for path in paths]
        paths = [path for path in paths if path.stem == run_id]
        if not paths:
            newest = ", ".join(known[-_MOST_NAMED:]) or "none"
            raise ConfigError(f"--run {run_id!r}: no such run was landed; the newest are {newest}")
        return {run_id: publish(settings, paths[0])}
    done: dict[str, Normalized | None] = {}
    lake = lake_of(settings)
    lake.settle()
    manifests = lake.published().manifests
    pruned = {each.run_id for each in manifests.values() if each.is_pruned}
    for path in paths:
        if path.stem in pruned:
            _LOG.info("a run was pruned; name it to have it back", run_id=path.stem)
            continue
        try:
            done[path.stem] = publish(settings, path)
        except LandingError as error:
            _LOG.error("a run is passed over", path=str(path), said=str(error))
            done[path.stem] = None
    return done


def derive_history(settings: Settings, *, thorough: bool = False) -> None:
    """Bring the history to what is published.

    Args:
        thorough: look for damage in all of it.

    Raises:
        PublicationError: the lake cannot be read or written; the history stays as it was.
    """
    from pipelines.history import derive  # noqa: PLC0415  # beside lake_of

    derive(lake_of(settings), thorough=thorough)


def load_published(settings: Settings, targets: Sequence[Target]) -> "dict[str, Load]":
    """Load every published run that a target has not seen; by target.

    Raises:
        PublicationError: the lake cannot be read.
    """
    if not targets:
        return {}
    from pipelines.warehouse.loading import load_all  # noqa: PLC0415  # beside lake_of

    return load_all(lake_of(settings), targets, raw=settings.warehouse.raw)


def warehouse_lag(settings: Settings, targets: Sequence[Target]) -> "dict[str, Lag]":
    """What each target has not seen of what is published, by its name.

    Raises:
        PublicationError: the lake cannot be read.
    """
    if not targets:
        return {}
    from pipelines.warehouse.loading import lag_of  # noqa: PLC0415  # beside lake_of

    return lag_of(lake_of(settings), targets, raw=settings.warehouse.raw)
