"""Bars 9 and 10: what a call costs, and how much memory a run needs, from a thousand calls to a million."""

import statistics
from typing import Final

from bench.figures import Found, Line, answer, slope
from bench.process import Taken, server
from bench.product import product

__all__ = ["measure"]

_SHORT: Final = 10_000  # calls


def measure(full: bool) -> Found:
    """Runs of `collect` for each size: sessions with ten calls each, and one size with few sessions."""
    sizes = [1_000, 10_000, 100_000, *([1_000_000] if full else [])]
    rows = [["calls", "sessions", "CPU s", "CPU s per 1,000 calls", "peak MB"]]
    cost: dict[int, float] = {}
    peak: dict[tuple[int, int], float] = {}
    with server() as url:
        idle = _taken(url, 10, 1)[0]  # one call a session: starting up and ending
        for calls, sessions in [(n, n // 10) for n in sizes] + [(n, 100) for n in sizes[1:-1]]:
            cpu, peak[calls, sessions] = _taken(url, sessions, calls // sessions)
            if sessions == calls // 10:
                cost[calls] = cpu - idle
            rows.append(
                [
                    f"{calls:,}",
                    f"{sessions:,}",
                    f"{cpu:.2f}",
                    f"{1000 * cpu / calls:.3f}",
                    f"{peak[calls, sessions]:.0f}",
                ]
            )
    largest = sizes[-1]
    by_size = [(float(calls), seconds) for calls, seconds in cost.items()]
    few = [(calls, mb) for (calls, sessions), mb in peak.items() if sessions == 100]
    growth = max(mb for _, mb in few) / min(mb for _, mb in few)
    exponent = slope(by_size)
    lines = [
        Line(
            9,
            f"peak memory, {largest:,} calls of {largest // 10:,} sessions",
            peak[largest, largest // 10],
            "MB",
            300,
            300,
            at_least=False,
        ),
        Line(
            9,
            f"peak memory, {max(few)[0]:,} calls / {min(few)[0]:,}, 100 sessions",
            growth,
            "x",
            1.3,
            1.1,
            at_least=False,
        ),
        Line(
            10,
            f"slope of CPU from 1,000 to {largest:,} calls",
            abs(exponent - 1),
            "from 1",
            0.05,
            0.02,
            at_least=False,
            note=f"slope {exponent:.3f}; the CPU of a run with 10 calls ({idle:.2f} s) is taken off",
        ),
    ]
    curves = {
        "CPU s": by_size,
        "peak MB": [(float(c), mb) for (c, s), mb in peak.items() if s == c // 10],
    }
    return Found("Cost against size", lines, rows, curves, ("calls", "CPU s, peak MB"))


def _taken(url: str, sessions: int, pairs: int) -> tuple[float, float]:
    """CPU seconds and peak memory of `collect`: medians of several runs where these are short."""
    calls = sessions * pairs
    times = 5 if calls <= _SHORT else 1
    runs = [_run(url, sessions, pairs) for _ in range(times)]
    return statistics.median(r.cpu for r in runs), statistics.median(r.peak_mb for r in runs)


def _run(url: str, sessions: int, pairs: int) -> Taken:
    with product(url, sessions=sessions, pairs=pairs) as ours:
        taken = ours.run("collect", seconds=60 + sessions * pairs / 200)
    if taken.said["ok"] != sessions * pairs:
        raise RuntimeError(f"not every call was answered: {taken.said}")
    return taken


if __name__ == "__main__":
    answer(measure)
