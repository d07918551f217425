"""`open_lake`: what it gives, what it need not read, and what it says of bad questions."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import pipelines
from pipelines.contract import INSTANT_STATS, TABLES, TRAFFIC_BUCKETS, VIEWS, arrow_schema
from pipelines.errors import LakeVersionError, PublicationError, QueryError, TableSchemaError
from pipelines.lake import Lake, Sizes
from pipelines.read import OpenLake
from pipelines.read.sql import queried
from tests.pipelines.lake_rows import file_of, stats, with_manifest

DAYS = tuple(date(2026, 1, day) for day in (29, 30, 31))


def hour(run: str, start: datetime) -> dict[str, Any]:
    """A bucket."""
    return {
        "run_id": run,
        "call_id": "c",
        "from_call_id": "c",
        "session": "acme",
        "bucket_start": start,
        "bucket_end": start + timedelta(hours=1),
        "from_minutes": 0,
        "to_minutes": 60,
        "traffic": "parcel",
        "direction": "in",
        "count": 1,
        "exact": True,
        "low": 1,
        "high": 1,
        "estimate": 1,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three nights: 40 sessions in row groups of ten, and a bucket each."""
    lake = Lake(tmp_path / "lake")
    for number, day in enumerate(DAYS):
        run = f"run-{day.day}"
        with lake.publication(run, day, Sizes(group_rows=10)) as publication:
            sessions = [f"s{each:02}" for each in range(40)]
            publication.append("instant_stats", stats(number or None, *sessions, run_id=run))
            start = datetime(2026, 1, day.day, 1, tzinfo=UTC)
            rows = pa.Table.from_pylist([hour(run, start)], arrow_schema(TRAFFIC_BUCKETS))
            publication.append("traffic_buckets", rows)
            publication.commit({})
    return tmp_path


@pytest.fixture
def lake(root: Path) -> OpenLake:
    """The same, open."""
    return pipelines.open_lake(root)


def test_importing_the_package_costs_nothing() -> None:
    """Pandas and pyarrow come with the first question."""
    program = "import sys, pipelines; print([m for m in ('pandas', 'pyarrow', 'duckdb') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="open_lakes"):
        pipelines.open_lakes  # noqa: B018  # not there


def test_frames_have_arrows_types(lake: OpenLake, root: Path) -> None:
    """Null is NA, never NaN; the partition is a date; the lake's own folder opens as well."""
    frame = lake.instant_stats()
    assert len(frame) == 120
    schema = arrow_schema(INSTANT_STATS).append(pa.field("run_date", pa.date32()))
    assert {name: kind.pyarrow_dtype for name, kind in frame.dtypes.items()} == {
        field.name: field.type for field in schema
    }
    assert frame["count"].isna().sum() == 40
    pd.testing.assert_frame_equal(pipelines.open_lake(root / "lake").instant_stats(), frame)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_there(lake: OpenLake, table: str) -> None:
    """Those without rows too, by their own name."""
    frame = getattr(lake, table)()
    assert list(frame.columns) == [*arrow_schema(TABLES[table]).names, TABLES[table].partition]


def test_filters(lake: OpenLake) -> None:
    """From `since` on, before `until`, of these sessions, runs and columns."""
    frame = lake.instant_stats(
        since="2026-01-30", until=date(2026, 1, 31), sessions=["s03", "s39", "x"]
    )
    assert frame["run_id"].unique().tolist() == ["run-30"]
    assert frame["session"].tolist() == ["s03", "s39"]
    frame = lake.instant_stats(
        runs=["run-31"], columns=["count", "session"], where=pc.field("count") > 1
    )
    assert (list(frame.columns), len(frame)) == (["count", "session"], 40)
    assert len(lake.instant_stats(sessions=[])) == 0
    two = datetime(2026, 1, 30, 1, tzinfo=UTC)
    assert lake.traffic_buckets(since=two)["run_id"].tolist() == ["run-30", "run-31"]
    assert lake.traffic_buckets(until=two)["run_id"].tolist() == ["run-29"]
    assert lake.traffic_buckets(since="2026-01-30T00:30:00+00:00", until="2026-01-31")[
        "run_id"
    ].tolist() == ["run-30"]


