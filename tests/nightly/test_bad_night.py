"""A night in which much goes wrong: what is published is the truth, and the rest is accounted for."""

from collections import Counter

import pytest

from tests.nightly.conftest import HOURS, MakeGround
from tests.nightly.ground import counts_sent, counts_told, population, switches

CONFIG = f"""timeout_seconds = 4
[limits]
requests_per_second = 400
per_session_per_second = 100
concurrency = 32
[retry]
backoff_seconds = 0.05
max_backoff_seconds = 0.4
{HOURS}"""

SLOW = range(1, 11)  # 0.6 s an answer
EXPIRING = range(15, 65, 5)  # by login: their session is gone every seventh call
FAULTY = range(66, 70)  # every attempt of some calls ends in a fault of the service
FLAKY = range(71, 80)  # the first attempt of each call is an HTML page
SILENT = range(81, 85)  # some calls get an empty body, whatever is done
NULL = range(86, 90)  # the answer is a null DataSet
LYING = range(91, 93)  # negative counts


def label(number: int) -> str:
    """The label of the nth session."""
    return f"mailbox-{number:04d}"


def overrides() -> dict[str, object]:
    """What goes wrong, by label."""
    wrong = (
        (SLOW, switches(latency_ms=600)),
        (EXPIRING, switches(expire_after_calls=7)),
        (FAULTY, switches(fault_system="share:0.5")),
        (FLAKY, switches(html_200="attempts:1")),
        (SILENT, switches(empty_200="minutes:120")),
        (NULL, switches(null_dataset="always")),
        (LYING, switches(negative_count="call:3")),
    )
    return {label(number): each for numbers, each in wrong for number in numbers}


@pytest.mark.extended
async def test_a_night_of_200_sessions_in_which_much_goes_wrong(ground: MakeGround) -> None:
    """Exit code 1, the ledger sums, every count equals the truth, and no session waited on another."""
    night = await ground(population(200), CONFIG, overrides=overrides())
    ended = await night.run("run")
    said = ended.json

    assert ended.code == 1
    assert said["planned"] == 200 * 12
    calls = night.table("calls")
    states = Counter(calls["state"])
    assert said["planned"] == len(calls) == sum(states.values())
    assert {name: said[name] for name in ("ok", "empty", "failed", "not_attempted")} == {
        name: states.get(name, 0) for name in ("ok", "empty", "failed", "not_attempted")
    }
    assert said["not_attempted"] == 0
    assert said["empty"] == len(NULL) * 12

    failed = calls[calls["state"] == "failed"]
    by_session = failed.groupby("session")["fault_class"].agg(set).to_dict()
    assert set(by_session) == {label(n) for group in (FAULTY, SILENT, LYING) for n in group}
    assert all(by_session[label(n)] == {"server"} for n in FAULTY)
    assert all(by_session[label(n)] == {"malformed"} for n in SILENT)
    assert all(by_session[label(n)] == {"quarantined"} for n in LYING)

    log = night.simulator.log
    asked = Counter(each.operation for each in log.arrivals)
    assert said["attempts"] == asked["ReportInstantStats"] == calls["attempts"].sum()
    assert said["logins"] == asked["Login"]
    assert night.simulator.control.state()["open_sessions"] == {}

    key = ["session", "window1_minutes", "window2_minutes"]
    told = counts_told(night.simulator, calls.set_index(key)["state"].to_dict())
    stats = night.table("instant_stats")
    assert counts_sent(stats) == told
    assert said["rows"] == len(stats) == said["ok"] * 8


@pytest.mark.extended
async def test_slow_sessions_hold_up_no_other(ground: MakeGround) -> None:
    """With 10 of 60 sessions slow, the others are done long before one slow session could be."""
    slow = {label(number): switches(latency_ms=500) for number in range(1, 11)}
    night = await ground(population(60, 0), CONFIG, overrides=slow)
    assert (await night.run("run")).code == 0

    last: dict[str, float] = {}
    begun = min(each.monotonic for each in night.simulator.log.arrivals)
    for each in night.simulator.log.arrivals:
        last[each.session] = each.monotonic - begun
    quick = max(at for session, at in last.items() if session not in slow)
    # 60 x 13 requests at 400/s take 2 s; a slow session needs 12 x 0.5 s one at a time, and so half of that with two
    assert min(last[session] for session in slow) > quick
