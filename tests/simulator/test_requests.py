"""How requests are read and refused; each row was seen on a real ASMX stack or is Microsoft's text."""

import pytest

from collector.domain.binding import Binding
from collector.simulator import Population, Simulator, Switches
from collector.wire.namespaces import ECGRID, SOAP11
from tests.simulator.wire import (
    FORM,
    PAGE,
    Reply,
    call,
    control,
    element,
    envelope,
    exchange,
    request_bytes,
    stats,
)

STATS = element(
    "ReportInstantStats", {"SessionID": "fake-key-0001", "Minutes1": 15, "Minutes2": 60}
)
VERSION = element("Version", {})
XML = "text/xml; charset=utf-8"
SOAP = "application/soap+xml; charset=utf-8"
OPEN = "<ParcelsIn1>"
HEADER = '<s:Header><h xmlns="urn:h" s:mustUnderstand="1"/></s:Header>'


def soap11(action: str | None, inner: str = STATS, kind: str = XML) -> bytes:
    """A SOAP 1.1 request with this SOAPAction."""
    headers = {"Content-Type": kind} if kind else {}
    if action is not None:
        headers["SOAPAction"] = action
    return request_bytes("POST", PAGE, headers, envelope(inner, SOAP11))


def soap12(inner: str = STATS, kind: str = SOAP, header: str = "") -> bytes:
    """A SOAP 1.2 request."""
    return request_bytes("POST", PAGE, {"Content-Type": kind}, envelope(inner, header=header))


