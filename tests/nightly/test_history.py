"""Whole runs on a grid: what nobody counted yet is asked for, once, whatever happened to the runs before."""

import shutil
from collections import Counter
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from collector.simulator import Simulator
from pipelines.lake import Lake
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population, switches

CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 200
[retry]
attempts = 1
[windows]
every = "1h"
since = "10h"
"""
SECOND = timedelta(seconds=1)


def between(simulator: Simulator, row: Any, wider: timedelta) -> int:
    """What truly happened between the edges of a row, each moved outwards by so much."""
    start, end = (each.to_pydatetime() for each in (row.edge_start, row.edge_end))
    told: Any = simulator.truth(row.session, start - wider, end + wider)
    return int(told["counts"][row.traffic][row.direction])


def true(night: Ground) -> pd.DataFrame:
    """The history, once every row was compared with the simulator's events, to the second of the Date header."""
    history = night.table("traffic_history")
    row: Any
    for row in history[history["state"] != "unseen"].itertuples():
        least, most = (between(night.simulator, row, each) for each in (-SECOND, SECOND))
        assert row.low <= most, row
        assert row.high >= least, row
        for edge, asked in ((row.edge_start, row.span_start), (row.edge_end, row.span_end)):
            assert abs(edge - asked) <= timedelta(seconds=31)
    for _, series in history.groupby(["session", "traffic", "direction"]):
        spans = series.sort_values("span_start")
        assert (spans["span_end"].to_numpy()[:-1] == spans["span_start"].to_numpy()[1:]).all()
        assert ((spans["span_end"] - spans["span_start"]) == timedelta(hours=1)).all()
    assert not history["conflict"].any()
    return history


def spans(history: pd.DataFrame) -> Counter[str]:
    """How many are in which state, each once."""
    one = history[(history["traffic"] == "parcel") & (history["direction"] == "in")]
    return Counter(one["state"])


@pytest.mark.extended
async def test_what_failed_is_asked_for_by_the_next_run_and_then_nothing_is(
    ground: MakeGround,
) -> None:
    """A third of the calls fails; the next run asks for what these left out, the one after it sends not one request."""
    night = await ground(population(6, 2), CONFIG, switches=switches(fault_system="every:3"))
    first = await night.run("run")
    assert first.code == 1, first.err
    counted = spans(true(night))
    history = first.json["history"]
    assert history["unseen"] >= counted["unseen"] > 0
    assert {name: history[name] for name in ("exact", "bounded")} == {
        name: counted[name] for name in ("exact", "bounded")
    }
    assert history["spans"] == sum(history[name] for name in ("exact", "bounded", "unseen")) >= 60
    assert (history["healed"], history["lost"]) == (0, 0)

    night.simulator.change({"fault_system": "never"})
    status = (await night.run("status")).json["history"]
    assert {name: status[name] for name in ("exact", "bounded")} == {
        name: counted[name] for name in ("exact", "bounded")
    }
    assert status["unseen"] == status["new"] + status["missed"] >= history["unseen"]
    assert status["missed_since"] is not None
    plan = (await night.run("plan")).json
    assert (plan["new"], plan["healed"]) == (status["new"], status["missed"])
    assert plan["healed"] + plan["new"] >= history["unseen"]
    assert plan["healed_sessions"] > 0
    assert plan["healed_from"] < plan["healed_to"]
    second = await night.run("run")
    assert second.code == 0, second.err
    assert second.json["planned"] == plan["calls"] < first.json["planned"]
    assert second.json["history"]["healed"] == plan["healed"] >= counted["unseen"]
    assert second.json["history"]["unseen"] == 0
    assert spans(true(night))["unseen"] == 0

    before = night.simulator.log.total
    third = await night.run("run")
    if third.json["planned"]:  # an hour has passed meanwhile
        third = await night.run("run")
        before = night.simulator.log.total
    assert third.code == 0, third.err
    asked = {name: third.json[name] for name in ("planned", "attempts", "logins", "rows")}
    assert asked == dict.fromkeys(asked, 0)
    assert night.simulator.log.total == before
    assert third.json["run_id"] in Lake(night.lake).run_ids()


@pytest.mark.extended
async def test_the_most_calls_of_a_run(ground: MakeGround) -> None:
    """What is more is left to the next runs, until nothing is wanted; `chain` makes every hour exact."""
    config = CONFIG + 'max_calls = 25\npairing = "chain"\n'
    night = await ground(population(6, 2), config)
    planned = []
    for _ in range(5):
        plan = (await night.run("plan")).json
        ended = await night.run("run")
        assert ended.code == 0, ended.err
        assert ended.json["planned"] == plan["calls"] <= 25
        assert plan["left_to_next_run"] == 0 or plan["calls"] == 25
        planned.append(ended.json["planned"])
        if not plan["left_to_next_run"]:
            break
    assert sum(planned) >= 60
    assert spans(true(night)) == {"exact": sum(planned)}


