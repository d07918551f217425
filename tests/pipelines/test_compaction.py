"""Few files instead of many: the same rows, in order, for every kind of reader and whatever happens on the way."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.contract import RUN_TABLES, TABLES, Column, arrow_schema
from pipelines.lake import Compacted, Lake, Sizes
from pipelines.normalize import normalize
from pipelines.read import OpenLake, snapshot
from tests.pipelines.lake_rows import file_of, manifest_of, stats, with_manifest
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


def test_bodies_that_do_not_fit_in_memory_stay_apart(tmp_path: Path) -> None:
    """However small they are when they are compressed."""
    lake = Lake(tmp_path / "lake")
    for run_id in ("run-a", "run-b", "run-c"):
        body = run_id.encode() * 5_000_000  # 25 MB
        row = {"run_id": run_id, "call_id": "c", "attempt": 1, "body": body}
        with lake.publication(run_id, DAY) as publication:
            publication.append("raw", filled("raw", row))
            publication.commit({})
    lake.compact()
    raw = [name for name in files(lake) if name.startswith("raw/")]
    assert len(raw) == 2
    assert {len(each) for each in OpenLake(lake).table("raw")["body"].to_pylist()} == {25_000_000}


def filled(table: str, row: dict[str, Any]) -> pa.Table:
    """One row, with something in every column that may not be null."""
    plain = {pa.string(): "x", pa.int32(): 1, pa.int64(): 1, pa.binary(): b"", pa.bool_(): False}
    whole = {
        column.name: plain.get(column.type, STARTED_US)
        for column in TABLES[table].columns
        if not column.nullable
    }
    return pa.Table.from_pylist([whole | row], schema=arrow_schema(TABLES[table]))


def test_the_same_rows_in_few_files(lake: Lake) -> None:
    """One file for each table and partition; readers of names, of manifests and of one run see what they saw."""
    before = {name: by_name(lake, name) for name in RUN_TABLES}
    runs = {run_id: run_rows(lake, run_id) for run_id in lake.run_ids()}
    done = lake.compact()
    assert len(files(lake)) == 2 * len(RUN_TABLES)
    for name, rows in before.items():
        assert by_name(lake, name).equals(rows)
        assert by_manifest(lake, name).equals(rows)
    assert {run_id: run_rows(lake, run_id) for run_id in lake.run_ids()} == runs
    assert done.rows == before["instant_stats"].num_rows - 1  # run-d is alone in its partitions
    assert done.files_after == len(RUN_TABLES)
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


def test_a_second_time_changes_nothing(lake: Lake) -> None:
    """Not a byte, and a third run that comes goes in with the small file that is there."""
    lake.compact()
    before = contents(lake)
    assert lake.compact() == Compacted()
    assert contents(lake) == before
    publish(lake, "run-e", stats(5, "s-0", run_id="run-e"), DAY)
    rows = by_name(lake)
    assert lake.compact().files_before == 2 * len(RUN_TABLES)
    assert by_name(lake).equals(rows)
    assert len(files(lake)) == 2 * len(RUN_TABLES)


def test_no_file_is_made_larger_than_the_target(lake: Lake) -> None:
    """Files go together as long as their sum allows it, and large ones are left alone."""
    folder = lake.folder / f"instant_stats/run_date={DAY}"
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    rows = by_name(lake)
    lake.compact(target_bytes=2 * min(sizes.values()) - 2)
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == sizes
    target = 5 * max(sizes.values()) // 2
    lake.compact(target_bytes=target)
    assert len(list(folder.iterdir())) < len(sizes)
    assert all(path.stat().st_size <= target for path in folder.iterdir())
    assert by_manifest(lake).equals(by_name(lake))
    assert by_name(lake).equals(rows)
    before = contents(lake)
    assert lake.compact(target_bytes=target) == Compacted()
    assert lake.compact(target_bytes=1) == Compacted()
    assert contents(lake) == before


def test_no_file_has_more_rows_than_fit_in_memory(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sorted in memory."""
    monkeypatch.setattr("pipelines.lake.compaction.MOST_ROWS", 10)
    rows = by_name(lake)
    lake.compact()
    folder = lake.folder / f"instant_stats/run_date={DAY}"
    assert all(pq.read_metadata(path).num_rows <= 10 for path in folder.iterdir())
    assert by_manifest(lake).equals(by_name(lake))
    assert by_name(lake).equals(rows)


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
    (path,) = (file.path for file in manifest.files if file.table == "instant_stats")
    assert lake.folder / path == file_of(lake.folder, run_id)
    lake.compact()
    assert by_name(lake).equals(by_manifest(lake))
    assert len(files(lake)) == 2 * len(RUN_TABLES)


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
    return [manifest.identity(name) for name in RUN_TABLES]


def test_a_damaged_file_is_passed_over(lake: Lake) -> None:
    """Its bytes are not given a new digest; the other files of its partition are compacted, and it alone is named."""
    rows = by_name(lake)
    path = file_of(lake.folder, "run-b")
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    done = lake.compact()
    assert done.passed_over == (f"instant_stats/run_date={DAY}/{path.name}",)
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
    manifest_of(lake.folder, "run-a").write_bytes(b"{")
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
    manifest_of(lake.folder, "run-b").write_bytes(b"{")
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
    rows = {name: by_name(lake, name) for name in RUN_TABLES}
    lake.compact()
    assert {name: by_name(lake, name) for name in RUN_TABLES} == rows
    assert {name: by_manifest(lake, name) for name in RUN_TABLES} == rows
    for run in landed:
        normalize(run, lake)
        assert {name: by_name(lake, name) for name in RUN_TABLES} == rows
    assert contents(lake) == before


def test_rows_of_a_version_before_stay_as_they_are(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is rewritten into another schema."""
    with_manifest(lake, "run-b", lambda file: replace(file, schema_version=99))
    path = file_of(lake.folder, "run-b")
    theirs = {each for each in path.parent.iterdir() if each.name.startswith("run-b-")}
    lake.compact()
    left = {*path.parent.iterdir()}
    assert theirs < left
    assert len(left) == len(theirs) + 1


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
