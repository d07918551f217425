"""`compact` and `prune` between runs: what every other command makes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from pipelines.contract import RUN_TABLES
from pipelines.lake import Lake
from pipelines.lake.changing import Change, commit
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population

LAKE_ONLY = """[windows]
minutes = [60, 120, 180, 240]
[limits]
requests_per_second = 500
per_session_per_second = 500
"""
CONFIG = f"""{LAKE_ONLY}[warehouse.duckdb]
[warehouse.iceberg]
catalog_uri = "sqlite:///data/catalog.db"
"""
ICEBERG = "ecgrid.instant_stats"


async def two_nights(ground: MakeGround, config: str) -> Ground:
    """Two runs of a day."""
    night = await ground(population(6), config)
    for _ in range(2):
        ran = await night.run("run")
        assert ran.code == 0, ran.err
    return night


@pytest.fixture
async def night(ground: MakeGround) -> Ground:
    """Two runs of a day, in the warehouses too."""
    return await two_nights(ground, CONFIG)


def lake_of(night: Ground) -> dict[str, pd.DataFrame]:
    """Every table as readers of names see it, in the order of the key."""
    return {
        name: night.table(name).sort_values(list(table.key), ignore_index=True)
        for name, table in RUN_TABLES.items()
    }


def files(night: Ground) -> dict[Path, bytes]:
    """Every file of the lake."""
    return {path: path.read_bytes() for path in night.lake.rglob("*") if path.is_file()}


def loaded(night: Ground) -> list[tuple[object, ...]]:
    """What the database has, and what it remembers of loads of runs."""
    loads = (
        "SELECT run_id, publication FROM ecgrid_loads WHERE run_id NOT LIKE 'history%' ORDER BY ALL"
    )
    with duckdb.connect(night.folder / "data" / "warehouse.duckdb", read_only=True) as database:
        rows = "SELECT count(*), sum(count) FROM instant_stats"
        return database.sql(rows).fetchall() + database.sql(loads).fetchall()


def in_catalog(night: Ground) -> int:
    """The rows that the Iceberg table has."""
    from pyiceberg.catalog import load_catalog  # noqa: PLC0415  # a second to import

    catalog = load_catalog("ecgrid", uri=f"sqlite:///{night.folder}/data/catalog.db")
    rows: int = catalog.load_table(ICEBERG).scan().to_arrow().num_rows
    catalog.close()
    return rows


def age(night: Ground, days: int) -> None:
    """The published runs are so many days old, as their manifests say."""
    day = datetime.now(UTC).date() - timedelta(days=days)
    lake = Lake(night.lake)
    manifests = lake.published().manifests
    older = {run_id: replace(each, run_date=day) for run_id, each in manifests.items()}
    commit(lake.storage, Change(manifests=older))


@pytest.mark.timeout(180)
@pytest.mark.extended
async def test_compacting_changes_no_row_anywhere(night: Ground) -> None:
    """Tables, database, catalog, status; a second time not a byte; one run again by its id."""
    before, known = lake_of(night), loaded(night)
    ran = await night.run("compact")
    assert ran.code == 0, ran.err
    assert (ran.json["files_after"], ran.json["passed_over"]) == (ran.json["partitions"], [])
    assert ran.json["files_before"] == 2 * ran.json["partitions"]
    for name, rows in lake_of(night).items():
        pd.testing.assert_frame_equal(rows, before[name])
    assert in_catalog(night) == len(before["instant_stats"])
    compacted = files(night)
    again = await night.run("compact")
    assert (again.code, again.json["partitions"]) == (0, 0)
    assert files(night) == compacted
    assert (await night.run("load")).json["loads"]["duckdb"]["runs"] == 0
    assert loaded(night) == known
    status = (await night.run("status")).json["runs"]
    assert [run["wrong_files"] for run in status] == [[], []]
    one = await night.run("normalize", "--run", status[0]["run_id"])
    assert one.code == 0, one.err
    for name, rows in lake_of(night).items():
        pd.testing.assert_frame_equal(rows, before[name])


@pytest.mark.timeout(180)
@pytest.mark.extended
async def test_pruning_is_for_good(night: Ground) -> None:
    """A dry run first; the next `run` and `normalize` leave it so; the database keeps it, the catalog cannot."""
    assert (await night.run("compact")).code == 0
    age(night, 91)
    known, before = loaded(night), files(night)
    history = night.table("traffic_history")
    said = await night.run("prune", "--older-than", "90d", "--dry-run")
    assert (said.code, said.json["dry_run"], len(said.json["runs"])) == (0, True, 2)
    assert files(night) == before
    done = await night.run("prune", "--older-than", "90d")
    assert {**done.json, "dry_run": True, "loads": {}} == said.json
    left = [path for path in files(night) if "traffic_history" not in path.parts]
    assert [path.parent.name for path in left] == ["_manifest"] * 5
    assert in_catalog(night) == 0
    assert loaded(night) == known
    shown = (await night.run("status")).json["runs"]
    assert all(run["pruned"] == sorted(RUN_TABLES) for run in shown)
    assert (await night.run("normalize")).json["runs"] == []
    ran = await night.run("run")
    assert ran.code == 0, ran.err
    assert night.table("calls")["run_id"].unique().tolist() == [ran.json["run_id"]]
    # what was made of the pruned runs stays, but for hours that this one asked for again and that begin a moment later
    after = night.table("traffic_history")
    assert abs(after["span_start"].min() - history["span_start"].min()) < timedelta(minutes=2)
    assert (after["state"] != "unseen").sum() >= (history["state"] != "unseen").sum()
    assert loaded(night)[1:3] == known[1:]
    back = await night.run("normalize", "--run", shown[0]["run_id"])
    assert back.json["rows"] == ran.json["rows"]


@pytest.mark.timeout(180)
@pytest.mark.extended
async def test_the_replies_alone(ground: MakeGround) -> None:
    """`--table raw`: the other tables stay; so do the replies of the next night."""
    night = await two_nights(ground, LAKE_ONLY)
    before = lake_of(night)
    age(night, 91)
    done = await night.run("prune", "--older-than", "90d", "--table", "raw")
    assert (done.code, len(done.json["runs"]), done.json["files"]) == (0, 2, 2)
    assert not list((night.lake / "raw").glob("*"))
    assert len(night.table("instant_stats")) == len(before["instant_stats"])
    assert (await night.run("run")).code == 0
    assert len(night.table("raw")) == len(before["raw"]) // 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--older-than", "90"), ("'90'", "90d")),
        (("--older-than", "-1d"), ("'-1d'", "whole number of days")),
        (("--older-than", "1.5d"), ("'1.5d'", "whole number of days")),
        (("--older-than", "0d"), ("'0d'", "1d to 36500d")),
        (("--older-than", "36h"), ("'36h'", "whole days, 1d to 36500d")),
        (("--older-than", "999999999999d"), ("'999999999999d'", "whole number of days")),
        (("--older-than", "99999d"), ("'99999d'", "1d to 36500d")),
        (("--older-than", "²d"), ("whole number of days",)),
        ((), ("--older-than",)),
        (("--older-than", "9d", "--table", "stats"), ("'stats'", "instant_stats", "raw")),
    ],
)
@pytest.mark.few(4)
async def test_ages_and_tables_that_are_none(
    ground: MakeGround, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """The message has the option, the value and what is right; exit code 2."""
    night = await ground(population(1), CONFIG)
    ended = await night.run("prune", *options)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize("mib", ["0", "65537", "x"])
@pytest.mark.few(1)
async def test_target_sizes_that_are_none(ground: MakeGround, mib: str) -> None:
    """On the command line and in the configuration."""
    night = await ground(population(1), CONFIG)
    ended = await night.run("compact", "--target-mib", mib)
    assert (ended.code, "--target-mib" in ended.err, mib in ended.err) == (2, True, True)
    text = night.config.read_text()
    night.config.write_text(f"{text}[storage]\ncompacted_file_mib = {mib if mib != 'x' else 0.5}\n")
    ended = await night.run("compact")
    assert ended.code == 2
    assert "storage.compacted_file_mib" in ended.err
