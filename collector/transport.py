"""Owns the aiohttp session: a request out, a reply in. The only module that names aiohttp as a client.

A reply is whatever came with a status line; no status is an error here. Redirects are not followed, cookies are not
kept, bodies stay encoded, and nothing is sent twice.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from collector.errors import (
    CertificateError,
    ConfigError,
    ConnectError,
    DroppedError,
    ReplyTimeoutError,
    TransportError,
)
from collector.model import Reply
from collector.trust import certificate_fault, trust
from collector.wire.requests import Request

__all__ = ["Received", "Transport"]

_CONNECT_SECONDS = 10.0
_MAX_HEADER_BYTES = 64 << 10  # proxies send policies and cookies that are longer than 8 KB


_NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class _Resolver(AbstractResolver):
    """Looks names up in a thread that nobody waits for when the program ends.

    A name server that does not answer takes the system's resolver minutes, which no time limit of ours ends; the
    loops' own threads, and those of uvloop, hold up the end of the process as long.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The numeric addresses of a host.

        Raises:
            OSError: it has none, or nobody could be asked.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def tell(result: list[ResolveResult] | OSError) -> None:
            if found.done():
                return
            if isinstance(result, OSError):
                found.set_exception(result)
            else:
                found.set_result(result)

        def look_up() -> None:
            try:
                result: list[ResolveResult] | OSError = _addresses(host, port, family)
            except OSError as error:
                result = error
            except UnicodeError as error:  # a label that no name server could be asked for
                result = OSError(f"not a host name: {error}")
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, result)

        threading.Thread(target=look_up, name="look-up", daemon=True).start()
        return await found

    async def close(self) -> None:
        """Nothing is held."""


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=socket.getnameinfo(address, _NUMERIC)[0],  # with the zone of a link-local one
            port=port,
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]


@dataclass(slots=True)
class _Sending:
    """What the traces of one request tell: when it was written, and on which kind of connection."""

    on_sent: Callable[[], None]
    sent_at_us: int = 0
    reused: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A reply, and whether its body was cut off at the limit."""

    reply: Reply
    cut: bool


class Transport:
    """Sends requests over kept-alive connections, at most `concurrency` at a time."""

    def __init__(
        self,
        *,
        concurrency: int,
        timeout_seconds: float,
        max_reply_bytes: int,
        user_agent: str,
        ca_file: Path | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, sock_connect=min(_CONNECT_SECONDS, timeout_seconds)
        )
        self._max_reply_bytes = max_reply_bytes
        # identity: an answer is small, and sealed replies compress many times better together than each alone
        self._ca_file = ca_file
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}

    async def __aenter__(self) -> Self:
        try:
            tls = trust(self._ca_file)
        except ValueError as error:  # it was there when the configuration was read
            raise ConfigError(f"service.ca_file = {str(self._ca_file)!r}: {error}") from error
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._concurrency, keepalive_timeout=30, ssl=tls, resolver=_Resolver()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=self._timeout,
            auto_decompress=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
            trace_configs=[_trace()],
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def send(self, request: Request, on_sent: Callable[[], None] = lambda: None) -> Received:
        """The reply to `request`; the time limit starts now. `on_sent` is called when it has been written.

        Raises:
            CertificateError: the service's certificate is refused, so nothing was sent.
            ConnectError: nothing was sent.
            DroppedError: a reused connection was closed before any byte came back.
            ReplyTimeoutError: no complete reply within the time limit.
            TransportError: anything else on the way.
        """
        sending = _Sending(on_sent)
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                trace_request_ctx=sending,
            ) as response:
                sending.answered = True
                body, cut = await self._body(response)
                if cut:
                    response.close()
                return Received(_reply(response, body, sending), cut)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError, ValueError) as error:
            raise _translated(error, sending) from error

    async def _body(self, response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
        declared = response.content_length
        if declared is not None and declared <= self._max_reply_bytes:
            return await response.read(), False
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            chunks.append(chunk)
            if size > self._max_reply_bytes:
                return b"".join(chunks)[: self._max_reply_bytes], True
        return b"".join(chunks), False


def _reply(response: aiohttp.ClientResponse, body: bytes, sending: _Sending) -> Reply:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    received_at_us = time.time_ns() // 1_000
    return Reply(
        response.status, headers, body, sending.sent_at_us or received_at_us, received_at_us
    )


def _translated(error: Exception, sending: _Sending) -> TransportError | CertificateError:
    """The one seam at which the client library's errors become ours."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateError(certificate_fault(cause))
    text = f"{type(error).__name__}: {_said(error)}".rstrip(": ")[:300]
    if isinstance(error, DroppedError):
        return error
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ConnectError(text)
    if isinstance(error, TimeoutError):
        return ReplyTimeoutError("no complete reply within service.timeout_seconds")
    if sending.reused and not sending.answered and _is_drop(error):
        return DroppedError(text)
    return TransportError(text)


def _said(error: Exception) -> str:
    """Never the URL: in the http-get binding the credential is in its query."""
    if isinstance(error, aiohttp.ClientResponseError):
        said = f"{error.status} {error.message}"
    else:
        said = "" if isinstance(error, aiohttp.InvalidURL) else str(error)
    return said.encode("utf-8", errors="replace").decode()


def _is_drop(error: Exception) -> bool:
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)


def _trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_on_reuse)
    trace.on_connection_create_start.append(_on_connect)
    trace.on_request_headers_sent.append(_on_sent)
    return trace


async def _on_reuse(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    await _on_connect(_, context, __)
    context.trace_request_ctx.reused = True


async def _on_connect(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    # aiohttp sends a GET again by itself when a kept-alive connection was closed: that would pass the rate gate by
    if context.trace_request_ctx.sent_at_us:
        raise aiohttp.ServerDisconnectedError("a kept-alive connection was closed")


async def _on_sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.sent_at_us = time.time_ns() // 1_000
    context.trace_request_ctx.on_sent()
