"""What every loader does, whatever it loads into: one suite over all of them."""

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import load_catalog

from pipelines.contract import (
    CALLS,
    DATASET_EXTRAS,
    RAW,
    TABLES,
    TRAFFIC_BUCKETS,
    Table,
    arrow_schema,
)
from pipelines.lake import Lake
from pipelines.warehouse.publications import with_partition
from pipelines.warehouse.target import IcebergCatalog, PostgresServer, Target
from tests.pipelines.lake_rows import forget, manifest_of
from tests.warehouse.ground import (
    LOADED,
    Look,
    bucket,
    call_row,
    compacted,
    contents,
    load,
    night_of,
    publish_calls,
    publish_night,
    publish_rows,
    run_id_of,
)


def published(lake: Lake, table: str) -> pa.Table:
    """The rows of all runs in the order of the key, as the lake has them."""
    found = pq.read_table(lake.folder / table, partitioning=None)
    return found.sort_by([(name, "ascending") for name in TABLES[table].key])


def test_every_table_arrives_as_it_was_published(
    lake: Lake, tmp_path: Path, target: Target, look: Look
) -> None:
    """Values, nulls and types of every table of the contract; `raw` stays out."""
    publish_night(lake, tmp_path, 0, night_of(missing=1))
    publish_night(lake, tmp_path, 1)
    publish_rows(lake, 2, TRAFFIC_BUCKETS, [bucket("acme", 60), bucket("acme", 2880)])
    done = load(lake, target)
    assert (done.error, done.caught_up, done.runs) == (None, True, 3)
    for table in LOADED:
        there, want = look.arrow(table), published(lake, table)
        assert there.schema.names == want.schema.names
        assert [str(kind) for kind in there.schema.types] == [
            str(kind) for kind in want.schema.types
        ], table
        assert there.to_pylist() == want.to_pylist(), table
        assert there.num_rows > 0, table
    assert done.inserted == sum(published(lake, table).num_rows for table in LOADED)
    assert (done.updated, done.unchanged, done.removed) == (0, 0, 0)


def test_loading_again_does_nothing(lake: Lake, tmp_path: Path, target: Target, look: Look) -> None:
    """What was seen is not looked at again, and nothing changes."""
    publish_night(lake, tmp_path, 0)
    load(lake, target)
    before = contents(look)
    again = load(lake, target)
    assert (again.runs, again.inserted, again.updated, again.removed) == (0, 0, 0, 0)
    assert again.caught_up
    assert contents(look) == before


def test_the_same_run_published_again_changes_nothing(
    lake: Lake, tmp_path: Path, target: Target, look: Look
) -> None:
    """The same bytes are the same publication."""
    publish_night(lake, tmp_path, 0)
    load(lake, target)
    before = contents(look)
    publish_night(lake, tmp_path, 0)
    assert load(lake, target).runs == 0
    assert contents(look) == before


def test_a_run_published_with_more_answers_replaces_itself_only(
    lake: Lake, target: Target, look: Look
) -> None:
    """Rows are inserted, updated, left and removed by their key; other runs are not touched."""
    publish_calls(lake, 0, a="same", b="old", c="gone", d="gone")
    publish_calls(lake, 1, a="another run")
    assert load(lake, target).inserted == 5
    publish_calls(lake, 0, a="same", b="new", e="added")
    done = load(lake, target)
    if not isinstance(target, IcebergCatalog):  # which knows files, not rows
        assert (done.inserted, done.updated, done.unchanged, done.removed) == (1, 1, 1, 2)
    assert done.runs == 1
    assert look.query("SELECT call_id, fault_text FROM calls ORDER BY run_id, call_id") == [
        ("a", "same"),
        ("b", "new"),
        ("e", "added"),
        ("a", "another run"),
    ]


def test_it_catches_up_on_every_run_it_has_not_seen(lake: Lake, target: Target, look: Look) -> None:
    """Also on one older than those it has seen."""
    publish_calls(lake, 1, a="x")
    load(lake, target)
    for number in (0, 2, 3):
        publish_calls(lake, number, a="x")
    assert load(lake, target).runs == 3
    runs = [(run_id_of(number),) for number in range(4)]
    assert look.query("SELECT run_id FROM calls ORDER BY run_id") == runs


