"""The fortnight, laid once for all tests of a session."""

import asyncio
import os
import pickle
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import pytest
from filelock import FileLock

from collector.domain.secret import Secret
from pipelines.contract import TRAFFIC_BUCKETS
from pipelines.contract.casting import to_contract
from pipelines.history import derive
from pipelines.lake import Lake
from pipelines.read import OpenLake
from pipelines.warehouse.loading import load_all
from pipelines.warehouse.target import DuckDbFile, PostgresServer
from tests.recipes.document import MAILBOXES
from tests.recipes.fortnight import FIRST, Fortnight, lay


@pytest.fixture(scope="session")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> Fortnight:
    """Fifteen runs, where the page looks for them; laid once, and copied for each process that runs tests."""
    folder = tmp_path_factory.mktemp("fortnight")
    # of one run of the tests; the processes of xdist share a folder
    shared = (
        tmp_path_factory.getbasetemp().parent
        / f"fortnight-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    )
    told = shared / "told"
    with FileLock(f"{shared}.lock"):
        if not told.exists():
            shared.mkdir()
            told.write_bytes(pickle.dumps(asyncio.run(lay(shared))))
    found: Fortnight = pickle.loads(told.read_bytes())  # noqa: S301  # written above
    shutil.copytree(shared, folder, dirs_exist_ok=True)
    add_network(Lake(folder / "data" / "lake"))
    (folder / "data" / "demo").symlink_to(folder / "data", target_is_directory=True)
    (folder / "mailboxes.csv").write_text(MAILBOXES, encoding="utf-8")
    return replace(found, folder=folder, config=folder / found.config.name)


def add_network(lake: Lake) -> None:
    """One more session asks for the whole network: no answer of a recipe has any of it."""
    reader = OpenLake(lake)
    found = reader.traffic_buckets(runs=lake.run_ids()[3:4], sessions=["mailbox-0002"])
    asked = {
        name: "all:ReportInstantStatsEx:300,0,0,"
        + found[name].astype("string[pyarrow]").str.rsplit(":", n=1).str[-1]
        for name in ("call_id", "from_call_id")
    }
    run_id = f"{FIRST:%Y%m%dT%H%M%SZ}-0fffff"
    rows = to_contract(found.assign(session="all", run_id=run_id, **asked), TRAFFIC_BUCKETS)
    with lake.publication(run_id, FIRST.date()) as publication:
        publication.append(TRAFFIC_BUCKETS.name, rows)
        publication.commit({})
    derive(lake)
    assert reader.traffic_history(scopes=["network"])["estimate"].sum() > 0


@pytest.fixture(scope="session")
def warehouse(fortnight: Fortnight) -> Path:
    """A DuckDB file with the tables of the fortnight."""
    path = fortnight.folder / "warehouse.duckdb"
    done = load_all(Lake(fortnight.folder / "data" / "lake"), [DuckDbFile(path)])
    assert done["duckdb"].error is None
    return path


@pytest.fixture(scope="session")
def server(fortnight: Fortnight) -> Iterator[PostgresServer]:
    """A schema with the tables of the fortnight."""
    dsn = os.environ.get("ECGRID_TEST_PG_DSN")
    if not dsn:
        pytest.skip("ECGRID_TEST_PG_DSN names no PostgreSQL server; `.ci/postgres start` does")
    target = PostgresServer(Secret(dsn), f"ecgrid {uuid.uuid4().hex[:12]}")
    done = load_all(Lake(fortnight.folder / "data" / "lake"), [target])
    assert done["postgres"].error is None
    yield target
    with adbc.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA IF EXISTS "{target.schema}" CASCADE')
