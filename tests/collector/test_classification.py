import pytest

import collector.errors
from collector.domain.outcomes import FaultClass
from collector.errors import ConnectError, ReplyTimeoutError, TransportError, WireError
from collector.outcomes.classification import classify_error, classify_status, is_outage
from collector.wire.replies import NotServiceError


def subclasses(kind: type[Exception]) -> list[type[Exception]]:
    """A class and everything below it."""
    return [kind, *(found for below in kind.__subclasses__() for found in subclasses(below))]


@pytest.mark.parametrize(
    "kind", [*subclasses(TransportError), *subclasses(WireError)], ids=lambda kind: kind.__name__
)
def test_every_error_is_classified(kind: type[Exception]) -> None:
    """Whatever transport and wire can raise has a class of its own kind."""
    expected = {
        "ReplyTooLargeError": FaultClass.TOO_LARGE,
        "ReplyTimeoutError": FaultClass.TIMEOUT,
        "NotServiceError": FaultClass.NOT_SERVICE,
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
    404: FaultClass.NOT_SERVICE,
    405: FaultClass.NOT_SERVICE,
    410: FaultClass.NOT_SERVICE,
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


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (None, None, False),
        (None, 200, False),
        (None, 499, False),
        (None, 500, False),
        (None, 501, True),
        (None, 502, True),
        (ReplyTimeoutError("late"), None, True),
        (ConnectError("closed"), None, True),
        (WireError("an empty body"), 200, False),
        (WireError("an empty body"), 499, False),
        (WireError("an empty body"), 500, True),
        (NotServiceError("a page"), 200, True),
        (NotServiceError("a page"), 404, False),
        (NotServiceError("a page"), 500, True),
        (NotServiceError("Session not found"), 500, False),
    ],
)
def test_what_an_outage_is(error: Exception | None, status: int | None, expected: bool) -> None:
    """Nothing came, or something in the service's place; a fault of its own at 500 is an answer."""
    assert is_outage(error, status) is expected
