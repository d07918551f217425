"""An operation and its arguments -> the request of a binding, and that request with its secrets masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

from collector.domain.secret import MASK, Secret
from collector.domain.values import Binding
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
        envelope: with a place for the text of each argument; empty where there is none.
    """

    method: str
    url: str
    headers: dict[str, str]
    shown: str
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
    form = _form(operation, binding, url, namespace)
    values = [arguments[parameter.name] for parameter in operation.parameters]
    if binding is Binding.HTTP_GET:
        return Request(form.method, _target(form.url, operation, values), form.headers, None)
    content = _content(form, operation, binding, values)
    return Request(form.method, form.url, form.headers, content.encode())


def masked_text(
    operation: Operation,
    arguments: Mapping[str, Argument],
    binding: Binding,
    url: str,
    namespace: str,
) -> str:
    """The request as text, every secret parameter masked: what is landed beside the reply."""
    shown = tuple(
        [MASK if each.is_secret else arguments[each.name] for each in operation.parameters]
    )
    return _text(operation, shown, binding, url, namespace)


@lru_cache(maxsize=4096)  # all sessions of a run ask for the same pairs of windows
def _text(
    operation: Operation, values: tuple[Argument, ...], binding: Binding, url: str, namespace: str
) -> str:
    form = _form(operation, binding, url, namespace)
    if binding is Binding.HTTP_GET:
        return f"{_target(form.shown, operation, values)}\n\n"
    return f"{form.shown}\n\n{_content(form, operation, binding, values)}"


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
    places = "".join(f"<{each.name}>%s</{each.name}>" for each in operation.parameters)
    opened = {"soap": soap, "name": operation.name, "namespace": escape(namespace)}
    opening, closing = (part.format(**opened).replace("%", "%%") for part in (_OPENING, _CLOSING))
    return _formed("POST", url, headers, f"{opening}{places}{closing}")


def _formed(method: str, url: str, headers: dict[str, str], envelope: str = "") -> _Form:
    target = urlsplit(url)
    path = f"{target.path}?{target.query}" if target.query else target.path
    shown = "\n".join([f"{method} {path}", *(f"{k}: {v}" for k, v in headers.items())])
    return _Form(method, url, headers, shown, envelope)


def _plain(value: Argument) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _query(operation: Operation, values: Sequence[Argument]) -> list[tuple[str, str]]:
    return [(p.name, _plain(v)) for p, v in zip(operation.parameters, values, strict=True)]


def _target(url: str, operation: Operation, values: Sequence[Argument]) -> str:
    query = urlencode(_query(operation, values), quote_via=quote)
    return f"{url}?{query}" if query else url


def _content(
    form: _Form, operation: Operation, binding: Binding, values: Sequence[Argument]
) -> str:
    if binding is Binding.HTTP_POST:
        return urlencode(_query(operation, values))
    return form.envelope % tuple(
        [value if isinstance(value, int) else escape(_plain(value)) for value in values]
    )
