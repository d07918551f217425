"""Few files instead of many: the same rows, in order, for every kind of reader and whatever happens on the way."""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.contract import TABLES, Column, arrow_schema
from pipelines.errors import PublicationError
from pipelines.lake import Compacted, Lake, Sizes, snapshot
from pipelines.lake.change import Change
from pipelines.lake.local import LocalStorage
from pipelines.normalize import normalize
from pipelines.reading import OpenLake
from tests.pipelines.lake_rows import stats
from tests.pipelines.night import RUN_ID, STARTED_US, Night, answer, counts

DAY = date(2026, 1, 31)
SMALL = Sizes(group_rows=3, file_rows=3)
# which of the steps the work is ended at
EVERY = pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.extended)])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with three runs of one day, and one of the next; some have several files."""
    lake = Lake(tmp_path / "lake")
    for number, run_id in enumerate(("run-a", "run-b", "run-c")):
        names = [f"s-{each * 7 % 10}" for each in range(number, 8)]
        publish(lake, run_id, stats(number, *names, run_id=run_id), DAY)
    publish(lake, "run-d", stats(9, "s-1", run_id="run-d"), date(2026, 2, 1))
    return lake


def publish(lake: Lake, run_id: str, rows: pa.Table, day: date) -> None:
    """Publish these rows of `instant_stats`."""
    with lake.publication(run_id, day, SMALL) as publication:
        publication.append("instant_stats", rows)
        publication.commit({"planned": rows.num_rows})


def by_name(lake: Lake, table: str = "instant_stats") -> pa.Table:
    """What readers of file names see, in the order of the key."""
    found = ds.dataset(lake.folder / table, partitioning=None).to_table()
    return in_order(found, table)


def by_manifest(lake: Lake, table: str = "instant_stats") -> pa.Table:
    """What readers see who go through the manifests."""
    return in_order(OpenLake(lake).table(table), table)


def in_order(rows: pa.Table, table: str) -> pa.Table:
    """By the key."""
    names = [each.name for each in TABLES[table].columns]
    return rows.select(names).sort_by([(name, "ascending") for name in TABLES[table].key])


def files(lake: Lake) -> list[str]:
    """Every file of the lake but the manifests."""
    return sorted(
        path.relative_to(lake.folder).as_posix()
        for path in lake.folder.rglob("*")
        if path.is_file() and path.parent.name != "_manifest"
    )


def contents(lake: Lake) -> dict[str, bytes]:
    """Every file, the manifests too."""
    return {
        path.relative_to(lake.folder).as_posix(): path.read_bytes()
        for path in lake.folder.rglob("*")
        if path.is_file()
    }


def test_the_same_rows_in_few_files(lake: Lake) -> None:
    """One file for each table and partition; readers of names, of manifests and of one run see what they saw."""
    before = {name: by_name(lake, name) for name in TABLES}
    runs = {run_id: run_rows(lake, run_id) for run_id in lake.run_ids()}
    done = lake.compact()
    assert len(files(lake)) == 2 * len(TABLES)
    for name, rows in before.items():
        assert by_name(lake, name).equals(rows)
        assert by_manifest(lake, name).equals(rows)
    assert {run_id: run_rows(lake, run_id) for run_id in lake.run_ids()} == runs
    assert done.rows == before["instant_stats"].num_rows
    assert done.files_after == 2 * len(TABLES)
    assert done.passed_over == ()
    assert lake.wrong_files() == {}


def run_rows(lake: Lake, run_id: str) -> list[dict[str, object]]:
    """What one run published, through its manifest."""
    with snapshot(lake, run_id) as run:
        return in_order(run.table("instant_stats"), "instant_stats").to_pylist()


def test_rows_are_sorted_throughout(lake: Lake) -> None:
    """By session, then window, then the run, which is the time; not in each row group alone."""
    lake.compact()
    rows = pq.read_table(lake.folder / f"instant_stats/run_date={DAY}", partitioning=None)
    keys = list(zip(*(rows[name].to_pylist() for name in ("session", "run_id")), strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) > 15


@pytest.mark.parametrize("most", [1, 4, 9])
def test_more_rows_than_are_sorted_at_once(
    lake: Lake, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stretch of sessions after the other; the same file comes out."""
    other = Lake(lake.folder.with_name("other"))
    shutil.copytree(lake.folder, other.folder)
    lake.compact()
    monkeypatch.setattr("pipelines.lake.rewriting._SORTED_ROWS", most)
    other.compact()
    assert contents(other) == contents(lake)


