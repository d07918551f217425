import time
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.domain.binding import Binding
from collector.domain.calls import CallId
from collector.domain.outcomes import FaultClass, State
from collector.domain.replies import LandedReply
from collector.errors import WireError
from collector.outcomes.classify_reply import classify_reply
from collector.runs.reports import INSTANT_STATS
from collector.wire.operations import OPERATIONS, Operation
from collector.wire.replies import Fault, Payload, open_reply
from tests.collector.replies_by_hand import BINDINGS, Recorded, dataset, envelope, sample

LOL = (
    '<!ENTITY a "'
    + "lol" * 1_000
    + '">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
)
DTDS = {
    "empty": "<!DOCTYPE DataSet>",
    "entity": '<!DOCTYPE DataSet [<!ENTITY a "b">]>',
    "external": '<!DOCTYPE DataSet SYSTEM "file:///etc/passwd">',
    "external-entity": '<!DOCTYPE DataSet [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    "parameter": '<!DOCTYPE DataSet [<!ENTITY % a SYSTEM "http://127.0.0.1:9/"> %a;]>',
    "billion-laughs": f"<!DOCTYPE DataSet [{LOL}]>",
    "quadratic": f'<!DOCTYPE DataSet [<!ENTITY a "{"a" * 50_000}">]>',
}


def looked_at(
    reply: Recorded, operation: Operation = INSTANT_STATS.operation
) -> Payload | Fault | None:
    """Everything the collector asks of a reply; None for a WireError."""
    try:
        content = open_reply(operation, reply.status, reply.content_type, reply.body)
    except WireError:
        return None
    if isinstance(content, Payload):
        assert isinstance(content.has_rows, bool)
        assert isinstance(content.is_null, bool)
        content.text.encode()
        (content.field("SessionID") or "").encode()
    else:
        str(content).encode()
        assert len(str(content)) <= 500
    return content


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("dtd", DTDS)
def test_a_dtd_is_refused(dtd: str, encoding: str) -> None:
    """No DTD in any encoding, whatever it declares, and fast."""
    start = time.perf_counter()
    declared = encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    text = (
        f'<?xml version="1.0" encoding="{declared}"?>{DTDS[dtd]}<DataSet a="&a;">&a;&j;</DataSet>'
    )
    reply = Recorded(200, {"content-type": "text/xml"}, text.encode(encoding))
    assert looked_at(reply) is None
    assert time.perf_counter() - start < 2


def test_a_dtd_says_so() -> None:
    """It is told from other broken XML."""
    with pytest.raises(WireError, match="DTD"):
        open_reply(INSTANT_STATS.operation, 200, "text/xml", b"<!DOCTYPE DataSet><DataSet />")


MEGABYTE = 1 << 20
HEAVY = {
    "nested": b"<DataSet>" + b"<a>" * 200_000,
    "nested-and-closed": b"<DataSet>" + b"<a>" * 5_000 + b"</a>" * 5_000 + b"</DataSet>",
    "attributes": b"<DataSet " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b" />",
    "namespaces": b"<DataSet "
    + b" ".join(b'xmlns:a%d="u%d"' % (n, n) for n in range(20_000))
    + b" />",
    "long-name": b"<DataSet><" + b"a" * MEGABYTE + b" /></DataSet>",
    "long-text": b"<DataSet>" + b"a" * 4 * MEGABYTE + b"</DataSet>",
    "space": b" " * 4 * MEGABYTE,
    "space-then-text": b" \r\n\t" * MEGABYTE + b"x",
    "space-then-xml": b" \n" * 2 * MEGABYTE + b"<DataSet />",
    "lines": b"a" + b"\n" * 4 * MEGABYTE + b"b",
    "lines-and-at": b"a" + b"\n at" * MEGABYTE,
    "marks": b"\xef\xbb\xbf" * MEGABYTE,
    "less-than": b"<" * MEGABYTE,
    "tags": b"<b>" * MEGABYTE,
    "ampersands": b"&" * 4 * MEGABYTE,
    "references": b"&#x1F600;" * MEGABYTE,
    "brackets": b"[" * MEGABYTE,
    "objects": b'{"a":' * MEGABYTE,
    "digits": b'{"errorCode": ' + b"9" * MEGABYTE + b"}",
    "nul": bytes(4 * MEGABYTE),
    "faults": envelope(
        "<soap:Fault>" + "<Text>invalid session limit </Text>" * 30_000 + "</soap:Fault>"
    ),
}


@pytest.mark.parametrize(
    "content_type", ["text/xml", "text/plain", "text/html", "application/json"]
)
@pytest.mark.parametrize("heavy", HEAVY)
def test_heavy_bodies_cost_little(heavy: str, content_type: str) -> None:
    """Time stays far below what one request may take, at a good and at a bad status."""
    start = time.perf_counter()
    for status in (200, 500):
        looked_at(Recorded(status, {"content-type": content_type}, HEAVY[heavy]))
    assert time.perf_counter() - start < 1.5


@pytest.mark.parametrize("heavy", ["space-then-text", "lines", "references", "long-text"])
def test_heavy_bodies_take_little_memory(heavy: str) -> None:
    """No more than a few copies of the body."""
    tracemalloc.start()
    try:
        looked_at(Recorded(500, {"content-type": "text/plain"}, HEAVY[heavy]))
        assert tracemalloc.get_traced_memory()[1] < 6 * len(HEAVY[heavy])
    finally:
        tracemalloc.stop()


