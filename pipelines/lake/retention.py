"""Old runs leave the lake: their files go, and their manifests stay and say so."""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import structlog

from pipelines.errors import PublicationError, StorageError
from pipelines.lake.catalog import read_manifest, run_ids
from pipelines.lake.change import Change
from pipelines.lake.leftovers import leftovers
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.sharing import parted
from pipelines.lake.storage import Storage

__all__ = ["Pruned", "pruned"]

_LOG: Final = structlog.get_logger("lake")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go.

    Attributes:
        runs: those that had files.
        files: that go, with `bytes` in all.
        rewritten: files among them whose rows of other runs are in new files; part of `files`.
        left: runs that are old enough, but yet to be resumed or to be mended.
        passed_over: runs whose manifests cannot be read.
    """

    runs: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    rewritten: int = 0
    left: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    dry_run: bool = False


def pruned(
    storage: Storage,
    before: date,
    tables: Collection[str],
    but: Collection[str] = (),
    *,
    dry_run: bool = False,
) -> Pruned:
    """Remove what runs that started before a date have in these tables, all of it in one change.

    Raises:
        PublicationError: the lake cannot be read or written.
    """
    found, left, passed_over = _old(storage, before, but)
    goes = {
        run_id: [file for file in manifest.files if file.table in tables]
        for run_id, manifest in found.items()
    }
    goes = {run_id: files for run_id, files in goes.items() if files}
    files = {file.path: file for some in goes.values() for file in some}
    shared = [file for file in files.values() if not set(file.runs) <= goes.keys()]
    if goes and not dry_run:
        try:
            _remove(storage, {run_id: found[run_id] for run_id in goes}, tables, files, shared)
        except BaseException:  # an interrupt, too
            with contextlib.suppress(OSError, StorageError):
                storage.settle()
            raise
    return Pruned(
        runs=tuple(sorted(goes)),
        files=len(files),
        bytes=sum(file.bytes for file in files.values()),
        rewritten=len(shared),
        left=tuple(left),
        passed_over=tuple(passed_over),
        dry_run=dry_run,
    )


def _old(
    storage: Storage, before: date, but: Collection[str]
) -> tuple[dict[str, Manifest], list[str], list[str]]:
    """The runs that started before the date; those that are to be left, and those that nobody knows anything of."""
    shut = {*but, *(file.run_id for _, file in leftovers(storage))}
    found, left, passed_over = {}, [], []
    for run_id in run_ids(storage):
        try:
            manifest = read_manifest(storage, run_id)
        except StorageError:
            raise
        except PublicationError as error:
            _LOG.error("a run is passed over", run_id=run_id, said=str(error))
            passed_over.append(run_id)
            continue
        if manifest is not None and manifest.files and manifest.run_date < before:
            if run_id in shut:
                left.append(run_id)
            else:
                found[run_id] = manifest
    return found, left, passed_over


def _remove(
    storage: Storage,
    manifests: dict[str, Manifest],
    tables: Collection[str],
    files: Collection[str],
    shared: Sequence[PublishedFile],
) -> None:
    parting = parted(storage, manifests, shared)
    texts = {run_id: manifest.to_json() for run_id, manifest in parting.manifests.items()}
    for run_id, manifest in manifests.items():
        gone = {
            file.table: tuple(manifest.identity(file.table))
            for file in manifest.files
            if file.table in tables
        }
        kept = tuple(file for file in manifest.files if file.table not in tables)
        texts[run_id] = replace(manifest, files=kept, pruned={**manifest.pruned, **gone}).to_json()
    stale = sorted(set(files) - parting.kept)
    storage.change(Change(parting.placings, stale, texts))
