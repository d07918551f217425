"""What one run has published, or what was derived from all of them, and its JSON.

Holds no clock, so the same publication has the same manifest.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Self

__all__ = ["Manifest", "PublishedFile"]


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One Parquet file that holds rows of the run. A path never names other bytes: part of their SHA-256 is in it.

    Attributes:
        path: in the lake, with `/`.
        partition: `name=value`.
        rows: those of the run; others in the file belong to the other `runs`.
        bytes: of the whole file.
        sha256: of the whole file, hexadecimal.
        runs: every run with rows in the file, sorted; may be more than one once it is compacted.
        origin: what the run had published, `path sha256` for each file, before it was compacted into this one.
    """

    path: str
    table: str
    partition: str
    schema_version: int
    rows: int
    bytes: int
    sha256: str
    runs: tuple[str, ...]
    origin: tuple[str, ...] = ()

    @property
    def is_shared(self) -> bool:
        """Whether the rows of the run must be picked by their run_id."""
        return len(self.runs) > 1

    @property
    def is_compacted(self) -> bool:
        """Whether compaction wrote the file."""
        return bool(self.origin)

    @property
    def identity(self) -> tuple[str, ...]:
        """What was published, whatever compaction made of it since."""
        return self.origin or (f"{self.path} {self.sha256}",)

    @property
    def day(self) -> date:
        """The value of the partition."""
        return date.fromisoformat(self.partition.rpartition("=")[2])


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that one run published, or that was derived from all of them.

    Attributes:
        counts: the sums of the ledger, by name.
        pruned: what the run had published of the tables that were pruned since, `path sha256` for each file.
        sources: of derived tables, what they are made of, as words, by run.
    """

    run_id: str
    run_date: date
    counts: Mapping[str, int]
    files: tuple[PublishedFile, ...]
    pruned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def identity(self, table: str) -> list[str]:
        """What the run published of a table, as lines that neither compaction nor pruning changes."""
        files = (each.identity for each in self.files if each.table == table)
        return sorted({*self.pruned.get(table, ()), *(line for lines in files for line in lines)})

    @property
    def is_pruned(self) -> bool:
        """Whether no file of the run is left."""
        return bool(self.pruned) and not self.files

    def rows(self, table: str) -> int:
        """How many rows of the table the run published."""
        return sum(file.rows for file in self.files if file.table == table)

    def to_json(self) -> bytes:
        """The manifest's text."""
        document: dict[str, Any] = {
            "run_id": self.run_id,
            "run_date": self.run_date.isoformat(),
            "counts": dict(self.counts),
            "files": [_entry(file) for file in self.files],
        }
        if self.pruned:
            document["pruned"] = {table: list(lines) for table, lines in self.pruned.items()}
        if self.sources:
            document["sources"] = {run: list(words) for run, words in self.sources.items()}
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()

    @property
    def digest(self) -> str:
        """The first half of the text's SHA-256, hexadecimal: a manifest's name in the lake ends with it."""
        return hashlib.sha256(self.to_json()).hexdigest()[:32]

    @classmethod
    def from_json(cls, text: bytes) -> Self:
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
                files=tuple(_file(file) for file in document["files"]),
                pruned={table: tuple(lines) for table, lines in document.get("pruned", {}).items()},
                sources={run: tuple(words) for run, words in document.get("sources", {}).items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a manifest: {error!r}") from error


def _entry(file: PublishedFile) -> dict[str, Any]:
    entry = asdict(file)
    if not file.origin:
        del entry["origin"]
    return entry


def _file(entry: dict[str, Any]) -> PublishedFile:
    lists = {"runs": tuple(entry["runs"]), "origin": tuple(entry.get("origin", ()))}
    return PublishedFile(**{**entry, **lists})
