"""Answers and faults in each binding's envelope, as an ASMX page writes them. Knows nothing of requests."""

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from collector.domain.binding import Binding
from collector.simulator.dataset import DataSet
from collector.simulator.dataset_writer import write_dataset
from collector.simulator.operations import ARRAY_OF
from collector.simulator.xml_text import XmlWriter
from collector.wire.namespaces import ECGRID, SOAP11, SOAP12, XSD, XSI

__all__ = [
    "Answer",
    "DetailFault",
    "Fault",
    "FaultCode",
    "Record",
    "Records",
    "WireReply",
    "answer_reply",
    "content_type",
    "empty_reply",
    "fault_reply",
    "html_reply",
]

# XmlSerializer declares these on a root it writes itself, in this order.
_SCHEMAS: Final = (("xmlns:xsd", XSD), ("xmlns:xsi", XSI))
# Between an exception's message and that of the one inside it; each message is escaped by itself.
_INNER: Final = " ---> "

_Fields = tuple[tuple[str, "str | _Fields"], ...]


class FaultCode(StrEnum):
    """Who is to blame, in SOAP 1.1 words."""

    CLIENT = "Client"
    SERVER = "Server"
    VERSION_MISMATCH = "VersionMismatch"
    MUST_UNDERSTAND = "MustUnderstand"


_SOAP12_CODE: Final = {FaultCode.CLIENT: "Sender", FaultCode.SERVER: "Receiver"}


@dataclass(frozen=True, slots=True)
class DetailFault:
    """A detail the service itself filled in: its element names and texts.

    Attributes:
        tag: `detail`, or `details` in one of the documented shapes.
    """

    fields: _Fields
    tag: str = "detail"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, in whatever binding it will travel.

    Attributes:
        detail: None for the empty one the stack makes; "" for none at all, as with header faults.
        actor: the page that raised it, where the service says so.
        plain: the text of GET and POST, where it differs from `text`.
    """

    code: FaultCode
    text: str
    detail: DetailFault | str | None = None
    actor: str | None = None
    plain: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A class instance as XmlSerializer writes it: type name, then fields in order (None is left out)."""

    type_name: str
    fields: "tuple[tuple[str, str | Record | None], ...]"


@dataclass(frozen=True, slots=True)
class Records:
    """An array of class instances of one type."""

    type_name: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation returned: a DataSet, a record, an array of them, or a simple value with its schema type.

    Attributes:
        value: None is a null DataSet, record or string.
    """

    operation: str
    value: DataSet | Record | Records | str | None
    type_name: str = "DataSet"


@dataclass(frozen=True, slots=True)
class WireReply:
    """Status, headers beyond the usual ones, and body, before the transport touches them.

    Attributes:
        fault: the kind of failure for the arrival log, "" for an answer.
        by_stack: the service never saw the request, so its caching rule is not in the headers.
        spaces: sent after the body as it is made, in chunks: too many to be held.
    """

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    fault: str = ""
    by_stack: bool = False
    spaces: int = 0


def content_type(binding: Binding) -> str:
    """The Content-Type of an answer or SOAP fault."""
    return (
        "application/soap+xml; charset=utf-8"
        if binding is Binding.SOAP12
        else "text/xml; charset=utf-8"
    )


def answer_reply(answer: Answer, binding: Binding, namespace: str = ECGRID) -> WireReply:
    """A successful answer."""
    if binding in (Binding.HTTP_GET, Binding.HTTP_POST):
        body = _plain_body(answer, namespace)
    else:
        body = _envelope(binding, lambda writer: _write_response(writer, answer, namespace))
    return WireReply(200, content_type(binding), body)


def fault_reply(fault: Fault, binding: Binding, kind: str, *, by_stack: bool = False) -> WireReply:
    """A fault: HTTP 500 in every binding."""
    if binding in (Binding.HTTP_GET, Binding.HTTP_POST):
        text = fault.text if fault.plain is None else fault.plain
        parts = (html.escape(part).replace("&#x27;", "&#39;") for part in text.split(_INNER))
        body = (_INNER.join(parts) + "\n").encode()
        return WireReply(500, "text/plain; charset=utf-8", body, (), kind, by_stack)
    write = _write_fault12 if binding is Binding.SOAP12 else _write_fault11
    header = _write_upgrade if fault.code is FaultCode.VERSION_MISMATCH else None
    body = _envelope(binding, lambda writer: write(writer, fault), header)
    return WireReply(500, content_type(binding), body, (), kind, by_stack)


def empty_reply(status: int, media: str) -> WireReply:
    """A status of the stack's own, without a body."""
    return WireReply(status, media, b"", (), "stack", by_stack=True)


def html_reply(status: int, title: str, kind: str) -> WireReply:
    """A page for people, as proxies and IIS send them."""
    text = html.escape(title)
    page = f"<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>\r\n"
    return WireReply(status, "text/html", page.encode(), (), kind, by_stack=True)


