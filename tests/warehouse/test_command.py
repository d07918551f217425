"""`ecgrid-stats load`, and the load at the end of `run`, as processes against a simulator."""

from pathlib import Path

import duckdb
import pytest

from collector.config import load
from collector.domain.secret import Secret
from collector.errors import ConfigError
from collector.simulator import Population, Simulator
from pipelines.cli.loading import configured
from pipelines.lake import Lake
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer
from tests.nightly.ground import Ground
from tests.pipelines.lake_rows import forget
from tests.warehouse.ground import LOADED, Look

WINDOWS = "[windows]\nminutes = [60, 120]\n[limits]\nrequests_per_second = 500\nper_session_per_second = 500\n"
SECTIONS = """
[warehouse.duckdb]
path = "stats.duckdb"
[warehouse.postgres]
dsn = "file:dsn"
schema = "{schema}"
[warehouse.iceberg]
catalog_uri = "sqlite:///{folder}/catalog.db"
location = "file://{folder}/iceberg"
"""


def secret(folder: Path, dsn: str) -> None:
    """What `file:dsn` refers to."""
    path = folder / "dsn"
    path.touch(0o600)
    path.write_text(dsn + "\n")


@pytest.mark.extended
async def test_a_night_and_every_warehouse(
    tmp_path: Path, postgres: PostgresServer, iceberg: IcebergCatalog, dsn: str
) -> None:
    """A target that is down does not spoil the night: exit code 1, and the next load catches up."""
    async with Simulator(Population(3, 2)) as simulator:
        sections = SECTIONS.format(schema=postgres.schema, folder=tmp_path)
        ground = Ground(tmp_path, simulator, WINDOWS + sections)
        secret(tmp_path, "host=127.0.0.1 port=1 password=fake-password-0001")
        first = await ground.run("run")
        assert first.code == 1, first.err
        assert first.json["rows"] == 24
        assert first.json["ok"] == first.json["planned"]
        loads = first.json["loads"]
        assert {name: load["caught_up"] for name, load in loads.items()} == {
            "duckdb": True,
            "postgres": False,
            "iceberg": True,
        }
        assert loads["duckdb"]["runs"] == loads["iceberg"]["runs"] == 1
        assert loads["postgres"]["runs"] == 0
        assert "warehouse postgres" in loads["postgres"]["error"]
        assert "warehouse postgres" in first.err.replace("warehouse=", "")
        assert "fake-password" not in first.err + first.out

        secret(tmp_path, dsn)
        again = await ground.run("load")
        assert again.code == 0, again.err
        found = {name: load["runs"] for name, load in again.json["loads"].items()}
        assert found == {"duckdb": 0, "postgres": 1, "iceberg": 0}
        assert again.json["loads"]["postgres"]["inserted"] == loads["duckdb"]["inserted"]

        second = await ground.run("run")
        assert second.code == 0, second.err
        assert all(load["runs"] == 1 for load in second.json["loads"].values())
    catalog = IcebergCatalog(
        Secret(f"sqlite:///{tmp_path}/catalog.db"),
        f"file://{tmp_path}/iceberg",
        "ecgrid",
        {},
    )
    looks = [Look(DuckDbFile(tmp_path / "stats.duckdb")), Look(postgres), Look(catalog)]
    for table in LOADED:
        rows = [look.arrow(table).to_pylist() for look in looks]
        assert rows[0] == rows[1] == rows[2], table
    assert looks[1].query("SELECT count(*), count(DISTINCT run_id) FROM instant_stats") == [(48, 2)]

    forget(Lake(ground.lake), second.json["run_id"])
    refused = await ground.run("load", "--target", "iceberg")
    assert (refused.code, "load --anew" in refused.json["loads"]["iceberg"]["error"]) == (1, True)
    assert looks[2].query("SELECT count(*) FROM instant_stats") == [(48,)]
    done = await ground.run("load", "--target", "iceberg", "--anew")
    assert done.code == 0, done.err
    assert looks[2].query("SELECT count(*) FROM instant_stats") == [(24,)]


async def test_without_a_warehouse(tmp_path: Path) -> None:
    """`run` loads nothing; `load` takes DuckDB below the storage root, with views over the lake."""
    async with Simulator(Population(2, 2)) as simulator:
        ground = Ground(tmp_path, simulator, WINDOWS)
        night = (await ground.run("run")).json
        assert night["loads"] == {}
        assert not (tmp_path / "data" / "warehouse.duckdb").exists()
        done = (await ground.run("load")).json
        assert (done["exit_code"], done["loads"]["duckdb"]["runs"]) == (0, 1)
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as connection:
        (counted,) = connection.execute("SELECT count(*) FROM instant_stats").fetchall()
        assert counted == (night["rows"],)
        assert connection.execute("SELECT count(*) FROM lake.instant_stats").fetchall() == [counted]
        days = connection.execute("SELECT DISTINCT run_date::text FROM lake.calls").fetchall()
        assert days == [(f"{night['run_id'][:4]}-{night['run_id'][4:6]}-{night['run_id'][6:8]}",)]


WRONG = {
    '[warehouse.postgres]\ndsn = "env:NO_SUCH_DSN"\n': ("warehouse.postgres.dsn", "NO_SUCH_DSN"),
    '[warehouse.postgres]\ndsn = "host=db password=fake-password-0001"\n': ("env:NAME",),
    '[warehouse.iceberg]\ncatalog_uri = "postgresql://u:fake-password-0001@db/c"\n': ("env:NAME",),
    '[warehouse.iceberg]\ncatalog_uri = "rest"\nproperties = {"s3.secret" = "fake-password-0001"}\n': (
        "s3.secret",
        "env:NAME",
    ),
    "[warehouse.snowflake]\n": ("snowflake",),
    "[warehouse.postgres]\n": ("warehouse.postgres.dsn is missing",),
    '[warehouse.postgres]\ndsn = "env:X"\nscheme = "y"\n': ("did you mean schema",),
}


@pytest.mark.parametrize("config", WRONG)
def test_wrong_sections(tmp_path: Path, config: str) -> None:
    """The key and what would be right; no credential is shown."""
    session = '[[sessions]]\nlabel = "a"\napi_key = "env:A"\n'
    path = tmp_path / "x.toml"
    path.write_text(f'[service]\nurl = "https://x.example"\n{WINDOWS}{session}{config}')
    with pytest.raises(ConfigError) as refused:
        configured(load(path), tmp_path)
    for word in WRONG[config]:
        assert word in str(refused.value)
    assert "fake-password" not in str(refused.value)


async def test_wrong_configuration(tmp_path: Path) -> None:
    """Exit code 2, before anything is called or loaded."""
    async with Simulator(Population(2, 2)) as simulator:
        ground = Ground(tmp_path, simulator, WINDOWS + next(iter(WRONG)))
        for options in (("run",), ("load",), ("load", "--target", "iceberg")):
            ended = await ground.run(*options)
            assert ended.code == 2, ended.err
            assert "warehouse." in ended.json["error"]
        assert simulator.log.total == 0
    assert not (tmp_path / "data").exists()


async def test_a_lake_of_a_newer_version(tmp_path: Path) -> None:
    """Exit code 5; no target is opened."""
    async with Simulator(Population(2, 2)) as simulator:
        ground = Ground(tmp_path, simulator, WINDOWS)
    (ground.lake / "_manifest").mkdir(parents=True)
    (ground.lake / "_manifest" / "version").write_text("99\n")
    ended = await ground.run("load")
    assert ended.code == 5
    assert "99" in ended.json["error"]
    assert not (tmp_path / "data" / "warehouse.duckdb").exists()
