"""The night's sequence: collect, normalize, publish, load. No logic beyond the order, the lock and the exit code."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from collector.config import Credential, Settings, s3_secrets
from collector.errors import ConfigError, LandingDamagedError, LandingError
from collector.landing import LandedRun, Landing, landed_runs, sweep
from collector.mend import mend, settle_leftovers
from collector.model import FaultClass, RunInfo, RunSummary
from collector.plan import digest
from collector.run import OUTAGE, Collected, Progress, Stop, collect
from pipelines.errors import PublicationError, StorageError
from pipelines.exit_code import ExitCode
from pipelines.last_resort import LastResort, end_now
from pipelines.warehouse.target import Target
from pipelines.without_pandas import import_arrow

__all__ = [
    "DEADLINE",
    "Night",
    "collect_only",
    "lake_of",
    "load_published",
    "normalize_landed",
    "run_night",
]

if TYPE_CHECKING:
    from pipelines.lake import Lake
    from pipelines.normalize import Normalized
    from pipelines.warehouse.loading import Load

try:
    import uvloop
except ImportError:  # the extra `fast` is not installed
    _LOOP_FACTORY = asyncio.new_event_loop
else:
    _LOOP_FACTORY = uvloop.new_event_loop

_LOG = structlog.get_logger("nightly")
DEADLINE: Final = "deadline"
_LEAST_GRACE_SECONDS: Final = 10.0  # to close the landing store, after the drain and Logout


@dataclass(frozen=True, slots=True)
class Night:
    """What a run came to, as `--json` prints it.

    Attributes:
        rows: rows of `instant_stats` published.
        faults: failed calls by the class of their fault.
        quarantined: calls among the failed that were answered, but whose answer did not pass the checks.
        checks: answers per check that they did not pass.
        stopped: why the run ended early.
        resumed: an earlier invocation had begun it.
        loads: what each configured warehouse got.
    """

    run_id: str
    planned: int
    ok: int
    empty: int
    failed: int
    not_attempted: int
    attempts: int
    logins: int
    rows: int
    files: int
    seconds: float
    exit_code: ExitCode
    faults: Mapping[str, int] | None = None
    quarantined: int = 0
    checks: Mapping[str, int] | None = None
    stopped: str | None = None
    resumed: bool = False
    loads: "Mapping[str, Load] | None" = None


def collect_only(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    progress: Progress,
) -> Night:
    """Fan out and land; publish nothing."""
    started = time.monotonic()
    collected = _collect(settings, credentials, deadline_seconds, progress, finish=True)
    return _night(collected, collected.summary, None, started)


def run_night(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    progress: Progress,
    targets: Sequence[Target] = (),
) -> Night:
    """Collect, publish what was landed, load it. A run stopped by a signal is not published: it is to be resumed.

    It is finished at the very end: one that was killed while it was published is resumed too, and sends nothing.
    """
    started = time.monotonic()
    _check_lake(settings)
    collected = _collect(settings, credentials, deadline_seconds, progress, finish=False)
    if collected.stopped not in (None, DEADLINE, OUTAGE):
        return _night(collected, collected.summary, None, started)
    normalized = _publish(settings, collected.path)
    _catch_up(settings, collected.path)
    loads = load_published(settings, targets)
    if collected.stopped is None:
        asyncio.run(_finish(collected.path))
    return _night(collected, collected.summary, normalized, started, loads)


def load_published(settings: Settings, targets: Sequence[Target]) -> "dict[str, Load]":
    """Load every published run that a target has not seen; by target.

    Raises:
        PublicationError: the lake cannot be read.
    """
    if not targets:
        return {}
    from pipelines.warehouse.loading import load_all  # noqa: PLC0415  # beside lake_of

    return load_all(lake_of(settings), targets, raw=settings.warehouse.raw)


def _check_lake(settings: Settings) -> None:
    """Refuse a lake of another version before a night of calls; one that does not answer may do so by the morning."""
    try:
        lake_of(settings).check_version()
    except StorageError as error:
        _LOG.warning("the lake cannot be reached; collecting all the same", said=str(error))


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
            raise ConfigError(f"run {run_id!r}: not landed; there are {', '.join(known) or 'none'}")
        return {run_id: _publish(settings, paths[0])}
    done: dict[str, Normalized | None] = {}
    for path in paths:
        if lake_of(settings).is_pruned(path.stem):
            _LOG.info("a run was pruned; name it to have it back", run_id=path.stem)
            continue
        try:
            done[path.stem] = _publish(settings, path)
        except LandingError as error:
            _LOG.error("a run is passed over", path=str(path), said=str(error))
            done[path.stem] = None
    return done


def _collect(
    settings: Settings,
    credentials: Mapping[str, Credential],
    deadline_seconds: float | None,
    progress: Progress,
    *,
    finish: bool,
) -> Collected:
    drain = settings.run.drain_seconds
    last_resort = LastResort(2 * drain + max(drain, _LEAST_GRACE_SECONDS))

    async def work() -> Collected:
        seconds = deadline_seconds or settings.run.deadline_seconds
        stop = Stop(has_deadline=seconds is not None, on_ask=last_resort.arm)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _on_signal, stop, number)
        if seconds is not None:
            loop.call_later(seconds, stop.ask, DEADLINE)
        return await collect(settings, credentials, stop, progress, finish=finish)

    try:
        with last_resort, asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
            return runner.run(work())
    finally:  # the loop leaves the system's own handlers behind, which end a process without a word
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)


def _on_signal(stop: Stop, number: int) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(again, end_now)
    stop.ask(signal.Signals(number).name)


def lake_of(settings: Settings) -> "Lake":
    """The lake of the configuration; nothing is touched yet.

    Raises:
        ConfigError: storage.lake is no address that anything opens, or a secret is missing.
    """
    # pyarrow takes 0.3 s to import, which `plan` and `collect` need not wait for
    import_arrow()
    from pipelines.lake import Lake, S3Options  # noqa: PLC0415

    storage = settings.storage
    address = storage.lake or str(storage.root / "lake")
    options = S3Options(storage.s3.endpoint, storage.s3.region, **s3_secrets(settings))
    try:
        return Lake.at(address, options, storage.root.absolute() / "drafts")
    except ValueError as error:
        raise ConfigError(f"storage.lake = {storage.lake!r}: {error}") from error


def _publish(settings: Settings, path: Path) -> "Normalized":
    from pipelines.normalize import normalize  # noqa: PLC0415  # beside lake_of

    lake, checks = lake_of(settings), settings.quality.model_dump()

    def published() -> "Normalized":
        asyncio.run(settle_leftovers(settings, path))
        with LandedRun.open(path) as landed:
            return normalize(landed, lake, checks)

    try:
        normalized = published()
    except LandingDamagedError as error:  # the publication was given up: nothing changed
        mend(settings, path, error)
        normalized = published()
    for check, count in normalized.violations.items():
        _LOG.warning("answers did not pass a check", check=check, answers=count)
    return normalized


def _catch_up(settings: Settings, current: Path) -> None:
    """Earlier runs: publish those that were not, close those that nobody will resume, drop stores that are old.

    What goes wrong here does not undo tonight.
    """
    lake = lake_of(settings)
    torn, wrong = lake.torn_runs(), lake.wrong_files()
    for run_id, paths in wrong.items():
        _LOG.error("published files are not what was published", run_id=run_id, paths=paths[:5])
    for path in landed_runs(settings.storage.root / "landing"):
        if path == current:
            continue
        try:
            with LandedRun.open(path) as landed:
                info = landed.info
                is_behind = info.run_id in {*torn, *wrong} or _is_behind(lake, landed)
            is_given_up = info.finished_at_us is None and not _is_another_ones(settings, info)
            if is_given_up or is_behind:
                _LOG.warning("publishing an earlier run", run_id=info.run_id)
                _publish(settings, path)
            if is_given_up:
                asyncio.run(_finish(path))
            elif info.finished_at_us is not None and _is_old(settings, info):
                path.unlink()
        except Exception as error:  # noqa: BLE001  # an old run's trouble is not tonight's
            _LOG.error("an earlier run cannot be published", path=str(path), said=str(error))


def _is_another_ones(settings: Settings, info: RunInfo) -> bool:
    """Another configuration on this storage root may yet resume the run."""
    age_seconds = time.time() - info.started_at_us / 1_000_000
    is_young = age_seconds <= settings.run.resume_within_seconds
    return is_young and info.plan_digest != digest(settings)


def _is_behind(lake: "Lake", landed: LandedRun) -> bool:
    """Whether the lake lacks something that was landed: it was never published, or a deadline's part of it only."""
    try:
        manifest = lake.manifest(landed.info.run_id)
    except StorageError:
        raise
    except PublicationError:  # damaged; publishing again replaces it
        return True
    if manifest is None:
        return True
    summary = landed.summary()
    return any(
        manifest.counts.get(name) != getattr(summary, name)
        for name in ("attempts", "not_attempted", "logins")
    )


