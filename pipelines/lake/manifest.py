"""What a publication consists of, and its JSON. Holds no clock, so the same publication has the same manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final, Self

__all__ = ["LAKE_VERSION", "Manifest", "PublishedFile"]

LAKE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One Parquet file that holds rows of the run.

    Attributes:
        path: in the lake, with `/`.
        partition: `name=value`.
        rows: those of the run; others in the file belong to the other `runs`.
        bytes: of the whole file.
        sha256: of the whole file, hexadecimal.
        runs: every run with rows in the file, sorted; more than one once it is compacted.
    """

    path: str
    table: str
    partition: str
    schema_version: int
    rows: int
    bytes: int
    sha256: str
    runs: tuple[str, ...]

    @property
    def is_shared(self) -> bool:
        """Whether the rows of the run must be picked by their run_id."""
        return len(self.runs) > 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that one run published.

    Attributes:
        counts: the sums of the ledger, by name.
    """

    run_id: str
    run_date: date
    counts: Mapping[str, int]
    files: tuple[PublishedFile, ...]

    def rows(self, table: str) -> int:
        """How many rows of the table the run published."""
        return sum(file.rows for file in self.files if file.table == table)

    def to_json(self) -> str:
        """The manifest's text."""
        document = {
            "lake_version": LAKE_VERSION,
            "run_id": self.run_id,
            "run_date": self.run_date.isoformat(),
            "counts": dict(self.counts),
            "files": [asdict(file) for file in self.files],
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The manifest of such a text.

        Raises:
            ValueError: it is none.
        """
        try:
            document = json.loads(text)
            return cls(
                run_id=document["run_id"],
                run_date=date.fromisoformat(document["run_date"]),
                counts=dict(document["counts"]),
                files=tuple(_file(file, document["run_id"]) for file in document["files"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"not a manifest: {error!r}") from error


def _file(entry: dict[str, Any], run_id: str) -> PublishedFile:
    """A file of a manifest; one without `runs` was written before files were ever shared."""
    return PublishedFile(**{**entry, "runs": tuple(entry.get("runs", (run_id,)))})
