import threading
import time
from dataclasses import fields
from typing import get_args

import pytest

import collector.events as module
from collector.domain.calls import CallId
from collector.domain.outcomes import FaultClass, State
from collector.events import (
    BreakerClosed,
    BreakerOpened,
    Event,
    EventStream,
    Paused,
    Replied,
    Retried,
    RunBegan,
    Sent,
    Settled,
)
from collector.observers import Counts, Progress


def settled(state: State, number: int = 0) -> Settled:
    """A call that came to its end."""
    return Settled(CallId(f"acme:{number}"), "acme", "ReportInstantStats", "60-120", state, 1)


def test_observers_see_every_event_in_order() -> None:
    """Each of them, when the stream has ended at the latest."""
    seen: list[list[Event]] = [[], []]
    events = [settled(State.OK, number) for number in range(10_000)]
    with EventStream([seen[0].append, seen[1].append]) as stream:
        for event in events:
            stream.emit(event)
    assert seen == [events, events]


def test_an_observer_that_fails_disturbs_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    """The run goes on, the others see everything, and the log says so once."""
    seen: list[Event] = []

    def failing(_: Event) -> None:
        raise OSError("no disk")

    with EventStream([failing, seen.append]) as stream:
        for number in range(100):
            stream.emit(settled(State.OK, number))
    assert len(seen) == 100
    said = capfd.readouterr()
    assert (said.out + said.err).count("no disk") == 1


def test_a_slow_observer_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is stuck costs neither the run nor the others any time, and a bounded time at the end."""
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.2)
    stuck, seen = threading.Event(), list[Event]()

    def wait(_: Event) -> None:
        stuck.wait(30)

    with EventStream([wait, seen.append]) as stream:
        started = time.monotonic()
        for number in range(1_000):
            stream.emit(settled(State.OK, number))
        assert time.monotonic() - started < 1.0
    assert time.monotonic() - started < 5.0
    assert len(seen) == 1_000
    stuck.set()


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An observer that is stuck keeps so many events in memory and no more."""
    monkeypatch.setattr(module, "_MOST_WAITING", 10)
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.1)
    stuck, seen = threading.Event(), list[Event]()

    def slow(event: Event) -> None:
        stuck.wait(30)
        seen.append(event)

    with EventStream([slow]) as stream:
        for number in range(1_000):
            stream.emit(settled(State.OK, number))
    stuck.set()
    for _ in range(200):
        if len(seen) >= 10:
            break
        time.sleep(0.01)
    assert 10 <= len(seen) <= 20


def test_no_event_has_a_place_for_a_credential() -> None:
    """Their fields are labels, numbers, classes and texts that were masked before."""
    for kind in get_args(Event):
        for each in fields(kind):
            assert each.name not in {"session_id", "api_key", "password", "login_name", "arguments"}
        assert kind.__name__ in module.__all__


def test_progress() -> None:
    """How far the run is, what an earlier invocation settled included."""
    progress = Progress()
    for event in (
        RunBegan("20260131T020000Z-abcdef", 10, 4),
        settled(State.OK),
        settled(State.FAILED),
        settled(State.EMPTY),
        BreakerOpened("refused"),
    ):
        progress(event)
    assert progress == Progress(10, 7, 1, is_waiting=True)
    progress(BreakerClosed(2.0))
    assert not progress.is_waiting


def test_counts() -> None:
    """One line of numbers out of many events."""
    counts = Counts()
    for event in (
        Sent("acme", "Login"),
        Sent("acme", "ReportInstantStats"),
        Sent("acme", "ReportInstantStats"),
        Replied("acme", "ReportInstantStats", 500, FaultClass.SERVER, 0.1),
        Retried("acme", "ReportInstantStats", FaultClass.SERVER, 0.5),
        Replied("acme", "ReportInstantStats", 200, None, 0.1),
        Paused(None, 3.0),
        Paused("acme", 0.5),
        settled(State.OK),
    ):
        counts(event)
    assert counts.sent == {"Login": 1, "ReportInstantStats": 2}
    assert counts.retried == {FaultClass.SERVER: 1}
    assert counts.paused_seconds == 3.5
    assert counts.summary() == {
        "sent": {"Login": 1, "ReportInstantStats": 2},
        "retried": {"server": 1},
        "paused_seconds": 3.5,
    }