def test_a_second_time_changes_nothing(lake: Lake) -> None:
    """Not a byte, and a third run that comes goes in with the small file that is there."""
    lake.compact()
    before = contents(lake)
    assert lake.compact() == Compacted()
    assert contents(lake) == before
    publish(lake, "run-e", stats(5, "s-0", run_id="run-e"), DAY)
    rows = by_name(lake)
    assert lake.compact().files_before == 2 * len(TABLES)
    assert by_name(lake).equals(rows)
    assert len(files(lake)) == 2 * len(TABLES)


def test_a_file_ends_at_the_target_size(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Big files are cut, and are not rewritten when more comes."""
    monkeypatch.setattr("pipelines.lake.compaction.COMPACTED_SIZES", Sizes(group_rows=5))
    lake.compact(target_bytes=1)
    full = [name for name in files(lake) if f"instant_stats/run_date={DAY}" in name]
    assert len(full) == 5
    assert lake.compact(target_bytes=1) == Compacted()
    before = contents(lake)
    publish(lake, "run-e", stats(5, "s-0", run_id="run-e"), DAY)
    lake.compact(target_bytes=1)
    after = contents(lake)
    assert all(after[name] == before[name] for name in full)
    assert by_manifest(lake).equals(by_name(lake))


@pytest.mark.parametrize("run_id", ["run-a", "run-b", "run-c"])
def test_a_run_published_again_replaces_its_own_rows(lake: Lake, run_id: str) -> None:
    """The others' rows are what they were, for every reader, and there is one row for each key."""
    lake.compact()
    before = by_name(lake)
    others = before.filter(pc.not_equal(before["run_id"], run_id))
    publish(lake, run_id, stats(77, "new", run_id=run_id), DAY)
    for rows in (by_name(lake), by_manifest(lake)):
        assert rows.filter(pc.not_equal(rows["run_id"], run_id)).equals(others)
        own = rows.filter(pc.equal(rows["run_id"], run_id))
        assert own["session"].to_pylist() == ["new"]
    assert lake.wrong_files() == {}
    manifest = lake.manifest(run_id)
    assert manifest
    assert {file.path for file in manifest.files if file.table == "instant_stats"} == {
        f"instant_stats/run_date={DAY}/{run_id}-0.parquet"
    }
    lake.compact()
    assert by_name(lake).equals(by_manifest(lake))
    assert len(files(lake)) == 2 * len(TABLES)


def test_all_runs_published_again_one_after_the_other(lake: Lake) -> None:
    """Nothing of the compacted files is left, and the bytes are those of before."""
    before = contents(lake)
    lake.compact()
    for number, run_id in enumerate(("run-a", "run-b", "run-c")):
        names = [f"s-{each * 7 % 10}" for each in range(number, 8)]
        publish(lake, run_id, stats(number, *names, run_id=run_id), DAY)
    publish(lake, "run-d", stats(9, "s-1", run_id="run-d"), date(2026, 2, 1))
    assert contents(lake) == before


def test_what_was_published_has_one_identity(lake: Lake) -> None:
    """Compacting once or twice, and parting from another run, leave it; publishing other rows does not."""
    of = {run_id: identity(lake, run_id) for run_id in lake.run_ids()}
    lake.compact()
    publish(lake, "run-e", stats(5, "s-0", run_id="run-e"), DAY)
    lake.compact()
    publish(lake, "run-a", stats(4, "s-0", run_id="run-a"), DAY)
    assert identity(lake, "run-a") != of.pop("run-a")
    assert {run_id: identity(lake, run_id) for run_id in of} == of


def identity(lake: Lake, run_id: str) -> list[list[str]]:
    """What the manifest says was published."""
    manifest = lake.manifest(run_id)
    assert manifest
    return [manifest.identity(name) for name in TABLES]


def test_a_damaged_file_is_passed_over(lake: Lake) -> None:
    """Its bytes are not given a new digest; the other files of its partition are compacted, and it alone is named."""
    rows = by_name(lake)
    path = lake.folder / f"instant_stats/run_date={DAY}/run-b-0.parquet"
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    done = lake.compact()
    assert done.passed_over == (f"instant_stats/run_date={DAY}/run-b-0.parquet",)
    assert path.read_bytes() == data
    assert len(list(path.parent.iterdir())) == 2
    data[60] ^= 1
    path.write_bytes(data)
    assert by_name(lake).equals(rows)
    assert by_manifest(lake).equals(rows)
    publish(lake, "run-b", stats(1, "x", run_id="run-b"), DAY)
    assert lake.compact().passed_over == ()


def test_a_shared_file_that_is_damaged_is_left_run_by_run(lake: Lake) -> None:
    """Publishing every run of it again is the way out, as it is for any file; nothing else gets lost on the way."""
    lake.compact()
    (path,) = (lake.folder / f"instant_stats/run_date={DAY}").iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    for number, run_id in enumerate(("run-a", "run-b", "run-c")):
        assert path.exists()
        publish(lake, run_id, stats(number, "y", run_id=run_id), DAY)
    assert not path.exists()
    assert by_name(lake).equals(by_manifest(lake))
    assert by_name(lake).num_rows == 4


def test_a_damaged_manifest_loses_nobodys_rows(lake: Lake) -> None:
    """The other runs' manifests say what they share with it."""
    lake.compact()
    rows = by_name(lake)
    (lake.folder / "_manifest" / "run-a.json").write_bytes(b"{")
    publish(lake, "run-a", stats(3, "z", run_id="run-a"), DAY)
    after = by_name(lake)
    assert after.filter(pc.not_equal(after["run_id"], "run-a")).equals(
        rows.filter(pc.not_equal(rows["run_id"], "run-a"))
    )
    assert after.num_rows == by_manifest(lake).num_rows == rows.num_rows - 8 + 1


@pytest.mark.parametrize("prunes", [False, True], ids=["publish", "prune"])
def test_a_run_that_leaves_takes_no_rows_of_a_damaged_manifest(lake: Lake, prunes: bool) -> None:
    """Its landing store may be gone, and then they are nowhere else; publishing it again still replaces them."""
    lake.compact()
    rows = by_name(lake)
    (lake.folder / "_manifest" / "run-b.json").write_bytes(b"{")
    if prunes:
        done = lake.prune(date(2026, 2, 1), ["instant_stats"], {"run-c"})
        assert (done.runs, done.passed_over) == (("run-a",), ("run-b",))
    else:
        publish(lake, "run-a", stats(3, "z", run_id="run-a"), DAY)
    others = pc.not_equal(rows["run_id"], "run-a")
    after = by_name(lake)
    assert after.filter(pc.not_equal(after["run_id"], "run-a")).equals(rows.filter(others))
    publish(lake, "run-b", stats(4, "z", run_id="run-b"), DAY)
    assert by_name(lake).equals(by_manifest(lake))
    assert by_name(lake)["run_id"].to_pylist().count("run-b") == 1


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    """Closes what a test opens."""
    with contextlib.ExitStack() as stack:
        yield stack


def test_a_real_night_is_published_again_from_its_landing_store(
    tmp_path: Path, closing: contextlib.ExitStack
) -> None:
    """Two runs of one date with every table, buckets of several dates; normalizing gives the bytes of before."""
    lake, landed = Lake(tmp_path / "lake"), []
    for number, run_id in enumerate((RUN_ID, "20260131T040000Z-1f2e3d")):
        night = Night()
        for session in ("acme", "beta"):
            night.answered(answer({**counts(number), "Note": "x"}), session, 60, 2880)
        night.faulted("gone")
        landed.append(night.land(tmp_path / "landing", run_id, STARTED_US + number * 7_200_000_000))
        closing.enter_context(landed[-1])
        normalize(landed[-1], lake)
    before = contents(lake)
    rows = {name: by_name(lake, name) for name in TABLES}
    lake.compact()
    assert {name: by_name(lake, name) for name in TABLES} == rows
    assert {name: by_manifest(lake, name) for name in TABLES} == rows
    for run in landed:
        normalize(run, lake)
        assert {name: by_name(lake, name) for name in TABLES} == rows
    assert contents(lake) == before


def test_rows_of_a_version_before_stay_as_they_are(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is rewritten into another schema."""
    manifest = lake.folder / "_manifest" / "run-d.json"
    older = re.sub(r'"schema_version": \d+', '"schema_version": 99', manifest.read_text())
    manifest.write_text(older)
    done = lake.compact()
    assert done.files_after == len(TABLES)


@pytest.mark.parametrize("prunes", [False, True], ids=["publish", "prune"])
def test_a_run_leaves_rows_of_a_version_before(
    lake: Lake, prunes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that stay are written by the contract that they had, not by today's."""
    lake.compact()
    before = by_name(lake)
    table = TABLES["instant_stats"]
    columns = [each for each in table.columns if each.name != "network_id"]
    more = Column("more", pa.string(), "New.", nullable=True)
    changed = replace(table, version=table.version + 1, columns=(*columns, more))
    monkeypatch.setitem(TABLES, "instant_stats", changed)
    if prunes:
        lake.prune(date(2026, 2, 1), ["instant_stats"], {"run-b", "run-c"})
    else:
        rows = stats(3, "z", run_id="run-a").drop_columns("network_id")
        rows = rows.append_column("more", pa.nulls(1, pa.string())).cast(arrow_schema(changed))
        publish(lake, "run-a", rows, DAY)
    stays = {file.path: file for run in ("run-b", "run-c") for file in lake.manifest(run).files}
    (file,) = (each for each in stays.values() if each.table == "instant_stats")
    assert file.schema_version == table.version
    kept = pq.read_table(lake.folder / file.path, partitioning=None)
    assert kept.schema.equals(arrow_schema(table), check_metadata=True)
    others = before.filter(pc.is_in(before["run_id"], pa.array(["run-b", "run-c"])))
    order = [(name, "ascending") for name in table.key]
    assert kept.sort_by(order).equals(others.cast(kept.schema))
    seen = by_manifest(lake)["run_id"].to_pylist()
    assert seen.count("run-a") == (0 if prunes else 1)
    assert len(seen) == others.num_rows + (1 if prunes else 2)


def test_what_is_written_is_read_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with the right number of rows and other values is not published."""
    before = contents(lake)
    real = pq.ParquetWriter.write_table

    def other(writer: pq.ParquetWriter, rows: pa.Table, row_group_size: int) -> None:
        place = rows.schema.get_field_index("session")
        changed = pc.replace_substring(rows["session"], "s-2", "s-6")
        real(writer, rows.set_column(place, rows.schema.field(place), changed), row_group_size)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", other)
    touched = [name for name in before if name.startswith(f"instant_stats/run_date={DAY}")]
    assert sorted(lake.compact().passed_over) == sorted(touched)
    after = contents(lake)
    assert all(after[name] == before[name] for name in touched)


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "renames"])
def test_a_full_disk_changes_no_row(
    lake: Lake, exchanges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it shows, every reader sees what it saw, and no draft lies about."""
    without_exchange(monkeypatch, really=not exchanges)
    rows = by_name(lake)
    left = 0

    def fsync(handle: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    failed = 0
    for failing in range(1, 60):
        left = failing
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fsync)
            try:
                lake.compact()
            except PublicationError as error:
                failed += 1
                assert "No space left" in str(error)  # noqa: PT017  # not at every one of them
        assert by_name(lake).equals(rows)
        assert by_manifest(lake).equals(rows)
        assert not [name for name in files(lake) if not name.endswith(".parquet")]
        if failing % 10 == 0:
            publish(lake, "run-d", stats(9, "s-1", run_id="run-d"), date(2026, 2, 1))
    assert failed > 10


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "renames"])
@EVERY
def test_ended_at_any_step_of_the_change(
    tmp_path: Path, exchanges: bool, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers see every row once; the next command that holds the storage root completes it."""
    without_exchange(monkeypatch, really=not exchanges)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # for speed; no power is cut here
    before, change = about_to_change(tmp_path, monkeypatch)
    rows, runs = by_name(before), {each: run_rows(before, each) for each in before.run_ids()}
    lake = Lake(tmp_path / "copy")
    for _ in at_each_step(before, lake, lambda: lake.storage.change(change), monkeypatch, every):
        assert by_manifest(lake).equals(rows)
        assert {each: run_rows(lake, each) for each in lake.run_ids()} == runs
        assert lake.wrong_files() == {}
        if exchanges:
            assert by_name(lake).equals(rows)
        lake.settle()
        assert by_name(lake).equals(rows)
        assert by_manifest(lake).equals(rows)
    assert len([name for name in files(lake) if name.startswith("instant_stats")]) == 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "renames"])
@EVERY
def test_ended_at_any_step_of_publishing_again(
    tmp_path: Path, exchanges: bool, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that others share may be named after the run that leaves it: its name is not taken from them."""
    without_exchange(monkeypatch, really=not exchanges)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # for speed; no power is cut here
    before = Lake(tmp_path / "lake")
    nights = {run_id: stats(1, "x", "y", run_id=run_id) for run_id in ("run-a", "run-b", "run-c")}
    for run_id, rows in nights.items():
        publish(before, run_id, rows, DAY)
    before.compact()
    publish(before, "run-a", nights["run-a"], DAY)
    (shared,) = {file.path for file in before.files("instant_stats", ["run-b", "run-c"])}
    assert "/run-b-" in shared
    rows, runs = by_name(before), {each: run_rows(before, each) for each in before.run_ids()}
    lake = Lake(tmp_path / "copy")

    def again() -> None:
        publish(lake, "run-b", nights["run-b"], DAY)

    for _ in at_each_step(before, lake, again, monkeypatch, every):
        assert by_manifest(lake).equals(rows)
        assert {each: run_rows(lake, each) for each in lake.run_ids()} == runs
        again()
        assert by_name(lake).equals(rows)
        assert by_manifest(lake).equals(rows)
        # who has looked up where a file is may open it a moment later
        assert shared not in {file.path for file in lake.files("instant_stats", ["run-b"])}


@pytest.mark.timeout(180)
@EVERY
def test_ended_while_a_run_leaves_a_file_that_has_the_name_of_another(
    tmp_path: Path, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two files has rows of one run, and is named after the other: mending that one takes nothing."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # for speed; no power is cut here
    monkeypatch.setattr("pipelines.lake.compaction.COMPACTED_SIZES", Sizes(group_rows=2))
    before = Lake(tmp_path / "lake")
    first, second = stats(1, "a", "b", run_id="run-a"), stats(2, "x", "y", run_id="run-b")
    publish(before, "run-a", first, DAY)
    publish(before, "run-b", second, DAY)
    before.compact(target_bytes=1)
    publish(before, "run-a", first, DAY)  # so that they share no file any more
    (shared,) = {file.path for file in before.files("instant_stats", ["run-b"])}
    assert "/run-a-" in shared
    rows = by_manifest(before)
    lake = Lake(tmp_path / "copy")

    def again() -> None:
        publish(lake, "run-b", second, DAY)

    for _ in at_each_step(before, lake, again, monkeypatch, every, least=20):
        assert by_manifest(lake).equals(rows)
        publish(lake, "run-a", first, DAY)
        assert by_manifest(lake).equals(rows)
        if "run-b" not in lake.torn_runs():
            assert by_name(lake).equals(rows)


def test_ended_while_a_file_is_replaced_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers of manifests see one publication or the other until the run is published again."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # for speed; no power is cut here
    names = ("a", "b", "c", "d")
    before = Lake(tmp_path / "lake")
    publish(before, "run-a", stats(1, *names, run_id="run-a"), DAY)
    lake, seen = Lake(tmp_path / "copy"), set()

    def again() -> None:
        publish(lake, "run-a", stats(2, *names, run_id="run-a"), DAY)

    for _ in at_each_step(before, lake, again, monkeypatch, least=20):
        rows = by_manifest(lake)
        assert rows.num_rows == len(names)
        (count,) = set(rows["count"].to_pylist())
        manifest = lake.manifest("run-a")
        with snapshot(lake, "run-a") as run:
            assert run.manifest == manifest
            assert set(run.table("instant_stats")["count"].to_pylist()) == {count}
        seen.add(count)
    assert seen == {1, 2}


def about_to_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Lake, Change]:
    """A lake with the drafts of a compaction, and the change that has not begun."""
    lake = Lake(folder / "lake")
    for run_id in ("run-a", "run-b"):
        publish(lake, run_id, stats(1, "x", "y", run_id=run_id), DAY)
    caught: list[Change] = []

    real = LocalStorage.change

    def keep(storage: LocalStorage, change: Change) -> None:
        if len(change.folders) == 1:  # that of the buckets
            real(storage, change)
            return
        caught.append(change)
        shutil.copytree(storage.folder, folder / "before")
        raise Ended

    with monkeypatch.context() as patched:
        patched.setattr(LocalStorage, "change", keep)
        with pytest.raises(Ended):
            lake.compact()
    return Lake(folder / "before"), caught[0]


class Ended(BaseException):
    """The process ends here: nothing that it would do afterwards happens."""


def at_each_step(
    before: Lake,
    lake: Lake,
    work: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
    every: int = 1,
    least: int = 60,
) -> Iterator[None]:
    """The lake is a copy in which the work was ended after no step, then after so many more, at last not any more."""
    steps = Steps()
    for last in range(0, 500, every):
        shutil.rmtree(lake.folder, ignore_errors=True)
        shutil.copytree(before.folder, lake.folder)
        with monkeypatch.context() as patched:
            steps.end_after(last, patched)
            try:
                work()
            except Ended:
                pass
            else:
                assert last > least
                return
        yield
    raise AssertionError("the work has no end")


class Steps:
    """Calls that change names in the file system, counted."""

    def __init__(self) -> None:
        self._left = 0

    def end_after(self, last: int, patched: pytest.MonkeyPatch) -> None:
        """From now on only so many are made."""
        self._left = last
        for name in ("link", "rename", "replace", "unlink", "rmdir", "mkdir"):
            patched.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: Any, **options: Any) -> object:
            self._left -= 1
            if self._left < 0:
                raise Ended
            return real(*arguments, **options)

        return call


def without_exchange(monkeypatch: pytest.MonkeyPatch, *, really: bool) -> None:
    """A system where folders cannot be exchanged."""
    if really:

        def refuse(*_: object) -> None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr("pipelines.lake.exchange._exchange", refuse)
