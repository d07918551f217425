import zlib

import pytest

from collector.domain.binding import Binding
from collector.domain.calls import CallId
from collector.domain.outcomes import FaultClass, Outcome, State, Tries
from collector.domain.replies import LandedReply
from collector.outcomes.classify_reply import classify_reply, unsent_outcome
from collector.outcomes.meaning import FAULT_TEXT_LIMIT
from collector.runs.reports import INSTANT_STATS
from tests.collector.landing_by_hand import stats_call
from tests.collector.replies_by_hand import Recorded, dataset, fault, plain, sample

LIMIT = 10_000
ROW = "<Table><A>1</A></Table>"
DATE = "Mon, 15 Jan 2024 12:00:00 GMT"
DATE_US = 1_705_320_000_000_000


def judged(reply: Recorded, headers: dict[str, str] | None = None, *, cut: bool = False) -> Outcome:
    """How a call stands after this reply to its third attempt."""
    landed = LandedReply(
        call_id=CallId("c"),
        attempt=3,
        session="s",
        operation="ReportInstantStats",
        minutes=(1, 2),
        binding=Binding.SOAP12,
        request="",
        status=reply.status,
        headers=reply.headers | (headers or {}),
        body=reply.body,
        sent_at_us=1_000,
        received_at_us=51_000,
        cut=cut,
    )
    return classify_reply(INSTANT_STATS.operation, landed, LIMIT)[0]


def test_an_answer() -> None:
    """State, attempt, clocks and size of an answer with rows."""
    reply = dataset(ROW, Binding.SOAP12)
    assert judged(reply, {"date": DATE}) == Outcome(
        CallId("c"),
        State.OK,
        attempts=3,
        answer_attempt=3,
        minutes=(1, 2),
        http_status=200,
        requested_at_us=1_000,
        observed_at_us=DATE_US,
        latency_us=50_000,
        reply_bytes=len(reply.body),
    )


def test_an_empty_answer() -> None:
    """No rows is an answer, and not a zero."""
    outcome = judged(dataset("", Binding.HTTP_GET))
    assert (outcome.state, outcome.answer_attempt) == (State.EMPTY, 3)
    assert (outcome.fault_class, outcome.observed_at_us) == (None, None)


SAID = fault("Invalid Session", "", Binding.SOAP11)
VERDICTS = [  # what came back, its headers, its class
    ("fault-at-500", SAID, {}, FaultClass.AUTHENTICATION),
    ("fault-at-200", Recorded(200, SAID.headers, SAID.body), {}, FaultClass.AUTHENTICATION),
    ("fault-at-400", Recorded(400, SAID.headers, SAID.body), {}, FaultClass.AUTHENTICATION),
    ("fault-at-503", Recorded(503, SAID.headers, SAID.body), {}, FaultClass.AUTHENTICATION),
    ("fault-at-429", Recorded(429, SAID.headers, SAID.body), {}, FaultClass.THROTTLED),
    (
        "fault-at-503-wait",
        Recorded(503, SAID.headers, SAID.body),
        {"retry-after": "1"},
        FaultClass.THROTTLED,
    ),
    ("answer-at-500", Recorded(500, {}, dataset(ROW, Binding.SOAP12).body), {}, FaultClass.SERVER),
    (
        "answer-at-429",
        Recorded(429, {}, dataset(ROW, Binding.SOAP12).body),
        {},
        FaultClass.THROTTLED,
    ),
    ("empty-200", plain(200, ""), {}, FaultClass.MALFORMED),
    ("empty-400", plain(400, ""), {}, FaultClass.PARAMETER),
    ("empty-415", plain(415, ""), {}, FaultClass.PARAMETER),
    ("empty-429", plain(429, ""), {}, FaultClass.THROTTLED),
    ("empty-500", plain(500, ""), {}, FaultClass.SERVER),
    ("empty-503", plain(503, ""), {}, FaultClass.SERVER),
    ("empty-503-wait", plain(503, ""), {"retry-after": "soon"}, FaultClass.THROTTLED),
    ("html-200", plain(200, "<html>Welcome</html>", "text/html"), {}, FaultClass.NOT_SERVICE),
    ("html-403", plain(403, "<html>No</html>", "text/html"), {}, FaultClass.AUTHORISATION),
    ("html-404", plain(404, "<html>No</html>", "text/html"), {}, FaultClass.NOT_SERVICE),
    ("text-404", plain(404, "Not Found", "text/plain"), {}, FaultClass.NOT_SERVICE),
    ("empty-404", plain(404, ""), {}, FaultClass.NOT_SERVICE),
    ("html-502", plain(502, "<html>Bad Gateway</html>", "text/html"), {}, FaultClass.SERVER),
    ("text-500", plain(500, "strange", "text/plain"), {}, FaultClass.UNCLASSIFIED),
    ("text-502", plain(502, "upstream connect error", "text/plain"), {}, FaultClass.SERVER),
    ("text-503", plain(503, "no healthy upstream", "text/plain"), {}, FaultClass.SERVER),
    ("text-504", plain(504, "stream timeout", "text/plain"), {}, FaultClass.SERVER),
    ("text-403", plain(403, "RBAC: no", "text/plain"), {}, FaultClass.AUTHORISATION),
    ("text-200", plain(200, "OK", "text/plain"), {}, FaultClass.NOT_SERVICE),
    ("redirect", plain(302, "", ""), {"location": "/"}, FaultClass.NOT_SERVICE),
    ("truncated", plain(200, dataset(ROW, Binding.SOAP12).body[:-9]), {}, FaultClass.MALFORMED),
    (
        "broken-gzip",
        dataset(ROW, Binding.SOAP12),
        {"content-encoding": "gzip"},
        FaultClass.MALFORMED,
    ),
    ("brotli", dataset(ROW, Binding.SOAP12), {"content-encoding": "br"}, FaultClass.MALFORMED),
    ("too-large", plain(200, b" " * LIMIT + b"<DataSet />"), {}, FaultClass.TOO_LARGE),
    (
        "bomb",
        plain(200, zlib.compress(b" " * 10**7)),
        {"content-encoding": "deflate"},
        FaultClass.TOO_LARGE,
    ),
]


