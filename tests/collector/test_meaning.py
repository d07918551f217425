"""What a reply means beyond its class: is it an outage, the service at all, a call to slow down, and for whom."""

import pytest

from collector.domain.binding import Binding
from collector.domain.outcomes import FaultClass
from collector.errors import ConnectError, ReplyTimeoutError
from collector.outcomes.meaning import Meaning, meaning_of_error, meaning_of_reply
from collector.runs.reports import INSTANT_STATS
from tests.collector.replies_by_hand import Recorded, dataset, fault, plain

PAGE = {"content-type": "text/html"}
LATER = {"retry-after": "7"}
CAP = "The maximum number of sessions is exceeded"


def meant(reply: Recorded, **headers: str) -> Meaning:
    """What a reply to ReportInstantStats means."""
    return meaning_of_reply(
        INSTANT_STATS.operation,
        reply.status,
        {**reply.headers, **headers},
        reply.body,
        received_at_us=1_769_824_802_000_000,
        is_cut=False,
        max_bytes=100_000,
        max_wait_seconds=60.0,
    )


def page(status: int, text: str = "nginx", headers: dict[str, str] = PAGE) -> Recorded:
    """A web page."""
    return Recorded(status, headers, f"<html><body>{text}</body></html>".encode())


def told(status: int, text: str, **headers: str) -> Recorded:
    """A fault of the GET binding, with another status than the service's own 500."""
    found = fault(text, "", Binding.HTTP_GET)
    return Recorded(status, {**found.headers, **headers}, found.body)


FLAGS = ("is_outage", "is_web_page", "slows_everybody", "asks_to_slow_down")
CASES = [
    (dataset("", Binding.SOAP11), None, ()),
    (told(500, "Invalid SessionID"), FaultClass.AUTHENTICATION, ()),
    (told(500, "Rate limit reached"), FaultClass.THROTTLED, ("asks_to_slow_down",)),
    (told(500, CAP), FaultClass.THROTTLED, ()),
    (told(429, CAP), FaultClass.THROTTLED, ("asks_to_slow_down",)),
    (told(429, "Too many requests"), FaultClass.THROTTLED, ("asks_to_slow_down",)),
    (
        Recorded(503, PAGE | LATER, b"<html></html>"),
        FaultClass.THROTTLED,
        ("is_outage", "slows_everybody", "asks_to_slow_down"),
    ),
    (page(503), FaultClass.SERVER, ("is_outage",)),
    (page(502), FaultClass.SERVER, ("is_outage",)),
    (page(500), FaultClass.SERVER, ("is_outage",)),
    (page(200), FaultClass.NOT_SERVICE, ("is_outage", "is_web_page")),
    (page(404), FaultClass.NOT_SERVICE, ("is_web_page",)),
    (page(302), FaultClass.NOT_SERVICE, ("is_outage", "is_web_page")),
    (Recorded(400, PAGE, b"<html></html>"), FaultClass.PARAMETER, ()),
    (Recorded(403, PAGE, b"<html></html>"), FaultClass.AUTHORISATION, ()),
    (Recorded(200, {"content-type": "text/xml"}, b"<a"), FaultClass.MALFORMED, ()),
    (Recorded(200, {"content-type": "text/xml"}, b""), FaultClass.MALFORMED, ()),
]


@pytest.mark.parametrize(("reply", "fault_class", "flags"), CASES)
def test_what_follows_from_a_reply(
    reply: Recorded, fault_class: FaultClass | None, flags: tuple[str, ...]
) -> None:
    """Class and flags; an answer is an answer and nothing else."""
    meaning = meant(reply)
    assert meaning.fault_class is fault_class
    assert tuple(name for name in FLAGS if getattr(meaning, name)) == flags
    assert (meaning.payload is None) == (fault_class is not None)
    assert (meaning.status, meaning.was_sent) == (reply.status, True)


def test_how_long_to_wait() -> None:
    """As the service says, no longer than allowed; a date counts from the reply's own Date."""
    busy = Recorded(503, {}, b"busy")
    assert meant(busy).retry_after_seconds is None
    assert meant(busy, **{"retry-after": "7"}).retry_after_seconds == 7.0
    assert meant(busy, **{"retry-after": "700"}).retry_after_seconds == 60.0
    clocks = {
        "date": "Mon, 15 Jan 2024 12:00:00 GMT",
        "retry-after": "Mon, 15 Jan 2024 12:00:20 GMT",
    }
    assert meant(busy, **clocks).retry_after_seconds == 20.0


def test_an_answer_at_a_status_that_is_none() -> None:
    """The status says that something is wrong."""
    answer = dataset("", Binding.SOAP11)
    meaning = meant(Recorded(403, answer.headers, answer.body))
    assert (meaning.payload, meaning.fault_class) == (None, FaultClass.AUTHORISATION)
    assert meaning.text == "an answer at status 403"


def test_a_body_that_is_too_large() -> None:
    """As it came, and unpacked."""
    meaning = meant(plain(200, "x" * 100_001))
    assert meaning.fault_class is FaultClass.TOO_LARGE
    assert not meaning.is_outage


@pytest.mark.parametrize(
    ("error", "was_sent"), [(ConnectError("no"), False), (ReplyTimeoutError("late"), True)]
)
def test_no_reply(error: ConnectError | ReplyTimeoutError, was_sent: bool) -> None:
    """An outage, as far as one request can tell; what was not sent cost the service nothing."""
    meaning = meaning_of_error(error)
    assert (meaning.is_outage, meaning.was_sent, meaning.status) == (True, was_sent, None)
    assert [name for name in FLAGS if getattr(meaning, name)] == ["is_outage"]
