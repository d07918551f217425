"""The commands `compact` and `prune`: fewer files, and older runs out of the lake."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click
import structlog

from collector.config import Settings
from collector.domain.durations import parse_duration
from collector.errors import LandingError
from collector.landing import LandedRun, landed_runs
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.cli.loading import configured, loads_said
from pipelines.job.exit_code import ExitCode
from pipelines.job.lock import storage_lock
from pipelines.job.publishing import derive_history, lake_of, load_published
from pipelines.job.sharing import shared
from pipelines.warehouse.target import IcebergCatalog, Target

if TYPE_CHECKING:
    from pipelines.lake import Compacted, Pruned
    from pipelines.warehouse.loading import Load

__all__ = ["compact", "prune"]

_LOG: Final = structlog.get_logger("ecgrid-stats")
_MOST_DAYS: Final = 36_500
_TABLES: Final = ("instant_stats", "traffic_buckets", "calls", "dataset_extras", "sessions", "raw")
_TOLD: Final = 20  # lines of a compaction that takes long


@click.command()
@config_option
@click.option(
    "--target-mib",
    type=click.IntRange(1, 65_536),
    metavar="MIB",
    help="A file that has so many MiB is full. [storage.compacted_file_mib]",
)
@shared_options
def compact(door: Door, config: Path, target_mib: int | None) -> None:
    """Few files instead of many, partition by partition: the same rows, sorted by session, window and time.

    A run that is yet to be resumed is left alone. Compacting again changes nothing. Databases that have loaded a run
    have nothing to do; an Iceberg catalog that is configured is brought to the new files at once.
    """
    settings = door.settings(config)
    targets = _catalogs(settings, config)
    mib = target_mib or settings.storage.compacted_file_mib
    with storage_lock(settings.storage.root, "compact"), shared(settings):
        done = lake_of(settings).compact(mib << 20, set(_unfinished(settings)), _telling())
        loads = load_published(settings, targets)
    _finish(door, done, _said(done), loads)


class _Age(click.ParamType):
    """Whole days, written as a duration such as 90d."""

    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        try:
            age = timedelta(seconds=parse_duration(value))
        except (ValueError, OverflowError):
            self.fail(f"{value!r}: must be a whole number of days, such as 90d", param, ctx)
        if age % timedelta(days=1) or not 1 <= age.days <= _MOST_DAYS:
            self.fail(f"{value!r}: must be whole days, 1d to {_MOST_DAYS}d", param, ctx)
        return age


@click.command()
@config_option
@click.option(
    "--older-than",
    "age",
    required=True,
    type=_Age(),
    metavar="DAYS",
    help="Runs that started before so many days, by UTC date: 90d.",
)
@click.option(
    "--table",
    "names",
    multiple=True,
    type=click.Choice(_TABLES),
    help="Only this table, may be given again: raw for the landed replies. All tables otherwise.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@shared_options
def prune(door: Door, config: Path, age: timedelta, names: tuple[str, ...], dry_run: bool) -> None:
    """Take old runs out of the lake, all of their tables or some, in one change.

    A run that is yet to be resumed stays. What went is not published again by `run`; `normalize --run` brings it back
    as long as its landing store is there. Databases keep what they have loaded; an Iceberg catalog that is
    configured loses the files at once.
    """
    settings = door.settings(config)
    targets = _catalogs(settings, config)
    before = datetime.now(UTC).date() - age
    tables = names or _TABLES
    if dry_run:
        lake, but = lake_of(settings), set(_unfinished(settings))
        _finish(
            door, (done := lake.prune(before, tables, but, dry_run=True)), _gone(done, "would go")
        )
    with storage_lock(settings.storage.root, "prune"), shared(settings):
        if "traffic_buckets" in tables:
            derive_history(settings)  # what is not in the history by now would be lost
        done = lake_of(settings).prune(before, tables, set(_unfinished(settings)))
        loads = load_published(settings, targets)
    _finish(door, done, _gone(done, "are gone"), loads)


def _finish(
    door: Door,
    done: "Compacted | Pruned",
    said: str,
    loads: "Mapping[str, Load] | None" = None,
) -> NoReturn:
    loads = loads or {}
    behind = [name for name, each in loads.items() if not each.caught_up]
    code = ExitCode.CALLS_FAILED if done.passed_over or behind else ExitCode.DONE
    result = {
        **asdict(done),
        "loads": {name: asdict(each) for name, each in loads.items()},
        "exit_code": int(code),
    }
    finish(door, result, "\n".join([said, *loads_said(loads)]), code)


def _catalogs(settings: Settings, config: Path) -> list[Target]:
    """The warehouses that name the lake's files themselves."""
    targets = configured(settings, config.parent)
    return [each for each in targets if isinstance(each, IcebergCatalog)]


def _unfinished(settings: Settings) -> Iterator[str]:
    """The runs that the next `run` may resume, and publish again."""
    for path in landed_runs(settings.storage.root / "landing"):
        try:
            with LandedRun.open(path) as landed:
                if landed.info.finished_at_us is None:
                    yield path.stem
        except LandingError:  # `run` and `status` say so
            yield path.stem


def _telling() -> Callable[[int, int], None]:
    said = 0

    def tell(done: int, of: int) -> None:
        nonlocal said
        if of > _TOLD and done * _TOLD // of > said:
            said = done * _TOLD // of
            _LOG.info("compacting", days=done, of=of)

    return tell


def _said(done: "Compacted") -> str:
    if not done.partitions and not done.passed_over:
        return "everything is compacted"
    said = (
        f"{done.files_before} files of {done.partitions} partitions are {done.files_after} now:"
        f" {done.rows} rows in {done.bytes_after} bytes instead of {done.bytes_before}"
    )
    passed = [f"{path} is not what was published, and stays as it is" for path in done.passed_over]
    return "\n".join([said, *passed])


def _gone(done: "Pruned", what: str) -> str:
    lines = [f"{done.files} files of {len(done.runs)} runs {what}: {done.bytes} bytes"]
    if done.rewritten:
        lines.append(f"{done.rewritten} of them hold rows of other runs, too, which stay")
    lines += [f"{run_id} stays: it is to be resumed or mended by run" for run_id in done.left]
    lines += [f"{run_id}: its manifest cannot be read; see above" for run_id in done.passed_over]
    return "\n".join(lines)
