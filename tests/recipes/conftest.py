"""The fortnight, laid once for all tests of a session."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import pytest

from collector.domain.secret import Secret
from pipelines.lake import Lake
from pipelines.warehouse.loading import load_all
from pipelines.warehouse.target import DuckDbFile, PostgresServer
from tests.recipes.document import MAILBOXES
from tests.recipes.fortnight import Fortnight, lay


@pytest.fixture(scope="session")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> Fortnight:
    """Fifteen runs, where the page looks for them."""
    folder = tmp_path_factory.mktemp("fortnight")
    found = asyncio.run(lay(folder))
    (folder / "data" / "demo").symlink_to(folder / "data", target_is_directory=True)
    (folder / "mailboxes.csv").write_text(MAILBOXES, encoding="utf-8")
    return found


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