@pytest.mark.parametrize(
    ("reply", "headers", "expected"), [v[1:] for v in VERDICTS], ids=[v[0] for v in VERDICTS]
)
def test_body_before_status(reply: Recorded, headers: dict[str, str], expected: FaultClass) -> None:
    """The body decides where it can, a status of 429 always, any other where the body does not."""
    outcome = judged(reply, headers)
    assert (outcome.state, outcome.fault_class) == (State.FAILED, expected)
    assert outcome.answer_attempt is None
    assert outcome.fault_text
    assert (outcome.attempts, outcome.http_status) == (3, reply.status)


def test_a_cut_body_is_not_looked_at() -> None:
    """What was cut at the limit is too large, even if what is there can be read."""
    outcome = judged(dataset(ROW, Binding.SOAP12), cut=True)
    assert outcome.fault_class is FaultClass.TOO_LARGE
    assert str(LIMIT) in (outcome.fault_text or "")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", " GZIP ", "identity"])
def test_compressed_answers(encoding: str) -> None:
    """A body is judged by what is inside; its size is that of what came."""
    plain_body = sample("documented", Binding.SOAP12).body
    packer = zlib.compressobj(wbits=31 if "z" in encoding.lower() else 15)
    body = plain_body if encoding == "identity" else packer.compress(plain_body) + packer.flush()
    outcome = judged(plain(200, body, "application/soap+xml"), {"content-encoding": encoding})
    assert (outcome.state, outcome.reply_bytes) == (State.OK, len(body))


def test_long_texts_are_cut() -> None:
    """A fault text never grows with the reply."""
    outcome = judged(plain(500, "x" * 5_000, "text/plain"))
    assert len(outcome.fault_text or "") == FAULT_TEXT_LIMIT


def test_a_call_that_is_not_sent_any_more() -> None:
    """Failed where there is a class of fault, else not attempted; what its last request was stays known."""
    call, tries = stats_call("acme", 60, 120), Tries(2, 1, (60, 120), 1_700_000_000_000_000)
    failed = unsent_outcome(call, tries, FaultClass.CREDENTIAL, "x" * 1_000)
    left = unsent_outcome(call, tries, None, "the run was stopped")
    assert (failed.state, left.state) == (State.FAILED, State.NOT_ATTEMPTED)
    assert (failed.fault_class, left.fault_class) == (FaultClass.CREDENTIAL, None)
    assert (failed.fault_text, left.fault_text) == ("x" * 500, "the run was stopped")
    for outcome in (failed, left):
        assert (outcome.attempts, outcome.charged, outcome.minutes) == (2, 1, (60, 120))
        assert outcome.requested_at_us == 1_700_000_000_000_000
