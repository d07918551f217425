import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from collector.domain.outcomes import State
from collector.errors import LandingError, LandingVersionError
from collector.landing import LandedRun, Landing, landed_runs
from tests.collector.landing_by_hand import CALLS, INFO, created, outcome, reply


async def finished(folder: Path) -> Path:
    """The store of a run with a few replies."""
    landing = created(folder)
    for call in CALLS:
        await landing.land(reply(call, body=b"<a>" + bytes(2_000) + b"</a>"))
        landing.settle(outcome(call.call_id), final=True)
    await landing.close()
    return landing.path


def changed(path: Path, statement: str) -> None:
    """Change the store with other means."""
    store = sqlite3.connect(path, isolation_level=None)
    store.execute(statement)
    store.close()


def read_whole(path: Path) -> None:
    """Look at everything in a store."""
    with LandedRun.open(path) as landed:
        for part in (landed.calls(), landed.outcomes(), landed.replies(), landed.whoami()):
            assert len(list(part)) >= 0
        landed.summary()


@pytest.mark.parametrize("open_it", [LandedRun.open, Landing.resume], ids=["open", "resume"])
async def test_another_version_is_refused(open_it: object, tmp_path: Path) -> None:
    """The message names the file, both versions, and what to do."""
    assert callable(open_it)
    path = await finished(tmp_path)
    changed(path, "PRAGMA user_version = 7")
    with pytest.raises(
        LandingVersionError, match=rf"{path.name} has version 7.* version 5.*wrote it"
    ):
        open_it(path)


@pytest.mark.parametrize("open_it", [LandedRun.open, Landing.resume], ids=["open", "resume"])
@pytest.mark.parametrize(
    "content",
    [None, b"", b"hello" * 100, b"SQLite format 3\0" + b"\xff" * 4_096],
    ids=["none", "empty", "text", "torn"],
)
def test_what_is_no_landing_store(open_it: object, content: bytes | None, tmp_path: Path) -> None:
    """An absent, empty or foreign file is refused by name, and left as it is."""
    assert callable(open_it)
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LandingError, match=r"x\.db"):
        open_it(path)
    assert (path.read_bytes() if path.exists() else None) == content


def test_another_application_is_refused(tmp_path: Path) -> None:
    """A SQLite file of somebody else."""
    path = tmp_path / "x.db"
    changed(path, "CREATE TABLE t (a)")
    with pytest.raises(LandingError, match="not a landing store"):
        LandedRun.open(path)


async def test_damage_is_a_landing_error(tmp_path: Path) -> None:
    """Whatever byte flips and wherever the file ends: reading it works or says LandingError, nothing else."""
    whole, dice, refused = (await finished(tmp_path)).read_bytes(), random.Random(1), 0
    path = tmp_path / "damaged.db"
    for _ in range(250):
        damaged = bytearray(whole)
        for _ in range(dice.choice([1, 5, 100])):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        if dice.random() < 0.3:
            del damaged[dice.randrange(len(damaged)) :]
        path.write_bytes(damaged)
        said = None
        try:
            read_whole(path)
        except LandingError as error:
            said = str(error)
            refused += 1
        assert said is None or "damaged.db" in said
    assert refused > 20


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM run WHERE key = 'run_id'",
        "DELETE FROM run WHERE key = 'logins'",
        "UPDATE run SET value = 'pigeon' WHERE key = 'binding'",
        "UPDATE run SET value = 'soon' WHERE key = 'started_at_us'",
        "UPDATE outcomes SET state = 'maybe'",
        "UPDATE outcomes SET fault_class = 'bad luck'",
        "UPDATE calls SET arguments = '60-99999'",
        "UPDATE replies SET headers = '{'",
        "UPDATE replies SET binding = 'pigeon'",
        "DROP TABLE outcomes",
    ],
)
async def test_impossible_contents(statement: str, tmp_path: Path) -> None:
    """A store that is a good SQLite file, but holds what nobody wrote."""
    path = await finished(tmp_path)
    changed(path, statement)
    with pytest.raises(LandingError, match=path.name):
        read_whole(path)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "landing").write_text("mine")
    with pytest.raises(LandingError, match="landing"):
        created(tmp_path / "landing")


def test_a_folder_that_must_not_be_written() -> None:
    """A place where nobody may write, not even root."""
    with pytest.raises(LandingError, match="landing store /proc/landing"):
        created(Path("/proc/landing"))


