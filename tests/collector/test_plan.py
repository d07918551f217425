from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Settings
from collector.domain.values import Call, Pairing, Window
from collector.runs.plan import calls, digest, estimate, pairs_of, repeated, run_id
from collector.scheduling.rate_gates import MARGIN

MINUTES = st.lists(st.integers(1, 32_767), min_size=1, max_size=40)


def settings_of(
    labels: list[str], minutes: list[int], pairing: str = "pairs", **more: Mapping[str, Any]
) -> Settings:
    """A configuration with these sessions and windows."""
    document: dict[str, Any] = {
        "service": {"url": "https://host.invalid/x.asmx"},
        "windows": {"minutes": minutes, "pairing": pairing},
        "sessions": [{"label": label, "api_key": "env:KEY"} for label in labels],
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
        assert {window.minutes for pair in planned for window in pair} == set(windows)
    assert sum(one == other for one, other in pairs) == count % 2
    assert [pair[1] for pair in chain[:-1]] == [pair[0] for pair in chain[1:]]


@given(minutes=MINUTES, pairing=st.sampled_from(Pairing))
def test_any_windows(minutes: list[int], pairing: Pairing) -> None:
    """In any order, with repetitions: ascending, each window asked for, no call twice."""
    planned = pairs_of(minutes, pairing)
    assert planned == pairs_of(sorted(set(minutes)), pairing)
    assert {window.minutes for pair in planned for window in pair} == set(minutes)
    assert all(one <= other for one, other in planned)
    assert planned == sorted(set(planned))


def test_examples() -> None:
    """The pairs of the design's text."""

    def of(minutes: list[int], pairing: Pairing) -> list[tuple[int, int]]:
        return [(one.minutes, other.minutes) for one, other in pairs_of(minutes, pairing)]

    assert of([180, 60, 120], Pairing.PAIRS) == [(60, 120), (180, 180)]
    assert of([180, 60, 120], Pairing.CHAIN) == [(60, 120), (120, 180)]
    assert of([5], Pairing.PAIRS) == of([5, 5], Pairing.CHAIN) == [(5, 5)]


@pytest.mark.parametrize("minutes", [0, -1, 32_768])
def test_windows_out_of_range(minutes: int) -> None:
    """The message names the window and the range."""
    with pytest.raises(ValueError, match=rf"{minutes} minutes: must be 1 to 32767"):
        pairs_of([60, minutes], Pairing.PAIRS)


@given(MINUTES)
def test_repeated(minutes: list[int]) -> None:
    """Exactly those that stand more than once, ascending."""
    assert repeated(minutes) == sorted({one for one in minutes if minutes.count(one) > 1})


def test_calls_of_a_plan() -> None:
    """Sessions as configured, windows ascending; ids are unique and the same every time."""
    settings = settings_of(["b", "a"], [180, 60, 120])
    planned = list(calls(settings))
    assert [(one.session, one.window1.minutes, one.window2.minutes) for one in planned] == [
        ("b", 60, 120),
        ("b", 180, 180),
        ("a", 60, 120),
        ("a", 180, 180),
    ]
    assert [one.is_probe for one in planned] == [False, True] * 2
    assert planned == list(calls(settings))
    assert len({one.call_id for one in planned}) == 4


def test_call_ids_are_forever() -> None:
    """An id that changed would make a resumed run ask again, and rows come twice."""
    assert Call.of("acme", Window(60), Window(120)).call_id == "acme:60-120"
    assert Call.of("ñ 😀", Window(1), Window(32_767)).call_id == "ñ 😀:1-32767"


@given(
    st.sets(
        st.tuples(
            st.text(":-019a", max_size=9) | st.text(max_size=9),
            st.integers(1, 32_767),
            st.integers(1, 32_767),
        ),
        max_size=30,
    )
)
def test_different_calls_have_different_ids(keys: set[tuple[str, int, int]]) -> None:
    """Labels with digits or colons in them are no way to the id of another call."""
    ids = {Call.of(label, Window(one), Window(other)).call_id for label, one, other in keys}
    assert len(ids) == len(keys)


def test_digest_sees_every_input() -> None:
    """Another service, session, order, window or pairing is another plan; a limit or a key is not."""
    minutes = [60, 120, 180]
    plan = settings_of(["a", "b"], minutes)
    others = [
        settings_of(["a", "b"], minutes, service={"url": "https://host.invalid/y.asmx"}),
        settings_of(["a", "c"], minutes),
        settings_of(["b", "a"], minutes),
        settings_of(["a"], minutes),
        settings_of(["a", "b"], [60, 120]),
        settings_of(["a", "b"], [60, 120, 181]),
        settings_of(["a", "b"], minutes, "chain"),
    ]
    digests = {digest(one) for one in [plan, *others]}
    assert len(digests) == len(others) + 1
    assert all(len(one) == 64 and set(one) <= set("0123456789abcdef") for one in digests)
    same = settings_of(["a", "b"], [180, 120, 60, 60], limits={"requests_per_second": 99})
    assert digest(same) == digest(plan)


def test_run_ids() -> None:
    """Start in UTC and six digits; two runs of one second differ; ids sort by start."""
    start = 1_769_824_800_000_000
    assert run_id(start, "ab" * 32).startswith("20260131T020000Z-")
    assert len(run_id(start, "ab" * 32)) == len("20260131T020000Z-1f2e3d")
    assert run_id(start, "ab" * 32) != run_id(start + 1, "ab" * 32)
    assert run_id(start, "ab" * 32) != run_id(start, "ac" * 32)
    assert run_id(start, "ab" * 32) < run_id(start + 1_000_000, "00" * 32)


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
    assert cost.requests == 8, "one Login and one Logout for the three of them"
    limits = {"requests_per_second": 100.0, "per_session_per_second": 0.1}
    cost = estimate(settings_of(["a", "b"], [60, 120, 180], limits=limits))
    assert 20 <= cost.seconds_at_limit <= 22
    assert {one.name for one in fields(cost)} >= {"calls", "requests", "seconds_at_limit"}