def _is_old(settings: Settings, info: RunInfo) -> bool:
    age_seconds = time.time() - info.started_at_us / 1_000_000
    return age_seconds > settings.storage.keep_landing_days * 86_400


async def _finish(path: Path) -> None:
    landing = Landing.resume(path)
    landing.finish(time.time_ns() // 1_000)
    await landing.close()


def _night(
    collected: Collected,
    summary: RunSummary,
    normalized: "Normalized | None",
    started: float,
    loads: "Mapping[str, Load] | None" = None,
) -> Night:
    counts = asdict(summary)
    if normalized is not None:
        counts |= {
            name: getattr(normalized, name)
            for name in ("planned", "ok", "empty", "failed", "not_attempted", "attempts")
        }
    is_behind = any(not load.caught_up for load in (loads or {}).values())
    if collected.stopped is not None:
        exit_code = ExitCode.STOPPED
    elif counts["failed"] or counts["not_attempted"] or is_behind:
        exit_code = ExitCode.CALLS_FAILED
    else:
        exit_code = ExitCode.DONE
    quarantined = normalized.quarantined if normalized else 0
    faults = {fault.value: count for fault, count in collected.faults.items()}
    if quarantined:
        faults[FaultClass.QUARANTINED.value] = quarantined
    return Night(
        **counts,
        rows=normalized.rows if normalized else 0,
        files=normalized.files if normalized else 0,
        seconds=round(time.monotonic() - started, 3),
        exit_code=exit_code,
        faults=faults,
        quarantined=quarantined,
        checks=dict(normalized.violations) if normalized else None,
        stopped=collected.stopped,
        resumed=collected.resumed,
        loads=loads,
    )
