import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.domain import clock
from collector.errors import LockHeldError
from pipelines.job.lock import Holder, held_by, storage_lock

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from pipelines.job.lock import storage_lock
with storage_lock(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(root: Path) -> subprocess.Popen[bytes]:
    """A process that holds the root until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_who_holds_the_root_is_named(tmp_path: Path) -> None:
    """Process, command and since when, in the message of those who are refused, and to those who ask."""
    before = datetime.now(UTC).replace(microsecond=0)
    assert held_by(tmp_path) is None
    with holding(tmp_path) as process:
        holder = held_by(tmp_path)
        assert holder is not None
        assert (holder.pid, holder.command) == (process.pid, "run")
        assert before <= holder.since <= datetime.now(UTC)
        since = holder.since.isoformat().replace("+00:00", "Z")
        with pytest.raises(LockHeldError) as refused, storage_lock(tmp_path, "collect"):
            pass
        said = f"another run is at work there: `ecgrid-stats run`, process {process.pid}, since {since};"
        assert said in str(refused.value)
        process.communicate()
    assert held_by(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_killed_holder_is_not_believed(tmp_path: Path) -> None:
    """What it left says nothing, neither of nobody nor of the next one; and the next one leaves nothing."""
    with holding(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    assert str(process.pid) in (tmp_path / ".holder").read_text()
    (tmp_path / ".holder.draft").write_text('{"pid": 1, "com')
    assert held_by(tmp_path) is None
    with storage_lock(tmp_path, "compact"):
        assert (holder := held_by(tmp_path)) is not None
        assert (holder.pid, holder.command) == (os.getpid(), "compact")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"pid": 1}', b'{"pid": 1, "command": "run", "since": 5}', b"\xff"]
)
def test_a_damaged_file_names_nobody(tmp_path: Path, text: bytes) -> None:
    """Who is refused hears that the root is held, and no more."""
    with storage_lock(tmp_path, "run"):
        (tmp_path / ".holder").write_bytes(text)
        assert held_by(tmp_path) is None
        with (
            pytest.raises(LockHeldError, match="at work there; run again"),
            storage_lock(tmp_path, "run"),
        ):
            pass


def test_a_file_that_cannot_be_written_hinders_nobody(tmp_path: Path) -> None:
    """The root is held all the same."""
    (tmp_path / ".holder").mkdir()
    with storage_lock(tmp_path, "run"):
        assert held_by(tmp_path) is None
        with pytest.raises(LockHeldError), storage_lock(tmp_path, "run"):
            pass


LOOK = """
import sys
from pathlib import Path
from pipelines.job.lock import held_by
print("looking", flush=True)
while True:
    held_by(Path(sys.argv[1]))
"""


def test_looking_hinders_no_run_that_begins(tmp_path: Path) -> None:
    """While another looks without a pause, every run gets the lock at the first try, and is seen at once."""
    with subprocess.Popen(
        [sys.executable, "-c", LOOK, tmp_path], stdout=subprocess.PIPE, cwd=ROOT
    ) as looker:
        assert looker.stdout is not None
        assert looker.stdout.readline() == b"looking\n"
        try:
            for _ in range(300):
                with storage_lock(tmp_path, "run"):
                    assert held_by(tmp_path) is not None
        finally:
            looker.kill()


def test_since_is_by_the_clock_of_the_job(tmp_path: Path) -> None:
    """Whoever plays nights of the past sees the time of that night."""
    with clock.moved(-86_400_000_000), storage_lock(tmp_path, "demo"):
        holder = held_by(tmp_path)
    assert holder is not None
    assert 86_390 < (datetime.now(UTC) - holder.since).total_seconds() < 86_410
    assert str(Holder(4711, "run", datetime(2026, 11, 28, 2, 0, 5, tzinfo=UTC))) == (
        "`ecgrid-stats run`, process 4711, since 2026-11-28T02:00:05Z"
    )
