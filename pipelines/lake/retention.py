"""Old runs leave the lake: their files go, and their manifests stay and say so."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import structlog

from pipelines.lake.changing import Change, commit
from pipelines.lake.manifest import Manifest
from pipelines.lake.rewriting import split_shared
from pipelines.lake.state import Published, read_published
from pipelines.lake.storage import Storage

__all__ = ["Pruned", "prune"]

_LOG: Final = structlog.get_logger("lake")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go.

    Attributes:
        runs: those that had files.
        files: that go, with `bytes` in all.
        rewritten: files among them whose rows of other runs are in new files; part of `files`.
        left: runs that are old enough, but yet to be resumed.
        passed_over: runs whose manifests cannot be read.
    """

    runs: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    rewritten: int = 0
    left: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    dry_run: bool = False


def prune(
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
    published = read_published(storage)
    for said in published.damaged.values():
        _LOG.error("a run is passed over", said=said)
    old = {
        run_id: manifest
        for run_id, manifest in published.manifests.items()
        if manifest.run_date < before and any(file.table in tables for file in manifest.files)
    }
    left = sorted(run_id for run_id in old if run_id in but)
    goes = {run_id: manifest for run_id, manifest in old.items() if run_id not in but}
    files = {
        file.path: file
        for manifest in goes.values()
        for file in manifest.files
        if file.table in tables
    }
    shared = [file for file in files.values() if not set(file.runs) <= goes.keys()]
    if goes and not dry_run:
        others = split_shared(published, goes.keys(), shared)
        own = [path for path, file in files.items() if file not in shared]
        manifests = {run_id: _without(manifest, tables) for run_id, manifest in goes.items()}
        go = [*own, *others.go]
        commit(storage, Change(others.come, go, {**others.manifests, **manifests}))
    return Pruned(
        runs=tuple(sorted(goes)),
        files=len(files),
        bytes=sum(file.bytes for file in files.values()),
        rewritten=len(shared),
        left=tuple(left),
        passed_over=tuple(sorted(_damaged(published, before))),
        dry_run=dry_run,
    )


def _damaged(published: Published, before: date) -> Collection[str]:
    return [run for run in published.damaged if published.state.runs[run].run_date < before]


def _without(manifest: Manifest, tables: Collection[str]) -> Manifest:
    """A manifest without the files of these tables, which says what they were."""
    gone = {
        file.table: tuple(manifest.identity(file.table))
        for file in manifest.files
        if file.table in tables
    }
    kept = tuple(file for file in manifest.files if file.table not in tables)
    return replace(manifest, files=kept, pruned={**manifest.pruned, **gone})
