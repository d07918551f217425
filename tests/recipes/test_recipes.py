"""docs/recipes.md, block by block, over a fortnight; what it answers is what the simulator knows."""

import csv
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

from pipelines import open_lake
from pipelines.read.sql import queried
from tests.recipes.document import RECIPES, SETUP, Recipe
from tests.recipes.fortnight import NIGHTS, Fortnight
from tests.recipes.truth import Rows, Truth

pytestmark = pytest.mark.timeout(240)  # the first test waits for the fortnight

TRUTHS: Final[dict[str, Callable[[Truth], Rows]]] = {
    "Traffic per hour of yesterday": Truth.hours,
    "Sessions that went silent": Truth.silent,
    "Busiest partners": Truth.busiest,
    "What is missing and why": Truth.missing,
    "Week over week": Truth.weeks,
    "Parcels to interchanges": Truth.ratio,
    "Loading only what is new": Truth.loaded,
    "A gap after an outage": Truth.gaps,
    "Joining with your own list of mailboxes": Truth.partners,
    "Exporting to CSV and Excel": Truth.exported,
}
NEEDS_FILES: Final = {"mine", "read_csv", "COPY"}  # what is no question to the lake alone
BOUNDS: Final = {"low", "high"}
WORDS: Final = {"said"}


@pytest.fixture(autouse=True)
def _beside_the_data(fortnight: Fortnight, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's paths are relative."""
    monkeypatch.chdir(fortnight.folder)


@pytest.fixture(params=RECIPES.values(), ids=lambda recipe: recipe.title)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """Each section in turn."""
    found: Recipe = request.param
    return found


def rows(found: pa.Table) -> Rows:
    """Plain values: SQL's sums are decimals."""
    return [{name: _plain(value) for name, value in row.items()} for row in found.to_pylist()]


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) else value


def by_sql(sql: str) -> Rows:
    """In a DuckDB of one's own."""
    with duckdb.connect() as database:
        database.execute(SETUP.sql)
        return rows(database.sql(sql).to_arrow_table())


def by_pandas(recipe: Recipe) -> Rows:
    """What the block prints at its end."""
    names: dict[str, Any] = {}
    exec(SETUP.python + recipe.python, names)  # noqa: S102  # our own page
    return rows(pa.Table.from_pandas(names[recipe.answer], preserve_index=False))


def assert_true(found: Rows, truth: Rows) -> None:
    """The same rows in the same order; bounds hold what lies between them, and texts are there."""
    others = BOUNDS | WORDS
    shown = [{name: row[name] for name in row if name not in others} for row in found]
    assert len(shown) == len(truth)
    for row, true in zip(shown, truth, strict=True):
        assert row == {
            name: pytest.approx(value) if isinstance(value, float) else value
            for name, value in true.items()
        }
    for row in found:
        if "low" in row:
            assert row["low"] <= row["estimate"] <= row["high"]


def test_there_are_ten() -> None:
    """And each has its truth."""
    assert list(RECIPES) == list(TRUTHS)
    assert len(RECIPES) == 10


def test_sql_answers(recipe: Recipe, fortnight: Fortnight) -> None:
    """In DuckDB; and in `ecgrid-stats sql`, but for what reads or writes files of the reader's."""
    truth = TRUTHS[recipe.title](Truth(fortnight))
    assert_true(by_sql(recipe.sql), truth)
    if not any(word in recipe.sql for word in NEEDS_FILES):
        assert_true(rows(queried(open_lake("data"), recipe.sql)), truth)


def test_sql_answers_in_the_tables_of_a_warehouse(
    recipe: Recipe, fortnight: Fortnight, warehouse: Path
) -> None:
    """The same queries in what `ecgrid-stats load` makes of a DuckDB file."""
    with duckdb.connect(str(warehouse)) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("BEGIN")
        found = rows(database.sql(recipe.sql).to_arrow_table())
        database.execute("ROLLBACK")
    assert_true(found, TRUTHS[recipe.title](Truth(fortnight)))


def test_pandas_answers(recipe: Recipe, fortnight: Fortnight) -> None:
    """The same, and nothing else than SQL does, bounds and texts included."""
    found = by_pandas(recipe)
    assert_true(found, TRUTHS[recipe.title](Truth(fortnight)))
    assert [list(row) for row in found] == [list(row) for row in by_sql(recipe.sql)]
    for one, other in zip(found, by_sql(recipe.sql), strict=True):
        assert one == {
            name: pytest.approx(value) if isinstance(value, float) else value
            for name, value in other.items()
        }


def test_the_fortnight_has_what_the_questions_are_about(fortnight: Fortnight) -> None:
    """Nights that failed, a silent session among others that never sent, hours that nobody saw."""
    truth = Truth(fortnight)
    ended = [run["exit_code"] for run in fortnight.runs.values()]
    assert (len(ended), ended.count(0), ended.count(1), ended.count(4)) == (NIGHTS, 12, 2, 1)
    assert sum(row["estimate"] for row in truth.hours()) > 500
    assert {row["sessions"] for row in truth.hours()} == {8}
    assert {row["parcels"] for row in truth.ratio()} > {0}
    assert len({(row["gap_start"], row["gap_end"]) for row in truth.gaps()}) >= 3
    assert {row["last_week_nights"] for row in truth.weeks()} <= {4, 5, 6}


def test_only_what_is_new_is_loaded(fortnight: Fortnight) -> None:
    """Again and again, and after two runs were lost: every run is there once."""
    sql = RECIPES["Loading only what is new"].sql
    with duckdb.connect() as database:
        database.execute(SETUP.sql)
        truth = Truth(fortnight).loaded()
        for _ in range(2):
            assert rows(database.sql(sql).to_arrow_table()) == truth
        lost = [row["run_id"] for row in truth[-2:]]
        database.execute("DELETE FROM mine WHERE run_id IN (?, ?)", lost)
        assert rows(database.sql(sql).to_arrow_table()) == truth


def test_files_for_others(fortnight: Fortnight) -> None:
    """The CSV of both ways is the same to the byte but for quotes; Excel reads numbers and dates as such."""
    recipe, truth = RECIPES["Exporting to CSV and Excel"], Truth(fortnight).exported()
    by_sql(recipe.sql)
    written = Path("week.csv").read_bytes()
    assert by_pandas(recipe) == truth
    assert Path("week.csv").read_bytes() == written
    with Path("week.csv").open(newline="", encoding="utf-8") as file:
        assert [int(row["count"]) for row in csv.DictReader(file)] == [
            row["count"] for row in truth
        ]
    sheet = openpyxl.load_workbook("week.xlsx")["week"]
    header, first, *rest = sheet.iter_rows(values_only=True)
    assert header == tuple(truth[0])
    assert len(rest) == len(truth) - 1
    assert isinstance(first[4], int)
    assert pd.Timestamp(first[0]).date() == date(2026, 1, 20)