def test_filters_reach_partitions_and_row_groups(lake: OpenLake, root: Path) -> None:
    """One day's file, and of that the row group that may have the session; damage elsewhere is not even noticed."""
    ((part,),) = lake.parts("instant_stats")
    condition = lake.condition("instant_stats", since="2026-01-31", sessions=["s25"])
    assert condition is not None
    (fragment,) = part.files.get_fragments(filter=condition)
    assert "run_date=2026-01-31" in fragment.path
    groups = fragment.split_by_row_group(condition, schema=part.files.schema)
    assert len(fragment.row_groups) == 4
    assert [group.row_groups[0].id for group in groups] == [2]
    for path in (root / "lake" / "instant_stats").glob("run_date=2026-01-[23][09]/*"):
        path.write_bytes(b"damaged")
    assert len(lake.instant_stats(since="2026-01-31", sessions=["s25"])) == 1
    with pytest.raises(PublicationError, match=r"2026-01-29/run-29-0.* is damaged"):
        lake.instant_stats()


def test_row_groups_without_the_session_are_not_read(lake: OpenLake, root: Path) -> None:
    """By their statistics, whichever columns are asked for: what is damaged in them is not noticed."""
    path = file_of(root / "lake", "run-31")
    content = bytearray(path.read_bytes())
    for group in (0, 1, 3):
        chunk = pq.read_metadata(path).row_group(group).column(0)
        start = chunk.dictionary_page_offset
        assert start is not None
        content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(content)
    assert lake.instant_stats(sessions=["s25"], runs=["run-31"])["run_id"].tolist() == ["run-31"]
    with pytest.raises(PublicationError, match="run-31-0"):
        lake.instant_stats(sessions=["s35"], runs=["run-31"])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def _other_bytes(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes(400) + content[440:])


@pytest.mark.parametrize("harm", [Path.unlink, _cut, _other_bytes])
def test_a_damaged_file_is_named(
    lake: OpenLake, root: Path, config: Path, harm: Callable[[Path], None]
) -> None:
    """With what to do, by the door, by SQL and by the command; other tables are read all the same."""
    harm(file_of(root / "lake", "run-30"))
    said = r"run_date=2026-01-30/run-30-0-\w+\.parquet is (missing|damaged).*normalize --run run-30"
    with pytest.raises(PublicationError, match=said):
        lake.instant_stats()
    with pytest.raises(PublicationError, match=said):
        queried(lake, "SELECT sum(count), min(run_id), max(session) FROM instant_stats")
    ended = sql(config, "FROM instant_stats")
    assert ended.returncode == 5
    assert ended.stderr.count("\n") == 1
    assert "normalize --run run-30" in ended.stderr
    assert queried(lake, "FROM traffic_buckets").num_rows == len(lake.traffic_buckets()) == 3


def test_what_no_manifest_names_is_not_read(lake: OpenLake, root: Path) -> None:
    """A stranger's file in the folder is none of the lake's."""
    path = next((root / "lake" / "instant_stats").rglob("*.parquet"))
    path.with_name(f"copy-0-{16 * '0'}.parquet").write_bytes(path.read_bytes())
    assert len(lake.instant_stats()) == 120


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"since": "yesterday"}, r"since = 'yesterday': must be a date like 2026-01-31"),
        ({"until": datetime(2026, 1, 1, tzinfo=UTC)}, "must be a date"),
        ({"session": ["a"]}, r"filter 'session': must be one of since"),
        ({"sessions": "acme"}, "must be a list"),
        ({"columns": ["cuont"]}, r"column 'cuont' of instant_stats: must be one of run_id"),
    ],
)
def test_bad_questions_are_named(lake: OpenLake, filters: dict[str, Any], said: str) -> None:
    """The thing, the value, and what would be right."""
    with pytest.raises((ValueError, TypeError), match=said):
        lake.instant_stats(**filters)


def test_bad_lakes_are_named(root: Path) -> None:
    """No folder, a table that is none, a newer lake."""
    with pytest.raises(ValueError, match="there is no such folder"):
        pipelines.open_lake(root / "nothing")
    with pytest.raises(ValueError, match="table 'x': must be one of instant_stats"):
        pipelines.open_lake(root).table("x")
    with pytest.raises(ValueError, match="must have a zone"):
        pipelines.open_lake(root).traffic_buckets(since="2026-01-31T00:00:00")
    (root / "lake/_manifest/version").write_text("99\n")
    with pytest.raises(LakeVersionError, match="newer program"):
        pipelines.open_lake(root)


