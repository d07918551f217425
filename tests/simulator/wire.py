"""Requests written by hand and replies read raw, so that a test sees every byte."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from collector.domain.binding import Binding
from collector.simulator import Simulator
from collector.wire.namespaces import ECGRID, SOAP11, SOAP12

PAGE = "/v4.1/prod/ECGridOS.asmx"
FORM = "application/x-www-form-urlencoded"
LIMIT_S = 10


@dataclass(frozen=True)
class Reply:
    """A reply as it came; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


def parsed(raw: bytes) -> Reply:
    """Head and body of one raw reply."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Reply(int(lines[0].split(" ")[1]), headers, body, raw)


def request_bytes(
    method: str, target: str, headers: dict[str, str], body: bytes = b"", *, close: bool = True
) -> bytes:
    """One HTTP/1.1 request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: simulator"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def exchange(simulator: Simulator, request: bytes, local: str | None = None) -> Reply:
    """Sends a request on a connection of its own and reads until the other side closes."""
    parts = urlsplit(simulator.origin)
    local_address = (local, 0) if local else None
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port, local_addr=local_address
    )
    try:
        writer.write(request)
        raw = await asyncio.wait_for(reader.read(), LIMIT_S)
    finally:
        writer.close()
    return parsed(raw)


def envelope(inner: str, soap: str = SOAP12, header: str = "") -> bytes:
    """A SOAP envelope around a body."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{soap}">{header}'
        f"<s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()


def element(operation: str, arguments: dict[str, object], namespace: str = ECGRID) -> str:
    """The operation's element of a SOAP body."""
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    return f'<{operation} xmlns="{namespace}">{inner}</{operation}>'


def call_bytes(operation: str, arguments: dict[str, object], binding: Binding) -> bytes:
    """A call of an operation, as each binding writes it."""
    if binding is Binding.HTTP_GET:
        return request_bytes("GET", f"{PAGE}/{operation}?{urlencode(arguments)}", {})
    if binding is Binding.HTTP_POST:
        body = urlencode(arguments).encode()
        return request_bytes("POST", f"{PAGE}/{operation}", {"Content-Type": FORM}, body)
    if binding is Binding.SOAP11:
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": f'"{ECGRID}{operation}"',
        }
        return request_bytes("POST", PAGE, headers, envelope(element(operation, arguments), SOAP11))
    headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
    return request_bytes("POST", PAGE, headers, envelope(element(operation, arguments), SOAP12))


async def call(
    simulator: Simulator,
    operation: str,
    arguments: dict[str, object],
    binding: Binding = Binding.SOAP12,
    local: str | None = None,
) -> Reply:
    """Calls an operation."""
    return await exchange(simulator, call_bytes(operation, arguments, binding), local)


async def stats(
    simulator: Simulator,
    session_id: str = "fake-key-0001",
    minutes: tuple[int, int] = (60, 120),
    binding: Binding = Binding.SOAP12,
) -> Reply:
    """Calls ReportInstantStats."""
    arguments: dict[str, Any] = {"SessionID": session_id}
    arguments |= {"Minutes1": minutes[0], "Minutes2": minutes[1]}
    return await call(simulator, "ReportInstantStats", arguments, binding)


async def control(simulator: Simulator, page: str, method: str = "GET", body: bytes = b"") -> Reply:
    """Asks one of the simulator's own pages."""
    return await exchange(simulator, request_bytes(method, f"/_simulator/{page}", {}, body))


def result(reply: Reply, operation: str) -> str:
    """The text of a simple result in a SOAP reply."""
    tag = f"{operation}Result>"
    return reply.text.partition(f"<{tag}")[2].partition(f"</{tag}")[0]


def counts(reply: Reply) -> list[int]:
    """The numbers of the first row, in order."""
    row = reply.text.partition("msdata:rowOrder")[2].partition("</Table>")[0]
    return [int(each.partition("<")[0]) for each in row.split(">") if each[:1].isdigit()]
