"""One limit for all processes of a storage root."""

import os
import signal
import stat
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from collector.scheduling.send_log import MOST_SENDS, UNSENT_SECONDS, SendLog

ROOT = Path(__file__).parents[2]


@contextmanager
def sender(
    folder: Path, name: str, rate: float, seconds: float
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sends as fast as the common limit allows."""
    command = [sys.executable, "-m", "tests.collector.sending_forever", str(folder / "sends")]
    command += [str(folder / name), str(rate), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(10)


def sends(path: Path) -> list[float]:
    """When a process sent."""
    return [float(line) for line in path.read_text().splitlines()]


def most_in_a_second(instants: list[float]) -> int:
    """The greatest number of sends in any second."""
    ordered, first, most = sorted(instants), 0, 0
    for last, instant in enumerate(ordered):
        while ordered[first] <= instant - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("rate", [20, 200])
@pytest.mark.few(1)
def test_two_processes_share_a_limit(tmp_path: Path, rate: int) -> None:
    """Together they never exceed it, together they use it, and neither starves."""
    with ExitStack() as stack:
        processes = [stack.enter_context(sender(tmp_path, name, rate, 3)) for name in "ab"]
        for process in processes:
            assert process.wait(30) == 0
    one, other = (sends(tmp_path / name) for name in "ab")
    start, end = max(one[0], other[0]), min(one[-1], other[-1])
    both = [at for at in one + other if start <= at <= end]
    assert most_in_a_second(one + other) <= rate
    assert len(both) / (end - start) >= 0.9 * rate
    shares = [sum(start <= at <= end for at in each) / len(both) for each in (one, other)]
    assert min(shares) > 0.15


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.few(1)
def test_a_process_that_is_gone_holds_nobody_up(tmp_path: Path, how: signal.Signals) -> None:
    """Killed or stopped in the middle of its work, perhaps within the moment that it holds the file."""
    with sender(tmp_path, "a", 200, 60) as gone, sender(tmp_path, "b", 200, 4.5) as other:
        time.sleep(2)
        gone.send_signal(how)
        at = time.monotonic()
        assert other.wait(30) == 0
    after = [instant for instant in sends(tmp_path / "b") if instant > at + 1.5]
    assert len(after) / (after[-1] - after[0]) >= 0.9 * 200


def test_a_window_is_full(tmp_path: Path) -> None:
    """So many sends in a period and no more, in memory and in a file alike, whose contents nobody else reads."""
    for path in (None, tmp_path / "sends"):
        log = SendLog(3, 10.0, path)
        for now in (100.0, 101.0, 102.0):
            wait, mark = log.reserve(now)
            assert wait == 0.0
            log.sent(mark, now)
        assert log.reserve(103.0)[0] == pytest.approx(7.0)
        wait, mark = log.reserve(110.0)
        assert wait == 0.0
        log.close()
    assert stat.S_IMODE((tmp_path / "sends").stat().st_mode) == 0o600


def test_what_is_not_written_yet_is_in_every_window() -> None:
    """Until it was written; then it counts from there."""
    log = SendLog(1, 10.0)
    _, mark = log.reserve(100.0)
    assert log.reserve(115.0)[0] > 0
    log.sent(mark, 130.0)
    assert log.reserve(139.0)[0] == pytest.approx(1.0)
    assert log.reserve(140.0)[0] == 0.0


def test_what_a_killed_process_left_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """A grant that nobody will write leaves the window a minute and a period later."""
    killed = SendLog(1, 10.0, tmp_path / "sends")
    killed.reserve(100.0)
    log = SendLog(1, 10.0, tmp_path / "sends")
    assert log.reserve(120.0)[0] > 0
    assert log.reserve(100.0 + UNSENT_SECONDS + 10.0)[0] == 0.0


def test_another_boot_of_the_machine(tmp_path: Path) -> None:
    """The monotonic clock begins anew: instants that lie ahead of it are forgotten."""
    before = SendLog(1, 10.0, tmp_path / "sends")
    _, mark = before.reserve(1_000_000.0)
    before.sent(mark, 1_000_000.0)
    before.close()
    assert SendLog(1, 10.0, tmp_path / "sends").reserve(5.0)[0] == 0.0


def test_a_file_of_something_else(tmp_path: Path) -> None:
    """Whatever somebody wrote into it, it is no reason to wait for ever."""
    (tmp_path / "sends").write_bytes(b"not a log of sends at all, and an odd number of bytes")
    nothing = array("d", [float("nan")] * 9).tobytes()
    (tmp_path / "other").write_bytes(nothing)
    assert SendLog(1, 10.0, tmp_path / "other").reserve(100.0)[0] == 0.0
    log = SendLog(1, 10.0, tmp_path / "sends")
    assert log.reserve(100.0)[0] == 0.0


def test_a_process_that_is_idle_holds_nobody_up(tmp_path: Path) -> None:
    """What it has sent counts from when it was written, for others too, though it does not look at the file again."""
    idle, log = (SendLog(1, 1.0, tmp_path / "sends") for _ in range(2))
    _, mark = idle.reserve(100.0)
    idle.sent(mark, 100.1)
    assert log.reserve(100.5)[0] == pytest.approx(0.6)
    assert log.reserve(101.2)[0] == 0.0


def test_different_limits_on_one_root(tmp_path: Path) -> None:
    """Each looks at the common log with its own limit; one that is quickly done with it takes nothing from another."""
    quick, slow = SendLog(500, 1.0, tmp_path / "sends"), SendLog(1, 10.0, tmp_path / "sends")
    _, mark = slow.reserve(100.0)
    slow.sent(mark, 100.0)
    for now in (102.0, 104.0):
        _, mark = quick.reserve(now)
        quick.sent(mark, now)
    assert slow.reserve(104.5)[0] == pytest.approx(9.5)


def test_the_log_is_bounded(tmp_path: Path) -> None:
    """However many sends there were, the file has room for the newest ones that any limit looks at."""
    log = SendLog(MOST_SENDS, 0.001, tmp_path / "sends")
    for number in range(3 * MOST_SENDS):
        _, mark = log.reserve(100.0 + number)
        log.sent(mark, 100.0 + number)
    assert (tmp_path / "sends").stat().st_size <= 8 * (MOST_SENDS + 1)