def test_a_run_without_rows_is_seen(lake: Lake, target: Target, look: Look) -> None:
    """It is loaded once, like any other, and so is one that lost its rows."""
    publish_calls(lake, 0)
    assert load(lake, target).runs == 1
    assert load(lake, target).runs == 0
    publish_calls(lake, 1, a="x")
    load(lake, target)
    publish_calls(lake, 1)
    assert load(lake, target).removed == 1
    assert look.query("SELECT count(*) FROM calls") == [(0,)]


def test_text_arrives_whatever_it_is(lake: Lake, target: Target, look: Look) -> None:
    """Quotes, backslashes, other scripts, what looks like SQL or COPY's own marks; U+0000 is the one exception."""
    texts = ["'; DROP TABLE calls; --", '"', "\\N", "\\.", "\t\r\n", "ż🎈\u2028", "", "{x}", "$1"]
    names = "abcdefghijklmnop"
    publish_calls(lake, 0, **dict(zip(names, texts, strict=False)), z="nul\0nul")
    assert load(lake, target).error is None
    found = [text for (text,) in look.query("SELECT fault_text FROM calls ORDER BY call_id")]
    assert found[:-1] == texts
    replaced = isinstance(target, PostgresServer)
    assert found[-1] == ("nul\ufffdnul" if replaced else "nul\0nul")
    publish_calls(lake, 0, **dict(zip(names, texts, strict=False)), y="one more", z="nul\0nul")
    assert load(lake, target).error is None
    assert look.query("SELECT count(*) FROM calls") == [(len(texts) + 2,)]


def test_large_numbers_and_old_times_arrive(lake: Lake, target: Target, look: Look) -> None:
    """The ends of what a column can hold."""
    row = call_row(
        "a",
        attempts=2**31 - 1,
        reply_bytes=-(2**63),
        latency_ms=1e-300,
        requested_at=1,
        observed_at=4_102_444_800_999_999,
    )
    publish_rows(lake, 0, CALLS, [row])
    assert load(lake, target).error is None
    (found,) = look.arrow("calls").to_pylist()
    want = published(lake, "calls").to_pylist()[0]
    assert found == want


def test_raw_is_loaded_when_asked(lake: Lake, tmp_path: Path, target: Target, look: Look) -> None:
    """Bodies and flags arrive as they are, for runs that were loaded without them, too."""
    publish_night(lake, tmp_path, 0)
    load(lake, target)
    done = load(lake, target, raw=True)
    assert (done.runs, done.error) == (1, None)
    raw = look.arrow("raw")
    assert raw.schema.field("body").type in (pa.binary(), pa.large_binary())
    assert raw.to_pylist() == published(lake, "raw").to_pylist()


def test_a_damaged_file_is_named_and_the_other_runs_go_on(
    lake: Lake, target: Target, look: Look
) -> None:
    """Nothing of that run is loaded, nor is what there was of it touched."""
    for number in range(3):
        publish_calls(lake, number, a="first")
    load(lake, target)
    manifests = [publish_calls(lake, number, a="second") for number in range(2)]
    (path,) = [lake.folder / file.path for file in manifests[0].files if file.table == "calls"]
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + b"?" + whole[-99:])
    done = load(lake, target)
    assert (done.runs, done.caught_up) == (1, False)
    assert path.name in str(done.error)
    assert "damaged" in str(done.error)
    assert "publish run" in str(done.error)
    if not isinstance(target, IcebergCatalog):  # it shows the files as they are
        texts = [("first",), ("second",), ("first",)]
        assert look.query("SELECT fault_text FROM calls ORDER BY run_id") == texts
    path.write_bytes(whole)
    assert load(lake, target).caught_up
    assert look.query("SELECT fault_text FROM calls ORDER BY run_id") == [
        ("second",),
        ("second",),
        ("first",),
    ]


def test_a_missing_file_is_named(lake: Lake, target: Target) -> None:
    """The manifest knows it, the folder does not."""
    manifest = publish_calls(lake, 0, a="x")
    path = lake.folder / manifest.files[0].path
    path.unlink()
    done = load(lake, target)
    assert not done.caught_up
    assert path.name in str(done.error)


