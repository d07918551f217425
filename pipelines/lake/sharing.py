"""What becomes of the others where a run leaves files that it shares with them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import structlog

from pipelines.errors import PublicationError, StorageError
from pipelines.lake.catalog import read_manifest, run_ids
from pipelines.lake.change import Placing
from pipelines.lake.draft import COMPACTED_SIZES
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.rewriting import rewritten
from pipelines.lake.storage import Storage

__all__ = ["Parting", "known_to_others", "parted"]

_LOG = structlog.get_logger("lake")


@dataclass(frozen=True, slots=True)
class Parting:
    """Files with the rows of those that stay.

    Attributes:
        manifests: of those that stay, by run id; without those that cannot be read.
        kept: shared files that stay as they are, since they cannot be read.
    """

    placings: tuple[Placing, ...]
    manifests: dict[str, Manifest]
    kept: frozenset[str]


def known_to_others(storage: Storage, run_ids_: Collection[str]) -> list[PublishedFile]:
    """The files that manifests of other runs name; those that cannot be read are passed over."""
    found: dict[str, PublishedFile] = {}
    others = set(run_ids(storage)) - set(run_ids_)
    for manifest in _manifests(storage, others)[0].values():
        found.update((file.path, file) for file in manifest.files)
    return list(found.values())


def parted(storage: Storage, leaving: Collection[str], shared: Sequence[PublishedFile]) -> Parting:
    """New files for the rows that other runs have in files which these runs leave.

    Those of a run whose manifest cannot be read are kept, too: only publishing that run again tells which count.

    Raises:
        PublicationError: they cannot be written.
    """
    staying = {run_id for file in shared for run_id in file.runs} - set(leaving)
    manifests, damaged = _manifests(storage, staying)
    groups: dict[tuple[str, str, int, tuple[str, ...]], list[PublishedFile]] = defaultdict(list)
    for file in shared:
        stay = tuple(
            run_id
            for run_id in file.runs
            if run_id in damaged or (run_id in manifests and _names(manifests[run_id], file))
        )
        if stay:
            groups[file.table, file.partition, file.schema_version, stay].append(file)
    placings: list[Placing] = []
    changed: dict[str, Manifest] = {}
    kept: set[str] = set()
    for (*_, stay), files in groups.items():
        taken = [placing.path for placing in placings]
        try:
            new = rewritten(storage, files, stay, COMPACTED_SIZES, taken)
        except StorageError:
            raise
        except PublicationError as error:
            _LOG.error("other runs' rows stay where they are", runs=stay, said=str(error))
            kept.update(file.path for file in files)
            continue
        placings += new.placings
        for run_id in sorted(manifests.keys() & {*stay}):
            before = changed.get(run_id, manifests[run_id])
            changed[run_id] = new.within(before, {file.path for file in files})
    return Parting(tuple(placings), changed, frozenset(kept))


def _manifests(storage: Storage, of: Collection[str]) -> tuple[dict[str, Manifest], set[str]]:
    """The manifests that there are, and the runs whose one cannot be read."""
    found: dict[str, Manifest] = {}
    damaged: set[str] = set()
    for run_id in sorted(of):
        try:
            if manifest := read_manifest(storage, run_id):
                found[run_id] = manifest
        except StorageError:
            raise
        except PublicationError:
            damaged.add(run_id)
    return found, damaged


def _names(manifest: Manifest, file: PublishedFile) -> bool:
    return any(each.path == file.path and each.sha256 == file.sha256 for each in manifest.files)
