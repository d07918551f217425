"""An operation and its arguments -> the request of a binding, and that request with its secrets masked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

from collector.domain.binding import Binding
from collector.domain.secret import MASK, Secret
from collector.wire.namespaces import SOAP11, SOAP12
from collector.wire.operations import Operation

__all__ = ["Argument", "Request", "encode", "masked_text"]

Argument = str | int | Secret

_OPENING: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<soap:Envelope xmlns:soap="{soap}"><soap:Body><{name} xmlns="{namespace}">'
)
_CLOSING: Final = "</{name}></soap:Body></soap:Envelope>"


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What goes on the wire; it holds credentials, so it has no repr and is never kept.

    Attributes:
        url: for `http-get` the credential is in its query.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None


class _Template(NamedTuple):
    """What all requests of one operation over one binding have in common.

    Attributes:
        url: without a query.
        head: request line and headers as text, without a query.
        envelope: for SOAP: the body, with a `%s` for the text of each argument in its order.
    """

    method: str
    url: str
    headers: dict[str, str]
    head: str
    envelope: str = ""


def encode(
    operation: Operation,
    arguments: Mapping[str, Argument],
    binding: Binding,
    url: str,
    namespace: str,
) -> Request:
    """The request for one call of `operation`; `arguments` has a value for each of its parameters.

    Raises:
        KeyError: an argument is missing.
    """
    template = _template(operation, binding, url, namespace)
    if binding is Binding.HTTP_GET:
        target = template.url + _query(operation, arguments)
        return Request(template.method, target, template.headers, None)
    content = _content(template, operation, arguments)
    return Request(template.method, template.url, template.headers, content.encode())


def masked_text(
    operation: Operation,
    arguments: Mapping[str, Argument],
    binding: Binding,
    url: str,
    namespace: str,
) -> str:
    """The request as text, with a mask for every secret parameter: what is landed beside the reply.

    Raises:
        KeyError: an argument that is no secret is missing.
    """
    template = _template(operation, binding, url, namespace)
    masked = {
        each.name: MASK if each.is_secret else arguments[each.name] for each in operation.parameters
    }
    if binding is Binding.HTTP_GET:
        return f"{template.head}{_query(operation, masked)}\n\n"
    return f"{template.head}\n\n{_content(template, operation, masked)}"


@lru_cache(maxsize=64)  # a run needs a handful of them, for every request
def _template(operation: Operation, binding: Binding, url: str, namespace: str) -> _Template:
    action = f"{namespace}{operation.name}"
    if binding is Binding.HTTP_GET:
        return _with_head("GET", f"{url}/{operation.name}", {})
    if binding is Binding.HTTP_POST:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return _with_head("POST", f"{url}/{operation.name}", headers)
    if binding is Binding.SOAP11:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
    else:
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    soap = SOAP11 if binding is Binding.SOAP11 else SOAP12
    places = "".join(f"<{each.name}>%s</{each.name}>" for each in operation.parameters)
    names = {"soap": soap, "name": operation.name, "namespace": escape(namespace)}
    opening, closing = (part.format(**names).replace("%", "%%") for part in (_OPENING, _CLOSING))
    return _with_head("POST", url, headers, f"{opening}{places}{closing}")


def _with_head(method: str, url: str, headers: dict[str, str], envelope: str = "") -> _Template:
    lines = [f"{method} {urlsplit(url).path}", *(f"{k}: {v}" for k, v in headers.items())]
    return _Template(method, url, headers, "\n".join(lines), envelope)


def _plain(value: Argument) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _pairs(operation: Operation, arguments: Mapping[str, Argument]) -> list[tuple[str, str]]:
    return [(each.name, _plain(arguments[each.name])) for each in operation.parameters]


def _query(operation: Operation, arguments: Mapping[str, Argument]) -> str:
    """The query of a GET request with its question mark; empty for an operation without parameters."""
    query = urlencode(_pairs(operation, arguments), quote_via=quote)
    return f"?{query}" if query else ""


def _content(template: _Template, operation: Operation, arguments: Mapping[str, Argument]) -> str:
    """The body: an envelope, or a form for the POST binding."""
    pairs = _pairs(operation, arguments)
    if template.envelope:
        return template.envelope % tuple(escape(value) for _, value in pairs)
    return urlencode(pairs)
