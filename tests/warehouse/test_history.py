"""The history in a warehouse: what the lake has, day by day, and the same hours and days as everywhere."""

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.contract import TRAFFIC_HISTORY, VIEWS
from pipelines.history import derive
from pipelines.lake import Lake
from pipelines.read import OpenLake
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target
from tests.history.nights import hours, nights, of_network, publish
from tests.history.worlds import buckets_of, world
from tests.warehouse.ground import Look, load

KEY = list(TRAFFIC_HISTORY.key)
SCHEMA = pa.schema([(each.name, each.type) for each in TRAFFIC_HISTORY.columns])


def in_lake(lake: Lake) -> pa.Table:
    """Every row of the history, sorted."""
    rows = OpenLake(lake).table("traffic_history").select(SCHEMA.names)
    return rows.sort_by([(name, "ascending") for name in KEY]).cast(SCHEMA)


def is_as_in_lake(look: Look, lake: Lake) -> bool:
    """Whether the target has these rows."""
    return bool(look.arrow("traffic_history").cast(SCHEMA).equals(in_lake(lake)))


def test_it_is_what_the_lake_has(lake: Lake, target: Target, look: Look) -> None:
    """Night by night, with a hole that is healed; the second load of the same changes nothing."""
    missed = range(30, 33)
    every = [hours(range(24 * n, 24 * n + 24), 24 * n + 24, missed) for n in range(4)]
    runs = nights(*every, hours(missed, 4 * 24))
    for run_id, buckets in runs.items():
        publish(lake, run_id, buckets)
        derive(lake)
        done = load(lake, target)
        assert done.caught_up, done.error
        assert is_as_in_lake(look, lake)
    rows = len(in_lake(lake))
    assert look.query("SELECT count(*) FROM traffic_history WHERE state = 'unseen'") == [(0,)]
    again = load(lake, target)
    assert (again.runs, again.inserted, again.updated, again.removed) == (0, 0, 0, 0)
    if not isinstance(target, IcebergCatalog):  # whose files are the lake's own, without the path
        months = look.query("SELECT DISTINCT span_month FROM traffic_history ORDER BY 1")
        assert [str(month) for (month,) in months] == ["2026-01-01", "2026-02-01"]
        # a night touches the days that it touched in the lake
        publish(lake, "next", next(iter(nights(hours(range(96, 120), 120)).values())))
        derive(lake)
        more = load(lake, target)
        new = 24 * 4 + (24 + 1) * 4  # spans; and buckets, of which the youngest answer has one more
        assert (more.runs, more.inserted, more.removed) == (1, new, 0)
        assert len(in_lake(lake)) == rows + 24 * 4


def test_a_history_that_is_made_anew_takes_the_place_of_the_old_one(
    lake: Lake, target: Target, look: Look
) -> None:
    """Also where days go: a run is published again with half of its hours."""
    (run,) = nights(hours(range(48), 48)).items()
    publish(lake, *run)
    derive(lake)
    load(lake, target)
    assert look.query("SELECT count(*) FROM traffic_history") == [(48 * 4,)]
    publish(lake, run[0], run[1][run[1]["bucket_start"] < pd.Timestamp("2026-01-31T20:00Z")])
    derive(lake)
    done = load(lake, target)
    assert done.caught_up, done.error
    assert is_as_in_lake(look, lake)
    assert 0 < len(in_lake(lake)) <= 20 * 4


