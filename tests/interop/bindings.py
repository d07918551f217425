"""An operation as a request of each binding, written by hand so that the product is not its own judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from tests.interop.stack import RealStack

__all__ = ["BINDINGS", "Answer", "Request", "ask", "request"]

BINDINGS: Final = ("soap11", "soap12", "http-get", "http-post")
SERVICE: Final = "https://os.ecgrid.io/"
ENVELOPES: Final = {
    "soap11": "http://schemas.xmlsoap.org/soap/envelope/",
    "soap12": "http://www.w3.org/2003/05/soap-envelope",
}
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """What goes on the wire."""

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    content_type: str | None
    body: bytes


def request(binding: str, page: str, operation: str, values: Mapping[str, str]) -> Request:
    """The request of one operation in one binding."""
    if binding == "http-get":
        return Request("GET", f"{page}/{operation}?{urlencode(values)}", None, {})
    if binding == "http-post":
        form = urlencode(values).encode()
        return Request("POST", f"{page}/{operation}", form, {"Content-Type": FORM})
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    body = (
        f'<s:Envelope xmlns:s="{ENVELOPES[binding]}"><s:Body>'
        f'<{operation} xmlns="{SERVICE}">{inner}</{operation}></s:Body></s:Envelope>'
    ).encode()
    if binding == "soap12":
        kind = f'application/soap+xml; charset=utf-8; action="{SERVICE}{operation}"'
        return Request("POST", page, body, {"Content-Type": kind})
    action = f'"{SERVICE}{operation}"'
    return Request(
        "POST", page, body, {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": action}
    )


def ask(stack: RealStack, asked: Request) -> Answer:
    """Send it on a connection of its own."""
    status, headers, body = stack.exchange(
        asked.method, asked.path, asked.body, dict(asked.headers)
    )
    return Answer(status, headers["Content-Type"], body)
