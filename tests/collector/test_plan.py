from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Settings
from collector.domain.calls import Pairing, Span, Trailing
from collector.runs.plan import (
    calls,
    calls_of_spans,
    estimate,
    pairs_of,
    repeated,
    run_id,
    spans_of,
)
from collector.scheduling.rate_gates import MARGIN

HOUR_US = 3_600_000_000
MINUTES = st.lists(st.integers(1, 32_767), min_size=1, max_size=40)


def settings_of(
    labels: list[str], minutes: list[int], pairing: str = "pairs", **more: Mapping[str, Any]
) -> Settings:
    """A configuration with these sessions and windows."""
    document: dict[str, Any] = {
        "service": {"url": "https://host.invalid/x.asmx"},
        "windows": {"minutes": minutes, "pairing": pairing},
        "sessions": [{"label": label, "api_key": f"env:KEY_{label}"} for label in labels],
    }
    return Settings.model_validate(document | more)


@pytest.mark.parametrize("count", range(1, 201))
def test_number_of_calls(count: int) -> None:
    """`pairs` is half as many calls as windows, rounded up; `chain` one less, and at least one."""
    windows = range(60, 60 * count + 1, 60)
    pairs, chain = pairs_of(windows, Pairing.PAIRS), pairs_of(windows, Pairing.CHAIN)
    assert len(pairs) == -(-count // 2)
    assert len(chain) == max(1, count - 1)
    for planned in (pairs, chain):
        assert asked_by(planned) == set(windows)
    assert sum(each.minutes1 == each.minutes2 for each in pairs) == count % 2
    assert [pair.minutes2 for pair in chain[:-1]] == [pair.minutes1 for pair in chain[1:]]


def asked_by(planned: list[Trailing]) -> set[int]:
    """Every window that is asked for."""
    return {minutes for pair in planned for minutes in (pair.minutes1, pair.minutes2)}


@given(minutes=MINUTES, pairing=st.sampled_from(Pairing))
def test_any_windows(minutes: list[int], pairing: Pairing) -> None:
    """In any order, with repetitions: ascending, each window asked for, no call twice."""
    planned = pairs_of(minutes, pairing)
    assert planned == pairs_of(sorted(set(minutes)), pairing)
    assert asked_by(planned) == set(minutes)
    assert all(each.minutes1 <= each.minutes2 for each in planned)
    assert planned == sorted(set(planned))


def test_examples() -> None:
    """The pairs of three windows, and of one."""
    assert pairs_of([180, 60, 120], Pairing.PAIRS) == [Trailing(60, 120), Trailing(180, 180)]
    assert pairs_of([180, 60, 120], Pairing.CHAIN) == [Trailing(60, 120), Trailing(120, 180)]
    assert pairs_of([5], Pairing.PAIRS) == pairs_of([5, 5], Pairing.CHAIN) == [Trailing(5, 5)]


@pytest.mark.parametrize("minutes", [0, -1, 32_768])
def test_windows_out_of_range(minutes: int) -> None:
    """The message names the window and the range."""
    with pytest.raises(ValueError, match=rf"{minutes} minutes: must be 1 to 32767"):
        pairs_of([60, minutes], Pairing.PAIRS)


@given(edges=st.sets(st.integers(0, 2_000), max_size=40), pairing=st.sampled_from(Pairing))
def test_any_edges(edges: set[int], pairing: Pairing) -> None:
    """Each edge is asked for if there are two; `chain` leaves no time out, `pairs` takes half as many calls."""
    edges_us = [HOUR_US * edge for edge in edges]
    planned = spans_of(edges_us, pairing)
    assert planned == spans_of(sorted(edges_us), pairing) == sorted(planned)
    asked = {edge for span in planned for edge in (span.start_us, span.end_us)}
    assert asked == (set(edges_us) if len(edges) > 1 else set())
    if pairing is Pairing.CHAIN:
        assert len(planned) == max(0, len(edges) - 1)
        assert all(one.end_us == other.start_us for one, other in pairwise(planned))
    else:
        assert len(planned) == (-(-len(edges) // 2) if len(edges) > 1 else 0)


def test_examples_of_edges() -> None:
    """The spans of four edges, of three, and of one."""
    edges = [HOUR_US * hour for hour in range(4)]
    first, second, third = (Span(*pair) for pair in pairwise(edges))
    assert spans_of(edges, Pairing.PAIRS) == [first, third]
    assert spans_of(edges, Pairing.CHAIN) == [first, second, third]
    assert spans_of(edges[:3], Pairing.PAIRS) == [first, second]
    assert spans_of(edges[:1], Pairing.PAIRS) == spans_of(edges[:1], Pairing.CHAIN) == []


@given(MINUTES)
def test_repeated(minutes: list[int]) -> None:
    """Exactly those that stand more than once, ascending."""
    assert repeated(minutes) == sorted({one for one in minutes if minutes.count(one) > 1})


def test_calls_of_a_plan() -> None:
    """Sessions as configured, windows ascending; ids are unique and the same every time."""
    settings = settings_of(["b", "a"], [180, 60, 120])
    planned = list(calls(settings))
    assert [one.call_id for one in planned] == [
        "b:ReportInstantStats:60-120",
        "b:ReportInstantStats:180-180",
        "a:ReportInstantStats:60-120",
        "a:ReportInstantStats:180-180",
    ]
    assert planned == list(calls(settings))


@pytest.mark.parametrize(
    ("numbers", "arguments"),
    [
        ({"network_id": 314, "mailbox_id": 2718}, "314,2718,0,60-120"),
        ({"network_id": 314}, "314,0,0,60-120"),
        ({"network_id": 314, "mailbox_id": 0}, "314,0,0,60-120"),
        ({"network_id": 314, "ecgrid_id": 7}, "314,0,7,60-120"),
    ],
)
def test_a_session_with_numbers_is_asked_for_that_scope(
    numbers: dict[str, int], arguments: str
) -> None:
    """With a network it is ReportInstantStatsEx, what is not named being 0; the neighbour is as before."""
    sessions = [
        {"label": "a", "api_key": "env:KEY"} | numbers,
        {"label": "b", "api_key": "env:KEY"},
    ]
    settings = settings_of([], [60, 120], sessions=sessions)  # type: ignore[arg-type]
    assert [one.call_id for one in calls(settings)] == [
        f"a:ReportInstantStatsEx:{arguments}",
        "b:ReportInstantStats:60-120",
    ]


def test_calls_of_spans() -> None:
    """In the order of the spans, with the session's own report."""
    entry = settings_of(["acme"], [60]).sessions[0]
    spans = [Span(HOUR_US, 2 * HOUR_US), Span(0, 60_000_000)]
    assert [one.call_id for one in calls_of_spans(entry, spans)] == [
        "acme:ReportInstantStats:19700101T0100Z-19700101T0200Z",
        "acme:ReportInstantStats:19700101T0000Z-19700101T0001Z",
    ]


def test_a_span_below_a_minute_is_refused() -> None:
    """Its edges would be the same minutes; the message names session and span."""
    entry = settings_of(["acme"], [60]).sessions[0]
    with pytest.raises(
        ValueError, match=r"'acme'.*T0000Z-19700101T000059Z is shorter than a minute"
    ):
        list(calls_of_spans(entry, [Span(0, 59_000_000)]))


def test_run_ids() -> None:
    """Start in UTC and six digits; two runs of one second differ; ids sort by start."""
    start = 1_769_824_800_000_000
    assert run_id(start) == "20260131T020000Z-000000"
    assert run_id(start + 999_999) == "20260131T020000Z-0f423f"
    assert run_id(start) < run_id(start + 1) < run_id(start + 16) < run_id(start + 1_000_000)


def test_estimate() -> None:
    """Every request that a run without trouble sends is counted, and the tighter limit decides."""
    limits = {"requests_per_second": 2.0, "per_session_per_second": 100.0}
    cost = estimate(settings_of(["a", "b"], [60, 120, 180], limits=limits))
    assert (cost.sessions, cost.calls_per_session, cost.calls, cost.requests) == (2, 2, 4, 6)
    assert 2.5 <= cost.seconds_at_limit <= 1 + 2.5 * (1 + MARGIN)
    cost = estimate(settings_of([f"s{n}" for n in range(200)], [60, 120, 180], limits=limits))
    assert cost.seconds_at_limit == 304, "599 intervals of half a second, and the margin"
    logins = [{"label": "a", "login_name": "env:A", "password": "env:B"}]
    cost = estimate(settings_of([], [60], limits=limits, sessions=logins))  # type: ignore[arg-type]
    assert cost.requests == 4, "Login, the call, WhoAmI, Logout"
    shared = [{**logins[0], "label": label} for label in "abc"]
    cost = estimate(settings_of([], [60], limits=limits, sessions=shared))  # type: ignore[arg-type]
    assert cost.requests == 6, "one Login, WhoAmI and Logout for the three of them"
    assert (cost.sessions, cost.credentials) == (3, 1)
    limits = {"requests_per_second": 100.0, "per_session_per_second": 0.1}
    cost = estimate(settings_of([], [60], limits=limits, sessions=shared))  # type: ignore[arg-type]
    assert 50 <= cost.seconds_at_limit <= 52, "a credential has one rate, whoever shares it"
    limits = {"requests_per_second": 100.0, "per_session_per_second": 0.1}
    cost = estimate(settings_of(["a", "b"], [60, 120, 180], limits=limits))
    assert 20 <= cost.seconds_at_limit <= 22
    assert {one.name for one in fields(cost)} >= {"calls", "requests", "seconds_at_limit"}