def test_a_month_that_became_one_file(lake: Lake, target: Target, look: Look) -> None:
    """Its rows are compared with those of its days, and none is loaded twice; opened again, it is days again."""
    every = [hours(range(72 * n, 72 * n + 72), 72 * n + 72) for n in range(-3, 9)]
    runs = [rows for _, rows in sorted(nights(*every).items(), key=lambda run: int(run[0][3:]))]
    for number, rows in enumerate(runs[:-1]):
        publish(lake, f"night-{number:02}", rows)
    derive(lake)
    assert load(lake, target).caught_up
    for night in (runs[-1], runs[-1].iloc[:0]):
        publish(lake, "night-11", night)
        derive(lake)
        done = load(lake, target)
        assert done.caught_up, done.error
        assert is_as_in_lake(look, lake)
        if not isinstance(target, IcebergCatalog):  # it registers the files
            days = look.query(
                "SELECT run_id FROM ecgrid_loads WHERE run_id LIKE 'history 2026-01%'"
            )
            assert len(days) == (1 if len(night) else 10)
            if len(night):
                assert done.inserted == 72 * 4 + (72 + 1) * 4  # spans and buckets of the new run
            assert load(lake, target).runs == 0


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Asia/Kolkata"])
@pytest.mark.few(2)
@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_hours_and_days_are_those_of_the_lake(
    lake: Lake, request: pytest.FixtureRequest, kind: str, zone: str
) -> None:
    """Of a random fortnight, in each time zone, of a mailbox and of its network, which no view has both of."""
    found: DuckDbFile | PostgresServer = request.getfixturevalue(
        "duckdb_file" if kind == "duckdb" else "postgres"
    )
    for run_id, buckets in buckets_of(world(3, 8)).groupby("run_id"):
        publish(lake, str(run_id), pd.concat([buckets, of_network(buckets)]))
    derive(lake)
    assert load(lake, found).caught_up
    look, reader = Look(found), OpenLake(lake)
    for name, view in VIEWS.items():
        columns = ", ".join(column.name for column in view.columns)
        keys = ", ".join(view.key)
        read = reader.traffic_days if view.period == "day" else reader.traffic_hours
        of_lake = read(zone, scopes=[view.scope])
        assert set(of_lake["session"]) == {"acme" if view.scope == "mailbox" else "all"}
        wanted = [tuple(row.values()) for row in pa.Table.from_pandas(of_lake).to_pylist()]
        sources = [f"{name}_in('{zone}')", *([name] if zone == "UTC" else [])]
        for source in sources:
            assert look.rows(f"SELECT {columns} FROM {source} ORDER BY {keys}") == wanted
        assert wanted


def test_functions_of_an_older_program_are_replaced(lake: Lake, postgres: PostgresServer) -> None:
    """They gave fewer columns, which PostgreSQL does not let one change; what reads the view stays."""
    one, other = nights(hours(range(3), 3), hours(range(3, 6), 6)).items()
    publish(lake, *one)
    derive(lake)
    load(lake, postgres)
    look, place = Look(postgres), f'"{postgres.schema}"'
    for sql in (
        f"DROP FUNCTION {place}.traffic_days_in(text)",
        f"CREATE FUNCTION {place}.traffic_days_in(z text) RETURNS TABLE (n int) LANGUAGE sql AS 'SELECT 1'",
        f"CREATE VIEW {place}.mine AS SELECT day, estimate FROM {place}.traffic_days",
    ):
        look.query(sql)
    publish(lake, *other)
    derive(lake)
    done = load(lake, postgres)
    assert done.caught_up, done.error
    (found,) = look.query("SELECT count(scope), min(scope) FROM traffic_days_in('UTC')")
    assert found == (4, "mailbox")
    assert look.query("SELECT count(*) FROM mine") == [(4,)]


def test_a_table_of_that_name_is_not_ours(lake: Lake, duckdb_file: DuckDbFile) -> None:
    """A view cannot take its place: the load says which, and nothing is changed."""
    publish(lake, *next(iter(nights(hours(range(3), 3)).items())))
    derive(lake)
    with duckdb.connect(str(duckdb_file.path)) as connection:
        connection.execute("CREATE TABLE traffic_days AS SELECT 1 AS mine")
    done = load(lake, duckdb_file)
    assert done.error is not None
    assert "traffic_days" in done.error
    assert Look(duckdb_file).query("SELECT * FROM traffic_days") == [(1,)]
