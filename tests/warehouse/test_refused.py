"""Targets that cannot be loaded: a sentence that names them and says what to do, never a credential; nothing loaded."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from collector.domain.secret import Secret
from pipelines.contract import CALLS
from pipelines.errors import LakeVersionError
from pipelines.lake import Lake
from pipelines.warehouse.loading import load_all
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target
from tests.reliability.disk_ground import remounted, small_disk
from tests.warehouse.ground import Look, call_row, load, publish_calls, publish_rows
from tests.warehouse.postgres_by_hand import answering, refusing

PASSWORD = "fake-password-0001"


def assert_refused(lake: Lake, target: Target, *words: str) -> None:
    """Nothing was loaded, and the message has these words and no credential."""
    publish_calls(lake, 0, a="x")
    done = load(lake, target)
    said = str(done.error)
    assert (done.runs, done.inserted, done.caught_up) == (0, 0, False)
    assert "\n" not in said
    assert f"warehouse {target.name}" in said
    for word in words:
        assert word in said
    assert PASSWORD not in said


def test_a_server_that_is_not_there(lake: Lake) -> None:
    """Nobody listens."""
    dsn = f"host=127.0.0.1 port=1 user=loader password={PASSWORD} dbname=stats"
    assert_refused(lake, PostgresServer(Secret(dsn)), "127.0.0.1", "reachable", "load again")


def test_a_host_that_does_not_exist(lake: Lake) -> None:
    """The name is shown, as it may be misspelt."""
    dsn = f"postgresql://loader:{PASSWORD}@no-such-host.invalid/stats"
    assert_refused(lake, PostgresServer(Secret(dsn)), "no-such-host.invalid", "reachable")


@pytest.mark.parametrize(
    "form", ["host=127.0.0.1 port={} user=u password={}", "postgresql://u:{1}@127.0.0.1:{0}/d"]
)
def test_a_wrong_password(lake: Lake, form: str) -> None:
    """A server that even repeats the password; it is masked."""
    with refusing(f'password authentication failed for user "u" ({PASSWORD})') as port:
        target = PostgresServer(Secret(form.format(port, PASSWORD)))
        assert_refused(
            lake, target, "password authentication failed", "check the password", "********"
        )


def test_a_server_that_says_nothing(lake: Lake) -> None:
    """The wait has an end."""
    with answering(b"") as port:
        dsn = f"host=127.0.0.1 port={port} user=u connect_timeout=2"
        assert_refused(lake, PostgresServer(Secret(dsn)), "timeout expired")


@pytest.mark.parametrize(
    "dsn",
    [
        f"hopla {PASSWORD}",
        f"host=127.0.0.1 pasword={PASSWORD}",
        f"postgresql://u:{PASSWORD}%zz@127.0.0.1/d",
        f"postgresql://127.0.0.1/d?pasword={PASSWORD}",
    ],
)
def test_a_dsn_that_cannot_be_read(lake: Lake, dsn: str) -> None:
    """What libpq quotes of it is not shown: it may be the password."""
    assert_refused(lake, PostgresServer(Secret(dsn)), "DSN cannot be read", "key=value")


def test_a_database_that_is_not_there(lake: Lake, dsn: str) -> None:
    """The message names it."""
    other = dsn.replace("dbname=postgres", "dbname=no_such_database")
    assert_refused(lake, PostgresServer(Secret(other)), "no_such_database", "check the database")


def test_a_server_that_only_reads(lake: Lake, postgres: PostgresServer, dsn: str) -> None:
    """As a standby does."""
    only_reads = f"{dsn} options='-c default_transaction_read_only=on'"
    assert_refused(lake, replace(postgres, dsn=Secret(only_reads)), "read-only", "can be written")


@pytest.fixture
def nobody(dsn: str) -> Iterator[str]:
    """A user who may do nothing; the name."""
    name = "ecgrid_test_nobody"
    with adbc.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE IF EXISTS {name}")
        cursor.execute(f"CREATE ROLE {name} LOGIN")
        yield name
        cursor.execute(f"DROP ROLE {name}")


def test_a_user_who_may_not(lake: Lake, postgres: PostgresServer, dsn: str, nobody: str) -> None:
    """The right that is missing."""
    target = replace(postgres, dsn=Secret(dsn.replace("user=ecgrid_test", f"user={nobody}")))
    assert_refused(lake, target, "permission denied", "grant the user CREATE")


def test_a_search_path_that_leads_nowhere(lake: Lake, dsn: str) -> None:
    """Without a schema to go to."""
    target = PostgresServer(Secret(f"{dsn} options='-c search_path=no_such_schema'"))
    assert_refused(lake, target, "search path", "warehouse.postgres.schema")


@pytest.mark.parametrize(
    "columns", ["id bigint", "run_id integer, call_id text", "run_id text, call_id text"]
)
def test_a_table_of_another_program(lake: Lake, postgres: PostgresServer, columns: str) -> None:
    """Same name, other columns: left as it is."""
    look = Look(replace(postgres, schema=None))
    look.query(f'CREATE SCHEMA "{postgres.schema}"')
    look.query(f'CREATE TABLE "{postgres.schema}".calls ({columns})')
    assert_refused(lake, postgres, f'"{postgres.schema}"."calls"', "rename it", "postgres.schema")
    tables = (
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        f" WHERE relkind = 'r' AND nspname = '{postgres.schema}'"
    )
    assert look.query(tables) == [("calls",)]


def test_a_ledger_of_another_program(lake: Lake, postgres: PostgresServer) -> None:
    """Even our own table's name may be taken."""
    look = Look(replace(postgres, schema=None))
    look.query(f'CREATE SCHEMA "{postgres.schema}"')
    look.query(f'CREATE TABLE "{postgres.schema}".ecgrid_loads (id bigint)')
    assert_refused(lake, postgres, "ecgrid_loads", "rename it")


