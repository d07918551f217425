import pytest

from collector.domain.binding import Binding
from collector.domain.calls import CallId
from collector.domain.outcomes import FaultClass, State
from collector.domain.replies import LandedReply
from collector.outcomes.classification import classify_fault
from collector.outcomes.classify_reply import classify_reply
from collector.runs.reports import INSTANT_STATS
from collector.wire.replies import Fault, open_reply
from tests.collector.replies_by_hand import BINDINGS, Recorded, fault, plain, sample

LIMIT = 1 << 20


def fault_of(reply: Recorded) -> Fault:
    """The fault that a reply carries."""
    content = open_reply(INSTANT_STATS.operation, reply.status, reply.content_type, reply.body)
    assert isinstance(content, Fault), content
    return content


def class_of(reply: Recorded) -> FaultClass | None:
    """What the collector makes of the reply."""
    landed = LandedReply(
        CallId("c"),
        1,
        "s",
        "ReportInstantStats",
        (1, 2),
        Binding.SOAP12,
        "",
        reply.status,
        reply.headers,
        reply.body,
        1,
        2,
    )
    outcome, _ = classify_reply(INSTANT_STATS.operation, landed, LIMIT)
    assert (outcome.state is State.FAILED) == (outcome.fault_class is not None)
    assert outcome.fault_text is None or len(outcome.fault_text) <= 500
    return outcome.fault_class


def code(value: str) -> str:
    """The documented detail of a code alone."""
    return f"<detail><ECGridOSSOAPErrorCode>{value}</ECGridOSSOAPErrorCode></detail>"


def fields(number: str, text: str, message: str, *, info: bool) -> str:
    """The documented details of four fields: nested in the sample's way, or flat and plural as in the wiki."""
    inside = (
        f"<ErrorCode>{number}</ErrorCode><ErrorString>{text}</ErrorString>"
        f"<ErrorItem>SessionID</ErrorItem><ErrorMessage>{message}</ErrorMessage>"
    )
    return (
        f"<detail><ErrorInfo>{inside}</ErrorInfo></detail>"
        if info
        else f"<details>{inside}</details>"
    )


GONE = "The session is not valid or has expired"
SHAPES = {  # what is said, its detail, whether the stack says it, its class
    "number": ("Invalid SessionID", code("5"), False, FaultClass.AUTHENTICATION),
    "word": ("Invalid Session ID", code("Authentication"), False, FaultClass.AUTHENTICATION),
    "word-authorization": ("Access Denied", code("Authorization"), False, FaultClass.AUTHORISATION),
    "word-not-found": ("Not Found", code("ObjectNotFound"), False, FaultClass.NOT_FOUND),
    "word-parameter": ("Invalid Parameter", code("InvalidParameter"), False, FaultClass.PARAMETER),
    "word-system": ("System Error", code("SystemError"), True, FaultClass.SERVER),
    "error-info": (
        "Invalid Session",
        fields("1", "Invalid Session", GONE, info=True),
        False,
        FaultClass.AUTHENTICATION,
    ),
    "flat": (
        "Invalid Session",
        fields("1", "Invalid Session", GONE, info=False),
        False,
        FaultClass.AUTHENTICATION,
    ),
    "flat-parameter": (
        "Invalid data length.",
        fields("8", "Invalid data length.", "", info=False),
        False,
        FaultClass.PARAMETER,
    ),
    "framework": (
        "Server was unable to process request. ---> Object reference not set to an instance of an object.",
        "",
        True,
        FaultClass.SERVER,
    ),
    "framework-session": (
        "Server was unable to process request. ---> Invalid Session",
        "",
        True,
        FaultClass.AUTHENTICATION,
    ),
    "framework-read": (
        "Server was unable to read request. ---> There is an error in XML document (1, 231).",
        "",
        False,
        FaultClass.PARAMETER,
    ),
    "framework-missing": ("Missing parameter: Minutes2.", "", False, FaultClass.PARAMETER),
    "framework-action": (
        "Server did not recognize the value of HTTP Header SOAPAction: https://os.ecgrid.io/Nothing.",
        "",
        False,
        FaultClass.NOT_FOUND,
    ),
    "unknown": ("The weather is against it", "<detail><Unheard>of</Unheard></detail>", False, None),
}


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_one_class_in_every_binding(shape: str, binding: Binding) -> None:
    """GET and POST lose the detail and the code: the wording says the same."""
    text, detail, server, expected = SHAPES[shape]
    reply = fault(text, detail, binding, server=server)
    assert class_of(reply) is (expected or FaultClass.UNCLASSIFIED)
    assert text in str(fault_of(reply))


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_stack_trace_changes_nothing(shape: str, binding: Binding) -> None:
    """With customErrors Off a trace follows the message: it is left out, and its words do not count."""
    text, detail, server, expected = SHAPES[shape]
    trace = "\r\n   at System.Session.Expired(String login) in c:\\timeout.cs:line 1\r\n   at Permission.Denied()"
    reply = fault(text + trace, detail, binding, server=server)
    assert class_of(reply) is (expected or FaultClass.UNCLASSIFIED)
    assert "System.Session" not in str(fault_of(reply))


