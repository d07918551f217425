"""Sends requests over kept-alive connections: aiohttp's ClientSession with all that must not happen switched off.

A reply is whatever came with a status line; no status is an error here. Redirects are not followed, cookies are not
kept, bodies stay encoded, and nothing is sent twice.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Final, NamedTuple, Self

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from collector.domain.clock import now_us
from collector.domain.replies import Reply
from collector.domain.trust import trust
from collector.errors import ConfigError, UnaskedError
from collector.transport.error_mapping import NotResentError, Sending, translated
from collector.transport.resolver import Resolver
from collector.wire.requests import Request

__all__ = ["Received", "Transport"]

_CONNECT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_LARGE_BYTES: Final = 1 << 18  # of a body; an answer has some 2,000
_BUFFER_BYTES: Final = 65_536
_MAX_HEADER_BYTES: Final = 64 << 10  # proxies send policies and cookies that are longer than 8 KB
_AUTO_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Received(NamedTuple):
    """A reply, and whether its body was cut off at the limit."""

    reply: Reply
    cut: bool


class Transport:
    """Sends requests over kept-alive connections, as many at a time as it is asked to. An async context manager.

    Args:
        timeout_seconds: from the request for a connection to the last byte of the reply, whatever happens between.
        max_reply_bytes: the most of a body that is read.
        ca_file: whose certificates are trusted; None for the system's authorities.
        has_tls: some request may go to an https address; aiohttp's own trust is used for one that does all the same.
        kept_seconds: how long an idle connection is kept: one that was idle for long may have been cut off silently.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        max_reply_bytes: int,
        user_agent: str,
        ca_file: Path | None = None,
        has_tls: bool = True,
        kept_seconds: float = 30.0,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_reply_bytes = max_reply_bytes
        self._ca_file = ca_file
        self._has_tls = has_tls
        # identity: an answer is small, and sealed replies compress many times better together than each alone
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        self._kept_seconds = kept_seconds
        self._tls: ssl.SSLContext | bool = True
        self._large = asyncio.Lock()

    async def __aenter__(self) -> Self:
        try:
            # reading the system's authorities takes longer than anything else here
            self._tls = trust(self._ca_file) if self._has_tls else True
        except ValueError as error:  # it was there when the configuration was read
            raise ConfigError(f"service.ca_file = {str(self._ca_file)!r}: {error}") from error
        self._kept = self._pool(is_kept=True)
        self._fresh = self._pool(is_kept=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._kept.session.close()
        await self._fresh.session.close()

    def _pool(self, *, is_kept: bool) -> "_Pool":
        """A session with connections of its own, which are used again or not."""
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=self._tls,
            resolver=Resolver(),
            force_close=not is_kept,
            keepalive_timeout=self._kept_seconds if is_kept else None,
        )
        connecting = min(_CONNECT_SECONDS, self._timeout_seconds)
        return _Pool(
            aiohttp.ClientSession(
                connector=connector,
                headers=self._headers,
                skip_auto_headers=_AUTO_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connecting),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[_TRACE],
                read_bufsize=_BUFFER_BYTES,
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
                middlewares=[_send_once],
            )
        )

    async def send(
        self,
        request: Request,
        on_sent: Callable[[], None] = lambda: None,
        *,
        fresh: bool = False,
        held: contextlib.AsyncExitStack | None = None,
    ) -> Received:
        """The reply to `request`; the time limit starts now. `on_sent` is called as it is written.

        Args:
            fresh: over a connection that was not used before, for what must not go out twice.
            held: left once the reply has been dealt with: until then no other reply grows beyond what answers are, so
                that many large ones do not fill the memory together. None for no longer than it is read.

        Raises:
            CertificateError: the service's certificate is refused, so nothing was sent.
            ConnectError: nothing was sent.
            DroppedError: a reused connection was closed before any byte came back.
            ReplyTimeoutError: no complete reply within the time limit.
            UnaskedError: what came was there before the request.
            TransportError: anything else on the way.
        """
        sending = Sending(on_sent, has_body=request.body is not None)
        pool = self._fresh if fresh else self._kept
        pool.in_flight += 1
        try:
            # nothing that aiohttp does or forgets ends this limit; it also holds for what comes after the headers
            async with (
                contextlib.AsyncExitStack() as read,
                asyncio.timeout(self._timeout_seconds) as limit,
            ):
                return await self._exchange(pool.session, request, sending, limit, held or read)
        except UnaskedError:
            if pool is self._kept:
                self._kept = self._pool(is_kept=True)
            raise
        except (aiohttp.ClientError, NotResentError, OSError, ssl.SSLError, ValueError) as error:
            raise translated(error, sending) from error
        finally:
            pool.in_flight -= 1
            if not pool.in_flight and pool not in (self._kept, self._fresh):
                await pool.session.close()

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        sending: Sending,
        limit: asyncio.Timeout,
        held: contextlib.AsyncExitStack,
    ) -> Received:
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            trace_request_ctx=sending,
        ) as response:
            if not sending.may_be_answered:
                raise UnaskedError
            sending.answered = True
            with _ended_when_closed(response, sending, limit):
                alone = partial(held.enter_async_context, self._large)
                body, is_cut = await _read(response.content, self._max_reply_bytes, alone)
            if is_cut:
                response.close()  # the rest of the body is not to be read
        reply = Reply(
            response.status,
            _by_name(response.headers),
            body,
            sending.sent_at_us,
            now_us(),
        )
        return Received(reply, is_cut)


