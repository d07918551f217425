import re
from dataclasses import replace

import pytest

from collector.domain.binding import Binding
from collector.errors import WireError
from collector.runs.reports import INSTANT_STATS
from collector.wire.operations import (
    LOGIN,
    LOGOUT,
    NOW_UTC,
    VERSION,
    WHO_AM_I,
    Operation,
)
from collector.wire.replies import Fault, NotServiceError, Payload, open_reply
from tests.collector.replies_by_hand import (
    BINDINGS,
    ECGRID,
    SAMPLES,
    Recorded,
    dataset,
    envelope,
    plain,
    sample,
)

XSI = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = '<xs:schema id="NewDataSet" xmlns:xs="http://www.w3.org/2001/XMLSchema" />'
DIFFGRAM = 'xmlns:d="urn:schemas-microsoft-com:xml-diffgram-v1"'
ROW = "<Table><ParcelsIn1>1</ParcelsIn1></Table>"


def opened(reply: Recorded, operation: Operation = INSTANT_STATS.operation) -> Payload | Fault:
    """The reply as the collector opens it."""
    return open_reply(operation, reply.status, reply.content_type, reply.body)


def payload(reply: Recorded, operation: Operation = INSTANT_STATS.operation) -> Payload:
    """The same, where an answer is expected."""
    content = opened(reply, operation)
    assert isinstance(content, Payload), content
    return content


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("case", SAMPLES)
def test_recorded_answers(case: str, binding: Binding) -> None:
    """Every recorded answer of the real stack is an answer, with rows where the DataSet has some."""
    content = payload(sample(case, binding))
    assert not content.is_null
    assert content.has_rows == (case != "zero-rows")


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize(
    ("inside", "has_rows"),
    [
        (SCHEMA + f"<d:diffgram {DIFFGRAM}><NewDataSet>{ROW}</NewDataSet></d:diffgram>", True),
        (SCHEMA + f"<d:diffgram {DIFFGRAM}><Named xmlns='urn:x'><T /></Named></d:diffgram>", True),
        (f"<d:diffgram {DIFFGRAM}><p:N xmlns:p='urn:x'><p:T /></p:N></d:diffgram>", True),
        (SCHEMA + f"<d:diffgram {DIFFGRAM} />", False),
        (SCHEMA + f"<d:diffgram {DIFFGRAM}><NewDataSet /></d:diffgram>", False),
        (
            SCHEMA
            + f"<d:diffgram {DIFFGRAM}><N /><d:before><Table><A>1</A></Table></d:before></d:diffgram>",
            False,
        ),
        (
            f"<d:diffgram {DIFFGRAM}><d:before>{ROW}</d:before><d:errors>{ROW}</d:errors></d:diffgram>",
            False,
        ),
        (SCHEMA + SCHEMA, False),
        (ROW, True),
        (ROW + ROW, True),
        ("", False),
        ("\n  ", False),
    ],
)
def test_rows(inside: str, *, has_rows: bool, binding: Binding) -> None:
    """Rows are told from schemas, old versions and errors, in a DiffGram and in the simplified form of the guides."""
    assert payload(dataset(inside, binding)).has_rows is has_rows


@pytest.mark.parametrize(
    "reply",
    [
        plain(
            200,
            envelope(f'<ReportInstantStatsResponse xmlns="{ECGRID}" />'),
            "application/soap+xml",
        ),
        plain(
            200,
            envelope(
                f'<ReportInstantStatsResponse xmlns:x="{XSI}"><R x:nil="true" /></ReportInstantStatsResponse>'
            ),
        ),
        plain(200, f'<DataSet xmlns:x="{XSI}" x:nil="true" xmlns="{ECGRID}" />', "text/xml"),
        plain(200, f'<DataSet xmlns:y="{XSI}" y:nil="1" />', "text/xml"),
    ],
    ids=["absent", "nil-in-soap", "nil", "nil-as-1"],
)
def test_null_answers(reply: Recorded) -> None:
    """A null DataSet is an answer without rows, as SOAP and as GET write it."""
    content = payload(reply)
    assert content.is_null
    assert not content.has_rows
    assert content.text == ""


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"]
)
@pytest.mark.parametrize("binding", BINDINGS)
def test_encodings(encoding: str, binding: Binding) -> None:
    """A byte order mark or another declared encoding changes nothing."""
    reply = dataset("<Table><A>é</A></Table>", binding)
    declared = encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    text = reply.body.decode().replace('encoding="utf-8"', f'encoding="{declared}"')
    content = payload(replace(reply, body=text.encode(encoding)))
    assert content.field("A") == "é"


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/octet-stream", "text/xml; charset=x"]
)
def test_wrong_content_type(content_type: str) -> None:
    """What the body is counts more than what it is said to be."""
    assert payload(
        replace(dataset(ROW, Binding.SOAP11), headers={"content-type": content_type})
    ).has_rows


