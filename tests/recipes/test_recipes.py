"""docs/recipes.md, block by block, over a fortnight; what it answers is what the simulator knows."""

import csv
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

from pipelines import open_lake
from pipelines.history import derive
from pipelines.lake import Lake
from pipelines.read.sql import queried
from pipelines.warehouse.target import PostgresServer
from tests.recipes.document import RECIPES, SETUP, Recipe
from tests.recipes.fortnight import NIGHTS, Fortnight
from tests.recipes.truth import Rows, Truth

pytestmark = pytest.mark.timeout(240)  # the first test waits for the fortnight

TRUTHS: Final[dict[str, Callable[[Truth], Rows]]] = {
    "Traffic per hour of yesterday": Truth.hours,
    "Totals of calendar days": Truth.totals,
    "Straight from the Parquet": Truth.by_day,
    "Which hours are unknown, and why": Truth.unknown,
    "What was healed last night": Truth.healed,
    "Restated hours": Truth.restated,
    "Mailboxes that went silent": Truth.silent,
    "Busiest mailboxes": Truth.busiest,
    "Week over week": Truth.weeks,
    "Parcels to interchanges": Truth.ratio,
    "Calls that failed": Truth.failed,
    "Loading only what is new": Truth.loaded,
    "Joining with your own list of mailboxes": Truth.partners,
    "Exporting to CSV and Excel": Truth.exported,
}
# what is no question to the lake alone, and what is DuckDB's
NEEDS_FILES: Final = {"mine", "read_csv", "read_parquet", "COPY"}
DUCKDB_ONLY: Final = NEEDS_FILES - {"mine"}
BOUNDS: Final = {"low"}
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
    """PostgreSQL's driver has no decimals: it gives their text."""
    is_whole = isinstance(value, Decimal) or (isinstance(value, str) and value.isdecimal())
    return int(value) if is_whole else value


def by_sql(sql: str, warehouse: Path) -> Rows:
    """In the DuckDB file that `load` fills, which stays as it is."""
    with duckdb.connect(str(warehouse)) as database:
        database.execute(SETUP.sql)
        database.execute("BEGIN")
        found = rows(database.sql(sql).to_arrow_table())
        database.execute("ROLLBACK")
    return found


def by_postgres(sql: str, server: PostgresServer) -> Rows:
    """In the schema that `load` fills, which stays as it is."""
    with adbc.connect(server.dsn.reveal()) as connection, connection.cursor() as cursor:
        for statement in (SETUP.sql, f'SET search_path = "{server.schema}"', *sql.split(";\n")):
            if statement.strip():
                cursor.execute(statement)
        found = rows(cursor.fetch_arrow_table())
        connection.rollback()
    return found


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
        if "low" in row and row["estimate"] is not None:
            assert row["low"] <= row["estimate"]


def test_each_has_its_truth() -> None:
    """And no truth is without a question."""
    assert list(RECIPES) == list(TRUTHS)
    assert len(RECIPES) == 14


def test_sql_is_short(recipe: Recipe) -> None:
    """Sums are right as they are: nothing needs to be taken apart first."""
    assert len(recipe.sql.splitlines()) <= 9
    assert not any(word in recipe.sql for word in ("QUALIFY", "OVER (", "WITH "))
    assert "drop_duplicates" not in recipe.python


def test_sql_answers(recipe: Recipe, fortnight: Fortnight, warehouse: Path) -> None:
    """In DuckDB; and in `ecgrid-stats sql`, but for what reads or writes files of the reader's."""
    truth = TRUTHS[recipe.title](Truth(fortnight))
    assert_true(by_sql(recipe.sql, warehouse), truth)
    if not any(word in recipe.sql for word in NEEDS_FILES):
        assert_true(rows(queried(open_lake("data"), recipe.sql)), truth)


def test_sql_answers_in_postgresql(
    recipe: Recipe, fortnight: Fortnight, server: PostgresServer
) -> None:
    """The same queries, but for those that say that they are DuckDB's."""
    if not any(word in recipe.sql for word in DUCKDB_ONLY):
        assert_true(by_postgres(recipe.sql, server), TRUTHS[recipe.title](Truth(fortnight)))


def test_pandas_answers(recipe: Recipe, fortnight: Fortnight, warehouse: Path) -> None:
    """The same, and nothing else than SQL does, bounds and texts included."""
    found, others = by_pandas(recipe), by_sql(recipe.sql, warehouse)
    assert_true(found, TRUTHS[recipe.title](Truth(fortnight)))
    assert [list(row) for row in found] == [list(row) for row in others]
    for one, other in zip(found, others, strict=True):
        assert one == {
            name: pytest.approx(value) if isinstance(value, float) else value
            for name, value in other.items()
        }


