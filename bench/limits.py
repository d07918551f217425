"""Bars 7 and 8: how much of a rate limit is used, whether it is ever exceeded, and what waiting for it costs."""

import json
import urllib.request
from typing import Final

from bench.figures import Found, Line, answer
from bench.process import server
from bench.product import product

__all__ = ["measure"]

_SECONDS: Final = 12  # of sending, for each limit
_WAITING: Final = 20.0
_WAITING_SESSIONS: Final = 10_000


def measure(full: bool) -> Found:
    """Arrivals as the server saw them, the best of some nights: a busy machine is slower, never faster."""
    rows = [["limit, calls/s", "arrivals", "most in a second", "used"]]
    used: list[float] = []
    beyond = 0
    for limit in (5, 50, 500, 2_000):
        nights = [
            _night(limit, 4 * _SECONDS if full else _SECONDS) for _ in range(5 if full else 3)
        ]
        best = max(nights, key=lambda one: one["used"])
        most = max(int(one["most_in_a_second"]) for one in nights)
        beyond += sum(one["most_in_a_second"] > limit for one in nights)
        used.append(best["used"])
        rows.append([f"{limit:,}", f"{best['arrivals']:,.0f}", f"{most:,}", f"{best['used']:.1%}"])
    share, start = _waiting()
    rows.append([f"waiting: {_WAITING_SESSIONS:,} sessions at 5/s", "", "", f"{share:.1%} CPU"])
    lines = [
        Line(7, "least used share of 5, 50, 500, 2,000/s", 100 * min(used), "%", 98, 99),
        Line(7, "nights in which a second held more", beyond, "", 0, 0, at_least=False),
        Line(
            8,
            f"CPU while waiting, {_WAITING_SESSIONS:,} sessions queued at 5/s",
            100 * share,
            "% of a core",
            5,
            2,
            at_least=False,
            note=f"{_WAITING:.0f} s, less a run that ends at once ({start:.2f} s)",
        ),
    ]
    return Found("Rate limits", lines, rows)


def _night(limit: int, seconds: float) -> dict[str, float]:
    sessions = max(4, limit // 4)
    pairs = max(1, round(limit * seconds / sessions))
    with server() as url:
        with product(url, sessions=sessions, pairs=pairs, rate=limit) as ours:
            ours.run("collect", seconds=6 * seconds + 60)
        page = url.rsplit("/v4.1", 1)[0] + f"/arrivals?limit={limit}"
        with urllib.request.urlopen(page, timeout=10) as answer:  # noqa: S310  # our own server
            found: dict[str, float] = json.load(answer)
    return found


def _waiting() -> tuple[float, float]:
    """CPU seconds per second of waiting, start-up taken off."""
    spent = []
    for seconds in (1.0, 1.0 + _WAITING):
        with (
            server() as url,
            product(url, sessions=_WAITING_SESSIONS, pairs=2, rate=5, session_rate=5) as ours,
        ):
            spent.append(
                ours.run("collect", "--deadline", str(seconds), seconds=120, codes=(4,)).cpu
            )
    return (spent[1] - spent[0]) / _WAITING, spent[0]


if __name__ == "__main__":
    answer(measure)
