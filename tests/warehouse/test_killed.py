"""Loads that are killed, and servers that go away: nothing half-loaded, and the next load goes on."""

import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import adbc_driver_postgresql.dbapi as adbc
import pytest

from pipelines.contract import CALLS, SESSIONS
from pipelines.lake import Lake
from pipelines.warehouse.target import PostgresServer, Target
from tests.warehouse.ground import (
    FIRST,
    Look,
    call_row,
    contents,
    load,
    publish_calls,
    publish_rows,
    run_id_of,
)
from tests.warehouse.load_again import arguments_of

NIGHTS, ROWS = 8, 3_000


@pytest.fixture
def nights(lake: Lake) -> list[str]:
    """Published runs that take a while to load."""
    rows = [call_row(f"{number:016x}", fault_text="x" * 40) for number in range(ROWS)]
    for number in range(NIGHTS):
        publish_rows(lake, number, CALLS, rows)
    return [run_id_of(number) for number in range(NIGHTS)]


def start(lake: Lake, target: Target) -> subprocess.Popen[str]:
    """A load in a process of its own, about to begin."""
    command = [sys.executable, "-m", "tests.warehouse.load_again", str(lake.folder)]
    process = subprocess.Popen([*command, *arguments_of(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    return process


def killed(process: subprocess.Popen[str], after_seconds: float) -> bool:
    """Kill -9 after so long; whether it was still at work."""
    try:
        process.wait(after_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)
        return True
    finally:
        assert process.stdout is not None
        process.stdout.close()
    return False


def test_killed_again_and_again(lake: Lake, target: Target, look: Look, nights: list[str]) -> None:
    """A run is there whole or not at all, after every kill; in the end each is there once."""
    chance = random.Random(7)
    kills = 0
    for _ in range(3):
        kills += killed(start(lake, target), chance.uniform(0.05, 0.5))
        try:
            found = dict(look.query("SELECT run_id, count(*) FROM calls GROUP BY run_id"))
        except Exception as error:  # noqa: BLE001  # killed before there was a table, or even a database
            assert re.search("calls|unable to open|Namespace does not exist", str(error))  # noqa: PT017  # as above
            continue
        assert set(found.values()) <= {ROWS}
    assert kills
    done = load(lake, target)
    assert (done.error, done.caught_up, done.updated, done.removed) == (None, True, 0, 0)
    assert look.query("SELECT run_id, count(*) FROM calls GROUP BY run_id ORDER BY run_id") == [
        (run_id, ROWS) for run_id in nights
    ]
    again = load(lake, target)
    assert (again.runs, again.inserted) == (0, 0)


@pytest.fixture
def held(postgres: PostgresServer, dsn: str, lake: Lake) -> Iterator[list[str]]:
    """A run that is loaded, and a lock on its table; what the lock is told to do."""
    publish_calls(lake, 0, a="x")
    load(lake, postgres)
    with adbc.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(f'LOCK TABLE "{postgres.schema}".calls IN ACCESS EXCLUSIVE MODE')
        yield [f"{postgres.schema}"]


def waiting(dsn: str, schema: str) -> int:
    """The server's process of the load that waits for a lock."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
        f" application_name = 'ecgrid-stats' AND query LIKE '%{schema}%'"
    )
    for _ in range(3000):
        with adbc.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            found = cursor.fetchall()
        if found:
            return int(found[0][0])
        time.sleep(0.01)  # another process is awaited
    raise AssertionError("the load does not wait")


def test_a_server_that_goes_away(
    lake: Lake, postgres: PostgresServer, dsn: str, held: list[str]
) -> None:
    """What was committed stays, the message names the target, and the next load goes on."""
    publish_calls(lake, 1, a="y")
    publish_rows(lake, 2, SESSIONS, [{"session": "acme", "asked_at": FIRST}])
    results = []
    thread = threading.Thread(target=lambda: results.append(load(lake, postgres)))
    thread.start()
    pid = waiting(dsn, held[0])
    with adbc.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend({pid})")
        cursor.fetchall()
    thread.join(30)
    assert len(results) == 1
    assert (results[0].runs, results[0].caught_up) == (0, False)
    assert "warehouse postgres" in str(results[0].error)
    assert "load again" in str(results[0].error)


def test_after_it_came_back(
    lake: Lake, postgres: PostgresServer, dsn: str, request: pytest.FixtureRequest
) -> None:
    """Nothing of the run that was under way is there; the next load brings it."""
    publish_calls(lake, 0, a="x")
    load(lake, postgres)
    publish_calls(lake, 1, a="y", b="z")
    look = Look(postgres)
    before = contents(look)
    results = []
    with adbc.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(f'LOCK TABLE "{postgres.schema}".ecgrid_loads IN EXCLUSIVE MODE')
        thread = threading.Thread(target=lambda: results.append(load(lake, postgres)))
        thread.start()  # it merges every table, and waits to write the last line
        pid = waiting(dsn, str(postgres.schema))
        cursor.execute(f"SELECT pg_terminate_backend({pid})")
        cursor.fetchall()
    thread.join(30)
    assert not results[0].caught_up
    assert contents(look) == before
    assert load(lake, postgres).inserted == 2
    assert look.query("SELECT count(*) FROM calls") == [(3,)]
