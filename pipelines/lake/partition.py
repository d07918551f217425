"""Where things are in a lake: one value per path, there and back."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Final, Self

from pipelines.contract import TABLES

__all__ = [
    "COMPACTED",
    "DERIVED",
    "MANIFESTS",
    "PartitionFile",
    "PartitionKey",
    "check_run_id",
    "day_of_run",
]

MANIFESTS: Final = "_manifest"
COMPACTED: Final = "compacted"  # stands in a file's name where that of its run does otherwise
DERIVED: Final = "history"  # stands there for tables that are made of all runs

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")
_STARTED: Final = re.compile(r"([0-9]{8})T[0-9]{6}Z-.*")
_FILE: Final = re.compile(
    r"(?P<owner>.+)-(?P<number>0|[1-9][0-9]{0,8})-(?P<digest>[0-9a-f]{16})\.parquet"
)


@dataclass(frozen=True, slots=True, order=True)
class PartitionKey:
    """One partition of one table.

    Attributes:
        day: the value of the table's partition column, a date in UTC; the first one where that is a month.

    Raises:
        ValueError: no such table.
    """

    table: str
    day: date

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise ValueError(f"table {self.table!r}: must be one of {', '.join(TABLES)}")

    def to_path(self) -> PurePosixPath:
        """The folder in the lake, `instant_stats/run_date=2026-01-31` for instance."""
        return PurePosixPath(self.table, f"{TABLES[self.table].partition}={self.day.isoformat()}")

    @classmethod
    def parse(cls, path: PurePosixPath | str) -> Self:
        """The key of a folder.

        Raises:
            ValueError: the path is not one that `to_path` makes.
        """
        parts = PurePosixPath(path).parts
        if len(parts) == 2:
            table, _, day = parts[0], *parts[1].rpartition("=")[1:]
            try:
                key = cls(table, date.fromisoformat(day))
            except ValueError as error:
                raise ValueError(f"partition {str(path)!r}: {error}") from error
            if key.to_path() == PurePosixPath(path):
                return key
        raise ValueError(f"partition {str(path)!r}: must be like instant_stats/run_date=2026-01-31")


@dataclass(frozen=True, slots=True, order=True)
class PartitionFile:
    """One file of a partition.

    Attributes:
        owner: the run that wrote it, `compacted`, or `history`.
        number: among the files that the owner wrote into this partition, from 0; those of a history begin with the day.
        digest: the first 16 hexadecimal digits of the file's SHA-256, so that a name never means other bytes.
    """

    key: PartitionKey
    owner: str
    number: int
    digest: str

    def __post_init__(self) -> None:
        check_run_id(self.owner)

    def to_path(self) -> PurePosixPath:
        """The file in the lake."""
        return self.key.to_path() / f"{self.owner}-{self.number}-{self.digest}.parquet"

    @classmethod
    def parse(cls, path: PurePosixPath | str) -> Self:
        """The value of a file's path.

        Raises:
            ValueError: the path is not one that `to_path` makes.
        """
        folder, name = PurePosixPath(path).parent, PurePosixPath(path).name
        match = _FILE.fullmatch(name)
        if match is None:
            raise ValueError(
                f"file {str(path)!r}: must be named <run_id>-<number>-<digest>.parquet"
            )
        return cls(
            PartitionKey.parse(folder), match["owner"], int(match["number"]), match["digest"]
        )


def check_run_id(run_id: str) -> str:
    """The run id, if a file can be named after it.

    Raises:
        ValueError: it cannot.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(
            f"run id {run_id!r}: must be letters, digits, dots and hyphens, at most 100"
        )
    return run_id


def day_of_run(run_id: str) -> date | None:
    """The UTC date on which a run started, as its id begins with it; None if it does not."""
    match = _STARTED.fullmatch(run_id)
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:  # digits that are no date
        return None
