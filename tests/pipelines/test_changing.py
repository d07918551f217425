"""Every kind of change, ended after any of its steps: readers see what was before or what is after, whole."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from pipelines.contract import TABLES
from pipelines.errors import LakeVersionError, PublicationError
from pipelines.lake import Lake, Sizes, local
from pipelines.lake.local import LocalStorage
from pipelines.read import OpenLake, snapshot
from tests.pipelines.ended import EVERY, EndedError, ended, without_exchange
from tests.pipelines.lake_rows import file_of, manifest_of, stats

DAY: Final = date(2026, 1, 31)
SMALL: Final = Sizes(group_rows=2, file_rows=2)

Rows = list[tuple[str, str, int]]  # run, session, count


def publish(lake: Lake, run_id: str, count: int, sessions: str) -> None:
    """Publish a run of some files with this count in every row."""
    with lake.publication(run_id, DAY, SMALL) as publication:
        publication.append("instant_stats", stats(count, *sessions, run_id=run_id))
        publication.commit({"count": count})


def apart(lake: Lake) -> None:
    """Three runs of a day."""
    for run_id in ("run-a", "run-b", "run-c"):
        publish(lake, run_id, 1, "xyz")


def shared(lake: Lake) -> None:
    """The same three in one compacted file."""
    apart(lake)
    lake.compact()


def shared_and_new(lake: Lake) -> None:
    """One more that came since."""
    shared(lake)
    publish(lake, "run-d", 1, "w")


@dataclass(frozen=True)
class Work:
    """A lake as it is before, and what is then done to it."""

    before: Callable[[Lake], object]
    work: Callable[[Lake], object]


WORKS: Final = {
    "the first run": Work(lambda _: None, lambda lake: publish(lake, "run-a", 2, "abcde")),
    "another run": Work(
        lambda lake: publish(lake, "run-a", 1, "abc"),
        lambda lake: publish(lake, "run-b", 2, "abc"),
    ),
    "a run again, more rows": Work(
        lambda lake: publish(lake, "run-a", 1, "abc"),
        lambda lake: publish(lake, "run-a", 2, "abcdef"),
    ),
    "a run again, fewer rows": Work(
        lambda lake: publish(lake, "run-a", 1, "abcdef"),
        lambda lake: publish(lake, "run-a", 2, "bc"),
    ),
    "a run out of a file that it shares": Work(
        shared, lambda lake: publish(lake, "run-b", 2, "xyz")
    ),
    "compaction": Work(apart, lambda lake: lake.compact()),
    "compaction once more": Work(shared_and_new, lambda lake: lake.compact()),
    "pruning": Work(
        lambda lake: publish(lake, "run-a", 1, "abc"),
        lambda lake: lake.prune(date(2026, 2, 1), [*TABLES]),
    ),
    "pruning out of a file that others share": Work(
        shared, lambda lake: lake.prune(date(2026, 2, 1), ["instant_stats"], {"run-a"})
    ),
}


def of(rows: pa.Table) -> Rows:
    """The rows, sorted."""
    columns = [rows[name].to_pylist() for name in ("run_id", "session", "count")]
    return sorted(zip(*columns, strict=True))


def by_name(lake: Lake) -> Rows:
    """What readers of file names see."""
    folder = lake.folder / "instant_stats"
    if not any(folder.glob("*/*.parquet")):
        return []
    return of(ds.dataset(folder, partitioning=None).to_table())


def by_manifest(lake: Lake) -> Rows:
    """What readers see who go through the manifests."""
    return of(OpenLake(lake).table("instant_stats"))


def run_by_run(lake: Lake) -> Rows:
    """What they see who read one run after the other."""
    found: Rows = []
    for run_id in lake.run_ids():
        with snapshot(lake, run_id) as run:
            found += of(run.table("instant_stats"))
    return sorted(found)


@pytest.mark.timeout(180)
@EVERY
@pytest.mark.parametrize(
    "exchanges",
    [
        pytest.param(True, id="exchange"),
        pytest.param(False, id="renames", marks=pytest.mark.extended),
    ],
)
@pytest.mark.parametrize("name", WORKS)
def test_ended_after_any_step(
    tmp_path: Path, name: str, exchanges: bool, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the commit nothing happened, after it everything did; what is left to do, the next command does."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # for speed; no power is cut here
    if not exchanges:
        without_exchange(monkeypatch)
    before, after, lake = (Lake(tmp_path / each) for each in ("before", "after", "copy"))
    WORKS[name].before(before)
    if before.folder.exists():
        shutil.copytree(before.folder, after.folder)
    WORKS[name].work(after)
    told = by_manifest(before), by_manifest(after)
    assert told[1] == by_name(after) == run_by_run(after)
    commits = 0
    for steps in ended(before, lake, WORKS[name].work, every, monkeypatch):
        seen = by_manifest(lake)
        assert seen == told[seen == told[1]]
        assert run_by_run(lake) == seen
        assert lake.wrong_files() == {}
        if exchanges:
            assert by_name(lake) in told
        lake.settle()
        assert by_manifest(lake) == by_name(lake) == run_by_run(lake) == seen
        assert not [*lake.folder.glob("_drafts/*"), *lake.folder.rglob(".*")]
        assert lake.compact().passed_over == ()
        assert by_name(lake) == seen
        commits += seen == told[1]
        if steps % (3 * every) == 0:
            WORKS[name].work(lake)
            assert by_name(lake) == by_manifest(lake) == told[1]
    assert commits >= 1
    assert steps > 20


@EVERY
@pytest.mark.parametrize("name", WORKS)
def test_a_full_disk_changes_nothing(
    tmp_path: Path, name: str, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it shows, every reader sees what it saw or what is published, and no draft lies about."""
    before, lake = Lake(tmp_path / "before"), Lake(tmp_path / "copy")
    WORKS[name].before(before)
    WORKS[name].before(lake)
    WORKS[name].work(lake)
    seen, after, said = by_manifest(before), by_manifest(lake), 0
    for failing in range(1, 200, every):
        shutil.rmtree(lake.folder, ignore_errors=True)
        if before.folder.exists():
            shutil.copytree(before.folder, lake.folder)
        left = failing

        def fsync(_: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fsync)
            try:
                WORKS[name].work(lake)
            except PublicationError as error:
                said += 1
                assert "No space left" in str(error)  # noqa: PT017  # not at every one of them
                assert by_manifest(lake) in (seen, after)
                assert by_name(lake) in (seen, after)
                lake.settle()
            else:
                if left > 0:
                    break
        assert by_name(lake) == by_manifest(lake)
        assert not [*lake.folder.glob("_drafts/*"), *lake.folder.rglob(".*")]
    assert said > (5 if every == 1 else 1)


