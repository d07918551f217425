"""Rows of whole networks in the history: read only if they are asked for, and told apart in older lakes, too."""

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from pipelines.contract import TABLES, TRAFFIC_HISTORY
from pipelines.history import derive
from pipelines.lake import Lake
from pipelines.read import OpenLake, open_lake
from pipelines.read.sql import queried
from tests.history.nights import DAY, hours, nights, of_network, publish

KEY = list(TRAFFIC_HISTORY.key)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two nights, of a mailbox and of its network; between them nobody asked."""
    made = Lake(tmp_path)
    runs = nights(hours(range(4), 4), hours(range(8, 12), 12))
    for number, (run_id, buckets) in enumerate(runs.items()):
        whole = pd.concat([buckets, of_network(buckets)])
        publish(made, run_id, whole, DAY + timedelta(number))
    return made


def plain(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Every row, in the order of the key."""
    rows = frame.sort_values(KEY).astype("object")
    return list(rows.where(rows.notna(), None).itertuples(index=False, name=None))


def test_sums_leave_it_out_unless_it_is_asked_for(lake: Lake) -> None:
    """As tables, hours and days; also what is unseen has a scope. The table itself has all of it."""
    derive(lake)
    reader = open_lake(lake.folder)
    rows = reader.frame("traffic_history")
    assert dict(rows.groupby("session")["scope"].unique().map(list)) == {
        "acme": ["mailbox"],
        "all": ["network"],
    }
    assert set(rows["state"]) == {"exact", "unseen"}
    total = rows["estimate"].sum()
    for read in (reader.traffic_history, reader.traffic_hours, reader.traffic_days):
        assert set(read()["session"]) == {"acme"}
        assert read(scopes=None).equals(read())
        assert set(read(scopes=["network"])["session"]) == {"all"}
        both = read(scopes=["network", "mailbox"])
        assert both["estimate"].sum() == total == 2 * read()["estimate"].sum()
    for view in ("hours_in('Asia/Kolkata')", "days_in('Asia/Kolkata')", "hours", "days"):
        for scope, session in (("traffic", "acme"), ("network", "all")):
            found = queried(reader, f"SELECT session, estimate FROM {scope}_{view}").to_pandas()
            assert set(found["session"]) == {session}
            assert found["estimate"].sum() * 2 == total


def test_what_is_no_scope_is_refused(lake: Lake) -> None:
    """With what would be right."""
    derive(lake)
    reader = open_lake(lake.folder)
    for read in (reader.traffic_history, reader.traffic_days):
        with pytest.raises(ValueError, match="'all' must be one of mailbox, network"):
            read(scopes=["all"])
        with pytest.raises(ValueError, match="must have one of mailbox, network, or both"):
            read(scopes=[])
        with pytest.raises(TypeError, match="scopes = 'network': must be a list of them"):
            read(scopes="network")
    with pytest.raises(ValueError, match="'scopes' of traffic_buckets: it has no column scope"):
        reader.traffic_buckets(scopes=["network"])


def test_a_history_of_version_1_is_read_and_then_made_anew(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then its rows count as those of mailboxes, as they did; then they are told apart, pruned buckets or not."""
    columns = tuple(each for each in TRAFFIC_HISTORY.columns if each.name != "scope")
    older = replace(TRAFFIC_HISTORY, version=1, columns=columns)
    modules = [
        name
        for name, module in sys.modules.items()
        if name.startswith("pipelines.") and hasattr(module, "TRAFFIC_HISTORY")
    ]
    with monkeypatch.context() as then:
        then.setitem(TABLES, "traffic_history", older)
        for name in modules:
            then.setattr(sys.modules[name], "TRAFFIC_HISTORY", older)
        then.setattr(
            sys.modules["pipelines.history.rewriting"], "_COLUMNS", [each.name for each in columns]
        )
        derive(lake)
    reader = OpenLake(lake)
    before = reader.frame("traffic_history")
    assert before["scope"].isna().all()
    assert plain(reader.traffic_history()) == plain(before)
    assert len(reader.traffic_history(scopes=["network"])) == 0
    assert set(reader.traffic_days()["session"]) == {"acme", "all"}
    assert set(queried(reader, "SELECT session FROM traffic_days")["session"].to_pylist()) == {
        "acme",
        "all",
    }
    assert queried(reader, "SELECT session FROM network_days").num_rows == 0

    lake.prune(DAY + timedelta(1), ["traffic_buckets"])
    derive(lake)
    after = reader.frame("traffic_history")
    assert plain(after.drop(columns="scope")) == plain(before.drop(columns="scope"))
    assert dict(after.groupby("session")["scope"].unique().map(list)) == {
        "acme": ["mailbox"],
        "all": ["network"],
    }
    again = derive(lake)
    assert again == derive(lake)
