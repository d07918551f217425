"""Exchanges of a request for its reply.

aiohttp makes the connections and parses what comes. Its ClientSession is passed by: cookies, redirects, proxies, traces
and a retry of its own, none of which is wanted here, take longer than all else that a call needs.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from collector.domain.values import Reply
from collector.errors import TransportError
from collector.transport.connections import UNASKED, Connections
from collector.transport.error_mapping import Sending
from collector.wire.requests import Request

__all__ = ["Exchanges", "Received"]

_BUFFER_BYTES: Final = 65_536
_MAX_HEADER_BYTES: Final = 64 << 10  # proxies send policies and cookies that are longer than 8 KB
_SWITCHING_PROTOCOLS: Final = 101
_QUICK_US: Final = 25_000  # a service that answers sooner is not waited for, but waits
_WEIGHT: Final = 0.05  # of the newest reply in what is usual
_Unwritten = tuple[asyncio.Transport, bytes, Sending, Callable[[], None]]


class Received(NamedTuple):
    """A reply, and whether its body was cut off at the limit."""

    reply: Reply
    cut: bool


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a request goes, as aiohttp wants to know it, and its first lines."""

    origin: str
    place: aiohttp.ClientRequest
    lines: bytes


class Exchanges:
    """Performs exchanges; what all requests have in common is made once.

    Args:
        seconds: the time limit of an exchange.
        headers: of every request.
    """

    def __init__(
        self, connections: Connections, seconds: float, headers: Mapping[str, str]
    ) -> None:
        self._connections = connections
        self._seconds = seconds
        self._headers = dict(headers)
        self._unwritten: list[_Unwritten] = []
        self._usual_us = 0.0
        self._heads: dict[tuple[str, ...], _Head] = {}

    async def exchange(
        self, request: Request, sending: Sending, on_sent: Callable[[], None], limit: int
    ) -> Received:
        """Send a request and read the reply, of whose body at most `limit` bytes.

        Raises:
            aiohttp.ClientError, OSError, HttpProcessingError: what aiohttp says of a failure.
            TimeoutError: the last byte did not come in time.
            TransportError: the other side spoke before it was asked.
            ValueError: a header or the URL holds what cannot be sent.
        """
        head = self._head(request)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        connected = await self._connections.take(head.origin, head.place, deadline)
        sending.reused = connected.was_used
        protocol, transport = connected.protocol, connected.transport
        # asyncio.timeout takes several times as long to begin and end
        timer = loop.call_at(deadline, _give_up, sending, transport)
        try:
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                read_bufsize=_BUFFER_BYTES,
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
            )
            body = request.body
            length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
            data = b"%b%b\r\n%b" % (head.lines, length, body or b"")
            self._write_soon((transport, data, sending, on_sent))
            message, payload = await _final(protocol, sending)
            content, cut = await _content(payload, limit)
            if sending.is_late:
                raise TimeoutError  # the end of the body was that of our patience
        except BaseException as error:
            connected.close()
            if sending.is_late and isinstance(error, Exception):
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        if cut:
            connected.close()
        else:
            self._connections.keep(head.origin, connected)
        reply = _reply(message, content, sending)
        self._usual_us += _WEIGHT * (reply.received_at_us - reply.sent_at_us - self._usual_us)
        return Received(reply, cut)

    def _write_soon(self, unwritten: _Unwritten) -> None:
        """Write together what one turn of the event loop has to send, so that a quick service wakes once for all of it.

        To one that takes its time requests go out one by one: those that were sent together would stay together, and
        wait for each other ever after.
        """
        self._unwritten.append(unwritten)
        if self._usual_us > _QUICK_US:
            self._write()
        elif len(self._unwritten) == 1:
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        together, self._unwritten = self._unwritten, []
        for transport, data, sending, _ in together:
            if not transport.is_closing():  # else whoever waits for the answer hears of it
                transport.write(data)
                sending.sent_at_us = time.time_ns() // 1_000
        # uvloop writes at the end of this turn
        asyncio.get_running_loop().call_soon(_tell, [on_sent for *_, on_sent in together])

    def _head(self, request: Request) -> _Head:
        if request.body is None:  # the credential is in the URL: no two are alike
            return self._made(request)
        key = (request.method, request.url, *request.headers.values())
        if key not in self._heads:
            self._heads[key] = self._made(request)
        return self._heads[key]

    def _made(self, request: Request) -> _Head:
        url = URL(request.url, encoded=True)
        headers = {"Host": url.host_port_subcomponent or "", **self._headers, **request.headers}
        lines = [f"{request.method} {url.raw_path_qs} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if any(mark in line for line in lines for mark in "\r\n\0"):
            raise ValueError("a header or the URL holds a line break or a NUL")
        text = "\r\n".join([*lines, ""])
        return _Head(str(url.origin()), aiohttp.ClientRequest(request.method, url), text.encode())


def _give_up(sending: Sending, transport: asyncio.Transport) -> None:
    """The time is over: whoever reads from the connection hears that it is closed."""
    sending.is_late = True
    transport.abort()


def _tell(waiting: list[Callable[[], None]]) -> None:
    for on_sent in waiting:
        on_sent()


async def _final(
    protocol: ResponseHandler, sending: Sending
) -> tuple[RawResponseMessage, StreamReader]:
    """The reply that is no interim one (RFC 9110, 15.2)."""
    while True:
        message, payload = await protocol.read()
        if not sending.sent_at_us:
            raise TransportError(UNASKED)
        sending.answered = True
        if message.code >= 200 or message.code == _SWITCHING_PROTOCOLS:
            return message, payload


async def _content(payload: StreamReader, limit: int) -> tuple[bytes, bool]:
    """The body, and whether it was cut off."""
    content = await payload.readany()
    # hardly ever does an answer come in several pieces
    if payload.at_eof() and len(content) <= limit:
        return content, False
    pieces, size = [content], len(content)
    while size <= limit and (piece := await payload.readany()):
        size += len(piece)
        pieces.append(piece)
    return b"".join(pieces)[:limit], size > limit


def _reply(message: RawResponseMessage, body: bytes, sending: Sending) -> Reply:
    received_at_us = time.time_ns() // 1_000
    headers = _by_name(message.raw_headers)
    return Reply(message.code, headers, body, sending.sent_at_us, received_at_us)


@lru_cache(maxsize=256)  # replies of one second and one length have the same
def _by_name(raw: tuple[tuple[bytes, bytes], ...]) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for pair in raw:
        name, value = (part.decode("utf-8", errors="surrogateescape") for part in pair)
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return MappingProxyType(headers)
