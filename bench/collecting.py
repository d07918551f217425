"""Bars 1, 2, 3, 5, 6: collecting and the whole run, beside what others need for the wire alone."""

import statistics
from typing import Final

from bench.figures import Found, Line, answer, medians, spread
from bench.process import PEERS, ROOT, Taken, finished, server
from bench.product import product
from collector.simulator.wsdl import wsdl
from collector.wire.namespaces import ECGRID

__all__ = ["measure"]

_LATENCY: Final = 0.05
_LATE_CALLS: Final = 20_000  # so that what a run starts and ends with is a small part
_WORKERS: Final = 64
_FEW: Final = 100
_LIMIT: Final = 500.0
# the slow ones are given fewer calls: each costs them the same
_PEERS: Final = {"bare": 1.0, "httpx": 0.1, "requests": 0.2, "zeep": 0.1}
_SAID: Final = {
    "bare": "aiohttp + uvloop, 64 workers, replies thrown away",
    "httpx": "httpx.AsyncClient, 64 tasks, replies thrown away",
    "requests": "requests, 64 threads, replies thrown away",
    "zeep": "zeep, 64 threads, results parsed",
    "collect": "ecgrid-stats collect",
    "run": "ecgrid-stats run",
}


def measure(full: bool) -> Found:
    """Interleaved rounds of 10,000 calls against the server without latency; fewer of them with 50 ms."""
    calls, rounds = 10_000, 7 if full else 5
    (ROOT / ".cache/service.wsdl").write_bytes(wsdl("http://127.0.0.1/", ECGRID))
    rates: list[dict[str, float]] = []
    cpu: list[dict[str, float]] = []
    marginal: list[float] = []
    with server() as url:
        for _ in range(rounds):
            taken = {name: _peer(name, url, int(calls * share)) for name, share in _PEERS.items()}
            taken |= {command: _product(command, url, calls) for command in ("collect", "run")}
            rates.append({name: one.said["rate"] for name, one in taken.items()})
            cpu.append({name: 1000 * one.cpu / one.said["calls"] for name, one in taken.items()})
            started = _product("run", url, _FEW)
            # what starting up and ending cost is in the run of a few calls too
            marginal.append(1000 * (taken["run"].cpu - started.cpu) / (calls - _FEW))
    ceiling = _WORKERS / _LATENCY
    with server("--latency", str(_LATENCY)) as url:
        slow = [_product("collect", url, _LATE_CALLS).said["rate"] / ceiling for _ in range(3)]
    return _found(rates, cpu, slow, (_limited(), statistics.median(marginal)))


def _limited() -> float:
    """The time of `run` over that of `collect` where a limit of 500 calls a second is what one waits for."""
    with server() as url:
        taken = [_product(command, url, 5_000, _LIMIT) for command in ("collect", "run")]
    return taken[0].said["rate"] / taken[1].said["rate"]


def _peer(name: str, url: str, calls: int) -> Taken:
    taken = finished([PEERS, "bench/peers.py", name, url, str(calls)], seconds=120)
    taken.said["rate"] = calls / taken.said["seconds"]
    return taken


def _product(command: str, url: str, calls: int, rate: float = 100_000) -> Taken:
    with product(url, sessions=100, pairs=calls // 100, rate=rate) as ours:
        taken = ours.run(command, seconds=120)
    if taken.said["ok"] != calls:
        raise RuntimeError(f"{command}: {taken.said}")
    taken.said.update(calls=calls, rate=calls / taken.said["seconds"])
    return taken


def _found(
    rates: list[dict[str, float]],
    cpu: list[dict[str, float]],
    slow: list[float],
    more: tuple[float, float],
) -> Found:
    rate, cost = medians(rates), medians(cpu)
    ratios = medians(
        [
            {
                "bare": one["collect"] / one["bare"],
                "zeep": one["collect"] / one["zeep"],
                "requests": one["collect"] / one["requests"],
                "run": one["collect"] / one["run"],
            }
            for one in rates
        ]
    )
    rows = [["", "calls/s", "smallest to largest", "CPU s per 1,000 calls"]]
    rows += [
        [_SAID[n], f"{rate[n]:,.0f}", spread([one[n] for one in rates]), f"{cost[n]:.3f}"]
        for n in rate
    ]
    lines = [
        Line(1, "collect / bare aiohttp loop", ratios["bare"], "x", 0.45, 0.60),
        Line(2, "collect / zeep in threads", ratios["zeep"], "x", 6, 9),
        Line(2, "collect / requests in threads", ratios["requests"], "x", 3, 4),
        Line(3, "collect at 50 ms latency / ceiling", sorted(slow)[1], "x", 0.92, 0.96),
        Line(5, "time of run / collect", ratios["run"], "x", 1.25, 1.10, at_least=False),
        Line(5, "the same at a limit of 500/s", more[0], "x", 1.25, 1.10, at_least=False),
        Line(6, "run, CPU s per 1,000 calls", cost["run"], "s", 0.25, 0.15, at_least=False),
        Line(6, "the same, less a run of 100 calls", more[1], "s", 0.25, 0.15, at_least=False),
    ]
    return Found("10,000 calls, 64 at a time, a server without latency", lines, rows)


if __name__ == "__main__":
    answer(measure)