def test_a_damaged_manifest_is_named_and_its_run_kept(
    lake: Lake, target: Target, look: Look
) -> None:
    """What was loaded of that run stays; the others are loaded."""
    publish_calls(lake, 0, a="x")
    load(lake, target)
    publish_calls(lake, 1, a="x")
    manifest_of(lake.folder, run_id_of(0)).write_text("{")
    done = load(lake, target)
    assert (done.runs, done.caught_up) == (1, False)
    assert run_id_of(0) in str(done.error)
    assert look.query("SELECT count(*) FROM calls") == [(2,)]


def test_a_publication_under_way_is_not_loaded(lake: Lake, target: Target, look: Look) -> None:
    """Files that the lake's state does not know are nobody's."""
    publish_calls(lake, 0, a="x")
    publish_calls(lake, 1, a="x")
    forget(lake, run_id_of(1))
    assert load(lake, target).runs == 1
    assert look.query("SELECT run_id FROM calls") == [(run_id_of(0),)]


def test_a_key_that_stands_twice_is_refused(lake: Lake, target: Target, look: Look) -> None:
    """A row is there once; a publication that says otherwise is not loaded at all."""
    publish_rows(lake, 0, CALLS, [call_row("a"), call_row("a")])
    done = load(lake, target)
    if isinstance(target, IcebergCatalog):  # it registers what is published, and knows no keys
        assert done.inserted == 2
        return
    assert "more than once" in str(done.error)
    assert run_id_of(0) in str(done.error)
    assert look.query("SELECT count(*) FROM calls") == [(0,)]


def test_runs_that_the_lake_does_not_know(lake: Lake, target: Target, look: Look) -> None:
    """A lake that is not mounted looks like this: nothing that was loaded is given up, and a catalog says why not."""
    publish_calls(lake, 0, a="x")
    publish_calls(lake, 1, a="x")
    load(lake, target)
    before = contents(look)
    shutil.move(lake.folder, lake.folder.with_name("not mounted"))
    for _ in range(2):
        done = load(lake, target)
        assert done.runs == 0
        if isinstance(target, IcebergCatalog):
            assert "nothing was changed. Is storage.root mounted?" in str(done.error)
            assert "load --anew" in str(done.error)
        else:
            assert done.error is None
    shutil.rmtree(lake.folder, ignore_errors=True)
    shutil.move(lake.folder.with_name("not mounted"), lake.folder)
    assert contents(look) == before
    assert (load(lake, target).error, load(lake, target).runs) == (None, 0)
    forget(lake, run_id_of(0))
    publish_calls(lake, 2, a="x")
    done = load(lake, target)
    assert (done.error is None) == (not isinstance(target, IcebergCatalog))


def test_files_that_several_runs_share(lake: Lake, target: Target, look: Look) -> None:
    """What compaction made of several files holds the same rows, and they are there once."""
    for number in range(3):
        publish_calls(lake, number, a=f"night {number}", b="x")
    load(lake, target)
    before = contents(look)
    compacted(lake, [run_id_of(0), run_id_of(1)], CALLS)
    done = load(lake, target)
    assert (done.error, done.runs) == (None, 2)
    assert (done.inserted, done.removed) == (0, 0)
    assert contents(look) == before
    assert load(lake, target).runs == 0


def test_the_date_of_the_path_is_a_column(lake: Lake, target: Target, look: Look) -> None:
    """Of the run's date, and of each bucket's own day; also in the rows of a compacted file."""
    publish_calls(lake, 0, a="x")
    publish_calls(lake, 1, a="x")
    if isinstance(target, IcebergCatalog):  # it has the columns of the files that it registers
        load(lake, target)
        assert "run_date" not in look.arrow("calls").column_names
        return
    publish_rows(lake, 2, TRAFFIC_BUCKETS, [bucket("acme", 60), bucket("acme", 300)])
    assert load(lake, target).error is None
    days = [(date(2026, 1, 18),), (date(2026, 1, 19),)]
    assert look.query("SELECT run_date FROM calls ORDER BY 1") == days
    days = [(date(2026, 1, 17),), (date(2026, 1, 18),)]
    assert look.query("SELECT bucket_date FROM traffic_buckets ORDER BY 1") == days


