"""What a publication consists of, and its JSON. Holds no clock, so the same publication has the same manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final, Self

__all__ = ["LAKE_VERSION", "Manifest", "PublishedFile"]

LAKE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One published Parquet file.

    Attributes:
        path: in the lake, with `/`.
        partition: `name=value`.
        sha256: of the whole file, hexadecimal.
    """

    path: str
    table: str
    partition: str
    schema_version: int
    rows: int
    bytes: int
    sha256: str


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
                files=tuple(PublishedFile(**file) for file in document["files"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"not a manifest: {error!r}") from error