def test_an_interrupt_after_the_commit_undoes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published stays published, and what was left to do is done."""
    lake = Lake(tmp_path / "lake")
    publish(lake, "run-a", 1, "abc")
    real, times = Path.rename, iter(range(1, 100))

    def rename(path: Path, target: Path) -> Path:
        renamed = real(path, target)
        if target.name == "live.json" and next(times) == 2:
            raise KeyboardInterrupt
        return renamed

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        publish(lake, "run-a", 2, "ab")
    assert by_name(lake) == by_manifest(lake) == [("run-a", "a", 2), ("run-a", "b", 2)]
    assert not list(lake.folder.rglob(".*"))


@pytest.mark.parametrize("harm", ["unlink", "cut", "altered", "older"])
def test_a_damaged_state_is_made_anew(tmp_path: Path, harm: str) -> None:
    """From the manifests, by the next command that holds the storage root; until then readers say so."""
    lake = Lake(tmp_path / "lake")
    for number, run_id in enumerate(("run-a", "run-b")):
        publish(lake, run_id, number, "abc")
    lake.compact()
    seen = by_name(lake)
    path = lake.folder / "_manifest" / "live.json"
    text = path.read_bytes()
    if harm == "unlink":
        path.unlink()
    else:
        path.write_bytes(
            {"cut": text[:-9], "altered": text.replace(b"run-a", b"run-z"), "older": b"{}"}[harm]
        )
    with pytest.raises(PublicationError, match=r"live\.json: .*makes it anew"):
        by_manifest(lake)
    lake.settle()
    assert path.read_bytes() == text
    assert by_manifest(lake) == by_name(lake) == seen


def test_a_state_made_anew_keeps_what_nobody_can_tell(tmp_path: Path) -> None:
    """Files of a run whose manifest is damaged as well stay, until that run is published again."""
    lake = Lake(tmp_path / "lake")
    for number, run_id in enumerate(("run-a", "run-b")):
        publish(lake, run_id, number, "abc")
    seen = by_name(lake)
    (lake.folder / "_manifest" / "live.json").unlink()
    manifest_of(lake.folder, "run-b").write_bytes(b"{")
    lake.settle()
    assert by_name(lake) == seen
    with pytest.raises(PublicationError, match=r"run-b-.*publish the run again"):
        by_manifest(lake)
    publish(lake, "run-b", 5, "x")
    assert by_name(lake) == by_manifest(lake) == [*seen[:3], ("run-b", "x", 5)]


def test_a_file_in_the_folder_that_is_nobodys_stays(tmp_path: Path) -> None:
    """Also one that comes while a partition's folder is exchanged."""
    lake = Lake(tmp_path / "lake")
    publish(lake, "run-a", 1, "abc")
    notes = lake.folder / "instant_stats" / f"run_date={DAY}" / "notes.txt"
    notes.write_text("mine")
    publish(lake, "run-a", 2, "abc")
    publish(lake, "run-b", 2, "abc")
    lake.compact()
    lake.prune(date(2026, 2, 1), [*TABLES])
    assert notes.read_text() == "mine"
    assert [path.name for path in lake.folder.rglob("*") if path.is_file()].count("notes.txt") == 1


