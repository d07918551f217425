"""A night of a label for a whole network beside labels of its mailboxes: nothing is counted twice unless asked for."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest

from pipelines import open_lake
from pipelines.read.sql import of_one_state, queried
from pipelines.report.figures import Period, queries
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population, switches

CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 200
[windows]
every = "1h"
since = "10h"
[warehouse.duckdb]
path = "warehouse.duckdb"
"""
SERIES = ["traffic", "direction"]


async def network_night(ground: MakeGround, total: str, more: Sequence[str] = ()) -> Ground:
    """Three mailboxes and their network, asked for with one key; the clock stands at half past an hour."""
    now = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
    night = await ground(
        population(3, 0),
        CONFIG,
        switches=switches(ex_scope="network", network_total=total),
        seed=4,  # in which Root is busy
        now=now,
    )
    key = (night.folder / "sessions.csv").read_text().splitlines()[1].split(",")[1]
    boxes = [
        f"box-{user.mailbox_id},{key},{user.network_id},{user.mailbox_id}"
        for user in night.simulator.population.users()
    ]
    lines = ["label,api_key,network_id,mailbox_id", *boxes, f"all,{key},300,0", *more]
    (night.folder / "sessions.csv").write_text("\n".join(lines) + "\n")
    return night


def sums(frame: pd.DataFrame) -> dict[Any, int]:
    """Estimates by traffic and direction."""
    found: dict[Any, int] = frame.groupby(SERIES)["estimate"].sum().astype(int).to_dict()
    return found


@pytest.mark.parametrize("total", ["sum", "root"])
async def test_a_network_is_counted_beside_its_mailboxes(ground: MakeGround, total: str) -> None:
    """In Parquet, `open_lake`, SQL, the page and a warehouse; the run says which of the two MailboxID 0 seems to be."""
    night = await network_night(ground, total)
    ended = await night.run("run")
    # the clock of the service stands still and that of this machine does not: its check says so
    checks = ended.json["checks"]
    assert (ended.code, ended.json["failed"]) == (0, 0), ended.err

    history = night.table("traffic_history")
    assert set(history[history["scope"] == "network"]["session"]) == {"all"}
    assert set(history[history["scope"] == "mailbox"]["session"]) == {
        "box-10001",
        "box-10002",
        "box-10003",
    }
    mailboxes = sums(history[history["scope"] == "mailbox"])
    network = sums(history[history["scope"] == "network"])
    assert (mailboxes == network) == (total == "sum")

    lake = open_lake(night.folder / "data")
    both = ["mailbox", "network"]
    for read in (lake.traffic_history, lake.traffic_hours, lake.traffic_days):
        assert sums(read()) == mailboxes
        assert sums(read(scopes=["network"])) == network
        assert set(read(scopes=both)["scope"]) == set(both)
        assert len(read(scopes=both)) == len(read()) + len(read(scopes=["network"]))

    by_series = "SELECT traffic, direction, sum(estimate) AS estimate FROM {} GROUP BY ALL"
    with duckdb.connect(str(night.folder / "warehouse.duckdb"), read_only=True) as warehouse:
        for view in ("hours", "days"):
            for scope, wanted in (("traffic", mailboxes), ("network", network)):
                sql = by_series.format(f"{scope}_{view}")
                assert sums(queried(lake, sql).to_pandas()) == wanted
                assert sums(warehouse.sql(sql).to_arrow_table().to_pandas()) == wanted

    now = datetime.now(UTC) + timedelta(hours=1)
    hours = queries(Period(ended.json["run_id"], now, now.date()))["hours"]
    page = of_one_state(lake, ["calls", "traffic_history"], lambda ask: ask(hours))
    assert sums(page.to_pandas()) == mailboxes

    said = ended.json["networks"]["all"]
    of_all = night.table("calls").query("session == 'all'")["quality"].fillna("")
    marked = of_all.str.contains("network_is_its_mailboxes")
    if total == "sum":
        assert said.endswith("it seems to be the sum of its mailboxes")
        assert "network_is_its_mailboxes" not in checks
        assert not marked.any()
    else:
        assert said.endswith("it seems to be its Root mailbox alone, which sums leave out")
        assert checks["network_is_its_mailboxes"] == len(of_all) == 6
        assert marked.all()
    everybody = night.table("calls")
    assert (
        not everybody[everybody["session"] != "all"]["quality"]
        .fillna("")
        .str.contains("network_is")
        .any()
    )


@pytest.mark.extended
async def test_nothing_is_said_where_a_mailbox_is_not_known(ground: MakeGround) -> None:
    """One more mailbox of the network is asked for that the service does not know: the sum has a hole."""
    night = await network_night(ground, "root", ["gone,env:T_KEY_0,300,99999"])
    ended = await night.run("run")
    assert ended.code == 1, ended.err
    assert ended.json["networks"] == {}
    assert "network_is_its_mailboxes" not in ended.json["checks"]
