"""The contract as ASP.NET publishes it, and the help page. Knows the operations, not what they do."""

import html
from functools import lru_cache
from typing import Final

from collector.simulator.operations import (
    ARRAY_OF,
    MAILBOX_ID_INFO,
    OPERATIONS,
    OWNER,
    SESSION_INFO,
    Operation,
    Parameter,
)
from collector.simulator.xml_text import XmlWriter
from collector.wire.namespaces import XSD

__all__ = ["help_page", "wsdl"]

_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
_HTTP_TRANSPORT: Final = "http://schemas.xmlsoap.org/soap/http"
_AUTH_LEVELS: Final = (
    "NoChange",
    "Root",
    "TechOps",
    "NetOps",
    "NetworkAdmin",
    "NetworkUser",
    "MailboxAdmin",
    "MailboxUser",
    "TPUser",
)
_STATUSES: Final = ("Development", "Active", "Preproduction", "Suspended", "Terminated")
_USE_TYPES: Final = ("Undefined", "Test", "Production", "TestAndProduction")
_MAILBOX: Final = "MailboxIDInfo"
_OWN_TYPES: Final = ("SessionInfo", ARRAY_OF + _MAILBOX)
_NULLABLE: Final = ("string", "DataSet", "tns:UserIDInfo", *_OWN_TYPES)


@lru_cache(maxsize=8)
def wsdl(location: str, namespace: str) -> bytes:
    """The service description with ports at `location`."""
    writer = XmlWriter(indented=True)
    writer.declaration()
    writer.start(
        "wsdl:definitions",
        ("xmlns:soapenc", "http://schemas.xmlsoap.org/soap/encoding/"),
        ("xmlns:soap12", _WSDL + "soap12/"),
        ("xmlns:http", _WSDL + "http/"),
        ("xmlns:tns", namespace),
        ("xmlns:mime", _WSDL + "mime/"),
        ("xmlns:tm", "http://microsoft.com/wsdl/mime/textMatching/"),
        ("xmlns:s", XSD),
        ("xmlns:soap", _WSDL + "soap/"),
        ("targetNamespace", namespace),
        ("xmlns:wsdl", _WSDL),
    )
    _write_types(writer, namespace)
    for operation in OPERATIONS:
        _write_soap_messages(writer, operation)
    for verb in ("HttpGet", "HttpPost"):
        for operation in OPERATIONS:
            _write_http_messages(writer, operation, verb)
    for port in ("Soap", "HttpGet", "HttpPost"):
        _write_port_type(writer, port)
    _write_soap_binding(writer, "ECGridOSSoap", "soap", namespace)
    _write_soap_binding(writer, "ECGridOSSoap12", "soap12", namespace)
    _write_http_binding(writer, "HttpGet", "GET")
    _write_http_binding(writer, "HttpPost", "POST")
    _write_service(writer, location)
    writer.end()
    return str(writer).encode()


def _element(writer: XmlWriter, name: str, type_name: str, *, required: bool) -> None:
    """An element of a sequence: a value type is required, a string is not."""
    kind = type_name if ":" in type_name else f"s:{type_name}"
    occurs = ("minOccurs", "1" if required else "0"), ("maxOccurs", "1")
    writer.leaf("s:element", None, *occurs, ("name", name), ("type", kind))


def _write_types(writer: XmlWriter, namespace: str) -> None:
    """One schema: each operation's two elements, then what the plain bindings return."""
    writer.start("wsdl:types")
    writer.start("s:schema", ("elementFormDefault", "qualified"), ("targetNamespace", namespace))
    for operation in OPERATIONS:
        _write_request_element(writer, operation)
        _write_response_element(writer, operation)
    _write_records(writer)
    writer.leaf("s:element", None, ("name", "dateTime"), ("type", "s:dateTime"))
    writer.leaf("s:element", None, ("name", "string"), ("nillable", "true"), ("type", "s:string"))
    writer.leaf("s:element", None, ("name", "int"), ("type", "s:int"))
    writer.start("s:element", ("name", "DataSet"), ("nillable", "true"))
    _write_dataset_type(writer)
    writer.end()
    for name in _OWN_TYPES:
        named = ("name", name), ("nillable", "true"), ("type", f"tns:{name}")
        writer.leaf("s:element", None, *named)
    writer.end()
    writer.end()