def test_the_history_is_true(fortnight: Fortnight) -> None:
    """Row by row; hours are unseen only where nothing was answered, and the same bytes are made anew."""
    truth, lake = Truth(fortnight), Lake(fortnight.folder / "data" / "lake")
    history = open_lake("data").traffic_history()
    row: Any
    for session, of_session in history.groupby("session"):
        hours = {each.to_pydatetime() for each in of_session["span_start"]}
        unseen = of_session[of_session["state"] == "unseen"]["span_start"]
        assert {each.to_pydatetime() for each in unseen} == {*truth.unseen(str(session))}
        assert hours == truth.known[str(session)] | {*truth.unseen(str(session))}
        assert len(of_session) == 4 * len(hours)
        for row in of_session[of_session["state"] != "unseen"].itertuples():
            start, end = (each.to_pydatetime() for each in (row.edge_start, row.edge_end))
            happened = fortnight.traffic.between(row.session, start, end)
            assert row.estimate == happened[row.traffic, row.direction]
            assert row.low <= row.estimate <= row.high
            assert abs(start - row.span_start) <= timedelta(seconds=30)
            assert end - start == timedelta(hours=1)
            if row.state == "exact":
                assert row.count == row.estimate
    before = {
        path: path.read_bytes() for path in (lake.folder / "traffic_history").rglob("*.parquet")
    }
    shutil.copytree(lake.folder, "again")
    shutil.rmtree("again/traffic_history")
    again = Lake(Path("again"))
    derive(again)
    after = {path: path.read_bytes() for path in Path("again/traffic_history").rglob("*.parquet")}
    assert {path.name: text for path, text in after.items()} == {
        path.name: text for path, text in before.items()
    }


def test_the_fortnight_has_what_the_questions_are_about(fortnight: Fortnight) -> None:
    """Nights that failed, a silent session among others that never sent, hours that nobody saw."""
    truth = Truth(fortnight)
    ended = [run["exit_code"] for run in fortnight.runs.values()]
    assert (len(ended), ended.count(0), ended.count(1), ended.count(5)) == (NIGHTS, 10, 4, 1)
    assert sum(row["estimate"] for row in truth.hours()) > 200
    assert {row["sessions"] for row in truth.hours()} == {7, 8}
    assert {row["parcels"] for row in truth.ratio()} > {0}
    assert len(truth.unknown()) >= 5
    assert len(truth.restated()) >= 2
    assert {row["spans"] for row in truth.healed()} == {48}
    assert {row["complete"] for row in truth.weeks()} == {True, False}


def test_only_what_is_new_is_loaded(fortnight: Fortnight, warehouse: Path) -> None:
    """Again and again, and after two runs were lost: every run is there once."""
    sql = RECIPES["Loading only what is new"].sql
    with duckdb.connect(str(warehouse)) as database:
        database.execute("BEGIN")
        truth = Truth(fortnight).loaded()
        for _ in range(2):
            assert rows(database.sql(sql).to_arrow_table()) == truth
        lost = [row["run_id"] for row in truth[-2:]]
        database.execute("DELETE FROM mine WHERE run_id IN (?, ?)", lost)
        assert rows(database.sql(sql).to_arrow_table()) == truth
        database.execute("ROLLBACK")


def test_files_for_others(fortnight: Fortnight, warehouse: Path) -> None:
    """The CSV of both ways is the same to the byte but for quotes; Excel reads numbers and dates as such."""
    recipe, truth = RECIPES["Exporting to CSV and Excel"], Truth(fortnight).exported()
    by_sql(recipe.sql, warehouse)
    written = Path("week.csv").read_bytes()
    assert by_pandas(recipe) == truth
    assert Path("week.csv").read_bytes() == written
    with Path("week.csv").open(newline="", encoding="utf-8") as file:
        assert [int(row["estimate"]) for row in csv.DictReader(file)] == [
            row["estimate"] for row in truth
        ]
    sheet = openpyxl.load_workbook("week.xlsx")["week"]
    header, first, *rest = sheet.iter_rows(values_only=True)
    assert header == tuple(truth[0])
    assert len(rest) == len(truth) - 1
    assert isinstance(first[4], int)
    assert pd.Timestamp(first[0]).date() == date(2026, 1, 19)
