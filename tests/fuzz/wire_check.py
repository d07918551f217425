"""What must hold of any bytes that come over the wire: an answer, a fault, or one typed error."""

import itertools
from typing import Final

from collector.domain.binding import Binding
from collector.domain.calls import CallId
from collector.domain.outcomes import FaultClass, State
from collector.domain.replies import LandedReply
from collector.domain.secret import Secret, mask
from collector.errors import WireError
from collector.outcomes.classify_reply import classify_reply
from collector.runs.reports import INSTANT_STATS
from collector.wire.body import decoded_body
from collector.wire.http_dates import date_us, retry_after_seconds
from collector.wire.operations import LOGIN, WHO_AM_I, Operation
from collector.wire.replies import Fault, Payload, open_reply
from tests.collector.replies_by_hand import BINDINGS, SAMPLES, sample

__all__ = ["check", "prepare", "seeds"]

LIMIT: Final = 1 << 20
FAULTS: Final = ("auth-code", "auth-details", "unhandled")
TYPES: Final = ("text/xml", "text/html", "text/plain; charset=x", "application/json", "", "\udcff/")
STATUSES: Final = (200, 400, 429, 500, 503)
OPERATIONS: Final = (INSTANT_STATS.operation, WHO_AM_I, LOGIN)
ENCODINGS: Final = (None, "gzip", "deflate", "br")
# the first two bytes of an input choose among these
KINDS: Final = tuple(itertools.product(STATUSES, TYPES, OPERATIONS, ENCODINGS))
KEY: Final = Secret("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")


def prepare() -> None:
    """Nothing to be done."""


def seeds() -> list[bytes]:
    """The recorded replies, plain and as the bodies of other statuses and types."""
    bodies = [sample(case, binding).body for case in SAMPLES for binding in BINDINGS]
    bodies += [sample(f"faults/{case}", binding).body for case in FAULTS for binding in BINDINGS]
    bodies += [b'{"success":false,"errorCode":"RateLimitExceeded","message":"slow down"}']
    firsts = range(0, len(KINDS), 7)
    return [first.to_bytes(2, "big") + body for first, body in zip(firsts, bodies, strict=False)]


def check(data: bytes) -> None:
    """Raises an AssertionError, or whatever else should not be raised."""
    status, content_type, operation, encoding = KINDS[int.from_bytes(data[:2], "big") % len(KINDS)]
    body = data[2:]
    _check_headers(body[:60])
    masked, found = mask(body, (KEY,))
    assert not mask(masked, (KEY,))[1]
    assert found or masked is body
    try:
        plain = decoded_body(body, encoding, LIMIT)
    except WireError:
        plain = None
    assert plain is None or len(plain) <= LIMIT
    if plain is not None:
        _check_opened(operation, status, content_type, plain)
    headers = {"content-type": content_type}
    if encoding is not None:
        headers["content-encoding"] = encoding
    _check_judged(status, headers, body)


def _check_opened(operation: Operation, status: int, content_type: str, body: bytes) -> None:
    try:
        content = open_reply(operation, status, content_type, body)
    except WireError as error:
        str(error).encode()
        return
    if isinstance(content, Payload):
        assert isinstance(content.has_rows, bool)
        assert isinstance(content.is_null, bool)
        content.text.encode()
        for name in ("SessionID", "NetworkID", ""):
            (content.field(name) or "").encode()
    else:
        assert isinstance(content, Fault)
        assert len(str(content).encode()) <= 4 * 500


def _check_judged(status: int, headers: dict[str, str], body: bytes) -> None:
    landed = LandedReply(
        CallId("c"),
        1,
        "s",
        "ReportInstantStats",
        (1, 2),
        Binding.SOAP12,
        "",
        status,
        headers,
        body,
        1,
        2,
    )
    outcome, _ = classify_reply(INSTANT_STATS.operation, landed, LIMIT)
    assert outcome.state in (State.OK, State.EMPTY, State.FAILED)
    assert (outcome.state is State.FAILED) == (outcome.fault_class in set(FaultClass))
    assert len((outcome.fault_text or "").encode()) <= 4 * 500
    assert outcome == classify_reply(INSTANT_STATS.operation, landed, LIMIT)[0]


def _check_headers(value: bytes) -> None:
    for text in (value.decode("latin-1"), value.decode("utf-8", errors="surrogateescape")):
        date_us(text)
        seconds = retry_after_seconds(text, 1_700_000_000.0, 300.0)
        assert seconds is None or 0 <= seconds <= 300
