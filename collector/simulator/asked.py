"""What a request amounts to: an operation with arguments, or a refusal by the stack. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from collector.domain.binding import Binding
from collector.simulator.operations import Operation, Parameter
from collector.simulator.replies import Fault, WireReply, empty_reply, fault_reply, html_reply

__all__ = [
    "Asked",
    "Contract",
    "Refused",
    "RequestHead",
    "number",
    "number_trouble",
    "refused_by_fault",
    "refused_by_page",
    "refused_by_status",
]

_SHORT: Final = (-32_768, 32_767)
_INT: Final = (-(2**31), 2**31 - 1)
_RANGES: Final = {"short": ("Int16", *_SHORT), "int": ("Int32", *_INT)}
_MAX_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The part of a request that routing looks at; header names are found in any case.

    Attributes:
        path: without query, undecoded.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Contract:
    """What requests must agree with."""

    namespace: str
    http_get: bool
    http_post: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation with its arguments. A missing string is None, a missing number 0."""

    binding: Binding
    operation: Operation
    strings: Mapping[str, str | None]
    numbers: Mapping[str, int]


class Refused(Exception):  # noqa: N818  the reply is an outcome, not an error of ours
    """The stack answers by itself; the service never sees the request."""

    def __init__(self, reply: WireReply, binding: Binding | None, operation: str) -> None:
        super().__init__(reply.fault)
        self.reply = reply
        self.binding = binding
        self.operation = operation


def refused_by_fault(fault: Fault, binding: Binding, operation: str = "") -> Refused:
    """A fault that the stack makes."""
    return Refused(fault_reply(fault, binding, "stack", by_stack=True), binding, operation)


def refused_by_status(status: int, binding: Binding | None, media: str) -> Refused:
    """A bare status."""
    return Refused(empty_reply(status, media), binding, "")


def refused_by_page(
    status: int, title: str, binding: Binding | None = None, operation: str = ""
) -> Refused:
    """A page for people."""
    return Refused(html_reply(status, title, "stack"), binding, operation)


def number(text: str, parameter: Parameter) -> int | None:
    """The number, or None where .NET would not take it."""
    _, low, high = _RANGES[parameter.type_name]
    value = _integer(text)
    return value if value is not None and low <= value <= high else None


def number_trouble(text: str, parameter: Parameter) -> str:
    """Why .NET would not take the number, in its words."""
    if _integer(text) is None:
        return "Input string was not in a correct format."
    return f"Value was either too large or too small for an {_RANGES[parameter.type_name][0]}."


def _integer(text: str) -> int | None:
    """A decimal integer of any size that fits a few machine words, or None."""
    digits = text.strip(" \t\r\n")
    bare = digits[1:] if digits[:1] in ("+", "-") else digits
    if not (bare.isascii() and bare.isdecimal()) or len(bare) > _MAX_DIGITS:
        return None
    return int(digits)
