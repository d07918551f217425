"""Calls that name instants: whatever happens on the way, the service is asked for the time between the same edges."""

import asyncio
import signal
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from collector.config import ApiKey, Settings
from collector.domain.calls import Call, Span
from collector.domain.run import RunInfo
from collector.domain.secret import Secret
from collector.landing import LandedRun, Landing
from collector.runs.plan import calls_of_spans, run_id
from collector.runs.run import Collected, Stop, collect
from collector.simulator import Population, Simulator
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import SERIES, Ground, population, switches

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
SECOND_US = 1_000_000
CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 100
[windows]
minutes = [60, 600, 1440]
"""


def hours_before(now_us: int, count: int) -> list[int]:
    """The last full hours, oldest first."""
    last = now_us // HOUR_US * HOUR_US
    return [last - HOUR_US * back for back in reversed(range(count))]


def settings_of(simulator: Simulator, root: Path, **retry: object) -> Settings:
    """Every session of the simulator, each with a key of its own."""
    return Settings.model_validate(
        {
            "service": {"url": simulator.url, "timeout_seconds": 5},
            "limits": {"requests_per_second": 1000, "per_session_per_second": 1000},
            "retry": {"backoff_seconds": 0.01, **retry},
            "windows": {"minutes": [60]},
            "sessions": [
                {"label": label, "api_key": "env:T_INSTANTS_KEY"}
                for label in simulator.population.credentials()
            ],
            "storage": {"root": root},
        }
    )


async def frozen(settings: Settings, calls: Iterable[Call]) -> Path:
    """A run that was planned just now and has asked nothing yet."""
    now_us = time.time_ns() // 1_000
    service = settings.service
    info = RunInfo(run_id(now_us), service.url, service.namespace, service.binding, now_us)
    landing = Landing.create(settings.storage.root / "landing", info, calls)
    await landing.close()
    return landing.path


def planned(settings: Settings, edges_us: list[int]) -> list[Call]:
    """Neighbouring edges, of every session."""
    spans = [Span(*pair) for pair in pairwise(edges_us)]
    return [call for entry in settings.sessions for call in calls_of_spans(entry, spans)]


async def collected(
    settings: Settings, simulator: Simulator, stop: Stop | None = None
) -> Collected:
    """One invocation of the run that was begun."""
    known = {
        label: ApiKey(Secret(str(each.api_key)))
        for label, each in simulator.population.credentials().items()
    }
    return await collect(settings, known, stop or Stop())


Counts = dict[tuple[int, str, str], int]


def rows(night: Ground, table: str) -> list[dict[str, Any]]:
    """A published table, row by row."""
    found = night.table(table)
    return [dict(zip(found.columns, row, strict=True)) for row in found.itertuples(index=False)]


def counts_of(night: Ground, call_id: str) -> Counts:
    """The facts of a call."""
    return {
        (row["window_slot"], row["traffic"], row["direction"]): row["count"]
        for row in rows(night, "instant_stats")
        if row["call_id"] == call_id
    }


def told(simulator: Simulator, mailbox: str, row: Mapping[str, Any]) -> Counts:
    """What the service counted for the windows of that call."""
    minutes = row["window1_minutes"], row["window2_minutes"]
    (counts,) = {
        each.counts
        for each in simulator.log.answers
        if (each.session, each.minutes1, each.minutes2) == (mailbox, *minutes)
    }
    return dict(zip(SERIES, counts, strict=True))


def is_nearest(edge_us: int, minutes: int, observed_at_us: int, *, seconds: int = 3) -> bool:
    """Whether these are the minutes since the edge, to the nearest, when the service answered (and so long before)."""
    off_us = observed_at_us - int(minutes) * MINUTE_US - edge_us
    return -31 * SECOND_US <= off_us <= (31 + seconds) * SECOND_US


@pytest.mark.parametrize("ahead_hours", [0, 7, -5])
async def test_a_night_asks_for_the_hours_that_were_planned(
    ground: MakeGround, ahead_hours: int
) -> None:
    """By the service's clock, however far that is from this machine's; and the ledger says what was asked."""
    now = datetime.now(UTC) + timedelta(hours=ahead_hours, seconds=17)
    night = await ground(population(6, 3), CONFIG, now=now)
    root = night.folder / "data"
    settings = settings_of(night.simulator, root)
    edges_us = hours_before(night.simulator.clock.now_us(), 5)
    calls = planned(settings, edges_us)
    await frozen(settings, calls)

    ended = await night.run("run")

    assert (ended.code, ended.json["planned"], ended.json["ok"]) == (0, 24, 24), ended.err
    ledger = rows(night, "calls")
    assert {row["call_id"] for row in ledger} == {call.call_id for call in calls}
    assert {row["operation"] for row in ledger} == {"ReportInstantStats"}
    for row in ledger:
        older, younger, observed = (
            row[name].value // 1_000 for name in ("span_start", "span_end", "observed_at")
        )
        assert Call.of_id(row["call_id"]).arguments == (Span(older, younger),)
        assert is_nearest(younger, row["window1_minutes"], observed)
        assert is_nearest(older, row["window2_minutes"], observed)
        assert counts_of(night, row["call_id"]) == told(night.simulator, row["session"], row)


async def test_a_run_that_is_resumed_hours_later_asks_for_the_same_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every attempt has the minutes of its own time, and they are kept with its reply."""
    wall_ns, moved_ns = time.time_ns, 0
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + moved_ns)
    broken = switches(fault_system="always")
    async with Simulator(Population(4, 0), broken) as simulator:
        settings = settings_of(
            simulator, tmp_path, attempts=10, backoff_seconds=60.0, max_backoff_seconds=60.0
        )
        edges_us = hours_before(wall_ns() // 1_000, 4)
        path = await frozen(settings, planned(settings, edges_us))
        stop = Stop()
        first = asyncio.create_task(collected(settings, simulator, stop))
        while simulator.log.total < 13:  # noqa: ASYNC110  # Version, then the calls
            await asyncio.sleep(0.01)
        stop.ask("test")
        assert (await first).summary.ok == 0
        simulator.change({"fault_system": "never"})
        moved_ns = 5 * HOUR_US * 1_000 + 20 * 10**9
        second = await collected(settings, simulator)
    assert (second.path, second.resumed, second.summary.ok) == (path, True, 12)
    with LandedRun.open(path) as landed:
        calls = {call.call_id: call for call in landed.calls()}
        replies = list(landed.replies())
    by_call: dict[str, list[tuple[int, int]]] = {}
    for reply in replies:
        (span,) = calls[reply.call_id].arguments
        assert isinstance(span, Span)
        assert reply.minutes is not None
        assert is_nearest(span.end_us, reply.minutes[0], reply.sent_at_us)
        assert is_nearest(span.start_us, reply.minutes[1], reply.sent_at_us)
        for number, minutes in enumerate(reply.minutes, start=1):
            assert f"<Minutes{number}>{minutes}<" in reply.request
        by_call.setdefault(reply.call_id, []).append(reply.minutes)
    assert len(by_call) == 12
    for attempts in by_call.values():
        assert {last - first for first, last in zip(attempts[0], attempts[-1], strict=True)} <= {
            300,
            301,
        }


async def test_a_clock_that_is_not_told_holds_up_no_signal(ground: MakeGround) -> None:
    """The request that asks for it hangs, and is given up like any other that is in flight."""
    night = await ground(
        population(3, 0),
        f"timeout_seconds = 50\n{CONFIG}[run]\ndrain_seconds = 1\n",
        switches=switches(never_answer="always", operations="Version"),
    )
    settings = settings_of(night.simulator, night.folder / "data")
    await frozen(settings, planned(settings, hours_before(night.simulator.clock.now_us(), 3)))
    process = await night.start("run")
    await night.arrivals(1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    ended = await night.ended(process)
    assert (ended.code, ended.json["stopped"]) == (4, "SIGTERM"), ended.err
    assert time.monotonic() - began < 6.0
    assert [each.operation for each in night.simulator.log.arrivals] == ["Version"]


async def test_mailboxes_that_are_named(ground: MakeGround) -> None:
    """A session with a network asks for that mailbox, and its facts are those of the mailbox."""
    night = await ground(
        population(3, 0),
        CONFIG,
        switches=switches(ex_scope="network"),
        now=datetime.now(UTC),
    )
    first = (night.folder / "sessions.csv").read_text().splitlines()[1]
    reference = first.split(",")[1]
    named = [
        f"box-{number},{reference},{user.network_id},{user.mailbox_id}"
        for number, user in enumerate(night.simulator.population.users())
    ]
    lines = ["label,api_key,network_id,mailbox_id", *named, f"own,{reference},,"]
    (night.folder / "sessions.csv").write_text("\n".join(lines) + "\n")

    ended = await night.run("run")

    assert (ended.code, ended.json["ok"]) == (0, 8), ended.err
    asked = {
        f"box-{number}": label
        for number, label in enumerate(night.simulator.population.credentials())
    }
    asked["own"] = asked["box-0"]
    for row in rows(night, "calls"):
        suffix = "" if row["session"] == "own" else "Ex"
        assert row["operation"] == f"ReportInstantStats{suffix}"
        assert counts_of(night, row["call_id"]) == told(night.simulator, asked[row["session"]], row)
