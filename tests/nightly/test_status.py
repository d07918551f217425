"""`status`, as an operator and a monitor use it: what ran, who is at work, what is missing, and an exit code."""

import shutil
import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ended, Ground, population, switches

CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 200
[retry]
attempts = 1
[windows]
every = "1h"
since = "6h"
"""
DUCKDB = '[warehouse.duckdb]\npath = "warehouse.duckdb"\n'
MONITOR = ("--max-age", "1h", "--complete")


async def told(night: Ground, *options: str) -> str:
    """What `status` prints for people."""
    process = await night.shell(
        f"{' '.join(night.program)} status -c {night.config} {' '.join(options)}"
    )
    out, err = await process.communicate()
    assert process.returncode in {0, 1}, err
    return out.decode()


def problems(ended: Ended) -> str:
    """What does not hold, in one line."""
    return "; ".join(ended.json["problems"])


async def test_nothing_ever_ran(ground: MakeGround) -> None:
    """Which is what a monitor must be told, and no warehouse is made by looking."""
    night = await ground(population(1, 0), CONFIG + DUCKDB)
    shown = await night.run("status")
    assert (shown.code, shown.json["runs"], shown.json["last_success"]) == (0, [], None)
    assert shown.json["warehouses"]["duckdb"]["runs"] == 0
    assert not [*night.folder.rglob("*.duckdb")]
    late = await night.run("status", *MONITOR)
    assert late.code == 1
    assert "within 1h: there is none" in problems(late)
    assert "no runs here" in await told(night)


@pytest.mark.extended
async def test_a_good_night_and_what_is_left_undone_after_it(ground: MakeGround) -> None:
    """Times and ages; a run that was collected only, and a warehouse that is behind, are not complete."""
    night = await ground(population(3, 0), CONFIG + DUCKDB)
    before = datetime.now(UTC).replace(microsecond=0)
    ran = await night.run("run")
    assert ran.code == 0, ran.err
    good = await night.run("status", *MONITOR)
    assert good.code == 0, good.out
    found = good.json
    (run,) = found["runs"]
    assert found["last_success"] == run["run_id"] == ran.json["run_id"]
    assert (
        before
        <= datetime.fromisoformat(run["started_at"])
        <= datetime.fromisoformat(run["finished_at"])
    )
    assert 0 <= found["age_seconds"] < 50
    assert (found["at_work"], found["problems"]) == (None, [])
    assert found["warehouses"]["duckdb"] == {
        "runs": 0,
        "since": None,
        "history": False,
        "error": None,
    }

    old = await night.run("status", "--max-age", "0.001")
    assert old.code == 1
    assert f"the last one, {run['run_id']}, is" in problems(old)

    collected = await night.run("collect")
    if not collected.json["planned"]:  # no hour has passed meanwhile
        assert (await night.run("status", "--complete")).code == 1
    short = await night.run("status", "--complete")
    assert short.code == 1
    assert f"run {collected.json['run_id']} is not published" in problems(short)
    assert (await night.run("normalize")).code == 0
    behind = await night.run("status", "--complete")
    assert behind.code == 1
    assert "warehouse duckdb is behind: `ecgrid-stats load`" in problems(behind)
    assert behind.json["warehouses"]["duckdb"]["since"] == collected.json["run_id"]
    assert (await night.run("load")).code == 0
    assert (await night.run("status", *MONITOR)).code == 0
    text = await told(night)
    assert "ago: finished, published" in text
    assert "warehouse duckdb has everything" in text


@pytest.mark.extended
async def test_hours_that_were_missed(ground: MakeGround) -> None:
    """How many, of whom, and until when they can be asked for; once they are healed, all is well."""
    night = await ground(population(3, 0), CONFIG, switches=switches(fault_system="every:3"))
    assert (await night.run("run")).code == 1
    short = await night.run("status", *MONITOR)
    assert short.code == 1
    history = short.json["history"]
    assert history["missed"] > 0
    since, until = (
        datetime.fromisoformat(history[name]) for name in ("missed_since", "expires_at")
    )
    assert until - since == timedelta(minutes=32_767 - 60)  # with an hour for the call to wait
    assert f"{history['missed']} spans of" in problems(short)
    assert f"the oldest until {until:%Y-%m-%dT%H:%M:%SZ}" in problems(short)
    assert "BAD" in await told(night, "--complete")
    night.simulator.change({"fault_system": "never"})
    assert (await night.run("run")).code == 0
    assert (await night.run("status", *MONITOR)).code == 0


@pytest.mark.extended
async def test_trailing_windows_that_failed(ground: MakeGround) -> None:
    """They cannot be asked for again: the newest run says so, until a better one."""
    config = CONFIG.replace('every = "1h"\nsince = "6h"', "minutes = [60, 120, 180, 240, 300, 360]")
    night = await ground(population(3, 0), config, switches=switches(fault_system="every:3"))
    assert (await night.run("run")).code == 1
    short = await night.run("status", "--complete")
    assert short.code == 1
    assert "calls of run" in problems(short)
    night.simulator.change({"fault_system": "never"})
    assert (await night.run("run")).code == 0
    assert (await night.run("status", "--complete")).code == 0


async def test_a_night_in_which_nothing_was_answered_is_none(ground: MakeGround) -> None:
    """It ran and it is published, and still there is nothing of it."""
    night = await ground(population(2, 0), CONFIG, switches=switches(fault_system="always"))
    assert (await night.run("run")).code == 5
    late = await night.run("status", "--max-age", "1h")
    assert late.code == 1
    assert "there is none" in problems(late)
    assert [run["published"] for run in late.json["runs"]] == [True]


async def test_a_run_at_work(ground: MakeGround) -> None:
    """Its process, since when, and how many of its calls are done; afterwards nobody is."""
    config = CONFIG.replace('"6h"', '"48h"')
    night = await ground(population(4, 0), config, switches=switches(latency_ms=1_500))
    process = await night.start("run")
    await night.arrivals(12)
    shown = await night.run("status")
    at_work = shown.json["at_work"]
    assert (at_work["pid"], at_work["command"]) == (process.pid, "run")
    assert datetime.now(UTC) - datetime.fromisoformat(at_work["since"]) < timedelta(minutes=1)
    assert 0 < at_work["done"] < at_work["planned"]
    (run,) = shown.json["runs"]
    assert (run["standing"], run["run_id"]) == ("at work", at_work["run_id"])
    process.send_signal(signal.SIGTERM)
    assert (await night.ended(process)).code == 4
    assert (await night.run("status")).json["at_work"] is None


@pytest.mark.extended
async def test_a_restored_lake_has_runs(ground: MakeGround) -> None:
    """Also without a landing store: of each run what its manifest says."""
    night = await ground(population(2, 0), CONFIG)
    ran = (await night.run("run")).json
    shutil.rmtree(night.folder / "data" / "landing")
    shown = await night.run("status", *MONITOR)
    assert shown.code == 0, shown.out
    (run,) = shown.json["runs"]
    assert run["standing"] == "published, landing store dropped"
    assert {name: run[name] for name in ("run_id", "planned", "ok", "failed")} == {
        name: ran[name] for name in ("run_id", "planned", "ok", "failed")
    }
    assert "published, landing store dropped: " in await told(night)


@pytest.mark.extended
async def test_an_age_that_is_none(ground: MakeGround) -> None:
    """Usage: it names what was written and what would be right."""
    night = await ground(population(1, 0), CONFIG)
    for wrong in ("26", "26 hours", "0h", "400d"):
        ended = await night.run("status", "--max-age", wrong)
        if wrong == "26":
            assert ended.code == 1  # seconds
            continue
        assert ended.code == 2
        assert wrong in ended.json["error"]