def test_a_file_of_another_version_is_read_if_it_fits(lake: OpenLake, root: Path) -> None:
    """Newer columns are left out, absent ones are null; a type that does not fit is refused, with SQL as well."""
    path = file_of(root / "lake", "run-30")
    with_manifest(lake.lake, "run-30", lambda file: replace(file, schema_version=2))
    rows = pq.ParquetFile(path).read()
    marked = {**rows.schema.metadata, b"ecgrid.schema_version": b"2"}
    newer = rows.append_column("more", pa.nulls(40, pa.string())).drop_columns(["mailbox_id"])
    pq.write_table(newer.replace_schema_metadata(marked), path)
    frame = lake.instant_stats(runs=["run-30", "run-31"])
    assert list(frame.columns) == list(lake.instant_stats(runs=["run-31"]).columns)
    assert len(frame) == 80
    other = rows.set_column(10, "count", pa.repeat("many", 40)).replace_schema_metadata(marked)
    pq.write_table(other, path)
    for ask in (lake.instant_stats, lambda: queried(lake, "FROM instant_stats")):
        with pytest.raises(
            TableSchemaError, match=r"run-30-0.*count was int64, is string; a newer"
        ):
            ask()


def test_of_a_shared_file_only_published_runs_count(lake: OpenLake, root: Path) -> None:
    """A compacted file may still hold rows of a run whose manifest is gone."""
    path = file_of(root / "lake", "run-30")
    with_manifest(lake.lake, "run-30", lambda file: replace(file, runs=("run-30", "run-gone")))
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.set_column(0, "run_id", pa.array(["run-30", "run-gone"] * 20)), path)
    assert {part.only for part in lake.parts("instant_stats")[0]} == {None, ("run-30",)}
    assert lake.instant_stats()["run_id"].value_counts().to_dict() == {
        "run-29": 40,
        "run-30": 20,
        "run-31": 40,
    }
    counted = queried(lake, "SELECT run_id, count(*) AS n FROM instant_stats GROUP BY 1 ORDER BY 1")
    assert counted["n"].to_pylist() == [40, 20, 40]


def test_sql_sees_what_the_door_sees(lake: OpenLake) -> None:
    """Views by the tables' names, with the partition as a date, filters included."""
    rows = queried(
        lake,
        "SELECT run_date, count(*) AS n, sum(count) AS s FROM instant_stats GROUP BY ALL ORDER BY 1",
    )
    assert rows.to_pylist() == [
        {"run_date": day, "n": 40, "s": number * 40 or None} for number, day in enumerate(DAYS)
    ]
    for name in TABLES:
        assert queried(lake, f"SELECT * FROM {name}").num_rows == lake.table(name).num_rows
    assert queried(lake, "EXPLAIN SELECT 1").num_rows > 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM call", "tables are instant_stats, traffic_buckets"),
        ("SELECT nothing FROM calls", "nothing"),
        ("SELEC 1", "syntax error"),
        ("", "one SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("DROP VIEW calls", "one SELECT"),
        ("CREATE TABLE x AS SELECT 1", "one SELECT"),
        ("COPY calls TO 'x.csv'", "one SELECT"),
        ("ATTACH 'x.db'", "one SELECT"),
        ("SET enable_external_access = true", "one SELECT"),
        ("SELECT * FROM read_text('/etc/hostname')", "disabled by configuration"),
        ("FROM read_parquet('data/lake/calls/**/*.parquet')", "tables can be read, by name: inst"),
        ("SELECT * FROM 'contract.json'", "(?i)does not exist|disabled"),
        ("SELECT * FROM connection", "does not exist"),
    ],
)
def test_sql_only_reads_the_lake(lake: OpenLake, sql: str, said: str) -> None:
    """Anything else is an error that says what it is."""
    with pytest.raises(QueryError, match=said):
        queried(lake, sql)


@pytest.fixture
def config(root: Path) -> Path:
    """A configuration of that lake."""
    path = root / "ecgrid.toml"
    path.write_text(
        '[service]\nurl = "http://127.0.0.1:1/x.asmx"\n[windows]\nminutes = [60]\n'
        f'[[sessions]]\nlabel = "a"\napi_key = "env:T_KEY"\n[storage]\nroot = "{root}"\n'
    )
    return path