def _envelope(
    binding: Binding,
    write: Callable[[XmlWriter], None],
    write_header: Callable[[XmlWriter], None] | None = None,
) -> bytes:
    """One line of XML: envelope, maybe a header, and a body that `write` fills."""
    writer = XmlWriter()
    writer.declaration()
    soap = SOAP12 if binding is Binding.SOAP12 else SOAP11
    writer.start("soap:Envelope", ("xmlns:soap", soap), ("xmlns:xsi", XSI), ("xmlns:xsd", XSD))
    if write_header is not None:
        write_header(writer)
    writer.start("soap:Body")
    write(writer)
    writer.end()
    writer.end()
    return str(writer).encode()


def _write_upgrade(writer: XmlWriter) -> None:
    """The header that names the envelopes this server understands."""
    writer.start("soap:Header")
    writer.start("soap12:Upgrade", ("xmlns:soap12", SOAP12))
    for prefix, namespace in (("soap", SOAP11), ("soap12", SOAP12)):
        qname = ("qname", f"{prefix}:Envelope"), (f"xmlns:{prefix}", namespace)
        writer.leaf("soap12:SupportedEnvelope", None, *qname)
    writer.end()
    writer.end()


def _write_response(writer: XmlWriter, answer: Answer, namespace: str) -> None:
    """Operation and result; a null result has no element at all, not a nil one."""
    writer.start(f"{answer.operation}Response", ("xmlns", namespace))
    result = f"{answer.operation}Result"
    if isinstance(answer.value, DataSet):
        writer.start(result)
        write_dataset(writer, answer.value, xsi_declared=True)
        writer.end()
    elif isinstance(answer.value, Record | Records):
        writer.start(result)
        _write_content(writer, answer.value)
        writer.end()
    elif answer.value is not None:
        writer.leaf(result, answer.value)  # nothing at all for null: minOccurs is 0
    writer.end()


def _plain_body(answer: Answer, namespace: str) -> bytes:
    """The bare result of GET and POST: no envelope, indented, its root named after the type."""
    writer = XmlWriter(indented=True)
    writer.declaration()
    root = answer.type_name
    if isinstance(answer.value, Record):
        root = answer.value.type_name
    elif isinstance(answer.value, Records):
        root = f"{ARRAY_OF}{answer.value.type_name}"
    if answer.value is None:
        writer.leaf(root, None, *_SCHEMAS, ("xsi:nil", "true"), ("xmlns", namespace))
    elif isinstance(answer.value, DataSet):
        writer.start(root, ("xmlns", namespace))
        write_dataset(writer, answer.value, xsi_declared=False)
        writer.end()
    elif isinstance(answer.value, Record | Records):
        writer.start(root, *_SCHEMAS, ("xmlns", namespace))
        _write_content(writer, answer.value)
        writer.end()
    else:
        writer.leaf(root, answer.value, ("xmlns", namespace))
    return str(writer).encode()


def _write_content(writer: XmlWriter, value: Record | Records) -> None:
    """The fields of a record, null ones left out; or the records of an array."""
    named: Iterable[tuple[str, str | Record | None]] = (
        ((value.type_name, each) for each in value.records)
        if isinstance(value, Records)
        else value.fields
    )
    for name, each in named:
        if isinstance(each, Record):
            writer.start(name)
            _write_content(writer, each)
            writer.end()
        elif each is not None:
            writer.leaf(name, each)


def _write_detail(writer: XmlWriter, fault: Fault, empty: str) -> None:
    """The detail: the service's own is in no namespace, the stack's empty one is the envelope's."""
    if fault.detail is None:
        writer.leaf(empty, None)
    elif isinstance(fault.detail, DetailFault):
        _write_nested(writer, fault.detail.tag, fault.detail.fields)


def _write_nested(writer: XmlWriter, tag: str, fields: _Fields) -> None:
    """Elements with texts, to any depth."""
    writer.start(tag)
    for name, value in fields:
        if isinstance(value, str):
            writer.leaf(name, value)
        else:
            _write_nested(writer, name, value)
    writer.end()


def _write_fault11(writer: XmlWriter, fault: Fault) -> None:
    """A SOAP 1.1 fault; its children are in no namespace."""
    writer.start("soap:Fault")
    writer.leaf("faultcode", f"soap:{fault.code}")
    writer.leaf("faultstring", fault.text)
    if fault.actor:
        writer.leaf("faultactor", fault.actor)
    _write_detail(writer, fault, "detail")
    writer.end()


def _write_fault12(writer: XmlWriter, fault: Fault) -> None:
    """A SOAP 1.2 fault."""
    writer.start("soap:Fault")
    writer.start("soap:Code")
    writer.leaf("soap:Value", f"soap:{_SOAP12_CODE.get(fault.code, fault.code)}")
    writer.end()
    writer.start("soap:Reason")
    writer.leaf("soap:Text", fault.text, ("xml:lang", "en"))
    writer.end()
    if fault.actor:
        writer.leaf("soap:Node", fault.actor)
    _write_detail(writer, fault, "soap:Detail")
    writer.end()
