"""What every loader does, whatever it loads into: the protocol, and what it reports."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipelines.warehouse.publications import PublishedRun

__all__ = ["LoadedRows", "Step", "Warehouse"]

Step = tuple[PublishedRun, ...]  # what goes in together, or not at all


@dataclass(frozen=True, slots=True)
class LoadedRows:
    """What became of rows.

    Attributes:
        unchanged: rows that were there with the same values.
        removed: rows that were there and are in the publication no more.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0

    def __add__(self, other: "LoadedRows") -> "LoadedRows":
        return LoadedRows(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.removed + other.removed,
        )


class Warehouse(Protocol):
    """An open target.

    Every method raises WarehouseError when the target cannot do it, with a sentence that names the target and what to
    do, and never a credential.
    """

    def pending(
        self, publications: Sequence[PublishedRun], published: Collection[str]
    ) -> list[Step]:
        """What it has not seen, or has seen in another publication, oldest first. Changes nothing.

        Args:
            published: every run of the lake, those included whose manifest cannot be read.
        """
        ...

    def prepare(self) -> None:
        """Make the tables, or bring them to the contract; refuse those that it cannot."""
        ...

    def load(self, step: Step) -> LoadedRows:
        """Bring the target to these publications, in one transaction.

        Raises:
            PublicationError: a published file is missing or damaged; nothing of the step was loaded.
        """
        ...

    def close(self) -> None:
        """Let go of the target; what was not committed is gone."""
        ...