@pytest.mark.extended
async def test_collecting_twice_asks_for_nothing_twice(ground: MakeGround) -> None:
    """What is landed is not asked for again before it is published; what failed is."""
    night = await ground(population(6, 2), CONFIG, switches=switches(fault_system="every:3"))
    first = await night.run("collect")
    assert first.json["failed"] > 0
    night.simulator.change({"fault_system": "never"})
    second = await night.run("collect")
    assert second.code == 0, second.err
    assert 0 < second.json["planned"] < first.json["planned"]
    third = await night.run("run")
    assert third.code == 0, third.err
    assert third.json["planned"] <= 6  # an hour has passed meanwhile
    assert third.json["history"]["unseen"] == 0
    assert spans(true(night))["unseen"] == 0


@pytest.mark.extended
async def test_a_mailbox_that_is_always_empty_is_asked_twice(ground: MakeGround) -> None:
    """Then it is left alone, and its hours are counted as unseen."""
    night = await ground(population(2, 0), CONFIG, switches=switches(zero_rows="always"))
    planned = []
    for _ in range(4):
        ended = await night.run("run")
        assert ended.code == 0, ended.err
        planned.append(ended.json["planned"])
        assert ended.json["history"]["unseen"] > 0
    assert planned[0] > 0
    assert planned[3] <= 2
    plan = (await night.run("plan")).json
    assert plan["answered_without_a_count"] > 0


async def test_what_one_count_lacks_is_asked_for_again(ground: MakeGround) -> None:
    """Some answers of the first run have no parcels; the hour is not known before all its counts are."""
    night = await ground(population(3, 0), CONFIG, switches=switches(null_counts="every:4"))
    first = await night.run("run")
    history = night.table("traffic_history")
    unseen = history[history["state"] == "unseen"]
    assert 0 < unseen["span_start"].nunique() < history["span_start"].nunique()
    assert set(unseen["traffic"]) < {"parcel", "interchange"}
    assert first.json["history"]["unseen"] > 0
    night.simulator.change({"null_counts": "never"})
    second = await night.run("run")
    assert second.json["history"]["unseen"] == 0
    assert second.json["history"]["healed"] > 0
    assert spans(true(night))["unseen"] == 0


@pytest.mark.extended
async def test_answers_that_are_not_believed_are_asked_for_twice(ground: MakeGround) -> None:
    """What fails its checks each time is left alone after that."""
    night = await ground(population(2, 0), CONFIG, switches=switches(missing_column="always"))
    planned = [(await night.run("run")).json["planned"] for _ in range(4)]
    assert planned[0] > 0
    assert planned[3] <= 2
    assert (await night.run("plan")).json["answered_without_a_count"] > 0


@pytest.mark.extended
async def test_pruning_loses_nothing_that_is_no_history_yet(ground: MakeGround) -> None:
    """The buckets of a run whose history was not made: they become history before they go."""
    night = await ground(population(2, 0), CONFIG)
    await night.run("run")
    counted = spans(night.table("traffic_history"))
    shutil.rmtree(night.lake / "traffic_history")
    old = sorted((night.lake / "_manifest").glob("history-*.json"))
    pruned = await night.run("prune", "--older-than", "1d", "--table", "traffic_buckets")
    assert pruned.code == 0, pruned.err
    assert old
    assert spans(night.table("traffic_history")) == counted


@pytest.mark.extended
async def test_a_damaged_file_of_the_history_is_mended(ground: MakeGround) -> None:
    """Its size is right and its bytes are not: what the error says to do mends it."""
    night = await ground(population(2, 0), CONFIG)
    await night.run("run")
    path = max((night.lake / "traffic_history").rglob("*.parquet"))
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole) // 2) + whole[len(whole) // 2 :])
    asked = await night.run("sql", "SELECT count(estimate) FROM traffic_history")
    assert "ecgrid-stats normalize" in asked.err + asked.out
    mended = await night.run("normalize")
    assert mended.code == 0, mended.err
    assert path.read_bytes() == whole


@pytest.mark.extended
async def test_a_resumed_run_asks_for_the_same_hours(ground: MakeGround) -> None:
    """Stopped by a signal after some calls: the run is resumed, and every hour is there once."""
    config = CONFIG.replace("requests_per_second = 500", "requests_per_second = 40")
    night = await ground(population(6, 2), config)
    stopped = await night.interrupted(30)
    assert stopped.code == 4, stopped.err
    ended = await night.run("run")
    assert ended.code == 0, ended.err
    assert ended.json["resumed"]
    assert ended.json["history"]["unseen"] == 0
    assert spans(true(night))["unseen"] == 0


@pytest.mark.extended
async def test_trailing_windows_become_history_too(ground: MakeGround) -> None:
    """With the edges where they fall; a grid that comes later asks for nothing that they cover."""
    night = await ground(population(3, 0), "[windows]\nminutes = [60, 120, 180, 240]\n")
    first = await night.run("run")
    assert first.code == 0, first.err
    assert first.json["history"] is None
    history = night.table("traffic_history")
    assert set(history["state"]) == {"exact", "bounded"}
    hours = (history["span_end"] - history["span_start"]).dt.total_seconds() / 3600
    assert hours.round(2).tolist() == [1.0] * len(history)
    text = night.config.read_text()
    night.config.write_text(text.replace("minutes = [60, 120, 180, 240]", 'every = "1h"'))
    second = await night.run("run")
    assert second.code == 0, second.err
    assert second.json["planned"] <= 3