@pytest.mark.parametrize("exchanges", [0, 1, 2])
def test_a_damaged_state_in_the_middle_of_a_change(
    tmp_path: Path, exchanges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the commit, some partitions shown: what waits to be shown is not lost, nothing is there twice."""
    lake = Lake(tmp_path / "lake")
    apart(lake)
    seen = by_name(lake)
    left = exchanges

    def exchange(*folders: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise EndedError
        real(*folders)

    real = local._exchange
    with monkeypatch.context() as patched:
        patched.setattr(local, "_exchange", exchange)
        patched.setattr(
            LocalStorage, "clear", lambda _: None
        )  # a process that is gone clears nothing
        with pytest.raises(EndedError):
            lake.compact()
    path = lake.folder / "_manifest" / "live.json"
    path.write_bytes(path.read_bytes()[:-9])
    lake.settle()
    assert by_manifest(lake) == by_name(lake) == run_by_run(lake) == seen
    assert lake.wrong_files() == {}
    lake.compact()
    assert by_manifest(lake) == by_name(lake) == seen


def test_a_state_that_cannot_be_read_now_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that passes undoes nothing: the next command finds the state as it is."""
    lake = Lake(tmp_path / "lake")
    publish(lake, "run-a", 1, "abc")
    path = lake.folder / "_manifest" / "live.json"
    before = path.read_bytes()

    def read(self: LocalStorage, path: str) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    with monkeypatch.context() as patched:
        patched.setattr(LocalStorage, "read", read)
        with pytest.raises(PublicationError, match="Too many open files"):
            lake.settle()
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [1, 3])
def test_a_lake_of_another_version_is_not_settled(tmp_path: Path, version: int) -> None:
    """Its state would look damaged, and its files like nobody's."""
    lake = Lake(tmp_path / "lake")
    publish(lake, "run-a", 1, "abc")
    folder = lake.folder / "_manifest"
    (folder / "version").write_text(f"{version}\n")
    state = json.loads((folder / "live.json").read_text())
    (folder / "live.json").write_text(json.dumps(state | {"lake_version": version}))
    manifest_of(lake.folder, "run-a").rename(folder / "run-a.v3")
    before = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    with pytest.raises(LakeVersionError):
        lake.settle()
    (folder / "version").unlink()  # not even where only the state says so
    before.pop(folder / "version")
    with pytest.raises(LakeVersionError):
        lake.settle()
    assert {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()} == before


