"""A fortnight of real nights, with outages, in all three targets: identical totals, by queries on each."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from collector.config import ApiKey, Settings
from collector.domain.secret import Secret
from collector.landing import LandedRun
from collector.runs.run import Stop, collect
from collector.simulator import Population, Simulator
from pipelines.lake import Lake
from pipelines.normalize import normalize
from pipelines.warehouse.loading import load_all
from pipelines.warehouse.target import DuckDbFile, IcebergCatalog, PostgresServer, Target
from tests.warehouse.ground import LOADED, Look

FIRST = datetime(2026, 1, 12, 2, tzinfo=UTC)
TOTALS = {
    "counted": "SELECT run_id, traffic, direction, window_minutes, count(*), CAST(sum(count) AS bigint), max(count)"
    " FROM instant_stats GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    "ledger": "SELECT run_id, state, fault_class, count(*), CAST(sum(attempts) AS bigint),"
    " CAST(sum(reply_bytes) AS bigint) FROM calls GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "buckets": "SELECT traffic, direction, exact, count(*), CAST(sum(count) AS bigint), CAST(sum(low) AS bigint),"
    " CAST(sum(high) AS bigint), min(bucket_start) FROM traffic_buckets GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "sessions": "SELECT session, count(*), min(network_id), max(asked_at)"
    " FROM sessions GROUP BY 1 ORDER BY 1",
    "span": "SELECT min(observed_at), max(observed_at), count(DISTINCT raw_sha256) FROM instant_stats",
}


def config(simulator: Simulator, root: Path, hours: int) -> Settings:
    """As fast as it goes."""
    return Settings.model_validate(
        {
            "service": {"url": simulator.url},
            "limits": {
                "requests_per_second": 5000,
                "per_session_per_second": 5000,
                "concurrency": 16,
            },
            "retry": {"attempts": 2, "backoff_seconds": 0.01},
            "windows": {"minutes": [60 * hour for hour in range(1, hours + 1)]},
            "sessions": [
                {"label": each.label, "api_key": "env:T_FORTNIGHT_KEY"}
                for each in simulator.population.credentials().values()
            ],
            "storage": {"root": root},
        }
    )


async def lay(
    lake: Lake, folder: Path, patch: pytest.MonkeyPatch, sessions: int, hours: int
) -> None:
    """Fourteen nights, one after the other; both clocks are moved, and each third night has its outage."""
    wall_ns = time.time_ns
    async with Simulator(Population(sessions, 0), now=FIRST, anchor=FIRST) as simulator:
        settings = config(simulator, folder, hours)
        known = {
            label: ApiKey(Secret(str(each.api_key)))
            for label, each in simulator.population.credentials().items()
        }
        for number in range(14):
            start = FIRST + timedelta(days=number)
            ahead_ns = int(start.timestamp() * 1e9) - wall_ns()
            patch.setattr(time, "time_ns", lambda ahead_ns=ahead_ns: wall_ns() + ahead_ns)
            simulator.clock.set(start + timedelta(seconds=2))
            for label in settings.sessions[: sessions // 5]:
                simulator.change(
                    {"html_502": "always" if number % 3 == 2 else "never"}, label.label
                )
            collected = await collect(settings, known, Stop())
            await asyncio.to_thread(publish, lake, collected.path)
    patch.setattr(time, "time_ns", wall_ns)


def publish(lake: Lake, landed: Path) -> None:
    """What was landed that night."""
    with LandedRun.open(landed) as run:
        normalize(run, lake)


def totals(look: Look) -> dict[str, list[tuple[Any, ...]]]:
    """The answers of a target."""
    return {name: look.rows(query) for name, query in TOTALS.items()}


def assert_identical(lake: Lake, targets: Sequence[Target], answers: int, failed: int) -> None:
    """Loaded once, every table has the lake's rows everywhere; loaded again, nothing changes."""
    loads = load_all(lake, targets)
    rows = {name: ds.dataset(lake.folder / name, format="parquet").count_rows() for name in LOADED}
    for load in loads.values():
        assert (load.error, load.runs, load.inserted) == (None, 14, sum(rows.values()))
    looks = [Look(target) for target in targets]
    found = [totals(look) for look in looks]
    assert found[0] == found[1] == found[2]
    for name in LOADED:
        counted = [look.query(f'SELECT count(*) FROM "{name}"') for look in looks]
        assert counted == [[(rows[name],)]] * 3, name
    states = dict.fromkeys(("ok", "failed"), 0)
    for _, state, _, count, *_ in found[0]["ledger"]:
        states[state] += count
    assert states == {"ok": answers, "failed": failed}
    assert rows["instant_stats"] == 8 * answers
    again = load_all(lake, targets)
    assert [(load.runs, load.inserted, load.removed) for load in again.values()] == [(0, 0, 0)] * 3
    assert [totals(look) for look in looks] == found


@pytest.mark.extended
async def test_a_small_fortnight(
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    duckdb_file: DuckDbFile,
    postgres: PostgresServer,
    iceberg: IcebergCatalog,
) -> None:
    """14 nights of 10 sessions and 6 windows."""
    await lay(lake, tmp_path / "small", monkeypatch, 10, 6)
    targets = (duckdb_file, postgres, iceberg)
    await asyncio.to_thread(assert_identical, lake, targets, 14 * 30 - 4 * 6, 4 * 6)


@pytest.mark.extended
@pytest.mark.timeout(900)
async def test_a_whole_fortnight(
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    duckdb_file: DuckDbFile,
    postgres: PostgresServer,
    iceberg: IcebergCatalog,
) -> None:
    """14 nights of 200 sessions and 24 windows."""
    await lay(lake, tmp_path / "whole", monkeypatch, 200, 24)
    targets = (duckdb_file, postgres, iceberg)
    failed = 4 * 40 * 12
    await asyncio.to_thread(assert_identical, lake, targets, 14 * 200 * 12 - failed, failed)