def _write_request_element(writer: XmlWriter, operation: Operation) -> None:
    writer.start("s:element", ("name", operation.name))
    writer.start("s:complexType")
    if operation.parameters:
        writer.start("s:sequence")
        for parameter in operation.parameters:
            required = parameter.type_name != "string"
            _element(writer, parameter.name, parameter.type_name, required=required)
        writer.end()
    writer.end()
    writer.end()


def _write_response_element(writer: XmlWriter, operation: Operation) -> None:
    """The response element; only value types are required in it."""
    writer.start("s:element", ("name", f"{operation.name}Response"))
    writer.start("s:complexType")
    writer.start("s:sequence")
    name = f"{operation.name}Result"
    if operation.result == "DataSet":
        writer.start("s:element", ("minOccurs", "0"), ("maxOccurs", "1"), ("name", name))
        _write_dataset_type(writer)
        writer.end()
    else:
        kind = f"tns:{operation.result}" if operation.result in _OWN_TYPES else operation.result
        _element(writer, name, kind, required=operation.result not in _NULLABLE)
    writer.end()
    writer.end()
    writer.end()


def _write_dataset_type(writer: XmlWriter) -> None:
    """A DataSet is any schema followed by anything."""
    writer.start("s:complexType")
    writer.start("s:sequence")
    writer.leaf("s:element", None, ("ref", "s:schema"))
    writer.leaf("s:any", None)
    writer.end()
    writer.end()


def _write_records(writer: XmlWriter) -> None:
    """What WhoAmI and MailboxList return, and the enumerations they use."""
    for record, fields in (
        ("SessionInfo", SESSION_INFO),
        (_MAILBOX, MAILBOX_ID_INFO),
        ("UserIDInfo", OWNER),
    ):
        writer.start("s:complexType", ("name", record))
        writer.start("s:sequence")
        for name, type_name in fields:
            _element(writer, name, type_name, required=type_name not in _NULLABLE)
        writer.end()
        writer.end()
    writer.start("s:complexType", ("name", ARRAY_OF + _MAILBOX))
    writer.start("s:sequence")
    many = ("minOccurs", "0"), ("maxOccurs", "unbounded"), ("name", _MAILBOX)
    writer.leaf("s:element", None, *many, ("nillable", "true"), ("type", f"tns:{_MAILBOX}"))
    writer.end()
    writer.end()
    for name, words in (
        ("AuthLevel", _AUTH_LEVELS),
        ("Status", _STATUSES),
        ("UseType", _USE_TYPES),
    ):
        writer.start("s:simpleType", ("name", name))
        writer.start("s:restriction", ("base", "s:string"))
        for word in words:
            writer.leaf("s:enumeration", None, ("value", word))
        writer.end()
        writer.end()


def _write_soap_messages(writer: XmlWriter, operation: Operation) -> None:
    """The messages of document/literal: one part, the element."""
    for way, element in (("In", operation.name), ("Out", f"{operation.name}Response")):
        writer.start("wsdl:message", ("name", f"{operation.name}Soap{way}"))
        writer.leaf("wsdl:part", None, ("name", "parameters"), ("element", f"tns:{element}"))
        writer.end()


def _write_http_messages(writer: XmlWriter, operation: Operation, verb: str) -> None:
    """The messages of GET and POST: one part for each argument."""
    writer.start("wsdl:message", ("name", f"{operation.name}{verb}In"))
    for parameter in operation.parameters:
        _write_string_part(writer, parameter)
    writer.end()
    writer.start("wsdl:message", ("name", f"{operation.name}{verb}Out"))
    writer.leaf("wsdl:part", None, ("name", "Body"), ("element", f"tns:{operation.result}"))
    writer.end()