async def test_odd_values_never_stop_the_writer_silently(tmp_path: Path) -> None:
    """A value that SQLite does not take fails the waiters and `close`; nobody waits for ever."""
    landing = created(tmp_path)
    landing.settle(outcome(CALLS[3].call_id, State.FAILED)._replace(latency_us=10**30), final=True)
    waiting = [asyncio.ensure_future(landing.land(reply(call))) for call in CALLS[:3]]
    told = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)
    assert all(isinstance(error, LandingError) for error in told)
    with pytest.raises(LandingError):
        landing.settle(outcome(CALLS[0].call_id, State.OK), final=True)
    with pytest.raises(LandingError):
        await landing.close()


FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from collector.errors import LandingError
from tests.collector.landing_by_hand import CALLS, created, reply

async def main():
    landing = created(Path(sys.argv[1]))
    await landing.land(reply(CALLS[0]))
    print("landed", flush=True)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    waiting = [landing.land(reply(call, attempt, bytes(50_000))) for call in CALLS for attempt in (2, 3)]
    told = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)
    print(sum(isinstance(one, LandingError) for one in told), len(told), flush=True)
    try:
        await asyncio.wait_for(landing.close(), 20)
    except LandingError as error:
        print("closed with", error, flush=True)

asyncio.run(main())
"""


def test_full_disk(tmp_path: Path) -> None:
    """When nothing more can be written every waiter is told, and what was acknowledged before is there."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    landed_line, told, *rest = done.stdout.splitlines()
    assert (done.returncode, landed_line) == (0, "landed"), done.stderr
    failed, waiting = map(int, told.split())
    assert 0 < failed <= waiting
    assert "closed with landing store" in rest[0]
    with LandedRun.open(tmp_path / f"{INFO.run_id}.db") as landed:
        assert reply(CALLS[0]) in list(landed.replies())


KILLED = """
import asyncio, os, signal, sqlite3, sys
from pathlib import Path
from tests.collector.landing_by_hand import CALLS, created

seen = 0
def progress():
    global seen
    seen += 1
    if seen == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

connect = sqlite3.connect
def watched(*args, **options):
    store = connect(*args, **options)
    store.set_progress_handler(progress, 50)
    return store
sqlite3.connect = watched

async def main():
    await created(Path(sys.argv[1])).close()

asyncio.run(main())
print(seen)
"""


def test_killed_while_creating(tmp_path: Path) -> None:
    """A store is whole or absent, at whatever instruction the program that creates it is killed."""
    whole = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "whole"), "0"],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    steps = int(whole.stdout)
    assert steps >= 4
    absent = 0
    for step in sorted({1, 2, steps // 2, steps - 1, steps}):
        folder = tmp_path / str(step)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder), str(step)],
            capture_output=True,
            timeout=50,
            check=False,
        )
        assert done.returncode in (-signal.SIGKILL, 0)
        absent += not landed_runs(folder)
        for path in landed_runs(folder):
            with LandedRun.open(path) as landed:
                assert tuple(landed.calls()) == CALLS
    assert absent


ACKNOWLEDGED = """
import asyncio, sys
from pathlib import Path
from tests.collector.landing_by_hand import CALLS, created, reply

async def main():
    landing = created(Path(sys.argv[1]))
    async def worker(call):
        for attempt in range(1, 10_000):
            await landing.land(reply(call, attempt))
            print(call.call_id, attempt, flush=True)
    await asyncio.gather(*map(worker, CALLS))

asyncio.run(main())
"""


def test_killed_while_landing(tmp_path: Path) -> None:
    """Every reply that was acknowledged before kill -9 is there, byte for byte, and the run can be resumed."""
    with subprocess.Popen(
        [sys.executable, "-c", ACKNOWLEDGED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(300)]
        program.kill()
        lines += program.stdout.readlines()[:-1]  # the last line may be torn
    (path,) = landed_runs(tmp_path)
    with LandedRun.open(path) as landed:
        there = {(one.call_id, one.attempt): one for one in landed.replies()}
    calls = {call.call_id: call for call in CALLS}
    for line in lines:
        call_id, _, attempt = line.rpartition(" ")
        assert there[call_id, int(attempt)] == reply(calls[call_id], int(attempt))  # type: ignore[index]

    async def resume() -> None:
        landing = Landing.resume(path)
        await landing.land(reply(CALLS[0], 99_999))
        await landing.close()

    asyncio.run(resume())
