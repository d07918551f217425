"""Requests of the HTTP GET and POST bindings, by ASMX's rules. Knows nothing of SOAP."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from collector.domain.binding import Binding
from collector.simulator.asked import (
    Asked,
    Contract,
    RequestHead,
    number,
    number_trouble,
    refused_by_fault,
    refused_by_page,
)
from collector.simulator.operations import BY_NAME, Operation
from collector.simulator.replies import Fault, FaultCode

__all__ = ["asked_by_form"]

_FORM = "application/x-www-form-urlencoded"
_NET_NAMES = {"short": "System.Int16", "int": "System.Int32"}


def asked_by_form(head: RequestHead, body: bytes, contract: Contract, name: str) -> Asked:
    """The operation `name` with the arguments of the query or the form.

    Raises:
        Refused: with the reply the stack gives.
    """
    if head.method not in ("GET", "POST") or not name:
        raise refused_by_page(500, "Request format is unrecognized.", None, name)
    binding = Binding.HTTP_GET if head.method == "GET" else Binding.HTTP_POST
    if not (contract.http_get if head.method == "GET" else contract.http_post):
        text = f"Request format is unrecognized for URL unexpectedly ending in '/{name}'."
        raise refused_by_page(500, text, binding, name)
    operation = _operation(name, binding)
    if head.method == "GET":
        return _from_fields(operation, _fields(head.query), binding)
    media = head.headers.get("content-type", "")
    # Where there is nothing to read, nobody asks what it is written in.
    if operation.parameters and media.partition(";")[0].strip().lower() != _FORM:
        text = f"Request format is invalid: {media}."
        raise refused_by_fault(Fault(FaultCode.SERVER, text), binding, name)
    return _from_fields(operation, _fields(body.decode("utf-8", "replace")), binding)


def _operation(name: str, binding: Binding) -> Operation:
    """The operation of that very name; another case is an error with a hint."""
    operation = BY_NAME.get(name)
    if operation is not None:
        return operation
    text = f"{name} Web Service method name is not valid."
    for known in BY_NAME:
        if known.lower() == name.lower():
            text = (
                f"Invalid method name '{name}',  method names are case sensitive.   The method name "
                f"'{known}' with the same name but different casing was found.\n"
                "Parameter name: methodName"
            )
    raise refused_by_fault(Fault(FaultCode.SERVER, text), binding, name)


def _fields(text: str) -> dict[str, str]:
    """Arguments by lower-case name; one that is given twice is joined with a comma."""
    fields: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True, max_num_fields=1_000):
        name = key.lower()
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields


def _from_fields(operation: Operation, fields: Mapping[str, str], binding: Binding) -> Asked:
    """Arguments as .NET converts them: every parameter must be there."""
    strings: dict[str, str | None] = {}
    numbers: dict[str, int] = {}
    for parameter in operation.parameters:
        value = fields.get(parameter.name.lower())
        if value is None:
            text = f"Missing parameter: {parameter.name}."
            raise refused_by_fault(Fault(FaultCode.SERVER, text), binding, operation.name)
        if parameter.type_name == "string":
            strings[parameter.name] = value
            continue
        given = number(value, parameter)
        if given is None:
            text = (
                f"Cannot convert {value} to {_NET_NAMES[parameter.type_name]}.\n"
                f"Parameter name: type ---> {number_trouble(value, parameter)}"
            )
            raise refused_by_fault(Fault(FaultCode.SERVER, text), binding, operation.name)
        numbers[parameter.name] = given
    return Asked(binding, operation, strings, numbers)
