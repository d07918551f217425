"""An operation and its arguments -> the request of a binding, and that request with its secrets masked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

from collector.model import Binding
from collector.secret import MASK, Secret
from collector.wire.namespaces import SOAP11, SOAP12
from collector.wire.operations import Operation

__all__ = ["Argument", "Request", "encode", "masked_text"]

Argument = str | int | Secret

_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<soap:Envelope xmlns:soap="{soap}"><soap:Body>'
    '<{name} xmlns="{namespace}">{arguments}</{name}>'
    "</soap:Body></soap:Envelope>"
)


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
    values = {
        parameter.name: _plain(arguments[parameter.name]) for parameter in operation.parameters
    }
    if binding is Binding.HTTP_GET:
        query = urlencode(values, quote_via=quote)
        target = f"{url}/{operation.name}"
        return Request("GET", f"{target}?{query}" if query else target, {}, None)
    if binding is Binding.HTTP_POST:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", f"{url}/{operation.name}", headers, urlencode(values).encode())
    action = f"{namespace}{operation.name}"
    if binding is Binding.SOAP11:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
        return Request("POST", url, headers, _envelope(operation, values, SOAP11, namespace))
    headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    return Request("POST", url, headers, _envelope(operation, values, SOAP12, namespace))


def masked_text(
    operation: Operation,
    arguments: Mapping[str, Argument],
    binding: Binding,
    url: str,
    namespace: str,
) -> str:
    """The request as text, every secret parameter masked: what is landed beside the reply."""
    shown: dict[str, Argument] = {
        parameter.name: MASK if parameter.is_secret else arguments[parameter.name]
        for parameter in operation.parameters
    }
    request = encode(operation, shown, binding, url, namespace)
    target = urlsplit(request.url)
    path = f"{target.path}?{target.query}" if target.query else target.path
    lines = [f"{request.method} {path}", *(f"{k}: {v}" for k, v in request.headers.items())]
    body = request.body.decode() if request.body is not None else ""
    return "\n".join(lines) + "\n\n" + body


def _plain(value: Argument) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _envelope(operation: Operation, values: Mapping[str, str], soap: str, namespace: str) -> bytes:
    arguments = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    return _ENVELOPE.format(
        soap=soap, name=operation.name, namespace=escape(namespace), arguments=arguments
    ).encode()
