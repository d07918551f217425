"""Runs a program and says what it took. Every run is bounded in time."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["PEERS", "PYTHON", "ROOT", "Taken", "finished", "server"]

ROOT: Final = Path(__file__).parent.parent
PYTHON: Final = sys.executable
PEERS: Final = str(ROOT / ".cache/bench/bin/python")
_START_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Taken:
    """What a program took.

    Attributes:
        wall: seconds from start to end.
        cpu: seconds of processor time, user and system, start-up included.
        peak_mb: the most memory it had at once.
        said: the JSON object that it printed last.
    """

    wall: float
    cpu: float
    peak_mb: float
    said: dict[str, Any]


def finished(
    command: Sequence[str], *, seconds: float, codes: Sequence[int] = (0,), **environment: str
) -> Taken:
    """Run a program to its end.

    Raises:
        RuntimeError: it did not end within `seconds`, or with another exit code.
    """
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**_compiling(), "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = threading.Timer(seconds, process.kill)
    watch.start()
    errors: list[str] = []
    drain = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
    drain.start()
    printed = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    watch.cancel()
    drain.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    if process.returncode not in codes:
        said = "".join(errors)[-2000:]
        raise RuntimeError(f"{' '.join(command)[-300:]} ended with {process.returncode}: {said}")
    last = printed.strip().splitlines()[-1:] or ["{}"]
    return Taken(
        wall,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        json.loads(last[0]) if last[0].startswith("{") else {},
    )


def _compiling() -> dict[str, str]:
    """The environment, in which modules are compiled once and not at every start, as installing a program does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextlib.contextmanager
def server(*options: str) -> Iterator[str]:
    """The neutral server as a process of its own; its url."""
    command = [PYTHON, "-m", "bench.server", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    watch = threading.Timer(_START_SECONDS, process.kill)
    watch.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
        watch.cancel()
        if not line:
            raise RuntimeError("the server did not start")
        yield str(json.loads(line)["url"])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        if process.stdout:
            process.stdout.close()
