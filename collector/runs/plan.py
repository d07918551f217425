"""Sessions and windows -> the calls of a run, their ids, and what they cost. Pure."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from collector.config import Settings
from collector.domain.values import Call, Pairing, Window
from collector.scheduling.rate_gates import MARGIN

__all__ = ["Estimate", "calls", "calls_of", "digest", "estimate", "pairs_of", "repeated", "run_id"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan costs before anything is sent.

    Attributes:
        requests: calls, plus one WhoAmI a session, plus Login and Logout for each login that is referred to.
        seconds_at_limit: the least time the rate limits allow; latency comes on top.
    """

    sessions: int
    calls_per_session: int
    calls: int
    requests: int
    seconds_at_limit: float


def repeated(minutes: Iterable[int]) -> list[int]:
    """The windows that stand more than once, ascending."""
    return sorted(span for span, count in Counter(minutes).items() if count > 1)


def pairs_of(minutes: Iterable[int], pairing: Pairing) -> list[tuple[Window, Window]]:
    """The windows of a session, ascending and once each, two to a call.

    `pairs`: (w1, w2), (w3, w4), ..; an odd one is paired with itself, a probe. `chain`: (w1, w2), (w2, w3), ..; a
    single window is a probe.

    Raises:
        ValueError: a window outside 1 to 32,767 minutes.
    """
    windows = [Window(span) for span in sorted(set(minutes))]
    if pairing is Pairing.CHAIN and len(windows) > 1:
        return list(pairwise(windows))
    seconds = [*windows[1::2], *windows[len(windows) - len(windows) % 2 :]]
    return list(zip(windows[::2], seconds, strict=True))


def calls(settings: Settings) -> Iterator[Call]:
    """Every call of the plan: sessions as configured, windows ascending."""
    pairs = pairs_of(settings.windows.minutes, settings.windows.pairing)
    for entry in settings.sessions:
        yield from calls_of(entry.label, pairs)


def calls_of(label: str, pairs: Iterable[tuple[Window, Window]]) -> Iterator[Call]:
    """The calls of one session, windows ascending."""
    for window1, window2 in pairs:
        yield Call.of(label, window1, window2)


def digest(settings: Settings) -> str:
    """64 hexadecimal digits that are equal for equal plans: same service, same calls in the same order."""
    sums = hashlib.sha256(f"2\0{settings.service.url}\0ReportInstantStats\n".encode())
    for call in calls(settings):
        sums.update(f"{call.call_id}\n".encode())
    return sums.hexdigest()


def run_id(started_at_us: int, plan_digest: str) -> str:
    """The id of a run: its start in UTC to the second, and six digits that tell runs of one second apart."""
    start = datetime.fromtimestamp(started_at_us // 1_000_000, UTC)
    piece = hashlib.sha256(f"{plan_digest}{started_at_us}".encode()).hexdigest()[:6]
    return f"{start:%Y%m%dT%H%M%SZ}-{piece}"


def estimate(settings: Settings) -> Estimate:
    """What the plan costs."""
    sessions = len(settings.sessions)
    per_session = len(pairs_of(settings.windows.minutes, settings.windows.pairing))
    logins = len(
        {(each.login_name, each.password) for each in settings.sessions if each.api_key is None}
    )
    requests = sessions * (per_session + 1) + 2 * logins
    limits = settings.limits
    busiest = per_session + 1 + (2 if logins else 0)
    seconds = max(
        (requests - 1) / limits.requests_per_second,
        (busiest - 1) / limits.per_session_per_second,
    )
    return Estimate(
        sessions, per_session, sessions * per_session, requests, math.ceil(seconds * (1 + MARGIN))
    )
