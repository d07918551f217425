"""What only an Iceberg catalog does: snapshots, what it keeps of itself, and a lake that has moved."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table as IcebergTable

from pipelines.contract import CALLS
from pipelines.lake import Lake
from pipelines.warehouse.target import IcebergCatalog
from tests.warehouse.ground import (
    Look,
    compacted,
    contents,
    load,
    publish_calls,
    run_id_of,
)


@contextmanager
def calls_of(target: IcebergCatalog) -> Iterator[IcebergTable]:
    """The ledger in a catalog."""
    catalog = load_catalog("ecgrid", uri=target.uri.reveal())
    yield catalog.load_table("ecgrid.calls")
    catalog.close()


def of_the_catalog(folder: Path) -> set[str]:
    """The files that the catalog made of its own for the ledger."""
    return {path.name for path in (folder / "iceberg" / "ecgrid" / "calls").rglob("*.*")}


def test_one_snapshot_for_a_load(lake: Lake, iceberg: IcebergCatalog) -> None:
    """However many runs are new; no reader ever sees the rows of one twice, or not at all."""
    for number in range(3):
        publish_calls(lake, number, a="x", b="y")
    load(lake, iceberg)
    compacted(lake, [run_id_of(0), run_id_of(2)], CALLS)
    load(lake, iceberg)
    with calls_of(iceberg) as table:
        found = [each.summary for each in table.snapshots() if each.summary]
    assert [int(each["total-records"]) for each in found] == [6, 6]
    assert [int(each["total-data-files"]) for each in found] == [3, 2]
    assert found[-1]["ecgrid.runs"] == "2"


def test_what_it_says_of_itself_does_not_grow(lake: Lake, iceberg: IcebergCatalog) -> None:
    """A table's properties are the same in number and length after many runs."""
    said = []
    for number in range(6):
        publish_calls(lake, number, a="x")
        load(lake, iceberg)
        with calls_of(iceberg) as table:
            said.append({name: len(value) for name, value in table.properties.items()})
    assert said == [said[0]] * 6


def test_old_snapshots_leave(lake: Lake, iceberg: IcebergCatalog, tmp_path: Path) -> None:
    """With the catalog's own files that only they name; the rows are what they were."""
    for number in range(3):
        publish_calls(lake, number, a="x")
        load(lake, iceberg)
    look = Look(iceberg)
    rows = contents(look)
    publish_calls(lake, 2, a="other")
    load(lake, replace(iceberg, keep_snapshots=timedelta(days=1)))
    with calls_of(iceberg) as table:
        assert len(table.snapshots()) == 4
    publish_calls(lake, 2, a="x")
    load(lake, replace(iceberg, keep_snapshots=timedelta(0)))
    with calls_of(iceberg) as table:
        assert len(table.snapshots()) == 1
        lists = {Path(each.manifest_list).name for each in table.snapshots()}
        manifests = {
            Path(file.manifest_path).name
            for each in table.snapshots()
            for file in each.manifests(table.io)
        }
    after = {name for name in of_the_catalog(tmp_path) if name.endswith(".avro")}
    assert after == lists | manifests
    assert contents(look) == rows
    assert load(lake, iceberg).runs == 0


def test_a_lake_that_has_moved_is_registered_anew(lake: Lake, iceberg: IcebergCatalog) -> None:
    """By a command, in one snapshot; before that nothing is changed."""
    for number in range(2):
        publish_calls(lake, number, a="x", b="y")
    load(lake, iceberg)
    look = Look(iceberg)
    rows = contents(look)
    moved = Lake(lake.folder.with_name("moved"))
    shutil.move(lake.folder, moved.folder)
    refused = load(moved, iceberg)
    assert "load --anew" in str(refused.error)
    done = load(moved, replace(iceberg, anew=True))
    assert (done.error, done.runs) == (None, 2)
    assert contents(look) == rows
    assert load(moved, iceberg).runs == 0
    with calls_of(iceberg) as table:
        assert [each.summary["total-data-files"] for each in table.snapshots() if each.summary][
            -1
        ] == "2"


def test_runs_that_are_gone_for_good_are_forgotten_by_the_same_command(
    lake: Lake, iceberg: IcebergCatalog
) -> None:
    """A lake that was made anew, without some of its runs."""
    for number in range(2):
        publish_calls(lake, number, a="x")
    load(lake, iceberg)
    shutil.rmtree(lake.folder)
    publish_calls(lake, 1, a="x")
    assert "does not know" in str(load(lake, iceberg).error)
    done = load(lake, replace(iceberg, anew=True))
    assert (done.error, done.removed) == (None, 1)
    look = Look(iceberg)
    assert look.query("SELECT run_id FROM calls") == [(run_id_of(1),)]
    assert (load(lake, iceberg).error, load(lake, iceberg).runs) == (None, 0)


def test_a_damaged_run_keeps_no_other_waiting(lake: Lake, iceberg: IcebergCatalog) -> None:
    """It is named, and registered once it is mended."""
    publish_calls(lake, 0, a="x")
    manifest = publish_calls(lake, 1, a="x")
    (path,) = (lake.folder / file.path for file in manifest.files if file.table == "calls")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    look = Look(iceberg)
    done = load(lake, iceberg)
    assert (done.runs, path.name in str(done.error)) == (1, True)
    assert look.query("SELECT run_id FROM calls") == [(run_id_of(0),)]
    path.write_bytes(data)
    assert (load(lake, iceberg).error, len(look.query("SELECT run_id FROM calls"))) == (None, 2)
    assert load(lake, iceberg).runs == 0
