"""Buckets of real nights against the simulator's events."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from tests.nightly.conftest import HOURS, MakeGround
from tests.nightly.ground import Ground, population, switches

CONFIG = """timeout_seconds = 5
[limits]
requests_per_second = 400
per_session_per_second = 100
concurrency = 16
[retry]
backoff_seconds = 0.05
"""
MINUTE_US = 60_000_000


def nows_of(night: Ground) -> dict[str, int]:
    """By call: the service's own now when it answered, in microseconds."""
    calls = night.table("calls")[["session", "window1_minutes", "window2_minutes", "call_id"]]
    ids = {tuple(row[:3]): row[3] for row in calls.itertuples(index=False, name=None)}
    answers = night.simulator.log.answers
    return {ids[one.session, one.minutes1, one.minutes2]: one.now1_us for one in answers}


def truth(night: Ground, nows: Mapping[str, int], bucket: Mapping[Any, Any]) -> int:
    """What happened between the two edges, each the service's own now less the window."""

    def edge(call_id: str, minutes: int) -> int:
        return nows[call_id] - minutes * MINUTE_US

    start = edge(bucket["call_id"], bucket["to_minutes"])
    end = edge(bucket["from_call_id"], bucket["from_minutes"])
    counts = night.simulator.traffic.counts(bucket["session"], start, end)
    found: int = getattr(counts, f"{bucket['traffic']}s_{bucket['direction']}")
    return found


@pytest.mark.parametrize("pairing", ["pairs", "chain"])
@pytest.mark.few(1)
async def test_a_night_with_failures(ground: MakeGround, pairing: str) -> None:
    """Some calls fail, some are answered at the second attempt, some counts are null: no bucket is wrong."""
    wrong = {
        "mailbox-0002": switches(fault_system="minutes:120"),
        "mailbox-0004": switches(html_200="attempts:1", latency_ms=50),
        "mailbox-0006": switches(null_counts="share:0.3"),
        "mailbox-0008": switches(decreasing_windows="share:0.3"),
    }
    config = CONFIG + HOURS + f'pairing = "{pairing}"\n'
    night = await ground(population(10), config, overrides=wrong)
    await night.run("run")
    buckets = night.table("traffic_buckets")
    assert buckets["session"].nunique() == 10
    nows = nows_of(night)
    for bucket in buckets.to_dict("records"):
        happened = truth(night, nows, bucket)
        assert bucket["low"] <= happened
        assert pd.isna(bucket["high"]) or happened <= bucket["high"]
        assert not bucket["exact"] or bucket["count"] == bucket["low"] == bucket["high"]
    whole = buckets[buckets["session"] == "mailbox-0001"]
    assert len(whole) == 24 * 4
    # in a chain all are, but where something came or fell out just between two answers
    assert whole["exact"].sum() >= 13 * 4 + (pairing == "chain")
