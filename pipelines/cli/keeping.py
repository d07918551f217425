"""The commands that keep the lake in shape: compact."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import structlog

from collector.config import Settings
from collector.errors import LandingError
from collector.landing import LandedRun, landed_runs
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.cli.loading import configured, loads_said
from pipelines.exit_code import ExitCode
from pipelines.nightly import lake_of, load_published
from pipelines.storage_root import storage_lock
from pipelines.warehouse.target import IcebergCatalog

if TYPE_CHECKING:
    from pipelines.lake import Compacted

__all__ = ["compact"]

_LOG: Final = structlog.get_logger("ecgrid-stats")
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
    targets = [
        each
        for each in configured(settings, config.parent)
        if isinstance(each, IcebergCatalog)  # it names the files themselves
    ]
    mib = target_mib or settings.storage.compacted_file_mib
    with storage_lock(settings.storage.root):
        done = lake_of(settings).compact(mib << 20, set(_unfinished(settings)), _telling())
        loads = load_published(settings, targets)
    behind = [name for name, each in loads.items() if not each.caught_up]
    code = ExitCode.CALLS_FAILED if done.passed_over or behind else ExitCode.DONE
    result = {
        **asdict(done),
        "loads": {name: asdict(each) for name, each in loads.items()},
        "exit_code": int(code),
    }
    finish(door, result, "\n".join([_said(done), *loads_said(loads)]), code)


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