def test_envelope_of_the_other_version_and_prefix() -> None:
    """The envelope tells how to read, not the binding that asked."""
    for version in (Binding.SOAP11, Binding.SOAP12):
        inside = f"<n:ReportInstantStatsResponse xmlns:n='urn:any'><n:R>{ROW}</n:R></n:ReportInstantStatsResponse>"
        assert payload(plain(200, envelope(inside, version, "SOAP-ENV"), "text/xml")).has_rows


TEXTS = [
    (LOGIN, "LoginResult", "string", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    (LOGOUT, "LogoutResult", "boolean", "true"),
    (LOGOUT, "LogoutResult", "int", "0"),
    (VERSION, "VersionResult", "string", "ECGridOS v4.1"),
    (NOW_UTC, "NowUTCResult", "dateTime", "2026-01-31T02:00:00Z"),
]


@pytest.mark.parametrize(("operation", "result", "root", "text"), TEXTS)
def test_text_answers(operation: Operation, result: str, root: str, text: str) -> None:
    """The texts of the other operations, in an envelope and bare."""
    name = operation.name
    inside = f'<{name}Response xmlns="{ECGRID}"><{result}>{text}</{result}></{name}Response>'
    for body in (envelope(inside), f'<{root} xmlns="{ECGRID}">{text}</{root}>'.encode()):
        assert payload(plain(200, body, "text/xml"), operation).text == text


def test_record_answer() -> None:
    """The fields of SessionInfo are found by name, in any depth and namespace; absent ones are None."""
    record = "<SessionID> s </SessionID><Inner><NetworkID>7</NetworkID></Inner><Empty />"
    inside = (
        f'<WhoAmIResponse xmlns="{ECGRID}"><WhoAmIResult>{record}</WhoAmIResult></WhoAmIResponse>'
    )
    for body in (
        envelope(inside),
        f'<SessionInfo xmlns="{ECGRID}">{record}</SessionInfo>'.encode(),
    ):
        content = payload(plain(200, body, "text/xml"), WHO_AM_I)
        fields = [content.field(name) for name in ("SessionID", "NetworkID", "Empty", "Absent")]
        assert fields == ["s", "7", "", None]
    assert Payload(None).field("SessionID") is None


@pytest.mark.parametrize(
    "reply",
    [
        plain(
            200, envelope("<VersionResponse><VersionResult>4.1</VersionResult></VersionResponse>")
        ),
        plain(200, "<string>4.1</string>", "text/xml"),
        plain(200, envelope("")),
        plain(200, b'<s:Envelope xmlns:s="urn:other"><s:Body /></s:Envelope>'),
        plain(200, "<Envelope><Body><ReportInstantStatsResponse /></Body></Envelope>"),
        plain(200, ""),
        plain(500, " \r\n\t"),
        plain(200, dataset(ROW, Binding.SOAP12).body[:-20]),
        plain(200, dataset(ROW, Binding.HTTP_GET).body + b"<again />"),
        plain(200, dataset(ROW, Binding.HTTP_GET).body.replace(b"ParcelsIn1", b"Parcels\xff")),
        plain(200, b'<DataSet a="1" a="2" />'),
        plain(200, b"<DataSet>\0</DataSet>"),
        plain(200, b"<DataSet>&undefined;</DataSet>"),
        plain(200, b'<?xml version="1.0" encoding="no-such"?><DataSet />'),
    ],
)
def test_broken_answers(reply: Recorded) -> None:
    """Another operation's answer, nothing, or broken XML is a WireError, and no page of HTML."""
    with pytest.raises(WireError) as refused:
        opened(reply)
    assert not isinstance(refused.value, NotServiceError)


PAGE = "<title>Maintenance</title></head><body>Back at <b>six</b></body></html>"


@pytest.mark.parametrize("status", [200, 302, 403, 500, 503])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (f"<html><head>{PAGE}", "text/html; charset=utf-8"),
        (f"<html><head>{PAGE}", ""),
        (f"\ufeff \n<!DOCTYPE html>\n<HTML><head>{PAGE}", "text/xml"),
        (f'<!DOCTYPE   HTML PUBLIC "-//W3C//DTD HTML 4.01//EN"><html><head>{PAGE}', "text/plain"),
        (
            f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head>{PAGE}',
            "text/xml",
        ),
        ("Maintenance. Back at six", "text/html"),
    ],
)
def test_html(body: str, content_type: str, status: int) -> None:
    """A page is no answer whatever its status and type, and what it says is quoted without markup."""
    with pytest.raises(NotServiceError, match=r"Maintenance\W+Back at\W+six"):
        opened(plain(status, body, content_type))


@pytest.mark.parametrize("body", ["", "<html>Moved</html>", "Moved"])
def test_a_redirect(body: str) -> None:
    """It is called one whatever stands in it, and the key is named that may be wrong."""
    with pytest.raises(NotServiceError, match=r"^a redirect \(HTTP 302\), .*service\.url right\?"):
        opened(plain(302, body, "text/html"))


def test_broken_xml_in_one_line() -> None:
    """In the parser's words, without its name for where a text came from."""
    with pytest.raises(WireError) as refused:
        opened(plain(200, "<a>\x01</a>", "text/xml"))
    assert re.fullmatch(r"not well-formed XML: [^\n<>]+, line 1, column \d+", str(refused.value))