def sql(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`ecgrid-stats sql` as a process."""
    command = [sys.executable, "-m", "pipelines.cli", "sql", "-c", str(config), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.extended
def test_the_command_prints_what_is_asked_for(config: Path, tmp_path: Path) -> None:
    """A table for people, CSV and JSON for programs, a file, one object with --json; code 2 for wrong SQL."""
    query = "SELECT run_date, max(count) AS most FROM instant_stats GROUP BY ALL ORDER BY 1"
    shown = sql(config, query).stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["run_date", "most"],
        ["2026-01-29"],
        ["2026-01-30", "1"],
        ["2026-01-31", "2"],
    ]
    out = tmp_path / "out.csv"
    done = sql(config, query, "--format", "csv", "--output", str(out), "--json")
    assert json.loads(done.stdout)["row_count"] == 3
    assert out.read_text() == "run_date,most\n2026-01-29,\n2026-01-30,1\n2026-01-31,2\n"
    out.unlink()
    sql(config, query, "--output", str(out))  # what its name ends with
    assert out.read_text() == "run_date,most\n2026-01-29,\n2026-01-30,1\n2026-01-31,2\n"
    table = tmp_path / "out"
    sql(config, "FROM range(10_003)", "--output", str(table))
    assert table.read_text().count("\n") == 10_004  # the line of names, and no row is left out
    lines = sql(config, query, "--format", "json").stdout.splitlines()
    assert json.loads(lines[2]) == {"run_date": "2026-01-31", "most": 2}
    found = json.loads(sql(config, query, "--json").stdout)
    assert found["columns"] == {"run_date": "date32[day]", "most": "int64"}
    assert found["rows"][0] == {"run_date": "2026-01-29", "most": None}
    wrong = sql(config, "SELECT * FROM call", "--json")
    assert wrong.returncode == json.loads(wrong.stdout)["exit_code"] == 2
    assert "traffic_buckets" in wrong.stderr
    assert "Warning" not in wrong.stderr + done.stderr


def test_a_lake_with_nothing_in_it_is_named(config: Path, root: Path) -> None:
    """No rows of an empty place (the wrong folder, say) are not the same as no rows."""
    empty = sql(config, "FROM instant_stats WHERE session = 'nobody'")
    assert (empty.returncode, empty.stderr) == (0, "")
    config.write_text(config.read_text().replace(str(root), str(root / "elsewhere")))
    nothing = sql(config, "FROM instant_stats")
    assert nothing.returncode == 0
    assert str(root / "elsewhere" / "lake") in nothing.stderr


def test_the_tables_are_listed(lake: OpenLake) -> None:
    """By those who ask for their names instead of naming one."""
    question = "SELECT view_name AS name FROM duckdb_views() WHERE NOT internal"
    for asked in ("SHOW TABLES", question):
        assert {*TABLES, *VIEWS} == set(queried(lake, asked)["name"].to_pylist())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.few(1)
def test_a_long_question_is_stopped_by_a_signal(config: Path, number: signal.Signals) -> None:
    """Like any other command: code 4 and a sentence."""
    command = [sys.executable, "-m", "pipelines.cli", "sql", "-c", str(config)]
    # the answer to the first part is slow to come; that it was begun shows in the time of the process
    query = "SELECT count(*) FROM range(1000000000000) t, instant_stats"
    with subprocess.Popen([*command, query], stderr=subprocess.PIPE, text=True) as process:
        while sum(psutil.Process(process.pid).cpu_times()[:2]) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.count("\n")) == (4, 1)
    assert "stopped by a signal" in err


@pytest.mark.parametrize("table", ["instant_stats", "traffic_buckets"])
def test_readers_agree_without_this_program(lake: OpenLake, root: Path, table: str) -> None:
    """pandas, pyarrow, DuckDB and polars give the same rows and types as the door."""
    folder, schema = root / "lake" / table, arrow_schema(TABLES[table])
    keys = [(name, "ascending") for name in TABLES[table].key]
    expected = lake.table(table, columns=schema.names).sort_by(keys)

    def same(rows: pa.Table) -> None:
        found = rows.select(schema.names).sort_by(keys)
        assert found.cast(expected.schema).equals(expected)
        for field in found.schema:
            wanted = expected.schema.field(field.name).type
            assert field.type == wanted or str(field.type).removeprefix("large_") == str(wanted)

    same(ds.dataset(folder, partitioning="hive").to_table())
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    glob = f"{folder}/**/*.parquet"
    same(connection.read_parquet(glob, hive_partitioning=True).to_arrow_table())
    connection.close()
    same(
        pl.read_parquet(folder, hive_partitioning=True, glob=True).to_arrow(
            compat_level=pl.CompatLevel.oldest()
        )
    )
    same(
        pa.Table.from_pandas(pd.read_parquet(folder, dtype_backend="pyarrow"), preserve_index=False)
    )
