"""The fortnight, laid once for all tests of a session."""

import asyncio
from pathlib import Path

import pytest

from pipelines.lake import Lake
from pipelines.warehouse.loading import load_all
from pipelines.warehouse.target import DuckDbFile
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