@dataclass(slots=True, eq=False)
class _Pool:
    """A session and its connections.

    One over which something came unasked is given up with all its connections, since which one that was is not to be
    had: it is closed when the last request in flight over it has ended.
    """

    session: aiohttp.ClientSession
    in_flight: int = 0


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a request again by itself, as it does with a GET whose kept connection was closed.

    A request that goes out again needs a permit of its own.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise NotResentError(error) from error


async def _on_reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.reused = True


async def _on_headers(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    """The headers are about to be written, with the body where there is one."""
    sending: Sending = context.trace_request_ctx
    if not sending.has_body:
        sending.written()


async def _on_body(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    """The body is about to be written, and the headers with it."""
    context.trace_request_ctx.written()


def _traced() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(_on_reused)
    config.on_request_headers_sent.append(_on_headers)
    config.on_request_chunk_sent.append(_on_body)
    config.freeze()
    return config


_TRACE: Final = _traced()


@contextlib.contextmanager
def _ended_when_closed(
    response: aiohttp.ClientResponse, sending: Sending, limit: asyncio.Timeout
) -> Iterator[None]:
    """End the wait for the rest of a body whose connection is closed already.

    aiohttp closes the connection over broken framing that comes after the headers, and tells nobody who reads.
    """
    connection, loop = response.connection, asyncio.get_running_loop()
    transport = None if connection is None else connection.transport
    if transport is None:  # the body is here
        yield
        return

    timer: asyncio.TimerHandle

    def look(*, was_closed: bool) -> None:
        nonlocal timer
        if was_closed:  # and what was there to be read has been read since
            sending.is_broken = True
            limit.reschedule(loop.time())
            return
        again = partial(look, was_closed=transport.is_closing())
        timer = loop.call_later(_LOOK_SECONDS, again)

    timer = loop.call_later(_LOOK_SECONDS, partial(look, was_closed=False))
    try:
        yield
    finally:
        timer.cancel()


async def _read(
    content: aiohttp.StreamReader, limit: int, alone: Callable[[], Awaitable[None]]
) -> tuple[bytes, bool]:
    """At most `limit` bytes of a body, and whether there are more; `alone` is awaited before it grows large."""
    pieces, size = [], 0
    while size <= limit and (piece := await content.readany()):
        if size <= _LARGE_BYTES < size + len(piece):
            await alone()
        size += len(piece)
        pieces.append(piece)
    if size > limit:
        pieces[-1] = pieces[-1][: limit - size]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces), size > limit


def _by_name(headers: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """Headers by their names in lower case; values of a repeated one are joined with a comma (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found
