"""A change of several manifests at once, as a value and as the text that is kept while it is under way.

Whoever finds such a text does the rest of it: every step may be done twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Self

from pipelines.lake.partition import MANIFESTS, manifest_path

__all__ = ["JOURNAL", "WORKSHOP", "Change", "Placing"]

JOURNAL: Final = f"{MANIFESTS}/.change"
WORKSHOP: Final = "_drafts"  # below the folder of drafts: what is not yet part of any change

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Placing:
    """A whole, verified draft, and the name that it is to have in the lake.

    Attributes:
        draft: in the folder of drafts, with `/`.
        path: in the lake, with `/`.
    """

    draft: str
    path: str


@dataclass(frozen=True, slots=True)
class Change:
    """Files that get names, files that go, and the manifests that say so.

    Attributes:
        manifests: run id -> the manifest's text.
        is_ready: every file is where it can be had; before that, the change is undone and not completed.
    """

    placings: Sequence[Placing]
    stale: Sequence[str]
    manifests: Mapping[str, str]
    is_ready: bool = True

    @property
    def folders(self) -> list[str]:
        """The partitions that it touches."""
        paths = [*(each.path for each in self.placings), *self.stale]
        return sorted({str(PurePosixPath(path).parent) for path in paths})

    def within(self, folder: str) -> "Change":
        """The files of one partition, without manifests."""
        inside = f"{folder}/"
        return Change(
            [each for each in self.placings if each.path.startswith(inside)],
            [path for path in self.stale if path.startswith(inside)],
            {},
        )

    def texts(self) -> dict[str, bytes]:
        """The manifests by their paths."""
        return {manifest_path(run_id): text.encode() for run_id, text in self.manifests.items()}

    def to_json(self) -> bytes:
        """Its text."""
        document = {
            "version": _VERSION,
            "is_ready": self.is_ready,
            "placings": [[each.draft, each.path] for each in self.placings],
            "stale": list(self.stale),
            "manifests": dict(self.manifests),
        }
        return json.dumps(document, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The change of such a text.

        Raises:
            ValueError: it is none.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            if document["version"] != _VERSION:
                raise ValueError(f"version {document['version']}, this program knows {_VERSION}")
            return cls(
                [Placing(draft, path) for draft, path in document["placings"]],
                list(document["stale"]),
                dict(document["manifests"]),
                bool(document["is_ready"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"not a change: {error!r}") from error