TYPES = [
    "",
    "text/xml",
    "text/html",
    "text/plain; charset=x",
    "application/json",
    "\udcff/;;",
    "APPLICATION/SOAP+XML",
]
STATUSES = st.sampled_from([200, 204, 302, 400, 404, 429, 500, 503])
PIECES = st.sampled_from(
    [
        b"<?xml version='1.0'?>",
        b"<?xml version='1.0' encoding='utf-16'?>",
        b"<DataSet>",
        b"</DataSet>",
        b"<DataSet xmlns='https://os.ecgrid.io/'/>",
        b"<soap:Envelope xmlns:soap='http://www.w3.org/2003/05/soap-envelope'>",
        b"<soap:Body>",
        b"<soap:Fault>",
        b"<faultstring>Invalid Session</faultstring>",
        b"</soap:Fault>",
        b"</soap:Body>",
        b"</soap:Envelope>",
        b"<ReportInstantStatsResponse/>",
        b"<!-- -->",
        b"<?pi?>",
        b"<![CDATA[<]]>",
        b"&lt;&#0;&x;",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\0",
        b'{"message": "\\ud800", "errorCode": ["x"]}',
        b"<html>",
        b"\n   at X.Y()",
    ]
)
BODIES = st.binary(max_size=200) | st.lists(PIECES | st.binary(max_size=4), max_size=14).map(
    b"".join
)


@settings(max_examples=400)
@given(
    operation=st.sampled_from((*OPERATIONS, INSTANT_STATS.operation)),
    status=STATUSES,
    content_type=st.sampled_from(TYPES),
    body=BODIES,
)
@example(INSTANT_STATS.operation, 500, "application/json", b"[" * 100_000)
@example(INSTANT_STATS.operation, 500, "application/json", b'{"message":"\\ud800"}')
def test_any_bytes_are_answer_fault_or_error(
    operation: Operation, status: int, content_type: str, body: bytes
) -> None:
    """Nothing that may come raises anything else than a WireError."""
    looked_at(Recorded(status, {"content-type": content_type}, body), operation)


@settings(max_examples=300)
@given(binding=st.sampled_from(BINDINGS), data=st.data())
def test_damaged_recordings(binding: Binding, data: st.DataObject) -> None:
    """Recorded answers and faults with bytes changed, cut out or doubled."""
    case = data.draw(
        st.sampled_from(["documented", "zero-rows", "faults/auth-details", "faults/unhandled"])
    )
    reply, body = sample(case, binding), bytearray(sample(case, binding).body)
    for _ in range(data.draw(st.integers(1, 4))):
        if not body:
            break
        at, length = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(0, 20))
        body[at : at + length] = data.draw(
            st.binary(max_size=6) | st.just(bytes(body[at : at + 40]))
        )
    looked_at(replace(reply, body=bytes(body)))


@settings(max_examples=300)
@given(
    status=st.integers(100, 599),
    names=st.dictionaries(
        st.sampled_from(["content-type", "content-encoding", "date", "retry-after"]),
        st.sampled_from([*TYPES, "gzip", "deflate", "5", "Mon, 15 Jan 2024 12:00:00 GMT"])
        | st.text(max_size=20),
    ),
    body=BODIES,
    cut=st.booleans(),
)
def test_any_reply_can_be_judged(
    status: int, names: dict[str, str], body: bytes, *, cut: bool
) -> None:
    """Any status, headers and body end in one state, with a class exactly if the call failed."""
    landed = LandedReply(
        CallId("c"),
        1,
        "s",
        "ReportInstantStats",
        (1, 2),
        Binding.SOAP12,
        "",
        status,
        names,
        body,
        1,
        2,
        cut=cut,
    )
    outcome = classify_reply(INSTANT_STATS.operation, landed, 10_000)[0]
    assert outcome.state in (State.OK, State.EMPTY, State.FAILED)
    assert (outcome.state is State.FAILED) == (outcome.fault_class in set(FaultClass))
    assert (outcome.answer_attempt is None) == (outcome.state is State.FAILED)
    (outcome.fault_text or "").encode()
    assert outcome == classify_reply(INSTANT_STATS.operation, landed, 10_000)[0]


def test_no_file_is_read_and_nothing_is_fetched(tmp_path: object) -> None:
    """What an entity would bring never shows."""
    secret = "fake-content-0001"
    path = f"{tmp_path}/secret"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(secret)
    for doctype in (
        f'<!DOCTYPE D [<!ENTITY a SYSTEM "file://{path}">]>',
        f'<!DOCTYPE D SYSTEM "file://{path}">',
    ):
        text = f'<?xml version="1.0" encoding="utf-32"?>{doctype}<DataSet>&a;</DataSet>'
        for encoding in ("utf-8", "utf-16", "utf-32"):
            body = text.replace("utf-32", encoding).encode(encoding)
            content = looked_at(Recorded(200, {"content-type": "text/xml"}, body))
            assert content is None


@pytest.mark.parametrize("namespace", ["{a}b", "a}b", "}", "{"])
def test_braces_in_a_namespace(namespace: str) -> None:
    """A URI may be any text; lxml's own names with braces are not valid to lxml."""
    for name in ("Envelope", "DataSet", "html", "a"):
        body = f'<e:{name} xmlns:e="{namespace}"><e:Body/></e:{name}>'.encode()
        looked_at(Recorded(200, {"content-type": "text/xml"}, body))


def test_the_plain_answer_still_opens() -> None:
    """The guard of the tests above: what they damage is good when it is whole."""
    assert isinstance(looked_at(dataset("<T><A>1</A></T>", Binding.SOAP12)), Payload)
