import pytest
from hypothesis import given
from hypothesis import strategies as st

import collector.errors
from collector.domain.values import FaultClass
from collector.errors import TransportError, WireError
from collector.outcomes.policy import (
    ACTIONS,
    Action,
    action_for,
    backoff_seconds,
    classify_error,
    classify_status,
)
from collector.wire.replies import NotServiceError


def subclasses(kind: type[Exception]) -> list[type[Exception]]:
    """A class and everything below it."""
    return [kind, *(found for below in kind.__subclasses__() for found in subclasses(below))]


def test_every_class_has_an_action() -> None:
    """No fault class was forgotten in the table."""
    assert set(ACTIONS) == set(FaultClass)
    assert set(ACTIONS.values()) == set(Action)


@pytest.mark.parametrize(
    "kind", [*subclasses(TransportError), *subclasses(WireError)], ids=lambda kind: kind.__name__
)
def test_every_error_is_classified(kind: type[Exception]) -> None:
    """Whatever transport and wire can raise has a class of its own kind."""
    expected = {
        "ReplyTooLargeError": FaultClass.TOO_LARGE,
        "ReplyTimeoutError": FaultClass.TIMEOUT,
        "NotServiceError": FaultClass.NOT_SERVICE,
        "ThrottledError": FaultClass.THROTTLED,
    }
    default = FaultClass.TRANSPORT if issubclass(kind, TransportError) else FaultClass.MALFORMED
    assert classify_error(kind.__new__(kind)) is expected.get(kind.__name__, default)
    assert kind.__name__ in collector.errors.__all__ or kind is NotServiceError


def test_other_errors_are_not_hidden() -> None:
    """A programming error is no fault of the service."""
    with pytest.raises(TypeError, match="KeyError"):
        classify_error(KeyError("x"))


STATUSES = {
    200: None,
    204: None,
    301: FaultClass.NOT_SERVICE,
    302: FaultClass.NOT_SERVICE,
    304: FaultClass.NOT_SERVICE,
    400: FaultClass.PARAMETER,
    401: FaultClass.AUTHORISATION,
    403: FaultClass.AUTHORISATION,
    404: FaultClass.NOT_FOUND,
    405: FaultClass.NOT_FOUND,
    407: FaultClass.PARAMETER,
    408: FaultClass.TIMEOUT,
    413: FaultClass.PARAMETER,
    415: FaultClass.PARAMETER,
    429: FaultClass.THROTTLED,
    500: FaultClass.SERVER,
    502: FaultClass.SERVER,
    503: FaultClass.SERVER,
    504: FaultClass.SERVER,
    599: FaultClass.SERVER,
}


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(status: int) -> None:
    """What a status alone tells; 503 asks for patience only with a Retry-After."""
    assert classify_status(status, has_retry_after=False) is STATUSES[status]
    expected = FaultClass.THROTTLED if status == 503 else STATUSES[status]
    assert classify_status(status, has_retry_after=True) is expected


@pytest.mark.parametrize("fault_class", FaultClass)
def test_the_last_attempt_fails(fault_class: FaultClass) -> None:
    """No class is retried beyond the attempts that are allowed."""
    for attempts in (1, 2, 5):
        assert action_for(fault_class, attempts, attempts) is Action.FAIL
        assert action_for(fault_class, attempts + 1, attempts) is Action.FAIL


@pytest.mark.parametrize("fault_class", FaultClass)
def test_actions_before_the_last_attempt(fault_class: FaultClass) -> None:
    """An unclassified fault is tried once more; every other class as its table says; nobody gets RETRY_ONCE."""
    actions = [action_for(fault_class, attempt, 4) for attempt in (1, 2, 3)]
    if fault_class is FaultClass.UNCLASSIFIED:
        assert actions == [Action.RETRY, Action.FAIL, Action.FAIL]
    else:
        assert actions == [ACTIONS[fault_class]] * 3


def test_who_is_never_retried() -> None:
    """Arguments, rights, refused credentials and too large replies do not get better."""
    failing = {one for one in FaultClass if ACTIONS[one] is Action.FAIL}
    assert failing == {
        FaultClass.AUTHORISATION,
        FaultClass.PARAMETER,
        FaultClass.NOT_FOUND,
        FaultClass.TOO_LARGE,
        FaultClass.CREDENTIAL,
        FaultClass.QUARANTINED,
    }


POSITIVE = st.floats(0.001, 86_400)


@given(st.integers(1, 10**6), POSITIVE, POSITIVE, st.floats(0, 1))
def test_backoff_is_bounded(attempt: int, base: float, cap: float, random: float) -> None:
    """Between nothing and the cap, whatever the attempt; in proportion to the jitter; never less with attempts."""
    wait = backoff_seconds(attempt, base, cap, random)
    assert 0 <= wait <= cap
    most = backoff_seconds(attempt, base, cap, 1.0)
    assert wait == pytest.approx(random * most)
    assert most <= backoff_seconds(attempt + 1, base, cap, 1.0)


def test_backoff_doubles() -> None:
    """The base, then twice as much each time, then the cap."""
    assert [backoff_seconds(n, 0.5, 3.0, 1.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
