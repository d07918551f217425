"""Switches as values: parsing, ranges, and which calls a selector hits."""

import dataclasses

import pytest

from collector.simulator import Selector, Switches
from collector.simulator.selector import NEVER, CallKey
from collector.simulator.switches import NAMES, SELECTORS, FaultShape


def call(
    number: int = 1, attempt: int = 1, label: str = "a", minutes: tuple[int, int] = (60, 120)
) -> CallKey:
    """The key of a call."""
    return CallKey(label, "ReportInstantStats", *minutes, number, attempt)


def hit(text: str, keys: list[CallKey], seed: int = 0) -> list[int]:
    """The positions of the keys a selector hits, from 1."""
    selector = Selector.parse(text)
    return [at for at, key in enumerate(keys, 1) if selector.hits("x", key, seed)]


SEQUENCE = [call(number=number, attempt=(number + 1) // 2) for number in range(1, 7)]


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("never", []),
        ("always", [1, 2, 3, 4, 5, 6]),
        ("every:3", [3, 6]),
        ("first:2", [1, 2]),
        ("call:4", [4]),
        ("attempts:1", [1, 2]),
        ("attempts:2", [1, 2, 3, 4]),
        ("p:0", []),
        ("p:1", [1, 2, 3, 4, 5, 6]),
        ("share:0", []),
        ("share:1", [1, 2, 3, 4, 5, 6]),
        ("minutes:60", [1, 2, 3, 4, 5, 6]),
        ("minutes:61", []),
    ],
)
def test_selectors_choose_calls(text: str, positions: list[int]) -> None:
    """By number, by attempt, by window, by draw."""
    assert hit(text, SEQUENCE) == positions
    assert str(Selector.parse(text)) == text


def test_draws_depend_on_the_call_and_not_on_the_order() -> None:
    """A chance is drawn for each attempt, a share once for each call; both from the seed."""
    keys = [call(label=f"m{at}", attempt=attempt) for at in range(500) for attempt in (1, 2)]
    chance = hit("p:0.3", keys)
    assert 200 <= len(chance) <= 400
    assert chance != hit("p:0.3", keys, seed=1)
    backwards = hit("p:0.3", keys[::-1])
    assert chance == sorted(len(keys) + 1 - at for at in backwards)
    share = hit("share:0.3", keys)
    assert {at + 1 for at in share if at % 2} == {at for at in share if not at % 2}
    odd = {at for at in chance if at % 2}
    assert {at + 1 for at in odd} != {at for at in chance if not at % 2}


@pytest.mark.parametrize(
    "text", ["", "often", "every", "every:0", "every:x", "first:1.5", "p:2", "p:-1", "never:1", "p"]
)
def test_bad_selectors_are_refused(text: str) -> None:
    """The message lists the forms, or the range."""
    with pytest.raises(ValueError, match=r"must be"):
        Selector.parse(text)


def test_switches_survive_their_texts() -> None:
    """Every switch can be said as text and read back."""
    switches = Switches.parse(
        {
            "latency_ms": "12.5",
            "sliding_timeout": "False",
            "session_cap": "3",
            "fault_shape": "number",
            "html_503": "first:2",
            "retry_after": "date",
        }
    )
    assert (switches.latency_ms, switches.session_cap) == (12.5, 3)
    assert switches.fault_shape is FaultShape.NUMBER
    assert not switches.sliding_timeout
    assert Switches.parse(switches.texts()) == switches
    assert set(switches.texts()) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("latencyms", "1", "did you mean latency_ms"),
        ("zzz", "1", "there are latency_ms"),
        ("latency_ms", "fast", "must be a number"),
        ("latency_ms", "-1", "must be 0 to 600000"),
        ("session_cap", "0", "must be 1 to"),
        ("session_cap", "many", "must be a whole number$"),
        ("session_timeout_seconds", "40000", "must be 1 to 32767"),
        ("ip_binding", "perhaps", "must be true or false"),
        ("fault_shape", "odd", "must be one of error-info, flat, number, word, framework"),
        ("throttle_status", "500", "must be 429 or 503"),
        ("retry_after", "later", "must be one of none, seconds"),
        ("hostile_bytes", "2000000001", "must be 0 to 2e"),
        ("down_by", "502", "must be one of refusal, 503"),
        ("html_200", "sometimes", "html_200 = 'sometimes': must be never, always"),
    ],
)
def test_wrong_switches_are_refused(name: str, text: str, said: str) -> None:
    """The message names the switch, the value and what is allowed."""
    with pytest.raises(ValueError, match=said):
        Switches.parse({name: text})


def test_by_default_nothing_is_switched_on() -> None:
    """Every selector is `never`, and hits no call."""
    switches = Switches()
    assert all(getattr(switches, name) == NEVER for name in SELECTORS)
    assert switches.hits(call(), 0) == frozenset()


@pytest.mark.parametrize("operations", ["ReportInstantStats", "Login", "*"])
def test_selectors_of_login_ask_for_no_operations(operations: str) -> None:
    """They hit Login and nothing else, whatever the others apply to."""
    switches = Switches.parse({"operations": operations, "login_refused": "always"})
    login = dataclasses.replace(call(), operation="Login")
    assert switches.hits(login, 0) == {"login_refused"}
    assert switches.hits(call(), 0) == frozenset()


@pytest.mark.parametrize(
    ("operations", "hits"),
    [
        ("ReportInstantStats", True),
        ("Login", False),
        ("Login,ReportInstantStats", True),
        ("*", True),
    ],
)
def test_selectors_apply_to_the_named_operations(operations: str, *, hits: bool) -> None:
    """The statistics by default; any others by name."""
    switches = dataclasses.replace(
        Switches(), operations=operations, html_200=Selector.parse("always")
    )
    assert ("html_200" in switches.hits(call(), 0)) is hits
