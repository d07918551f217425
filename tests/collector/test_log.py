"""The log lines of a run: each says something that was not said before, and says it in words."""

from collections.abc import Iterable

from structlog.testing import capture_logs

from collector.domain.calls import CallId
from collector.domain.outcomes import FaultClass, State
from collector.events import (
    BreakerClosed,
    BreakerOpened,
    Event,
    LoginFailed,
    Paused,
    RunStopping,
    Settled,
)
from collector.observers import EventLog


def lines(events: Iterable[Event]) -> list[str]:
    """What a log of level info has of these events, one after another."""
    log = EventLog(requests_per_second=1.0)
    with capture_logs() as entries:
        for event in events:
            log(event)
    return [each["event"] for each in entries if each["log_level"] != "debug"]


def failed(session: str, fault: FaultClass, said: str) -> Settled:
    """A call that failed."""
    call_id = CallId(f"{session}:ReportInstantStats:60-120")
    return Settled(call_id, session, "ReportInstantStats", "60-120", State.FAILED, 0, fault, said)


def test_a_service_that_answers_a_logout_is_not_back() -> None:
    """The run is stopping: no call is brought back by it."""
    down, back = BreakerOpened("refused"), BreakerClosed(3.0)
    assert lines([down, back])[-1] == "the service answers again"
    assert "the service answers again" not in lines([down, RunStopping("deadline"), back])


def test_a_session_without_login_is_told_once() -> None:
    """Its calls fail for that very reason, whatever their class; another reason is told."""
    for fault in (FaultClass.CREDENTIAL, FaultClass.THROTTLED):
        calls = [failed("acme", fault, "Login was refused"), failed("beta", fault, "other")]
        told = lines([LoginFailed("acme", "Login was refused"), *calls])
        assert told == ["no Login for this session: its calls fail", "call failed"]


def test_a_pause_is_told_if_it_is_the_longest_so_far() -> None:
    """A service that throttles all night asks for one with every reply."""
    pauses = [Paused(None, seconds) for seconds in (1.0, 1.01, 0.5, 30.0, 30.0)]
    assert len(lines([*pauses, Paused("acme", 60.0)])) == 2
