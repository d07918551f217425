"""Runs that end early: resumed without repeating, logged out without exception."""

import asyncio
import contextlib
import signal
import sqlite3
import sys
from collections import Counter
from dataclasses import replace

import pytest

from collector.landing import LandedRun
from collector.landing.records import PUT_VALUE, info_values
from tests.nightly.conftest import HOURS, MakeGround
from tests.nightly.ground import counts_sent, counts_told, population, switches

CONFIG = f"""timeout_seconds = 5
[limits]
requests_per_second = 200
per_session_per_second = 100
concurrency = 16
{HOURS}"""
KEY = ["session", "window1_minutes", "window2_minutes"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.few(1)
async def test_a_stopped_run_is_resumed(ground: MakeGround, number: int) -> None:
    """The rest is collected, nothing twice, and every login is logged out both times."""
    night = await ground(population(40, 2), CONFIG, switches=switches(latency_ms=30))
    stopped = await night.interrupted(200, number)
    said = stopped.json
    log = night.simulator.log
    assert stopped.code == 4
    assert said["not_attempted"] > 0
    assert said["planned"] == 480 == said["ok"] + said["failed"] + said["not_attempted"]
    assert night.simulator.control.state()["open_sessions"] == {}

    status = (await night.run("status")).json["runs"]
    assert [(each["run_id"], each["finished"]) for each in status] == [(said["run_id"], False)]
    assert status[0]["standing"] == "unfinished, to be resumed by run, not published"

    before = len(log.arrivals)
    resumed = await night.run("run")
    assert resumed.code == 0
    assert resumed.json["run_id"] == said["run_id"]
    assert resumed.json["resumed"] is True
    later = list(log.arrivals)[before:]
    asked = Counter(each.operation for each in later)
    assert asked["ReportInstantStats"] == said["not_attempted"] + said["failed"]
    assert resumed.json["attempts"] == sum(
        each.operation == "ReportInstantStats" for each in log.arrivals
    )
    assert night.simulator.control.state()["open_sessions"] == {}

    stats, calls = night.table("instant_stats"), night.table("calls")
    assert len(calls) == 480
    assert not stats.duplicated([*_NATURAL]).any()
    assert counts_sent(stats) == counts_told(
        night.simulator, calls.set_index(KEY)["state"].to_dict()
    )


_NATURAL = ("session", "window_minutes", "window_slot", "traffic", "direction", "call_id", "run_id")


async def test_a_killed_run_is_resumed(ground: MakeGround) -> None:
    """After kill -9 nothing that was answered and landed is asked for again, beyond what was in flight."""
    night = await ground(population(40, 0), CONFIG, switches=switches(latency_ms=20))
    process = await night.start("run")
    await night.arrivals(250)
    process.kill()
    await process.wait()
    resumed = await night.run("run")
    assert resumed.code == 0
    said = resumed.json
    assert (said["ok"], said["resumed"]) == (480, True)
    asked = Counter(
        (each.session, each.minutes1)
        for each in night.simulator.log.arrivals
        if each.operation == "ReportInstantStats"
    )
    assert len(asked) == 480
    assert sum(asked.values()) - 480 <= 16  # the concurrency
    assert len(night.table("instant_stats")) == 480 * 8


@pytest.mark.extended
async def test_a_run_that_could_not_be_published_is_resumed(ground: MakeGround) -> None:
    """Run again once the trouble is mended: it publishes what was collected, and asks for nothing again."""
    night = await ground(population(5), CONFIG)
    night.lake.mkdir(parents=True)
    (night.lake / "calls").write_text("in the way")
    failed = await night.run("run")
    assert failed.code == 5
    assert str(night.lake / "calls") in failed.json["error"]
    (status,) = (await night.run("status")).json["runs"]
    assert (status["finished"], status["published"], status["ok"]) == (False, False, 60)
    already = len(night.simulator.log.arrivals)
    (night.lake / "calls").unlink()
    resumed = await night.run("run")
    assert (resumed.code, resumed.json["resumed"]) == (0, True)
    assert (resumed.json["run_id"], resumed.json["attempts"]) == (status["run_id"], 60)
    assert len(night.simulator.log.arrivals) == already
    assert len(night.table("instant_stats")) == 60 * 8
    assert (await night.run("run")).json["resumed"] is False


@pytest.mark.extended
async def test_a_deadline_publishes_what_is_there(ground: MakeGround) -> None:
    """Exit code 4, the missing calls are in the ledger, and the next run completes the same files."""
    night = await ground(population(40), CONFIG)
    ended = await night.run("run", "--deadline", "1.2")
    said = ended.json
    assert ended.code == 4
    assert said["stopped"] == "deadline"
    assert 0 < said["ok"] < 480
    assert said["ok"] + said["failed"] + said["not_attempted"] == 480
    assert said["rows"] == said["ok"] * 8 == len(night.table("instant_stats"))
    assert Counter(night.table("calls")["state"])["not_attempted"] == said["not_attempted"]

    completed = await night.run("run")
    assert completed.code == 0
    assert completed.json["run_id"] == said["run_id"]
    assert len(night.table("instant_stats")) == 480 * 8
    assert len(list((night.lake / "instant_stats").rglob("*.parquet"))) == 1


async def test_a_second_run_is_refused(ground: MakeGround) -> None:
    """Two runs on one storage root: the second exits 3 and harms nothing."""
    night = await ground(population(30), CONFIG, switches=switches(latency_ms=50))
    first = await night.start("run")
    await night.arrivals(20)
    second = await night.run("run")
    assert second.code == 3
    assert "another run" in second.json["error"]
    assert (await night.ended(first)).json["ok"] == 360


async def test_a_second_signal_ends_at_once(ground: MakeGround) -> None:
    """The first signal waits for what is in flight; the second one does not."""
    slow = switches(latency_ms=20_000)
    night = await ground(population(10, 0), CONFIG, switches=slow)
    process = await night.start("run")
    await night.arrivals(1)
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(2):
        assert await process.wait() == 4


@pytest.mark.extended
async def test_what_was_landed_gives_the_same_bytes_again(ground: MakeGround) -> None:
    """`normalize` rebuilds a deleted lake byte for byte, without the service."""
    night = await ground(population(10), CONFIG, switches=switches(extra_columns="every:4"))
    assert (await night.run("run")).code == 0
    files = {path: path.read_bytes() for path in night.lake.rglob("*") if path.is_file()}
    assert len(files) > 5
    for path in files:
        path.unlink()
    await night.simulator.stop()
    again = await night.run("normalize")
    assert again.code == 0
    assert {path: path.read_bytes() for path in night.lake.rglob("*") if path.is_file()} == files


@pytest.mark.extended
async def test_what_was_frozen_is_asked(ground: MakeGround) -> None:
    """Other windows in the configuration change nothing by then, and the calls of a session that is gone end."""
    night = await ground(population(20), CONFIG, switches=switches(latency_ms=30))
    stopped = await night.interrupted(60)
    assert stopped.code == 4
    text = night.config.read_text()
    night.config.write_text(text.replace("minutes = [60, ", "minutes = [7, "))
    sessions = night.folder / "sessions.csv"
    kept = sessions.read_text()
    gone = {f"mailbox-{number:04}" for number in range(11, 21)}
    sessions.write_text("".join(kept.splitlines(keepends=True)[:11]))
    resumed = await night.run("run")
    said = resumed.json
    assert (resumed.code, said["run_id"], said["resumed"]) == (1, stopped.json["run_id"], True)
    assert said["planned"] == 240 == said["ok"] + said["not_attempted"]
    calls = night.table("calls").set_index("session")
    assert set(calls["window1_minutes"].unique()) >= {60}
    assert 7 not in set(calls["window1_minutes"])
    missing = calls[calls["state"] == "not_attempted"]
    assert 0 < len(missing) <= 120
    assert set(missing.index) <= gone
    assert all(
        text == f"session '{session}' is not in the configuration any more"
        for session, text in missing["fault_text"].items()
    )
    assert set(calls[calls["state"] == "ok"].index) >= {f"mailbox-{n:04}" for n in range(1, 11)}
    following = await night.run("run")
    assert (following.code, following.json["planned"], following.json["resumed"]) == (0, 120, False)


@pytest.mark.extended
async def test_a_run_whose_sessions_are_all_gone(ground: MakeGround) -> None:
    """It ends, nothing is sent, what to do is said; the next run asks the sessions that there are."""
    night = await ground(population(4, 0), CONFIG, switches=switches(latency_ms=300))
    assert (await night.interrupted(2)).code == 4
    sessions = night.folder / "sessions.csv"
    sessions.write_text(sessions.read_text().replace("mailbox-", "renamed-"))
    before = night.simulator.log.total
    process = await night.shell(f"{' '.join(night.program)} run -c {night.config}")
    ended = await night.ended(process)
    assert night.simulator.log.total == before
    assert "call given up" in ended.err
    assert "is not in the configuration any more" in ended.err
    if ended.code == 5:
        assert "`ecgrid-stats run` again begins a new run" in ended.out
    following = await night.run("run")
    assert (following.code, following.json["ok"], following.json["resumed"]) == (0, 48, False)


@pytest.mark.extended
async def test_a_run_that_is_resumed_with_another_service(ground: MakeGround) -> None:
    """The log says so: one run will hold answers of both."""
    night = await ground(population(4, 0), CONFIG, switches=switches(latency_ms=100))
    assert (await night.interrupted(8)).code == 4
    text = night.config.read_text()
    night.config.write_text(text.replace("127.0.0.1", "localhost"))
    resumed = await night.run("run")
    assert (resumed.code, resumed.json["resumed"]) == (0, True), resumed.err
    assert "was begun with another service" in resumed.err
    assert "localhost" in resumed.err


@pytest.mark.extended
async def test_an_earlier_run_that_is_too_old_is_closed(ground: MakeGround) -> None:
    """A run that cannot be resumed any more is published by the next one, its missing calls not attempted."""
    night = await ground(population(20), CONFIG, switches=switches(latency_ms=30))
    stopped = await night.interrupted(60)
    text = night.config.read_text()
    night.config.write_text(f"{text}\n[run]\nresume_within_seconds = 0.01\n")
    ended = await night.run("run")
    assert (ended.code, ended.json["resumed"]) == (0, False)
    calls = night.table("calls")
    first = calls[calls["run_id"] == stopped.json["run_id"]]
    assert Counter(first["state"])["not_attempted"] == 240 - stopped.json["ok"]
    assert all(each["finished"] for each in (await night.run("status")).json["runs"])


@pytest.mark.extended
async def test_a_run_that_is_too_old_is_not_resumed(ground: MakeGround) -> None:
    """Beyond `run.resume_within_seconds` a new run begins, and the old one is published as it is."""
    text = CONFIG + "[run]\nresume_within_seconds = 0\n"
    night = await ground(population(10), text, switches=switches(latency_ms=30))
    stopped = await night.interrupted(30)
    assert stopped.code == 4
    ended = await night.run("run")
    assert (ended.code, ended.json["resumed"]) == (0, False)
    calls = night.table("calls")
    first = calls[calls["run_id"] == stopped.json["run_id"]]
    assert Counter(first["state"])["not_attempted"] == 120 - stopped.json["ok"] > 0


@pytest.mark.extended
async def test_landing_stores_are_dropped(ground: MakeGround) -> None:
    """A published run's, by a later run, once it is as old as configured; its rows stay."""
    night = await ground(population(2, 0), CONFIG + "[storage]\nkeep_landing_days = 1\n")
    landing = night.folder / "data" / "landing"
    runs = [(await night.run("run")).json["run_id"] for _ in range(2)]
    with LandedRun.open(landing / f"{runs[0]}.db") as landed:
        old = replace(landed.info, started_at_us=landed.info.started_at_us - 2 * 86_400_000_000)
    with contextlib.closing(sqlite3.connect(landing / f"{runs[0]}.db")) as store, store:
        store.executemany(PUT_VALUE, info_values(old))
    runs.append((await night.run("run")).json["run_id"])
    assert sorted(path.stem for path in landing.iterdir()) == runs[1:]
    assert set(night.table("raw")["run_id"]) == set(runs)


async def test_a_run_that_was_only_collected_is_published_later(ground: MakeGround) -> None:
    """`collect` publishes nothing; the next `run` catches up, or `normalize` does."""
    night = await ground(population(5), CONFIG)
    collected = await night.run("collect")
    assert collected.code == 0
    assert (collected.json["rows"], collected.json["files"]) == (0, 0)
    assert not night.lake.exists()
    assert (await night.run("run")).code == 0
    assert night.table("calls")["run_id"].nunique() == 2
    assert len(night.table("instant_stats")) == 2 * 60 * 8


@pytest.mark.extended
async def test_labels_that_share_a_login(ground: MakeGround) -> None:
    """One Login serves all labels of a credential, expiry included, and the last one to leave logs out."""
    night = await ground(population(1, 1), CONFIG, switches=switches(expire_after_calls=30))
    rows = (night.folder / "sessions.csv").read_text().splitlines()
    shared = rows[1].partition(",")[2]
    copies = [f"copy-{number},{shared}" for number in range(6)]
    (night.folder / "sessions.csv").write_text("\n".join([rows[0], *copies]) + "\n")
    stopped = await night.interrupted(40)
    assert stopped.code == 4
    assert night.simulator.control.state()["open_sessions"] == {}
    ended = await night.run("run")
    assert ended.code == 0, ended.err
    assert ended.json["ok"] == 72
    assert ended.json["logins"] < 10
    assert night.simulator.control.state()["open_sessions"] == {}


async def test_a_login_on_its_way_when_another_worker_fails(ground: MakeGround) -> None:
    """It is awaited and logged out; cut off, it would stay open at the service with nobody who knows it."""
    slow = switches(slow_body="always", slow_body_seconds=1.5, operations="Login")
    night = await ground(population(2, 2), CONFIG, switches=slow)
    # a file that may not grow any more is a disk that is full
    night.program = ("prlimit", "--fsize=45000", sys.executable, "-m", "pipelines.cli")
    ended = await night.run("collect")
    assert ended.code == 5
    accounts = night.simulator.accounts
    assert sum(accounts.logins.values()) == 1
    assert accounts.logins == accounts.logouts
    assert "ReportInstantStats" in {each.operation for each in night.simulator.log.arrivals}


@pytest.mark.extended
async def test_sessions_that_expire_after_every_call(ground: MakeGround) -> None:
    """Each call costs a Login; one that loses the session to another one in flight has attempts left for that."""
    config = CONFIG.replace("[limits]", "[retry]\nattempts = 10\n[limits]")
    night = await ground(population(6, 1), config, switches=switches(expire_after_calls=1))
    ended = await night.run("run")
    assert ended.code == 0, ended.err
    assert ended.json["ok"] == 72
    assert ended.json["logins"] >= 72
    assert night.simulator.control.state()["open_sessions"] == {}


@pytest.mark.extended
async def test_expired_sessions_that_fill_their_place(ground: MakeGround) -> None:
    """A service that counts an expired session as open until its Logout locks nobody out."""
    stuck = switches(expire_after_calls=3, release_expired=False, session_cap=2)
    night = await ground(population(6, 1), CONFIG, switches=stuck)
    ended = await night.run("run")
    assert ended.code == 0, ended.err
    assert ended.json["ok"] == 72
    state = night.simulator.control.state()
    assert state["open_sessions"] == {}
    assert state["most_open"] == {f"mailbox-{number:04d}": 1 for number in range(1, 7)}