RECORDED = {
    "auth-details": FaultClass.AUTHENTICATION,
    "auth-code": FaultClass.AUTHENTICATION,
    "unhandled": FaultClass.SERVER,
}


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("case", RECORDED)
def test_recorded_faults(case: str, binding: Binding) -> None:
    """The faults of the real stack."""
    reply = sample(f"faults/{case}", binding)
    assert class_of(reply) is RECORDED[case]
    said = fault_of(reply)
    if case == "unhandled":
        assert said.text.endswith("Object reference & <things> went wrong")
    if binding in (Binding.SOAP11, Binding.SOAP12):
        server = case == "unhandled"
        assert said.code in (("Server", "Receiver") if server else ("Client", "Sender"))


def test_parts_of_a_fault() -> None:
    """Codes lose their prefix; the service's own code and explanation stand apart."""
    detail = fields("8", "Invalid data length.", "Too long by far", info=False)
    for binding, name in ((Binding.SOAP11, "Client"), (Binding.SOAP12, "Sender")):
        said = fault_of(fault("Invalid data length.", detail, binding))
        assert said == Fault(name, "Invalid data length.", "8", "Too long by far")
        assert str(said) == "Invalid data length. Too long by far [8]"


def test_details_in_any_namespace() -> None:
    """The service's detail is found whether it is namespaced or not."""
    detail = (
        '<s:Detail xmlns:s="http://www.w3.org/2003/05/soap-envelope"><e:ECGridOSSOAPErrorCode xmlns:e="urn:e">'
        "Authorization</e:ECGridOSSOAPErrorCode></s:Detail>"
    )
    assert class_of(fault("No.", detail, Binding.SOAP12)) is FaultClass.AUTHORISATION


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("RateLimitExceeded", FaultClass.THROTTLED),
        ("AccessDenied", FaultClass.AUTHORISATION),
        ("Authentication", FaultClass.AUTHENTICATION),
        ("InvalidApiKey", FaultClass.AUTHENTICATION),
        ("InternalError", FaultClass.SERVER),
        ("Whatever", FaultClass.UNCLASSIFIED),
    ],
)
def test_json_faults(error: str, expected: FaultClass) -> None:
    """The REST shape, should a gateway answer with it."""
    body = f'{{"success": false, "errorCode": "{error}", "message": "Sorry.", "data": null}}'
    reply = plain(500, body, "application/json; charset=utf-8")
    assert class_of(reply) is expected
    assert str(fault_of(reply)) == f"Sorry. [{error}]"


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "7",
        "null",
        "{",
        '{"message": {"a": [1]}}',
        '{"errorCode": 12}',
        "[" * 99_999,
        "\ud800",
    ],
)
def test_odd_json(body: str) -> None:
    """Any JSON, or what only says so, is a fault."""
    reply = plain(500, body.encode(errors="surrogatepass"), "application/json")
    assert class_of(reply) is FaultClass.UNCLASSIFIED


