"""An operation and its arguments -> the request of a binding, and that request with its secrets masked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

from collector.model import Binding
from collector.secret import MASK, Secret
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


@dataclass(frozen=True, slots=True)
class _Form:
    """What all requests of one operation over one binding share.

    Attributes:
        shown: request line and headers as text; for `http-get` without the query.
        opening: of the envelope, up to the arguments.
        closing: of the envelope, after them.
    """

    method: str
    url: str
    headers: dict[str, str]
    shown: str
    opening: str = ""
    closing: str = ""


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
    form = _form(operation, binding, url, namespace)
    values = {
        parameter.name: _plain(arguments[parameter.name]) for parameter in operation.parameters
    }
    if binding is Binding.HTTP_GET:
        return Request(form.method, _target(form.url, values), form.headers, None)
    return Request(form.method, form.url, form.headers, _content(form, binding, values).encode())


def masked_text(
    operation: Operation,
    arguments: Mapping[str, Argument],
    binding: Binding,
    url: str,
    namespace: str,
) -> str:
    """The request as text, every secret parameter masked: what is landed beside the reply."""
    form = _form(operation, binding, url, namespace)
    values = {
        parameter.name: MASK if parameter.is_secret else _plain(arguments[parameter.name])
        for parameter in operation.parameters
    }
    if binding is Binding.HTTP_GET:
        return f"{_target(form.shown, values)}\n\n"
    return f"{form.shown}\n\n{_content(form, binding, values)}"


@lru_cache(maxsize=64)
def _form(operation: Operation, binding: Binding, url: str, namespace: str) -> _Form:
    action = f"{namespace}{operation.name}"
    if binding is Binding.HTTP_GET:
        return _formed("GET", f"{url}/{operation.name}", {})
    if binding is Binding.HTTP_POST:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return _formed("POST", f"{url}/{operation.name}", headers)
    if binding is Binding.SOAP11:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
    else:
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    soap = SOAP11 if binding is Binding.SOAP11 else SOAP12
    opening, closing = (
        part.format(soap=soap, name=operation.name, namespace=escape(namespace))
        for part in (_OPENING, _CLOSING)
    )
    return _formed("POST", url, headers, opening, closing)


def _formed(
    method: str, url: str, headers: dict[str, str], opening: str = "", closing: str = ""
) -> _Form:
    target = urlsplit(url)
    path = f"{target.path}?{target.query}" if target.query else target.path
    shown = "\n".join([f"{method} {path}", *(f"{k}: {v}" for k, v in headers.items())])
    return _Form(method, url, headers, shown, opening, closing)


def _plain(value: Argument) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _target(url: str, values: Mapping[str, str]) -> str:
    query = urlencode(values, quote_via=quote)
    return f"{url}?{query}" if query else url


def _content(form: _Form, binding: Binding, values: Mapping[str, str]) -> str:
    if binding is Binding.HTTP_POST:
        return urlencode(values)
    arguments = "".join([f"<{name}>{escape(value)}</{name}>" for name, value in values.items()])
    return f"{form.opening}{arguments}{form.closing}"