def raw(body: bytes, kind: str = XML, **headers: str) -> bytes:
    """A POST to the page with any body."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return request_bytes("POST", PAGE, {"Content-Type": kind, **more}, body)


def get(path: str) -> bytes:
    """A GET below the page."""
    return request_bytes("GET", PAGE + path, {})


def post(path: str, body: bytes, kind: str = FORM) -> bytes:
    """A POST below the page."""
    return request_bytes("POST", PAGE + path, {"Content-Type": kind}, body)


async def asked(request: bytes, **switches: object) -> Reply:
    """What a fresh simulator replies."""
    async with Simulator(Population(2), Switches.parse(switches)) as simulator:
        return await exchange(simulator, request)


UNKNOWN = "did not recognize the value of HTTP Header SOAPAction"
NO_ACTION = "Unable to handle request without a valid action parameter"
QUERY = "?SessionID=fake-key-0001&Minutes1=15&Minutes2=60"
ACTION = f'"{ECGRID}ReportInstantStats"'

ROUTES = {
    "quoted action": (soap11(ACTION), 200, OPEN),
    "unquoted action": (soap11(ACTION.strip('"')), 200, OPEN),
    "no action: by element": (soap11(None), 200, OPEN),
    "no action, unknown element": (soap11(None, element("Foo", {})), 500, NO_ACTION),
    "empty action": (soap11('""'), 500, UNKNOWN),
    "bare empty action": (soap11(""), 500, UNKNOWN),
    "unknown action": (soap11('"urn:x"'), 500, UNKNOWN),
    "another action wins": (soap11(f'"{ECGRID}Version"'), 200, "<VersionResult>"),
    "wrong namespace: no arguments": (
        soap11(ACTION, STATS.replace(ECGRID, "urn:y")),
        500,
        "Invalid Session",
    ),
    "1.2": (soap12(), 200, OPEN),
    "1.2 with a known action": (
        soap12(kind=f'{SOAP}; action="{ECGRID}Version"'),
        200,
        "<VersionResult>",
    ),
    "1.2 with an unknown action": (soap12(kind=f'{SOAP}; action="urn:x"'), 200, OPEN),
    "1.2, unknown element": (soap12(element("Foo", {})), 500, NO_ACTION),
    "1.2, unknown element and action": (
        soap12(element("Foo", {}), kind=f'{SOAP}; action="urn:x"'),
        500,
        "Unable to handle request. The action 'urn:x' was not recognized.",
    ),
    "1.2, wrong namespace": (soap12(STATS.replace(ECGRID, "urn:y")), 500, NO_ACTION),
    "1.2 as text/xml is answered in 1.2": (soap12(kind=XML), 200, 'soap="http://www.w3.org/2003'),
    "UTF-16": (
        raw(
            envelope(STATS, SOAP11).decode().replace("utf-8", "utf-16").encode("utf-16"),
            "text/xml; charset=utf-16",
            SOAPAction=ACTION,
        ),
        200,
        'encoding="utf-8"',
    ),
    "1.1 header that must be understood": (
        raw(envelope(STATS, SOAP11, HEADER), SOAPAction=ACTION),
        500,
        (
            "soap:MustUnderstand</faultcode><faultstring>SOAP header h was not understood."
            "</faultstring></soap:Fault>"
        ),
    ),
    "1.2 header that must be understood": (soap12(header=HEADER), 500, "soap:MustUnderstand"),
    "unknown envelope": (
        raw(envelope(STATS, "urn:e")),
        500,
        (
            "soap:VersionMismatch</faultcode><faultstring>Possible SOAP version mismatch: "
            "Envelope namespace urn:e was unexpected."
        ),
    ),
    "no envelope": (raw(b"<a/>"), 500, "soap:VersionMismatch"),
    "missing minutes are 0": (
        soap12(element("ReportInstantStats", {"SessionID": "fake-key-0001"})),
        200,
        "<ParcelsIn1>0</ParcelsIn1>",
    ),
    "not a number": (
        soap11(ACTION, STATS.replace(">15<", ">x<")),
        500,
        (
            "Server was unable to read request. ---&gt; There is an error in XML document (1, 220). "
            "---&gt; Input string was not in a correct format."
        ),
    ),
    "not a number, behind what is not ASCII": (
        soap11(ACTION, STATS.replace("fake-key-0001", "\U0001f600").replace(">15<", "><")),
        500,
        "XML document (1, 208). ---&gt; Input",
    ),
    "comment in a value": (soap11(ACTION, STATS.replace(">15<", ">1<!-- -->5<")), 400, ""),
    "element in a value": (soap12(STATS.replace(">15<", ">15<b/><")), 400, ""),
    "beyond short": (
        soap12(STATS.replace(">60<", ">40000<")),
        500,
        "Value was either too large or too small for an Int16.",
    ),
    "1.1 as soap+xml": (soap11(ACTION, kind=SOAP), 415, ""),
    "application/xml": (soap11(ACTION, kind="application/xml"), 415, ""),
    "no content type": (soap11(ACTION, kind=""), 415, ""),
    "malformed": (raw(envelope(STATS)[:-5]), 400, ""),
    "empty": (raw(b""), 400, ""),
    "DTD": (raw(envelope(STATS).replace(b"?>", b"?><!DOCTYPE x []>", 1), SOAP), 400, ""),
    "entity bomb": (
        raw(
            b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
            + envelope("&b;").partition(b"?>")[2],
            SOAP,
        ),
        400,
        "",
    ),
    "gzipped": (raw(b"\x1f\x8b\x08", SOAP, Content_Encoding="gzip"), 400, ""),
    "five megabytes": (
        soap12(STATS.replace("fake-key-0001", "x" * 5_000_000)),
        500,
        "Maximum request length exceeded.",
    ),
    "GET": (get("/ReportInstantStats" + QUERY), 200, '<DataSet xmlns="https://os.ecgrid.io/">\n'),
    "GET, parameter names in any case": (
        get("/ReportInstantStats" + QUERY.lower() + "&more=1"),
        200,
        OPEN,
    ),
    "GET, operation in another case": (
        get("/reportinstantstats" + QUERY),
        500,
        "Invalid method name &#39;reportinstantstats&#39;,  method names are case sensitive.",
    ),
    "GET, unknown operation": (get("/Foo"), 500, "Foo Web Service method name is not valid.\n"),
    "GET, missing": (get("/ReportInstantStats?Minutes1=1"), 500, "Missing parameter: SessionID.\n"),
    "GET, twice": (
        get("/ReportInstantStats" + QUERY + "&minutes2=5"),
        500,
        "Cannot convert 60,5 to System.Int16.\nParameter name: type ---> Input string",
    ),
    "GET, not a number": (
        get("/ReportInstantStats" + QUERY.replace("=15", "=a%3Cb")),
        500,
        "Cannot convert a&lt;b to System.Int16.",
    ),
    "POST": (post("/ReportInstantStats", QUERY[1:].encode()), 200, OPEN),
    "POST, arguments in the query": (
        post("/ReportInstantStats" + QUERY, b""),
        500,
        "Missing parameter: SessionID.\n",
    ),
    "POST, multipart": (
        post("/Logout", b"x", "multipart/form-data; boundary=x"),
        500,
        "Request format is invalid: multipart/form-data; boundary=x.\n",
    ),
    "POST, nothing to read": (post("/Version", b"x", "text/plain"), 200, "<string xmlns="),
    "HEAD on the page": (request_bytes("HEAD", PAGE, {}), 405, ""),
    "HEAD on an operation": (request_bytes("HEAD", PAGE + "/Version", {}), 500, ""),
    "PUT": (request_bytes("PUT", PAGE, {}), 405, "<html>"),
    "OPTIONS": (request_bytes("OPTIONS", PAGE, {}), 405, "<html>"),
    "DELETE": (request_bytes("DELETE", PAGE, {}), 405, "<html>"),
    "help page": (get(""), 200, "ReportInstantStats(string SessionID, short Minutes1"),
    "help page of an operation": (get("?op=Logout"), 200, "int Logout(string SessionID)"),
    "description": (get("?wsdl"), 200, "<wsdl:definitions"),
    "elsewhere": (request_bytes("GET", "/nope", {}), 404, "<html>"),
}


@pytest.mark.parametrize("route", ROUTES)
async def test_requests_are_routed_as_asmx_does(route: str) -> None:
    """Status and a telling part of the body; an empty part means an empty body."""
    request, status, part = ROUTES[route]
    reply = await asked(request)
    assert (reply.status, part in reply.text) == (status, True), reply.text[:2_000]
    assert part or reply.body == b""


@pytest.mark.parametrize(
    ("request_", "cached"),
    [
        (soap12(), "private, max-age=0"),
        (soap12(STATS.replace("fake-key-0001", "nobody")), "private, max-age=0"),
        (soap12(element("Foo", {})), "private"),
        (raw(b""), "private"),
        (get("/Foo"), "private"),
    ],
    ids=["answer", "fault of the service", "fault of the stack", "bad request", "plain text"],
)
async def test_caching_tells_who_answered(request_: bytes, cached: str) -> None:
    """What the stack answers by itself lacks max-age."""
    reply = await asked(request_)
    assert reply.headers["cache-control"] == cached


@pytest.mark.parametrize(
    ("switch", "request_"),
    [
        ("http_get", get("/ReportInstantStats" + QUERY)),
        ("http_post", post("/ReportInstantStats", QUERY[1:].encode())),
    ],
)
async def test_get_and_post_can_be_off(switch: str, request_: bytes) -> None:
    """ASP.NET then says that it does not know the format of the request."""
    reply = await asked(request_, **{switch: "false"})
    assert (reply.status, reply.headers["content-type"]) == (500, "text/html")
    text = "Request format is unrecognized for URL unexpectedly ending in"
    assert text in reply.text
    assert "/ReportInstantStats" in reply.text


async def test_another_namespace_in_force() -> None:
    """A service of another namespace does not know ours, and answers in its own."""
    other = "http://www.ecgridos.net/"
    reply = await asked(soap12(), namespace=other)
    assert NO_ACTION in reply.text
    reply = await asked(soap12(STATS.replace(ECGRID, other)), namespace=other)
    assert f'<ReportInstantStatsResponse xmlns="{other}">' in reply.text


async def test_expect_continue_gets_an_interim_status() -> None:
    """The body is asked for before the answer comes."""
    request = raw(envelope(VERSION), SOAP, Expect="100-continue")
    reply = await asked(request)
    assert reply.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_one_connection_serves_many_requests() -> None:
    """Without Connection: close the connection stays, and the log shows its number."""
    async with Simulator(Population(1)) as simulator:
        headers = {"Content-Type": SOAP}
        body = envelope(VERSION)
        first = request_bytes("POST", PAGE, headers, body, close=False)
        last = request_bytes("POST", PAGE, headers, body)
        reply = await exchange(simulator, first * 3 + last)
        assert reply.raw.count(b"HTTP/1.1 200 OK") == 4
        assert reply.raw.count(b"Connection: close") == 1
        assert {each.connection for each in simulator.log.arrivals} == {1}
        await call(simulator, "Version", {})
        assert simulator.log.arrivals[-1].connection == 2


@pytest.mark.parametrize("page", ["nope", "switches/", ""])
async def test_unknown_control_pages(page: str) -> None:
    """A misspelt page says which there are."""
    async with Simulator(Population(1)) as simulator:
        reply = await control(simulator, page)
        assert reply.status == 404
        assert "truth, log, state, switches" in reply.text


@pytest.mark.parametrize("binding", Binding)
async def test_null_and_missing_sessions_are_refused(binding: Binding) -> None:
    """An empty SessionID is nobody's."""
    async with Simulator(Population(1)) as simulator:
        reply = await stats(simulator, "", binding=binding)
        assert reply.status == 500
        assert "Invalid Session" in reply.text
        assert simulator.log.arrivals[-1].session == ""