def test_fault_texts_can_be_written_anywhere() -> None:
    """A lone surrogate in JSON, or a byte that is no ASCII in a header, reaches no file and no log."""
    said = fault_of(
        plain(500, '{"message": "\\ud800", "errorCode": "\\udfff"}', "application/json")
    )
    str(said).encode()
    said.detail_code.encode()
    landed = LandedReply(
        CallId("c"),
        1,
        "s",
        "ReportInstantStats",
        (1, 2),
        Binding.SOAP12,
        "",
        200,
        {"content-type": "x/\udcff"},
        b"x",
        1,
        2,
    )
    (classify_reply(INSTANT_STATS.operation, landed, LIMIT)[0].fault_text or "").encode()


@pytest.mark.parametrize("text", ["", "ok", "session", "limit", "the service is fine", "Login"])
def test_words_alone_mean_nothing(text: str) -> None:
    """A wording needs more than a noun."""
    assert classify_fault(Fault("", text)) is FaultClass.UNCLASSIFIED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Too many open sessions", FaultClass.THROTTLED),
        ("Maximum number of sessions reached", FaultClass.THROTTLED),
        ("Session limit exceeded", FaultClass.THROTTLED),
        ("Rate limit exceeded", FaultClass.THROTTLED),
        ("Session expired", FaultClass.AUTHENTICATION),
        ("Your session has timed out", FaultClass.AUTHENTICATION),
        ("Invalid API key", FaultClass.AUTHENTICATION),
        ("Invalid credentials", FaultClass.AUTHENTICATION),
        ("Incorrect password", FaultClass.AUTHENTICATION),
        ("The user name or password is incorrect", FaultClass.AUTHENTICATION),
        ("Your password has expired", FaultClass.AUTHENTICATION),
        ("Account locked after too many failed attempts", FaultClass.AUTHENTICATION),
        ("User account is disabled", FaultClass.AUTHENTICATION),
        ("Login timeout expired", FaultClass.SERVER),
        ("You are not logged in", FaultClass.AUTHENTICATION),
        ("You do not have permission to see this mailbox", FaultClass.AUTHORISATION),
        ("Mailbox does not exist", FaultClass.NOT_FOUND),
        ("Minutes1 must be between 1 and 32767", FaultClass.PARAMETER),
        ("Cannot convert x to System.Int16.", FaultClass.PARAMETER),
        ("Data Error", FaultClass.PARAMETER),
        ("Timeout expired. The timeout period elapsed prior to completion", FaultClass.SERVER),
        ("Transaction was deadlocked on lock resources", FaultClass.SERVER),
        ("The service is temporarily unavailable, try again", FaultClass.SERVER),
    ],
)
def test_wordings(text: str, expected: FaultClass) -> None:
    """Wordings of plain texts, in either case."""
    for said in (text, text.upper(), f"Server was unable to process request. ---> {text}"):
        assert classify_fault(Fault("", said)) is expected


@pytest.mark.parametrize(
    "text",
    [
        "Login failed for user 'app_service'.",
        'Cannot open database "Main" requested by the login. The login failed.',
    ],
)
@pytest.mark.parametrize("binding", BINDINGS)
def test_the_database_s_login_is_not_ours(text: str, binding: Binding) -> None:
    """A service that cannot log in to its own database has failed; no credential of ours is wrong."""
    said = f"Server was unable to process request. ---> {text}"
    assert class_of(fault(said, "", binding, server=True)) is FaultClass.SERVER


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("detail", ["Authorization", "2"])
def test_a_full_house_is_no_refusal(detail: str, binding: Binding) -> None:
    """The cap of sessions, with a word or a number that means something else."""
    reply = fault("Too many open sessions", code(detail), binding)
    assert class_of(reply) is FaultClass.THROTTLED


@pytest.mark.parametrize("text", ["Invalid Session", "Session expired", "Invalid SessionID"])
def test_session_faults_as_pages(text: str) -> None:
    """A web server may wrap the words into a page of its own: they still say who has to log in."""
    body = f"<html><head><title>{text}</title></head><body><h1>Server Error</h1></body></html>"
    assert class_of(plain(500, body, "text/html")) is FaultClass.AUTHENTICATION
    assert class_of(plain(503, body, "text/html")) is FaultClass.SERVER
    assert class_of(plain(200, body, "text/html")) is FaultClass.NOT_SERVICE
