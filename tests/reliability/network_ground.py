"""A night whose run is quick to try again, and what its ledger must always say."""

from collections import Counter

from collector.simulator import Simulator
from tests.nightly.ground import Ended, Ground, counts_sent, counts_told

__all__ = ["CONFIG", "KEY", "accounted", "asked", "redirected"]

CONFIG = """timeout_seconds = 5
[limits]
requests_per_second = 400
per_session_per_second = 100
concurrency = 8
[retry]
backoff_seconds = 0.05
max_backoff_seconds = 0.4
[windows]
minutes = [60, 120, 180, 240]
"""
KEY = ["session", "window1_minutes", "window2_minutes"]


def redirected(night: Ground, url: str, *lines: str) -> None:
    """Point the configuration elsewhere, and add keys to `[service]`."""
    text = night.config.read_text()
    text = text.replace(night.simulator.url, url)
    night.config.write_text(text.replace("[service]\n", "\n".join(["[service]", *lines, ""])))


def asked(simulator: Simulator, operation: str = "ReportInstantStats") -> int:
    """How many requests of an operation arrived."""
    return sum(each.operation == operation for each in simulator.log.arrivals)


def accounted(night: Ground, ended: Ended) -> Counter[str]:
    """The fault classes of a published run, once its ledger adds up and its counts are the truth."""
    said = ended.json
    calls, stats = night.table("calls"), night.table("instant_stats")
    assert said["planned"] == len(calls)
    assert said["planned"] == sum(said[s] for s in ("ok", "empty", "failed", "not_attempted"))
    assert Counter(calls["state"]) == Counter(
        {s: said[s] for s in ("ok", "empty", "failed", "not_attempted") if said[s]}
    )
    states = calls.set_index(KEY)["state"].to_dict()
    assert counts_sent(stats) == counts_told(night.simulator, states)
    return Counter(calls["fault_class"].dropna())
