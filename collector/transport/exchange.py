"""One request and its reply on one connection of aiohttp's pool.

aiohttp makes the connections, keeps them alive and parses what comes. Its ClientSession is passed by: cookies,
redirects, proxies, traces and a retry of its own, none of which is wanted here, take longer than all else that a call
needs.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from collector.model import Reply
from collector.transport.trouble import Sending
from collector.wire.requests import Request

__all__ = ["Exchanges", "Received"]

_BUFFER_BYTES: Final = 65_536
_MAX_HEADER_BYTES: Final = 64 << 10  # proxies send policies and cookies that are longer than 8 KB
_SWITCHING_PROTOCOLS: Final = 101


@dataclass(frozen=True, slots=True)
class Received:
    """A reply, and whether its body was cut off at the limit."""

    reply: Reply
    cut: bool


class Exchanges:
    """Performs exchanges over the connections of one pool; what all requests have in common is made once."""

    def __init__(
        self,
        pool: aiohttp.BaseConnector,
        timeout: aiohttp.ClientTimeout,
        headers: Mapping[str, str],
    ) -> None:
        self._pool = pool
        self._timeout = timeout
        self._headers = dict(headers)
        self._used: WeakSet[ResponseHandler] = WeakSet()
        self._heads: dict[tuple[str, ...], tuple[aiohttp.ClientRequest, bytes]] = {}

    async def exchange(
        self, request: Request, sending: Sending, on_sent: Callable[[], None], limit: int
    ) -> Received:
        """Send a request and read the reply, of whose body at most `limit` bytes.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError, HttpProcessingError: what aiohttp says of a failure.
            ValueError: a header or the URL holds what cannot be sent.
        """
        place, head = self._head(request)
        connection = await self._pool.connect(place, [], self._timeout)
        try:
            protocol = connection.protocol
            if protocol is None or protocol.transport is None:
                raise aiohttp.ServerDisconnectedError  # closed like one that was closed later
            if protocol in self._used:
                sending.reused = True
            else:
                self._used.add(protocol)
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                read_bufsize=_BUFFER_BYTES,
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
            )
            body = request.body
            length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
            protocol.transport.write(b"%b%b\r\n%b" % (head, length, body or b""))
            sending.sent_at_us = time.time_ns() // 1_000
            asyncio.get_running_loop().call_soon(on_sent)  # uvloop writes at this turn's end
            message, payload = await _final(protocol)
            sending.answered = True
            content, cut = await _content(payload, limit)
        except BaseException:
            connection.close()
            raise
        if cut:
            connection.close()
        else:
            connection.release()
        return Received(_reply(message, content, sending), cut)

    def _head(self, request: Request) -> tuple[aiohttp.ClientRequest, bytes]:
        """Where the request goes, as the pool wants to know it, and its first lines."""
        if request.body is None:  # the credential is in the URL: no two are alike
            return self._made(request)
        key = (request.method, request.url, *request.headers.values())
        if key not in self._heads:
            self._heads[key] = self._made(request)
        return self._heads[key]

    def _made(self, request: Request) -> tuple[aiohttp.ClientRequest, bytes]:
        url = URL(request.url, encoded=True)
        headers = {"Host": url.host_port_subcomponent or "", **self._headers, **request.headers}
        lines = [f"{request.method} {url.raw_path_qs} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if any(mark in line for line in lines for mark in "\r\n\0"):
            raise ValueError("a header or the URL holds a line break or a NUL")
        return aiohttp.ClientRequest(request.method, url), "\r\n".join([*lines, ""]).encode()


async def _final(protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """The reply that is no interim one (RFC 9110, 15.2)."""
    while True:
        message, payload = await protocol.read()
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
