"""A reply -> the payload of its operation, or the Fault it carries. Decides nothing.

The body is read before the status: SOAP faults travel as HTTP 500, SOAP 1.2 ones sometimes as 400. The envelope, not
the binding, tells how to read: a service may answer in another version than it was asked in.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from collector.errors import WireError
from collector.wire.namespaces import DIFFGR, SOAP11, SOAP12, XSD, XSI
from collector.wire.operations import Answer, Operation
from collector.wire.xml import local_name, namespace_of, parse

__all__ = ["Fault", "NotServiceError", "Payload", "open_reply"]

_TEXT_LIMIT: Final = 500
_LOOKED_AT: Final = 8192  # bytes of a text body; more would not be shown
_NIL: Final = f"{{{XSI}}}nil"
_TRUE: Final = ("true", "1")
_BARE_ROOTS: Final = {
    Answer.DATASET: {"DataSet"},
    Answer.TEXT: {"string", "dateTime", "boolean", "int", "guid", "SessionInfo"},
    Answer.RECORD: {"SessionInfo"},
}
_ARRAY_OF: Final = "ArrayOf"  # how the array of a type is called where it is the root
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_MARKUP: Final = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TRACE: Final = re.compile(r"\n[^\S\n]*at\s.*", re.DOTALL)


class NotServiceError(WireError):
    """HTML or plain text stands where an answer of the service should be."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The result of an operation.

    Attributes:
        result: the element that holds it; None for an absent (null) result.
    """

    result: etree._Element | None

    @property
    def is_null(self) -> bool:
        """The result is absent or nil."""
        return self.result is None or self.result.get(_NIL) in _TRUE

    @property
    def text(self) -> str:
        """The result as text; empty for a null one."""
        return "" if self.result is None else str(self.result.xpath("string()")).strip()

    @property
    def has_rows(self) -> bool:
        """A DataSet with at least one current row."""
        if self.result is None or self.is_null:
            return False
        diffgram = self.result.find(f"{{{DIFFGR}}}diffgram")
        if diffgram is None:  # the simplified form of the vendor's pages: rows right inside
            return any(child.tag != f"{{{XSD}}}schema" for child in self.result)
        data = (child for child in diffgram if not str(child.tag).startswith(f"{{{DIFFGR}}}"))
        return any(len(dataset) for dataset in data)

    def field(self, name: str) -> str | None:
        """The text of the first descendant called `name`, whatever its namespace."""
        if self.result is None:
            return None
        for element in self.result.iter():
            if local_name(element) == name:
                return (element.text or "").strip()
        return None

    def records(self, name: str) -> Iterator[dict[str, str]]:
        """The fields that are plain text, by name, of each record called `name`; a null field is left out."""
        if self.result is None:
            return
        for record in self.result:
            if local_name(record) == name and record.get(_NIL) not in _TRUE:
                fields: dict[str, str] = {}
                for each in record:
                    if len(each) == 0 and each.get(_NIL) not in _TRUE:
                        fields.setdefault(local_name(each), (each.text or "").strip())
                yield fields


@dataclass(frozen=True, slots=True)
class Fault:
    """What the service says instead of an answer.

    Attributes:
        code: faultcode or Code/Value without its prefix: Client, Server, Sender, Receiver; "" for plain text.
        text: faultstring, Reason/Text, or the text body; no stack trace, at most 500 characters.
        detail_code: the service's own code, a number or a word.
        detail_text: the service's own explanation.
    """

    code: str
    text: str
    detail_code: str = ""
    detail_text: str = ""

    def __str__(self) -> str:
        parts = [self.text]
        if self.detail_text and self.detail_text != self.text:
            parts.append(self.detail_text)
        if self.detail_code:
            parts.append(f"[{self.detail_code}]")
        return " ".join(part for part in parts if part)[:_TEXT_LIMIT]


def open_reply(
    operation: Operation, status: int, content_type: str, body: bytes
) -> Payload | Fault:
    """The payload of `operation`'s reply, or its fault; `body` without content encoding.

    Raises:
        NotServiceError: HTML, text at a status that is not an error, or anything at a redirect.
        WireError: empty, not well-formed, with a DTD, or another operation's answer.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if 300 <= status < 400:  # never followed: the credential would go along
        raise NotServiceError(
            f"a redirect (HTTP {status}), which is not followed; is service.url right? ({_preview(body)})"
        )
    if not body.strip():
        raise WireError(f"an empty body at status {status}")
    start = body.lstrip(_BLANK)[:64]
    if media_type == "text/html" or _MARKUP.match(start):
        raise NotServiceError(f"an HTML page at status {status}: {_preview(body)}")
    if start.startswith((b"<", b"\xff\xfe", b"\xfe\xff", b"\0<", b"<\0")):
        return _opened(operation, parse(body, operation.record))
    if status >= 400 and media_type == "application/json":
        return _json_fault(body)
    if status >= 400:  # GET and POST bindings: text/plain, HTML-escaped
        return Fault("", _shortened(html.unescape(_decoded(body.strip()[:_LOOKED_AT]))))
    named = _encodable(media_type) or "untyped"
    raise NotServiceError(f"{named} text at status {status}: {_preview(body)}")