def test_a_file_that_another_program_has_open(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """The process is named; once it is gone, the load goes on."""
    duckdb_file.path.parent.mkdir(parents=True, exist_ok=True)
    program = f"import duckdb, sys; c = duckdb.connect({str(duckdb_file.path)!r}); print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n"
        assert_refused(lake, duckdb_file, f"PID {holder.pid}", "close it there")
    finally:
        holder.communicate()
    assert load(lake, duckdb_file).caught_up


def test_a_file_that_is_no_database(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """It is not overwritten."""
    duckdb_file.path.parent.mkdir(parents=True, exist_ok=True)
    duckdb_file.path.write_text("letters to a friend\n" * 1000)
    assert_refused(lake, duckdb_file, str(duckdb_file.path), "name another file")
    assert duckdb_file.path.read_text().startswith("letters")


def test_a_folder_and_a_file_in_the_way(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """A path that cannot be a file."""
    duckdb_file.path.mkdir(parents=True)
    assert_refused(lake, duckdb_file, str(duckdb_file.path), "must be a file")
    (lake.folder.parent / "file").write_text("")
    below = DuckDbFile(lake.folder.parent / "file" / "warehouse.duckdb")
    assert_refused(lake, below, "file", "must be a file")


def test_a_file_that_can_only_be_read(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """On a disk that is mounted so; what is there stays, and is brought up to date once it can be written."""
    with small_disk(duckdb_file.path.parent.parent / "disk") as disk:
        target = DuckDbFile(disk / "warehouse.duckdb")
        publish_calls(lake, 1, a="x")
        assert load(lake, target).inserted == 1
        remounted(disk, "ro")
        assert_refused(lake, target, str(target.path), "must be a file that this user may write")
        remounted(disk, "rw")
        assert Look(target).query("SELECT count(*) FROM calls") == [(1,)]
        assert load(lake, target).inserted == 1


def test_a_table_of_another_program_in_a_file(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """Left as it is."""
    duckdb_file.path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(duckdb_file.path)) as connection:
        connection.execute("CREATE TABLE sessions (run_id INTEGER, session VARCHAR)")
    assert_refused(lake, duckdb_file, "sessions", "'run_id' is integer", "another file")
    assert Look(duckdb_file).query("SELECT count(*) FROM sessions") == [(0,)]


def test_a_new_file_is_private(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """As the lake's own files are."""
    publish_calls(lake, 0, a="x")
    load(lake, duckdb_file)
    assert duckdb_file.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("gopher://127.0.0.1", ["gopher"]),
        (f"gopher://u:{PASSWORD}@127.0.0.1/?token={PASSWORD}2", ["********"]),
        (f"http://u:{PASSWORD}@127.0.0.1:1/catalog", ["127.0.0.1"]),
        ("sqlite:////proc/no/catalog.db", ["load again"]),
        (f"postgresql://u:{PASSWORD}@127.0.0.1:1/catalog", ["load again"]),
    ],
)
def test_a_catalog_that_is_not_there(
    lake: Lake, iceberg: IcebergCatalog, uri: str, words: list[str]
) -> None:
    """Whatever its library raises, it is one sentence."""
    assert_refused(lake, replace(iceberg, uri=Secret(uri)), "warehouse.iceberg.catalog_uri", *words)


def test_a_catalog_that_is_no_database(lake: Lake, iceberg: IcebergCatalog, tmp_path: Path) -> None:
    """Another program's file."""
    (tmp_path / "catalog.db").write_text("letters to a friend\n" * 1000)
    target = replace(iceberg, uri=Secret(f"sqlite:///{tmp_path}/catalog.db"))
    assert_refused(lake, target, "not a database")


def test_a_table_of_another_program_in_a_catalog(lake: Lake, iceberg: IcebergCatalog) -> None:
    """Left as it is."""
    publish_calls(lake, 0, a="x")
    load(lake, replace(iceberg, namespace="other"))
    catalog = load_catalog("ecgrid", uri=iceberg.uri.reveal(), warehouse=iceberg.location)
    catalog.create_namespace("ecgrid")
    catalog.create_table("ecgrid.calls", Schema(NestedField(1, "id", LongType())))
    catalog.close()
    assert_refused(lake, iceberg, "ecgrid.calls", "rename it", "warehouse.iceberg.namespace")


def test_a_catalog_that_points_elsewhere(
    lake: Lake, iceberg: IcebergCatalog, tmp_path: Path
) -> None:
    """Two lakes do not share a namespace."""
    other = Lake(tmp_path / "other")
    publish_calls(other, 0, a="x")
    load(other, iceberg)
    assert_refused(lake, iceberg, str(other.folder), str(lake.folder), "namespace")


def test_metadata_that_is_gone(lake: Lake, iceberg: IcebergCatalog, tmp_path: Path) -> None:
    """The catalog knows the table, the folder does not."""
    publish_calls(lake, 0, a="x")
    load(lake, iceberg)
    for path in (tmp_path / "iceberg").rglob("*.metadata.json"):
        path.unlink()
    assert_refused(lake, iceberg, "metadata.json")


@pytest.mark.parametrize(("kind", "extra"), [("postgres", "postgres"), ("iceberg", "iceberg")])
def test_a_driver_that_is_not_installed(
    lake: Lake, iceberg: IcebergCatalog, monkeypatch: pytest.MonkeyPatch, kind: str, extra: str
) -> None:
    """The extra is named; the other targets do without."""
    for name in ("pyiceberg", "pyiceberg.catalog", "adbc_driver_manager"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"pipelines.warehouse.{kind}", raising=False)
    target: Target = iceberg if kind == "iceberg" else PostgresServer(Secret("host=127.0.0.1"))
    assert_refused(lake, target, "not installed", f"ecgrid-stats[{extra}]")


def test_a_lake_of_a_newer_version(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """No target is even opened."""
    publish_calls(lake, 0, a="x")
    (lake.folder / "_manifest" / "version").write_text("99\n")
    with pytest.raises(LakeVersionError, match="99"):
        load_all(lake, [duckdb_file])
    assert not duckdb_file.path.exists()


def test_one_target_that_fails_keeps_none_waiting(
    lake: Lake, duckdb_file: DuckDbFile, iceberg: IcebergCatalog
) -> None:
    """Each has its own end."""
    publish_rows(lake, 0, CALLS, [call_row("a")])
    nowhere = PostgresServer(Secret("host=127.0.0.1 port=1"))
    loads = load_all(lake, [nowhere, duckdb_file, iceberg])
    assert {name: load.caught_up for name, load in loads.items()} == {
        "postgres": False,
        "duckdb": True,
        "iceberg": True,
    }