def test_state_and_version_lost_together(tmp_path: Path) -> None:
    """The manifests tell; a new run does not make the lake forget the others."""
    lake = Lake(tmp_path / "lake")
    apart(lake)
    lake.compact()
    before = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    for name in ("live.json", "version"):
        (lake.folder / "_manifest" / name).unlink()
    publish(lake, "run-d", 1, "w")
    lake.prune(date(2026, 2, 1), [], [])
    assert lake.run_ids() == ["run-a", "run-b", "run-c", "run-d"]
    assert by_manifest(lake) == by_name(lake)
    after = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    assert {
        path: after[path] for path in before if path.name != "live.json"
    }.items() <= before.items()
    assert (lake.folder / "_manifest" / "version").exists()


@pytest.mark.parametrize("damaged", [["run-b"], ["run-a", "run-b", "run-c"]])
def test_damaged_manifests_of_a_shared_file(tmp_path: Path, damaged: list[str]) -> None:
    """Once the last of them is published again, no row is there that no manifest names."""
    lake = Lake(tmp_path / "lake")
    shared(lake)
    for run_id in damaged:
        manifest_of(lake.folder, run_id).write_bytes(b"{")
    lake.prune(date(2026, 2, 1), [*TABLES], damaged)
    for run_id in damaged:
        publish(lake, run_id, 7, "xyz")
    assert by_name(lake) == by_manifest(lake)
    assert len(by_name(lake)) == 3 * len(damaged)
    named = {file.path for run in damaged for file in lake.manifest(run).files}
    assert {path for path in lake.storage.sizes("") if path.endswith(".parquet")} == named


def test_a_bad_sector_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or manifest that cannot be read is passed over by compaction, and mended by publishing again."""
    lake = Lake(tmp_path / "lake")
    apart(lake)
    seen = by_name(lake)
    bad = file_of(lake.folder, "run-b")
    real = lake.storage.filesystem.open_input_file

    class Content:
        """A file whose bytes are not to be had."""

        def read(self, _: int) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        def close(self) -> None:
            """Nothing to close."""

    class System:
        """A file system with one bad file."""

        def open_input_file(self, path: str) -> object:
            inode = bad.exists() and bad.stat().st_ino == first
            return Content() if path == str(bad) and inode else real(path)

    first = bad.stat().st_ino
    monkeypatch.setattr("pipelines.lake.compaction._Compaction._unpacked", lambda *_: 0)
    monkeypatch.setattr(lake.storage, "filesystem", System())
    assert str(bad.relative_to(lake.folder)) in lake.compact().passed_over
    publish(lake, "run-b", 1, "xyz")
    monkeypatch.undo()
    assert bad.stat().st_ino != first
    assert by_name(lake) == by_manifest(lake) == seen


def test_files_are_listed_beside_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a change took away between the manifests and the listing is not damage."""
    lake = Lake(tmp_path / "lake")
    apart(lake)
    other, real = Lake(lake.folder), lake.storage.sizes
    monkeypatch.setattr(lake.storage, "sizes", lambda folder: [other.compact(), real(folder)][1])
    assert lake.wrong_files() == {}