def _opened(operation: Operation, root: etree._Element) -> Payload | Fault:
    name = local_name(root)
    if name == "Envelope":
        return _from_envelope(operation, root)
    if name == "html":
        raise NotServiceError(f"an HTML page: {_preview(etree.tostring(root))}")
    if name in _bare_roots(operation):
        return Payload(root)
    raise WireError(f"the answer is <{name}>: {operation.name} answers otherwise")


def _bare_roots(operation: Operation) -> set[str]:
    """What the root may be called where there is no envelope."""
    if operation.answer is Answer.RECORDS:
        return {f"{_ARRAY_OF}{operation.record}"}
    return _BARE_ROOTS[operation.answer]


def _from_envelope(operation: Operation, root: etree._Element) -> Payload | Fault:
    soap = namespace_of(root)
    if soap not in (SOAP11, SOAP12):
        raise WireError(f"an envelope of an unknown SOAP version, {soap!r}")
    body = root.find(f"{{{soap}}}Body")
    if body is None or len(body) == 0:
        raise WireError("an envelope without a body")
    content = body[0]
    if content.tag == f"{{{soap}}}Fault":
        return _fault(content)
    if local_name(content) != f"{operation.name}Response":
        raise WireError(f"the answer is <{local_name(content)}>: not one to {operation.name}")
    return Payload(content[0] if len(content) else None)


def _fault(element: etree._Element) -> Fault:
    """SOAP 1.1 and 1.2 alike; the service's detail in every documented shape, namespaced or not."""
    found: dict[str, str] = {}
    for part in element.iter():
        if part.text and part.text.strip():
            found.setdefault(local_name(part), part.text.strip())
    text = found.get("faultstring") or found.get("Text") or ""
    details = [found.get(name, "") for name in ("ErrorString", "ErrorMessage")]
    code = found.get("faultcode") or found.get("Value") or ""
    return Fault(
        code=code.rpartition(":")[2],
        text=_shortened(text),
        detail_code=found.get("ECGridOSSOAPErrorCode") or found.get("ErrorCode") or "",
        detail_text=_shortened(
            " ".join(each for each in dict.fromkeys(details) if each not in ("", text))
        ),
    )


def _json_fault(body: bytes) -> Fault:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return Fault("", _shortened(_decoded(body)))
    if not isinstance(document, dict):
        return Fault("", _shortened(_decoded(body)))
    code, message = document.get("errorCode"), document.get("message")
    return Fault("", _shortened(str(message or "")), detail_code=_encodable(str(code or "")))


def _decoded(body: bytes) -> str:
    return body.decode("utf-8", errors="replace")


def _shortened(text: str) -> str:
    return _TRACE.sub("", _encodable(text.strip()[:_TEXT_LIMIT])).rstrip()


def _encodable(text: str) -> str:
    """JSON and headers may hold lone surrogates, which no file takes."""
    return text.encode("utf-8", errors="replace").decode()


def _preview(body: bytes) -> str:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", _decoded(body[:_LOOKED_AT]))).strip()
    return text[:200] or "(no text)"