@pytest.mark.parametrize("body", ["hello", '{"success": true}', "\x00\x01"])
def test_text_where_an_answer_should_be(body: str) -> None:
    """Text at a status that is no error is not the service."""
    with pytest.raises(NotServiceError, match="status 200"):
        opened(plain(200, body, "text/plain"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("Server", "down"), "down"),
        (Fault("", "down", "5", "busy"), "down busy [5]"),
        (Fault("", "down", "5", "down"), "down [5]"),
        (Fault("", "", "5", ""), "[5]"),
        (Fault("", "", "", "busy"), "busy"),
        (Fault("", "", "", ""), ""),
        (Fault("", "x" * 600, "5"), "x" * 500),
    ],
)
def test_a_fault_as_text(fault: Fault, said: str) -> None:
    """What the service says, once, and its own code; never longer than is kept."""
    assert str(fault) == said


def test_the_parts_of_a_soap_fault() -> None:
    """Both versions; the prefix of the code and a stack trace go, the detail is not said twice."""
    detail = "<detail><ErrorCode>5</ErrorCode><ErrorString>a</ErrorString><ErrorMessage>b</ErrorMessage></detail>"
    for version, inside in (
        (Binding.SOAP11, f"<faultcode>x:Server</faultcode><faultstring>t</faultstring>{detail}"),
        (
            Binding.SOAP12,
            f"<s:Code><s:Value>x:Server</s:Value></s:Code><s:Reason><s:Text>t</s:Text></s:Reason>{detail}",
        ),
    ):
        body = envelope(f"<s:Fault>{inside}</s:Fault>", version, "s")
        assert opened(plain(500, body, "text/xml")) == Fault("Server", "t", "5", "a b")
        same = body.replace(b"<ErrorMessage>b", b"<ErrorMessage>a").replace(
            b">t<", b">t\n   at X.Y()<"
        )
        assert opened(plain(500, same, "text/xml")) == Fault("Server", "t", "5", "a")
        text = body.replace(b"<ErrorString>a", b"<ErrorString>t")
        assert opened(plain(500, text, "text/xml")) == Fault("Server", "t", "5", "b")
        own = body.replace(b"<detail>", b"<detail><ECGridOSSOAPErrorCode>7</ECGridOSSOAPErrorCode>")
        assert opened(plain(500, own, "text/xml")) == Fault("Server", "t", "7", "a b")


@pytest.mark.parametrize("status", [400, 401, 500])
def test_faults_that_are_no_xml(status: int) -> None:
    """JSON and text at a status that is an error; JSON that is no record is text."""
    json = "application/json"
    body = '{"errorCode": 5, "message": "down"}'
    assert opened(plain(status, body, json)) == Fault("", "down", "5")
    assert opened(plain(status, '{"message": null}', json)) == Fault("", "")
    assert opened(plain(status, "[1]", json)) == Fault("", "[1]")
    assert opened(plain(status, "{", json)) == Fault("", "{")
    assert opened(plain(status, "a &lt; b\r\n   at X.Y()", "text/plain")) == Fault("", "a < b")


@pytest.mark.parametrize("status", [200, 399])
def test_text_below_an_error_status_is_no_fault(status: int) -> None:
    """JSON neither: nobody asked for it."""
    for kind in ("application/json", "text/plain"):
        with pytest.raises(NotServiceError):
            opened(plain(status, '{"message": "down"}', kind))


@pytest.mark.parametrize(
    ("status", "is_page"), [(299, False), (300, True), (399, True), (400, False)]
)
def test_a_redirect_is_not_the_service(status: int, *, is_page: bool) -> None:
    """Whatever comes with it, an answer or nothing."""
    with pytest.raises(WireError) as refused:
        opened(plain(status, " "))
    assert isinstance(refused.value, NotServiceError) is is_page
    answer = replace(dataset(ROW, Binding.SOAP12), status=status)
    if is_page:
        with pytest.raises(NotServiceError, match=f"HTTP {status}"):
            opened(answer)
    else:
        assert payload(answer).has_rows


def test_what_was_opened_cannot_be_changed() -> None:
    """Payload and Fault are values."""
    for value, name in ((Payload(None), "result"), (Fault("", "x"), "text")):
        with pytest.raises(AttributeError):
            setattr(value, name, None)
        assert not hasattr(value, "__dict__")


def test_a_null_answer_has_no_rows_whatever_is_in_it() -> None:
    """What says that it is null is null."""
    content = payload(plain(200, f'<DataSet xmlns:x="{XSI}" x:nil="true">{ROW}</DataSet>'))
    assert content.is_null
    assert not content.has_rows


def test_a_page_is_quoted_in_part() -> None:
    """Two hundred characters tell which page it is."""
    with pytest.raises(NotServiceError, match=r": x{200}$"):
        opened(plain(200, "x" * 5_000, "text/html"))
    with pytest.raises(NotServiceError, match=r": \(no text\)$"):
        opened(plain(200, "<html></html>", "text/html"))
