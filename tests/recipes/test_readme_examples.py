"""The two examples of README.md, over the fortnight: the parcels of each day are those that the simulator knows."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from pipelines import open_lake
from pipelines.read.sql import queried
from tests.architecture.documents import fenced
from tests.architecture.sources import ROOT
from tests.recipes.fortnight import SESSIONS, Fortnight
from tests.recipes.truth import Truth

pytestmark = pytest.mark.timeout(240)  # the first test waits for the fortnight

README = ROOT / "README.md"


@pytest.fixture
def truth(fortnight: Fortnight, monkeypatch: pytest.MonkeyPatch) -> Truth:
    """What the simulator knows; the examples' paths are relative to its folder."""
    monkeypatch.chdir(fortnight.folder)
    return Truth(fortnight)


def test_pandas_shows_the_parcels_of_each_day(
    truth: Truth, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row a day, a column a direction."""
    (example,) = fenced(README, "python")
    with pd.option_context("display.max_rows", None, "display.width", None):
        exec(example, {})  # noqa: S102  # our own page
    header, _, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["direction", "in", "out"]
    found = {
        date.fromisoformat(day): {"in": float(into), "out": float(out)}
        for day, into, out in (line.split() for line in lines)
    }
    assert found == _days(truth)


def test_sql_shows_the_same(truth: Truth, warehouse: Path) -> None:
    """As `ecgrid-stats sql` and the DuckDB file answer; a day is complete if every mailbox has all of its hours."""
    (example,) = fenced(README, "sql")
    rows = queried(open_lake("data/demo"), example).to_pylist()
    with duckdb.connect(str(warehouse), read_only=True) as database:
        database.execute("SET TimeZone = 'UTC'")
        assert database.sql(example).to_arrow_table().to_pylist() == rows
    found: dict[date, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(_date(row["day"]), {})[row["direction"]] = row["parcels"]
    assert found == _days(truth)
    complete = {_date(row["day"]): row["complete"] for row in rows}
    assert complete == {
        day: all(
            len([hour for hour in truth.known[session] if hour.date() == day]) == 24
            for session in SESSIONS
        )
        for day in complete
    }
    assert set(complete.values()) == {True, False}


def _days(truth: Truth) -> dict[date, dict[str, Any]]:
    """Parcels by day and direction, from the simulator's events."""
    days = sorted({hour.date() for hours in truth.known.values() for hour in hours})
    counts = [row for row in truth.by_day() if row["traffic"] == "parcel"]
    both = zip(counts[::2], counts[1::2], strict=True)
    return {
        day: {each["direction"]: each["estimate"] for each in pair}
        for day, pair in zip(days, both, strict=True)
    }


def _date(day: Any) -> date:
    return day.date() if hasattr(day, "date") else day
