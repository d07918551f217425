"""Another program holds a landing store: nobody waits without a bound, and a signal is heard meanwhile."""

import asyncio
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from collector.domain.binding import Binding
from collector.domain.run import RunInfo
from collector.errors import LandingError
from collector.landing import Landing, writer
from tests.collector.landing_by_hand import stats_call
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import population
from tests.reliability.network_ground import CONFIG


@contextmanager
def held(path: Path) -> Iterator[None]:
    """A connection of somebody else that has the store for itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA locking_mode = EXCLUSIVE")
        store.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.few(1)
@pytest.mark.extended
async def test_a_signal_while_the_store_is_held(ground: MakeGround, number: signal.Signals) -> None:
    """A run that waits to go on with its store ends within seconds of being told to, and can be resumed."""
    night = await ground(population(40, 0), CONFIG.replace("= 400", "= 40"))
    ended = await night.interrupted(20)
    assert ended.code == 4
    (store,) = (night.folder / "data" / "landing").glob("*.db")
    with held(store):
        process = await night.start("run")
        await asyncio.sleep(2.0)
        assert process.returncode is None
        process.send_signal(number)
        started = time.monotonic()
        ended = await night.ended(process)
        assert time.monotonic() - started < 5.0
    assert ended.code in (4, 5), ended.err
    again = await night.run("run")
    assert (again.code, again.json["ok"], again.json["resumed"]) == (0, 80, True), again.err


async def test_a_store_that_stays_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lands is told after a bounded time, in a sentence that names the store; the event loop goes on."""
    monkeypatch.setattr(writer, "_BUSY_SECONDS", 0.5)
    call = stats_call("acme", 60, 120)
    info = RunInfo("20260131T020000Z-abcdef", "http://x/", "urn:x/", Binding.SOAP12, 1)
    landing = Landing.create(tmp_path, info, [call])
    with closing(sqlite3.connect(landing.path, isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(landing.flush())
        longest, before, started = 0.0, time.monotonic(), time.monotonic()
        landing.count_login()
        while not waiting.done():
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, before = max(longest, now - before), now
        with pytest.raises(LandingError, match=f"{landing.path.name}.*another program holds it"):
            await waiting
        assert time.monotonic() - started < 5.0
        assert longest < 0.4
    with pytest.raises(LandingError):
        await landing.close()


async def test_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not on disk in time is given up with a sentence, also where SQLite itself says nothing."""
    monkeypatch.setattr(writer, "_LONGEST_SECONDS", 0.3)
    call = stats_call("acme", 60, 120)
    info = RunInfo("20260131T020000Z-abcdef", "http://x/", "urn:x/", Binding.SOAP12, 1)
    landing = Landing.create(tmp_path, info, [call])
    with closing(sqlite3.connect(landing.path, isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        landing.count_login()
        with pytest.raises(LandingError, match="took more than 0 s to write"):
            await landing.flush()
        with pytest.raises(LandingError, match="took more than 0 s to write"):
            await landing.close()
