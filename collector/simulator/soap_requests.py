"""Requests of the SOAP bindings, by ASMX's rules. Knows the operations' parameters, not what they do."""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from collector.domain.binding import Binding
from collector.simulator.asked import (
    Asked,
    Contract,
    Refused,
    RequestHead,
    number,
    number_trouble,
    refused_by_fault,
    refused_by_page,
    refused_by_status,
)
from collector.simulator.operations import BY_NAME, Operation, Parameter
from collector.simulator.replies import Fault, FaultCode, content_type, fault_reply
from collector.simulator.xml_place import place_after
from collector.wire.namespaces import SOAP11, SOAP12

__all__ = ["asked_by_soap"]

_SOAP_MEDIA: Final = "application/soap+xml"
_TRUE: Final = ("1", "true")
_NO_ACTION: Final = (
    "Unable to handle request without a valid action parameter. Please supply a valid soap action."
)


def asked_by_soap(head: RequestHead, body: bytes, contract: Contract) -> Asked:
    """The operation an envelope asks for.

    Raises:
        Refused: with the reply the stack gives.
    """
    if head.method != "POST":
        raise refused_by_page(405, "Method Not Allowed")
    media = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    binding = Binding.SOAP12 if media == _SOAP_MEDIA else Binding.SOAP11
    if media not in ("text/xml", _SOAP_MEDIA):
        raise refused_by_status(415, None, content_type(Binding.SOAP11))
    envelope = _envelope(head, body, binding)
    if etree.QName(envelope).namespace == SOAP12:
        return _asked_by_soap12(head, envelope, body, contract)
    # The media type promised 1.2; only a 1.1 envelope breaks that promise with a status of its own.
    if media == _SOAP_MEDIA and etree.QName(envelope).namespace == SOAP11:
        raise refused_by_status(415, binding, content_type(Binding.SOAP11))
    return _asked_by_soap11(head, envelope, body, contract)


def _envelope(head: RequestHead, body: bytes, binding: Binding) -> etree._Element:
    """The root of the request; anything but XML without a DTD is a 400 without a body."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
    )
    refusal = refused_by_status(400, binding, content_type(binding))
    # IIS does not unpack requests; what comes out is not XML.
    if "content-encoding" in head.headers:
        raise refusal
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise refusal from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise refusal
    return root


def _asked_by_soap12(
    head: RequestHead, envelope: etree._Element, body: bytes, contract: Contract
) -> Asked:
    """Routed by the action of the Content-Type if that is known, else by the body's element."""
    element = _body_element(envelope, SOAP12, Binding.SOAP12)
    action = _action_parameter(head)
    operation = _by_action(action, contract) or _by_element(element, contract)
    if operation is None:
        unknown = f"Unable to handle request. The action '{action}' was not recognized."
        fault = Fault(FaultCode.CLIENT, unknown if action else _NO_ACTION)
        raise refused_by_fault(fault, Binding.SOAP12, _name(element))
    return _from_element(operation, element, body, Binding.SOAP12, contract)


def _asked_by_soap11(
    head: RequestHead, envelope: etree._Element, body: bytes, contract: Contract
) -> Asked:
    """Routed by the SOAPAction; only where there is no such header, by the body's element."""
    if envelope.tag != f"{{{SOAP11}}}Envelope":
        space = etree.QName(envelope).namespace or ""
        text = (
            f"Possible SOAP version mismatch: Envelope namespace {space} was unexpected. "
            f"Expecting {SOAP11}."
        )
        raise refused_by_fault(Fault(FaultCode.VERSION_MISMATCH, text), Binding.SOAP11)
    element = _body_element(envelope, SOAP11, Binding.SOAP11)
    header = head.headers.get("soapaction")
    if header is None:
        operation, text = _by_element(element, contract), _NO_ACTION
    else:
        action = header.strip().strip('"')
        operation = _by_action(action, contract)
        text = f"Server did not recognize the value of HTTP Header SOAPAction: {action}."
    if operation is None:
        raise refused_by_fault(Fault(FaultCode.CLIENT, text), Binding.SOAP11, _name(element))
    return _from_element(operation, element, body, Binding.SOAP11, contract)


def _action_parameter(head: RequestHead) -> str:
    """The action of a SOAP 1.2 Content-Type; "" if there is none."""
    for part in head.headers.get("content-type", "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "action":
            return value.strip().strip('"')
    return ""


def _by_action(action: str, contract: Contract) -> Operation | None:
    """The operation an action names; actions are namespace and name in one."""
    if not action.startswith(contract.namespace):
        return None
    return BY_NAME.get(action.removeprefix(contract.namespace))


def _by_element(element: etree._Element | None, contract: Contract) -> Operation | None:
    """The operation a body's element names, if it is in the right namespace."""
    if element is None or etree.QName(element).namespace != contract.namespace:
        return None
    return BY_NAME.get(_name(element))


def _name(element: etree._Element | None) -> str:
    return "" if element is None else etree.QName(element).localname


def _body_element(envelope: etree._Element, soap: str, binding: Binding) -> etree._Element | None:
    """The first element of the body; a header that must be understood never is."""
    for block in envelope.iterfind(f"{{{soap}}}Header/*"):
        if block.get(f"{{{soap}}}mustUnderstand") in _TRUE:
            text = f"SOAP header {etree.QName(block).localname} was not understood."
            fault = Fault(FaultCode.MUST_UNDERSTAND, text, detail="")
            raise Refused(fault_reply(fault, binding, "stack"), binding, "")
    return envelope.find(f"{{{soap}}}Body/*")


def _from_element(
    operation: Operation,
    element: etree._Element | None,
    body: bytes,
    binding: Binding,
    contract: Contract,
) -> Asked:
    """Arguments as XmlSerializer reads them, in their order in the document: what is missing is null or 0."""
    strings: dict[str, str | None] = {}
    numbers: dict[str, int] = {}
    for parameter in operation.parameters:
        if parameter.type_name == "string":
            strings[parameter.name] = None
        else:
            numbers[parameter.name] = 0
    for parameter, given in _arguments(operation, element, contract):
        # A value is text alone; the reader gives up at a comment as it does at an element.
        if len(given):
            raise refused_by_status(400, binding, content_type(binding))
        text = given.text or ""
        if parameter.type_name == "string":
            strings[parameter.name] = text
            continue
        value = number(text, parameter)
        if value is None:
            fault = _unreadable(parameter, given, body)
            raise refused_by_fault(fault, binding, operation.name)
        numbers[parameter.name] = value
    return Asked(binding, operation, strings, numbers)


def _arguments(
    operation: Operation, element: etree._Element | None, contract: Contract
) -> Iterator[tuple[Parameter, etree._Element]]:
    """The first element of each parameter. An element of another name has none: the action alone chose."""
    space = f"{{{contract.namespace}}}"
    if element is None or element.tag != space + operation.name:
        return
    left = {space + parameter.name: parameter for parameter in operation.parameters}
    for child in element.iterchildren("*"):
        parameter = left.pop(str(child.tag), None)
        if parameter is not None:
            yield parameter, child


def _unreadable(parameter: Parameter, given: etree._Element, body: bytes) -> Fault:
    """The place is that of what follows the argument, as .NET's reader has moved on."""
    line, column = place_after(body, given)
    trouble = number_trouble(given.text or "", parameter)
    return Fault(
        FaultCode.CLIENT,
        "Server was unable to read request. ---> "
        f"There is an error in XML document ({line}, {column}). ---> {trouble}",
    )
