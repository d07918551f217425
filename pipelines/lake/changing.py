"""The one way in which a lake changes: for a run, many runs, compaction and pruning, on a disk or object storage.

1. The state is written with the paths that are about to come, as files that go: a kill from here on is undone.
2. Files and manifests are placed. Each has a name that nothing had before, so nobody sees them.
3. The state is written with the new manifests: the commit, one instant for all readers of manifests. It names the files
   that are to be shown, and those that go: a kill from here on is completed.
4. Files are shown and taken away, and the state is written without what was to be done.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import structlog

from pipelines.errors import PublicationError
from pipelines.lake.manifest import Manifest
from pipelines.lake.partition import MANIFESTS, PartitionFile, day_of_run
from pipelines.lake.state import (
    LAKE_VERSION,
    STATE,
    VERSION,
    Entry,
    Pending,
    State,
    StateDamagedError,
    manifest_path,
    parse_manifest,
    parse_manifest_path,
    read_state,
)
from pipelines.lake.storage import Storage

__all__ = ["Change", "commit", "is_ours", "settle", "settling"]

_LOG: Final = structlog.get_logger("lake")


@dataclass(frozen=True, slots=True)
class Change:
    """Files that come and go, and the manifests that say so.

    Attributes:
        come: paths, each of a whole and verified draft.
        go: paths that no manifest names afterwards.
        manifests: by run id.
        mended: paths that are live and stay so, of files of `come` and of manifests: what is there is damaged.
    """

    come: Sequence[str] = ()
    go: Sequence[str] = ()
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    mended: Collection[str] = ()


def commit(storage: Storage, change: Change) -> None:
    """Make a change: all of it, or, if it fails or is killed before the commit, nothing.

    Raises:
        OSError: the place cannot be written.
        PublicationError: the lake's state cannot be read.
    """
    before = read_state(storage)
    entries = {run_id: Entry.of(each) for run_id, each in change.manifests.items()}
    texts = {
        path: each.to_json()
        for run_id, each in change.manifests.items()
        if (path := manifest_path(run_id, entries[run_id].manifest)) in change.mended
        or before.runs.get(run_id) != entries[run_id]
    }
    old = [
        manifest_path(run_id, before.runs[run_id].manifest)
        for run_id in change.manifests
        if run_id in before.runs and before.runs[run_id] != entries[run_id]
    ]
    new = [path for path in (*change.come, *texts) if path not in change.mended]
    after = State(
        dict(sorted({**before.runs, **entries}.items())),
        Pending(tuple(change.come), (*change.go, *old)),
    )
    with settling(storage):
        if not texts and not change.come and not change.go:
            return
        storage.prepare()
        _write(storage, replace(before, pending=Pending(go=tuple(new))))
        if storage.read_all([VERSION]) == [None]:
            storage.put(VERSION, f"{LAKE_VERSION}\n".encode())
        storage.place(change.come)
        for path, text in texts.items():
            storage.put(path, text)
        _write(storage, after)


@contextlib.contextmanager
def settling(storage: Storage) -> Iterator[None]:
    """Leave neither drafts nor half a change behind, also after an error or an interrupt."""
    try:
        yield
    except BaseException:
        # if this fails, too, the next command does it
        with contextlib.suppress(OSError, PublicationError):
            settle(storage)
        raise
    settle(storage)


def settle(storage: Storage) -> None:
    """Do what a change has left to do, and remove drafts. Only for who holds the storage root.

    Raises:
        OSError: the place cannot be written.
        PublicationError: object storage does not answer or refuses.
    """
    state = State()
    try:
        state = read_state(storage)
        is_lost = state == State() and any(map(parse_manifest_path, storage.sizes(MANIFESTS)))
    except StateDamagedError:
        is_lost = True
    if is_lost:
        _LOG.error("the lake's state is made anew from the manifests", lake=storage.address)
        state = _made_anew(storage)
    if is_lost or state.pending != Pending():
        manifests = [path for path in state.pending.go if path.startswith(f"{MANIFESTS}/")]
        files = [path for path in state.pending.go if path not in manifests]
        storage.reveal(state.pending.come, files)
        storage.remove(manifests)
        _write(storage, replace(state, pending=Pending()))
    storage.clear()


def _write(storage: Storage, state: State) -> None:
    storage.put(STATE, state.to_json())


@dataclass(frozen=True, slots=True)
class _Found:
    """A manifest that is there.

    Attributes:
        rank: 3 if all its files are shown, 2 if some wait to be, 1 if one is missing, 0 if the manifest is damaged.
    """

    entry: Entry
    rank: int
    files: tuple[str, ...] = ()


def _made_anew(storage: Storage) -> State:
    """The state that the manifests tell. Of a run that has two, the one whose files are there.

    What no manifest names goes, but only if every run has one whose files are all there.
    """
    sizes = storage.sizes("")
    paths = {path: parsed for path in sorted(sizes) if (parsed := parse_manifest_path(path))}
    live: dict[str, _Found] = {}
    for (run_id, digest), text in zip(paths.values(), storage.read_all(list(paths)), strict=True):
        found = _found(storage, sizes, run_id, digest, text)
        if run_id not in live or found.rank >= live[run_id].rank:
            live[run_id] = found
    named = {path for each in live.values() for path in each.files}
    come = sorted(path for path in named if storage.locate(path) != path)
    named |= {manifest_path(run_id, each.entry.manifest) for run_id, each in live.items()}
    is_told = all(each.rank > 1 for each in live.values())
    go = [path for path in sizes if is_told and live and path not in named and is_ours(path)]
    runs = {run_id: each.entry for run_id, each in sorted(live.items())}
    return State(runs, Pending(tuple(come), tuple(go)))


def _found(
    storage: Storage, sizes: Mapping[str, int], run_id: str, digest: str, text: bytes | None
) -> _Found:
    try:
        manifest = parse_manifest(run_id, digest, text)
    except ValueError:
        return _Found(Entry(digest, day_of_run(run_id) or date.min, date.min, date.max), 0)
    files = tuple(file.path for file in manifest.files)
    is_shown = all(sizes.get(file.path) == file.bytes for file in manifest.files)
    is_there = all(
        sizes.get(file.path) == file.bytes or storage.locate(file.path) != file.path
        for file in manifest.files
    )
    return _Found(Entry.of(manifest), 3 if is_shown else 2 if is_there else 1, files)


def is_ours(path: str) -> bool:
    """Whether it is a manifest, or a file that a publication or compaction wrote."""
    with contextlib.suppress(ValueError):
        PartitionFile.parse(path)
        return True
    return parse_manifest_path(path) is not None
