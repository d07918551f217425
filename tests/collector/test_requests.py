from email.message import Message
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from collector.domain.binding import Binding
from collector.domain.secret import MASK, Secret
from collector.runs.reports import INSTANT_STATS, INSTANT_STATS_EX
from collector.wire.namespaces import ECGRID, KNOWN
from collector.wire.operations import (
    LOGIN,
    OPERATIONS,
    Operation,
    XsdType,
)
from collector.wire.requests import Argument, Request, encode, masked_text
from tests.collector.replies_by_hand import BINDINGS, NAMESPACES

URL = "https://host.invalid/v4.1/prod/ECGridOS.asmx"
VALUES = [
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "",
    "a&b<c>\"d'e",
    "]]>",
    "a+b c%20d=e;f#g/h?i",
    "Grüße, Ωмега 漢字 😀",
    "{name}{0}%s",
]


ALL = (*OPERATIONS, INSTANT_STATS.operation, INSTANT_STATS_EX.operation)


def arguments_of(operation: Operation, value: str) -> dict[str, Argument]:
    """An argument for each parameter; texts are all that value, and secret where they are."""
    return {
        parameter.name: 60
        if parameter.type in (XsdType.SHORT, XsdType.INT)
        else Secret(value)
        if parameter.is_secret
        else value
        for parameter in operation.parameters
    }


def read_as_the_stack_does(request: Request, binding: Binding) -> tuple[str, dict[str, str]]:
    """Operation and arguments as ASP.NET finds them, checking what it insists on."""
    url = urlsplit(request.url)
    if binding is Binding.HTTP_GET:
        assert (request.method, request.body) == ("GET", None)
        fields = parse_qs(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
        return url.path.rpartition("/")[2], {name: value for name, (value,) in fields.items()}
    assert request.method == "POST"
    assert request.body is not None
    assert url.query == ""
    kind = Message()
    kind["content-type"] = request.headers["Content-Type"]
    if binding is Binding.HTTP_POST:
        assert kind.get_content_type() == "application/x-www-form-urlencoded"
        body = request.body.decode("ascii")
        fields = parse_qs(body, keep_blank_values=True, strict_parsing=bool(body))
        return url.path.rpartition("/")[2], {name: value for name, (value,) in fields.items()}
    root = etree.fromstring(request.body)
    assert root.tag == f"{{{NAMESPACES[binding]}}}Envelope"
    ((asked,),) = root.findall(f"{{{NAMESPACES[binding]}}}Body")
    name = etree.QName(asked)
    action = request.headers.get("SOAPAction") or f'"{kind.get_param("action")}"'
    assert action == f'"{name.namespace}{name.localname}"', (
        "a known other action wins over the body"
    )
    assert (
        kind.get_content_type() == {"soap11": "text/xml", "soap12": "application/soap+xml"}[binding]
    )
    assert kind.get_content_charset() == "utf-8"
    assert {etree.QName(child).namespace for child in asked} <= {name.namespace}
    return name.localname, {etree.QName(child).localname: child.text or "" for child in asked}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.name)
def test_every_operation_in_every_binding(
    operation: Operation, binding: Binding, value: str
) -> None:
    """What the stack finds in a request is what was put into it, whatever characters it holds."""
    arguments = arguments_of(operation, value)
    found = read_as_the_stack_does(encode(operation, arguments, binding, URL, ECGRID), binding)
    expected = {
        name: argument.reveal() if isinstance(argument, Secret) else str(argument)
        for name, argument in arguments.items()
    }
    assert found == (operation.name, expected)
    assert list(found[1]) == [parameter.name for parameter in operation.parameters]


# what XML 1.0 can hold; CR becomes LF on the way, so a credential with one is refused by the configuration
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=40
)


