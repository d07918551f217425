"""Bar 11: how long until `--help` is there, and until a run has sent its first call."""

import statistics
import time
from typing import Final

from bench.figures import Found, Line, answer, spread
from bench.process import PYTHON, finished, server
from bench.product import product

__all__ = ["measure"]

_TIMES: Final = 9


def measure(full: bool) -> Found:
    """Medians of processes started one after the other."""
    times = 3 * _TIMES if full else _TIMES
    helped = [
        finished([PYTHON, "-m", "pipelines.cli", "--help"], seconds=60).wall for _ in range(times)
    ]
    first = [_first_call() for _ in range(times)]
    rows = [
        ["", "median s", "smallest to largest"],
        ["--help", f"{statistics.median(helped):.3f}", spread(helped)],
        ["run, until its first call", f"{statistics.median(first):.3f}", spread(first)],
    ]
    middle = statistics.median
    lines = [
        Line(11, "start of --help", middle(helped), "s", 0.3, 0.15, at_least=False),
        Line(11, "run until its first call", middle(first), "s", 1.0, 0.6, at_least=False),
    ]
    return Found("Starting", lines, rows)


def _first_call() -> float:
    """From the start of the process to when its first request had been written, by the landing store."""
    import sqlite3  # noqa: PLC0415  # only here

    with server() as url, product(url, sessions=1, pairs=1) as ours:
        begun = time.time()
        ours.run("run", seconds=60)
        (path,) = (ours.root / "landing").glob("*.db")
        store = sqlite3.connect(path)
        ((sent_at_us,),) = store.execute("SELECT min(sent_at_us) FROM replies").fetchall()
        store.close()
        return float(sent_at_us / 1e6 - begun)


if __name__ == "__main__":
    answer(measure)
