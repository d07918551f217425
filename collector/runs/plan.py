"""Sessions and what is wanted of them -> the calls of a run, their ids, and what they cost. Pure.

A call asks for two trailing windows that end at the service's now (`pairs_of`), or for the span between two edges
(`spans_of`). Each report says which sessions are asked with it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from collector.config import SessionEntry, Settings
from collector.domain.calls import Call, Pairing, Span, Trailing
from collector.runs.reports import REPORTS
from collector.scheduling.rate_gates import MARGIN

__all__ = [
    "Estimate",
    "calls",
    "calls_of",
    "calls_of_spans",
    "estimate",
    "pairs_of",
    "repeated",
    "run_id",
    "same_mailbox",
    "spans_of",
]

_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan costs before anything is sent.

    Attributes:
        sessions: labels that are asked about.
        credentials: keys and logins that they are asked with.
        calls_per_session: of the label that is asked about most.
        requests: calls, plus one WhoAmI a credential, plus Login and Logout for each login that is referred to.
        seconds_at_limit: the least time the rate limits allow; latency comes on top.
    """

    sessions: int
    credentials: int
    calls_per_session: int
    calls: int
    requests: int
    seconds_at_limit: float


def repeated(minutes: Iterable[int]) -> list[int]:
    """The windows that stand more than once, ascending."""
    return sorted(window for window, count in Counter(minutes).items() if count > 1)


def same_mailbox(entries: Iterable[SessionEntry]) -> Iterator[tuple[str, str]]:
    """Labels that ask for what an earlier one asks for, after that one: the same ids, or none and one credential."""
    first_of: dict[tuple[object, ...], str] = {}
    for entry in entries:
        ids = entry.network_id, entry.mailbox_id or 0, entry.ecgrid_id or 0
        asked = entry.credential if entry.network_id is None else ids
        first = first_of.setdefault(asked, entry.label)
        if first != entry.label:
            yield first, entry.label


def pairs_of(minutes: Iterable[int], pairing: Pairing) -> list[Trailing]:
    """The windows of a session, ascending and once each, two to a call.

    `pairs`: (w1, w2), (w3, w4), ..; an odd one is paired with itself, a probe. `chain`: (w1, w2), (w2, w3), ..; a
    single window is a probe.

    Raises:
        ValueError: a window outside 1 to 32,767 minutes.
    """
    windows = sorted(set(minutes))
    if pairing is Pairing.CHAIN and len(windows) > 1:
        return [Trailing(shorter, longer) for shorter, longer in pairwise(windows)]
    return [Trailing(pair[0], pair[-1]) for pair in _twos(windows)]


def spans_of(edges_us: Iterable[int], pairing: Pairing) -> list[Span]:
    """The edges of a session, ascending and once each, two to a call; instants in microseconds since 1970.

    `pairs`: (e1, e2), (e3, e4), ..; an odd one is paired with the edge before it. `chain`: (e1, e2), (e2, e3), ..; a
    single edge asks for nothing.

    Raises:
        ValueError: an edge is no whole second from 1970 to 9999.
    """
    edges = sorted(set(edges_us))
    if pairing is Pairing.CHAIN:
        return [Span(older, younger) for older, younger in pairwise(edges)]
    whole = [Span(pair[0], pair[1]) for pair in _twos(edges) if len(pair) == 2]
    return [*whole, Span(*edges[-2:])] if len(edges) % 2 and len(edges) > 1 else whole


def calls(settings: Settings) -> Iterator[Call]:
    """Every call for trailing windows: sessions as configured, windows ascending; none where a grid is asked for."""
    pairs = pairs_of(settings.windows.minutes or (), settings.windows.pairing)
    for entry in settings.sessions:
        yield from calls_of(entry, pairs)


def calls_of_spans(entry: SessionEntry, spans: Iterable[Span]) -> Iterator[Call]:
    """The calls of one session for these spans, in their order.

    Raises:
        ValueError: a span is shorter than a minute: its edges would become the same number of minutes.
    """
    for span in spans:
        if span.end_us - span.start_us < _MINUTE_US:
            raise ValueError(
                f"session {entry.label!r}: the span {span} is shorter than a minute, and the service counts whole"
                " minutes: must be at least one"
            )
        yield from calls_of(entry, (span,))


def calls_of(entry: SessionEntry, asked: Iterable[Trailing | Span]) -> Iterator[Call]:
    """The calls of one session for these windows or spans, in their order."""
    scopes = [(report.operation.name, report.scope_of(entry)) for report in REPORTS]
    for each in asked:
        for name, scope in scopes:
            if scope is not None:
                yield Call.of(entry.label, name, (*scope, each))


def run_id(started_at_us: int) -> str:
    """The id of a run: its start in UTC to the second, then the microseconds of that second in hexadecimal."""
    start = datetime.fromtimestamp(started_at_us // 1_000_000, UTC)
    return f"{start:%Y%m%dT%H%M%SZ}-{started_at_us % 1_000_000:06x}"


def estimate(settings: Settings, planned: Iterable[Call] | None = None) -> Estimate:
    """What a plan costs.

    Args:
        planned: its calls; None for all trailing windows of all sessions.
    """
    asked = Counter(call.session for call in (calls(settings) if planned is None else planned))
    # what goes out with each credential
    sent: Counter[tuple[str | None, ...]] = Counter()
    for entry in settings.sessions:
        if entry.label in asked:
            sent[entry.credential] += asked[entry.label]
    for credential in sent:
        has_login = credential[0] is None
        sent[credential] += 3 if has_login else 1
    requests, limits = sent.total(), settings.limits
    seconds = max(
        (requests - 1) / limits.requests_per_second,
        (max(sent.values(), default=0) - 1) / limits.per_session_per_second,
    )
    total, most = asked.total(), max(asked.values(), default=0)
    seconds = math.ceil(seconds * (1 + MARGIN)) if total else 0
    return Estimate(len(asked), len(sent), most, total, requests, seconds)


def _twos(values: list[int]) -> list[list[int]]:
    """Two at a time; the last one alone if their number is odd."""
    return [values[at : at + 2] for at in range(0, len(values), 2)]