def test_compaction_and_pruning(lake: Lake, target: Target, look: Look) -> None:
    """Databases have nothing to do; a catalog gets the new files, and loses those that are gone, in a snapshot each."""
    for run_id in ("run-a", "run-b"):
        row = {**call_row("0" * 16, fault_text="x"), "run_id": run_id}
        with lake.publication(run_id, date(2026, 1, 31)) as publication:
            publication.append("calls", pa.Table.from_pylist([row], schema=arrow_schema(CALLS)))
            publication.commit({})
    load(lake, target)
    before = contents(look)
    registers = isinstance(target, IcebergCatalog)
    lake.compact()
    done = load(lake, target)
    assert (done.error, done.runs) == (None, 2 if registers else 0)
    assert (done.inserted, done.removed) == (0, 0)
    assert contents(look) == before
    assert load(lake, target).runs == 0
    lake.prune(date(2026, 2, 1), ["calls"])
    done = load(lake, target)
    assert (done.error, done.removed) == (None, 2 if registers else 0)
    assert contents(look) == ({**before, "calls": []} if registers else before)
    assert load(lake, target).runs == 0


@pytest.mark.parametrize("is_known", [False, True], ids=["never loaded", "loaded before"])
def test_a_pruned_run_that_comes_back(
    lake: Lake, target: Target, look: Look, is_known: bool
) -> None:
    """What a target could not load while it was gone is loaded then, though the same is published."""
    if is_known:
        publish_calls(lake, 0, a="old")
        load(lake, target)
    publish_calls(lake, 0, a="new", b="new")
    lake.prune(date(2026, 2, 1), ["calls"])
    assert load(lake, target).error is None
    assert load(lake, target).runs == 0
    publish_calls(lake, 0, a="new", b="new")
    assert load(lake, target).error is None
    assert [row["fault_text"] for row in contents(look)["calls"]] == ["new", "new"]
    assert load(lake, target).runs == 0


def test_a_lake_that_moved_or_vanished(lake: Lake, target: Target, look: Look) -> None:
    """An empty lake is nothing to load; databases keep what they have."""
    assert load(lake, target).runs == 0
    publish_calls(lake, 0, a="x")
    load(lake, target)
    moved = Lake(lake.folder.with_name("moved"))
    shutil.move(lake.folder, moved.folder)
    done = load(moved, target)
    if isinstance(target, IcebergCatalog):
        assert "registers files of" in str(done.error)
        assert str(lake.folder) in str(done.error)
        assert str(moved.folder) in str(done.error)
    else:
        assert (done.runs, done.error) == (0, None)
        assert look.query("SELECT count(*) FROM calls") == [(1,)]


@pytest.mark.parametrize("table", [CALLS, DATASET_EXTRAS, RAW], ids=lambda table: table.name)
def test_the_contract_is_told_to_whoever_asks(
    lake: Lake, target: Target, look: Look, table: Table
) -> None:
    """Comments on tables and columns, in the target's own way."""
    publish_calls(lake, 0, a="x")
    load(lake, target, raw=True)
    registers = isinstance(target, IcebergCatalog)
    columns = (table if registers else with_partition(table)).columns
    want = {column.name: column.description for column in columns}
    if isinstance(target, IcebergCatalog):
        catalog = load_catalog("ecgrid", uri=target.uri.reveal())
        there = catalog.load_table(f"ecgrid.{table.name}")
        catalog.close()
        assert {field.name: field.doc for field in there.schema().fields} == want
        assert there.properties["comment"] == table.description
        return
    if isinstance(target, PostgresServer):
        query = f"""SELECT a.attname, col_description(c.oid, a.attnum), obj_description(c.oid)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.oid = '"{table.name}"'::regclass AND a.attnum > 0"""
    else:
        query = f"""SELECT c.column_name, c.comment, t.comment
            FROM duckdb_columns() c JOIN duckdb_tables() t USING (table_name, schema_name)
            WHERE c.table_name = '{table.name}' AND schema_name = 'main'"""
    found = look.query(query)
    assert {name: comment for name, comment, _ in found} == want
    assert {comment for *_, comment in found} == {table.description}
