"""Targets of the three kinds, each of its own for every test."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import pytest

from collector.domain.secret import Secret
from pipelines.lake import Lake
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target
from tests.warehouse.ground import Look

KINDS = [
    "duckdb",
    pytest.param("postgres", marks=pytest.mark.extended),  # needs a server
    "iceberg",
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in a folder of its own."""
    return Lake(tmp_path / "data" / "lake")


@pytest.fixture
def dsn() -> str:
    """The server for tests."""
    found = os.environ.get("ECGRID_TEST_PG_DSN")
    if not found:
        pytest.skip("ECGRID_TEST_PG_DSN names no PostgreSQL server; `.ci/postgres start` does")
    return found


@pytest.fixture
def duckdb_file(tmp_path: Path) -> DuckDbFile:
    """A file that is not there yet."""
    return DuckDbFile(tmp_path / "data" / "warehouse.duckdb")


@pytest.fixture
def postgres(dsn: str) -> Iterator[PostgresServer]:
    """A schema that is not there yet, gone after the test."""
    target = PostgresServer(Secret(dsn), f"ecgrid {uuid.uuid4().hex[:12]}")
    yield target
    with adbc.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA IF EXISTS "{target.schema}" CASCADE')


@pytest.fixture
def iceberg(tmp_path: Path) -> IcebergCatalog:
    """A catalog in a SQLite file that is not there yet."""
    return IcebergCatalog(
        uri=Secret(f"sqlite:///{tmp_path}/catalogs/catalog.db"),
        location=f"file://{tmp_path}/iceberg",
        namespace="ecgrid",
        properties={},
    )


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest) -> Target:
    """Each kind in turn."""
    name = "duckdb_file" if request.param == "duckdb" else request.param
    found: Target = request.getfixturevalue(name)
    return found


@pytest.fixture
def look(target: Target) -> Look:
    """What a reader of the target sees."""
    return Look(target)