def _write_string_part(writer: XmlWriter, parameter: Parameter) -> None:
    # Every argument is a string on these two bindings.
    writer.leaf("wsdl:part", None, ("name", parameter.name), ("type", "s:string"))


def _write_port_type(writer: XmlWriter, port: str) -> None:
    writer.start("wsdl:portType", ("name", f"ECGridOS{port}"))
    for operation in OPERATIONS:
        writer.start("wsdl:operation", ("name", operation.name))
        writer.leaf("wsdl:documentation", operation.summary)
        writer.leaf("wsdl:input", None, ("message", f"tns:{operation.name}{port}In"))
        writer.leaf("wsdl:output", None, ("message", f"tns:{operation.name}{port}Out"))
        writer.end()
    writer.end()


def _write_soap_binding(writer: XmlWriter, name: str, prefix: str, namespace: str) -> None:
    """A SOAP binding; both versions share a port type."""
    writer.start("wsdl:binding", ("name", name), ("type", "tns:ECGridOSSoap"))
    writer.leaf(f"{prefix}:binding", None, ("transport", _HTTP_TRANSPORT))
    for operation in OPERATIONS:
        writer.start("wsdl:operation", ("name", operation.name))
        action = ("soapAction", namespace + operation.name), ("style", "document")
        writer.leaf(f"{prefix}:operation", None, *action)
        for way in ("input", "output"):
            writer.start(f"wsdl:{way}")
            writer.leaf(f"{prefix}:body", None, ("use", "literal"))
            writer.end()
        writer.end()
    writer.end()


def _write_http_binding(writer: XmlWriter, port: str, verb: str) -> None:
    """A binding of GET or POST."""
    writer.start("wsdl:binding", ("name", f"ECGridOS{port}"), ("type", f"tns:ECGridOS{port}"))
    writer.leaf("http:binding", None, ("verb", verb))
    for operation in OPERATIONS:
        writer.start("wsdl:operation", ("name", operation.name))
        writer.leaf("http:operation", None, ("location", f"/{operation.name}"))
        writer.start("wsdl:input")
        if verb == "GET":
            writer.leaf("http:urlEncoded", None)
        else:
            writer.leaf("mime:content", None, ("type", "application/x-www-form-urlencoded"))
        writer.end()
        writer.start("wsdl:output")
        writer.leaf("mime:mimeXml", None, ("part", "Body"))
        writer.end()
        writer.end()
    writer.end()


def _write_service(writer: XmlWriter, location: str) -> None:
    """Four ports at one address."""
    writer.start("wsdl:service", ("name", "ECGridOS"))
    for port, prefix in (
        ("Soap", "soap"),
        ("Soap12", "soap12"),
        ("HttpGet", "http"),
        ("HttpPost", "http"),
    ):
        name = f"ECGridOS{port}"
        writer.start("wsdl:port", ("name", name), ("binding", f"tns:{name}"))
        writer.leaf(f"{prefix}:address", None, ("location", location))
        writer.end()
    writer.end()


def help_page(query: str) -> bytes:
    """The page for people: every operation, or the one of `?op=`."""
    chosen = query.removeprefix("op=") if query.startswith("op=") else None
    rows = []
    for operation in OPERATIONS:
        if chosen is None or operation.name == chosen:
            arguments = ", ".join(f"{each.type_name} {each.name}" for each in operation.parameters)
            text = f"{operation.result} {operation.name}({arguments})"
            rows.append(
                f'<li><a href="?op={operation.name}">{html.escape(text)}</a> {html.escape(operation.summary)}</li>'
            )
    page = (
        "<html><head><title>ECGridOS Web Service (simulator)</title></head><body><h1>ECGridOS</h1>"
        f'<p>A simulator. <a href="?WSDL">Service description</a></p><ul>{"".join(rows)}</ul></body></html>'
    )
    return page.encode()