@pytest.mark.parametrize("binding", BINDINGS)
@given(value=TEXTS)
def test_any_text_arrives(binding: Binding, value: str) -> None:
    """Any credential that the configuration lets through arrives as it is."""
    arguments = arguments_of(LOGIN, value)
    _, found = read_as_the_stack_does(encode(LOGIN, arguments, binding, URL, ECGRID), binding)
    assert found == {"LoginName": value, "Password": value}


@pytest.mark.parametrize("namespace", KNOWN)
@pytest.mark.parametrize("binding", [Binding.SOAP11, Binding.SOAP12])
def test_namespace_is_configurable(binding: Binding, namespace: str) -> None:
    """Body and action are in the namespace that is asked for."""
    request = encode(
        INSTANT_STATS.operation, arguments_of(INSTANT_STATS.operation, "x"), binding, URL, namespace
    )
    assert request.body is not None
    assert f'<ReportInstantStats xmlns="{namespace}">'.encode() in request.body
    assert f'"{namespace}ReportInstantStats"' in str(request.headers)


def test_missing_argument() -> None:
    """An argument that is not given is an error, not an empty one: the service would take 0 for missing minutes."""
    with pytest.raises(KeyError, match="Minutes2"):
        encode(
            INSTANT_STATS.operation, {"SessionID": "x", "Minutes1": 1}, Binding.SOAP12, URL, ECGRID
        )


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.name)
@pytest.mark.parametrize("value", ["fake-key-0001", "f&<>'\"ä+ 1", "x"])
def test_masked_text_holds_no_secret(operation: Operation, binding: Binding, value: str) -> None:
    """What is landed of a request is the same for any credential, and shows everything else."""
    one, other = arguments_of(operation, value), arguments_of(operation, "other")
    texts = {name: "shown" for name, each in one.items() if isinstance(each, str)}
    shown = masked_text(operation, one | texts, binding, URL, ECGRID)
    assert shown == masked_text(operation, other | texts, binding, URL, ECGRID)
    assert shown.count("shown") == len(texts)
    secrets = sum(parameter.is_secret for parameter in operation.parameters)
    assert shown.count(MASK) + shown.count("%2A" * 8) == secrets
    assert operation.name in shown
    if operation is INSTANT_STATS.operation:
        assert shown.count("60") == 2
    assert shown.startswith(("GET /v4.1/prod/", "POST /v4.1/prod/"))


def test_request_has_no_repr() -> None:
    """A request holds credentials: a log or traceback that shows it shows nothing of them."""
    for binding in BINDINGS:
        request = encode(LOGIN, arguments_of(LOGIN, "fake-key-0001"), binding, URL, ECGRID)
        assert "fake" not in repr(request)
        assert "fake" not in str([request])


def test_a_request_cannot_be_changed() -> None:
    """What was encoded is what is sent."""
    request = encode(LOGIN, arguments_of(LOGIN, "x"), Binding.SOAP12, URL, ECGRID)
    with pytest.raises(AttributeError):
        request.url = "https://elsewhere.invalid/"  # type: ignore[misc]  # that it cannot is what is tested
    assert not hasattr(request, "__dict__")


def test_the_text_of_a_request_is_what_was_sent() -> None:
    """Method, path and query, headers, an empty line and the body: as sent, but for the mask."""
    arguments: dict[str, Argument] = {"SessionID": Secret("fake-key"), "Minutes1": 1, "Minutes2": 2}
    for binding in BINDINGS:
        request = encode(INSTANT_STATS.operation, arguments, binding, URL, ECGRID)
        shown = masked_text(INSTANT_STATS.operation, arguments, binding, URL, ECGRID)
        head, _, body = shown.partition("\n\n")
        line, *headers = head.split("\n")
        target = request.url.removeprefix("https://host.invalid").replace("fake-key", "%2A" * 8)
        assert line == f"{request.method} {target}"
        assert headers == [f"{name}: {value}" for name, value in request.headers.items()]
        sent = (request.body or b"").decode()
        mask = "%2A" * 8 if binding is Binding.HTTP_POST else MASK
        assert body == sent.replace("fake-key", mask)
