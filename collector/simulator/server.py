"""The service on a socket: connections, arrival stamps, latency, delivery. Knows nothing of counts.

Uses aiohttp's low-level server: a router would cost more than the whole answer.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import web
from multidict import CIMultiDict

from collector.domain.binding import Binding
from collector.simulator.asked import Asked, Contract, Refused, RequestHead, refused_by_fault
from collector.simulator.clock import http_date
from collector.simulator.control import Control
from collector.simulator.delivery import canned, tampered, throttled
from collector.simulator.faults import PAGE
from collector.simulator.hostile import hostile
from collector.simulator.operations import BY_NAME
from collector.simulator.outage import Outage
from collector.simulator.pouring import poured
from collector.simulator.record import Arrival, Log
from collector.simulator.registry import Registry
from collector.simulator.replies import Fault, FaultCode, WireReply, html_reply
from collector.simulator.requests import MAX_REQUEST_BYTES, asked
from collector.simulator.selector import CallKey, fraction
from collector.simulator.service import Caller, Service
from collector.simulator.switches import DownBy, RateScope, Switches
from collector.simulator.wsdl import help_page, wsdl

__all__ = ["Front"]

_SERVER: Final = "nginx/1.22.1"  # what stood before the stack whose replies were recorded
_CONTROL: Final = "/_simulator/"
_DRIPS: Final = 10  # pieces of a slow body
_KEEPALIVE_SECONDS: Final = 120.0  # the default of IIS

_THROTTLES: Final = frozenset({"throttle", "login_throttled"})
_TOO_LONG: Final = (
    "There was an exception running the extensions specified in the config file. ---> "
    "Maximum request length exceeded."
)

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Connection(web.RequestHandler):
    """A connection that stamps each arrival before anything else happens to it."""

    __slots__ = ("gone", "number", "stamp", "wall_us")

    def __init__(self, manager: "_Server", loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(manager, loop=loop, **options)
        self.gone = asyncio.Event()
        self.number = 0
        self.stamp = 0.0  # seconds
        self.wall_us = 0

    def data_received(self, data: bytes) -> None:
        """Stamps before parsing: what waits in a queue has arrived all the same."""
        self.stamp, self.wall_us = time.monotonic(), time.time_ns() // 1_000
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wakes whoever holds a reply back on purpose."""
        self.gone.set()
        super().connection_lost(exc)


class _Server(web.Server):
    """Hands out numbered connections."""

    def __init__(self, handler: _Handler, options: dict[str, Any]) -> None:
        super().__init__(handler, **options)
        self._options = options
        self._connections_made = 0

    def __call__(self) -> web.RequestHandler:
        connection = _Connection(self, asyncio.get_running_loop(), **self._options)
        self._connections_made += 1
        connection.number = self._connections_made
        return connection


class Front:
    """Takes requests, asks the service, delivers replies.

    Args:
        seed: of the jitter and of the switches' draws.
        refuse: turns new connections away for so many seconds.
    """

    def __init__(
        self,
        service: Service,
        registry: Registry,
        log: Log,
        control: Control,
        seed: int,
        refuse: Callable[[float], None],
    ) -> None:
        self._service = service
        self._registry = registry
        self._log = log
        self._control = control
        self._seed = seed
        self._outage = Outage(refuse)
        self._admissions: dict[str, deque[float]] = {}
        self._closing = asyncio.Event()

    def server(self) -> web.Server:
        """The server to put on a socket."""
        options = {
            "keepalive_timeout": _KEEPALIVE_SECONDS,
            "access_log": None,
            "auto_decompress": False,  # a gzipped request is a 400, as IIS gives it
        }
        return _Server(self._handle, options)

    def close(self) -> None:
        """Ends what waits on purpose."""
        self._closing.set()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from its arrival in the log to its reply on the socket."""
        connection = cast("_Connection", request.protocol)
        path, _, query = request.raw_path.partition("?")
        if path.startswith(_CONTROL):
            return await self._control.reply(request, path.removeprefix(_CONTROL))
        arrival = self._log.arrived(connection.stamp, connection.wall_us, connection.number)
        reply, hits, switches = await self._reply(request, path, query, arrival)
        arrival.answered_monotonic = time.monotonic()
        if reply is None:
            return self._abandon(request)
        arrival.status, arrival.fault = reply.status, reply.fault
        return await self._deliver(request, reply, hits, switches)

    async def _reply(
        self, request: web.BaseRequest, path: str, query: str, arrival: Arrival
    ) -> tuple[WireReply | None, frozenset[str], Switches]:
        """The reply (None: no reply at all), the switches that hit, and all of them."""
        switches = self._registry.switches
        contract = Contract(switches.namespace, switches.http_get, switches.http_post)
        head = RequestHead(request.method, path, query, request.headers)
        if (
            request.headers.get("Expect", "").lower() == "100-continue"
            and request.transport is not None
        ):
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            page = self._page(head)
            if page is not None:
                return page, frozenset(), switches
            wanted = asked(head, await _body(request), contract)
        except Refused as refused:
            arrival.binding = str(refused.binding or "")
            arrival.operation = refused.operation if refused.operation in BY_NAME else ""
            return refused.reply, frozenset(), switches
        return await self._answered(request, wanted, arrival)

    async def _answered(
        self, request: web.BaseRequest, wanted: Asked, arrival: Arrival
    ) -> tuple[WireReply | None, frozenset[str], Switches]:
        """The reply to a request that could be read: limits first, then latency, then the service."""
        switches, call = self._noted(wanted, arrival)
        # A service is down for all or for none.
        if self._outage.holds(self._registry.switches, arrival.number, arrival.monotonic):
            return self._down(arrival), frozenset(), switches
        hits = switches.hits(call, self._seed)
        arrival.hits = tuple(sorted(hits))
        caller = self._service.caller_of(wanted)
        if self._over_limit(switches, caller, arrival.monotonic) or hits & _THROTTLES:
            return throttled(switches, self._service.now_us(switches)), hits, switches
        await self._wait(switches, call)
        if "never_answer" in hits:
            connection = cast("_Connection", request.protocol)
            await self._silence(connection, switches.never_answer_seconds)
        for name in ("never_answer", "drop_connection"):
            if name in hits:
                arrival.fault = name
                return None, hits, switches
        reply = canned(hits)
        if reply is None:
            asking = Caller(caller, request.remote or "", switches, hits, arrival)
            reply = self._service.perform(wanted, asking)
        if hits:
            reply = tampered(reply, hits, wanted.strings.get("SessionID") or "")
        if "hostile" in hits:
            reply = hostile(reply, switches, call, self._seed)
        return reply, hits, switches

    def _down(self, arrival: Arrival) -> WireReply | None:
        """What a request gets from a service that is down."""
        if self._registry.switches.down_by is DownBy.PAGE_503:
            return html_reply(503, "Service Unavailable", "down")
        arrival.fault = "down"
        return None

    def _noted(self, wanted: Asked, arrival: Arrival) -> tuple[Switches, CallKey]:
        """Writes down who asks for what, and counts the call."""
        label, operation = self._service.label_of(wanted), wanted.operation.name
        minutes1, minutes2 = wanted.numbers.get("Minutes1"), wanted.numbers.get("Minutes2")
        arrival.operation, arrival.binding, arrival.session = operation, str(wanted.binding), label
        arrival.minutes1, arrival.minutes2 = minutes1, minutes2
        call = self._registry.arrived(label, operation, minutes1 or 0, minutes2 or 0)
        return self._registry.of(label), call

    async def _wait(self, switches: Switches, call: CallKey) -> None:
        """The latency of this call; the jitter is drawn from the call, not from the moment."""
        if switches.latency_ms or switches.jitter_ms:
            parts = (call.label, call.operation, call.minutes1, call.minutes2, call.attempt)
            drawn = fraction(self._seed, "jitter", *parts)
            await asyncio.sleep((switches.latency_ms + drawn * switches.jitter_ms) / 1_000)

    def _page(self, head: RequestHead) -> WireReply | None:
        """What is answered without looking into the request: WSDL, help page, other paths."""
        if head.path == PAGE and head.method == "GET":
            # ASP.NET takes the query in any case.
            if head.query.lower() == "wsdl":
                location = f"http://{head.headers.get('host', '127.0.0.1')}{PAGE}"
                namespace = self._registry.switches.namespace
                return WireReply(200, "text/xml; charset=utf-8", wsdl(location, namespace))
            return WireReply(200, "text/html; charset=utf-8", help_page(head.query))
        if head.path != PAGE and not head.path.startswith(PAGE + "/"):
            return html_reply(404, "Not Found", "stack")
        return None

    def _over_limit(self, switches: Switches, label: str, monotonic: float) -> bool:
        """Whether this request is one too many in the sliding window; refused ones do not count."""
        if switches.rate_limit == 0:
            return False
        scope = label if switches.rate_limit_scope is RateScope.SESSION else ""
        admitted = self._admissions.setdefault(scope, deque())
        while admitted and admitted[0] <= monotonic - switches.rate_limit_seconds:
            admitted.popleft()
        if len(admitted) >= switches.rate_limit:
            return True
        admitted.append(monotonic)
        return False

    async def _silence(self, connection: _Connection, seconds: float) -> None:
        """Waits until the client or the simulator goes away, or the time is over."""
        waits = [asyncio.ensure_future(event.wait()) for event in (connection.gone, self._closing)]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _abandon(self, request: web.BaseRequest) -> web.Response:
        """Closes the connection without a byte; the response goes nowhere."""
        if request.transport is not None:
            request.transport.abort()
        response = web.Response()
        response.force_close()
        return response

    async def _deliver(
        self, request: web.BaseRequest, reply: WireReply, hits: frozenset[str], switches: Switches
    ) -> web.StreamResponse:
        """Sends the reply, whole or as the switches say."""
        headers = _headers(reply, self._service.now_us(switches))
        if hits & {"truncated", "cut_body"}:
            return self._cut(request, reply, headers, reset="cut_body" in hits)
        if reply.spaces:
            return await poured(request, reply, headers, self._closing)
        if "slow_body" in hits:
            return await self._drip(request, reply, headers, switches.slow_body_seconds)
        response = web.Response(status=reply.status, body=reply.body, headers=headers)
        if "close_after_reply" in hits:
            # An explicit header keeps aiohttp from announcing the close.
            headers["Connection"] = "keep-alive"
            response = web.Response(status=reply.status, body=reply.body, headers=headers)
            response.force_close()
        return response

    def _cut(
        self, request: web.BaseRequest, reply: WireReply, headers: CIMultiDict[str], *, reset: bool
    ) -> web.Response:
        """Half the body under a Content-Length for all of it, then the end of the connection."""
        transport = request.transport
        if transport is not None:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            # aiohttp would refuse to send less than it announced, so this goes past it.
            half = reply.body[: len(reply.body) // 2]
            transport.write(f"HTTP/1.1 {reply.status} OK\r\n{lines}\r\n".encode() + half)
            if reset:
                transport.abort()
            else:
                transport.close()
        response = web.Response()
        response.force_close()
        return response

    async def _drip(
        self, request: web.BaseRequest, reply: WireReply, headers: CIMultiDict[str], seconds: float
    ) -> web.StreamResponse:
        """Head at once, then the body in tenths."""
        response = web.StreamResponse(status=reply.status, headers=headers)
        step = max(1, -(-len(reply.body) // _DRIPS))
        with contextlib.suppress(ConnectionError):
            await response.prepare(request)
            for at in range(0, len(reply.body), step):
                await response.write(reply.body[at : at + step])
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), seconds / _DRIPS)
            await response.write_eof()
        return response


def _headers(reply: WireReply, now_us: int) -> CIMultiDict[str]:
    """The headers in the order the real stack sends them."""
    headers: CIMultiDict[str] = CIMultiDict()
    headers["Server"] = _SERVER
    headers["Date"] = http_date(now_us)
    headers["Content-Type"] = reply.content_type
    headers["Content-Length"] = str(len(reply.body))
    headers["X-AspNet-Version"] = "4.0.30319"
    headers["Cache-Control"] = "private" if reply.by_stack else "private, max-age=0"
    headers.extend(reply.headers)
    return headers


async def _body(request: web.BaseRequest) -> bytes:
    """The request's body, bounded as the stack bounds it."""
    if not request.body_exists:
        return b""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_chunked(65_536):
        size += len(chunk)
        if size > MAX_REQUEST_BYTES:
            soap12 = request.content_type == "application/soap+xml"
            binding = Binding.SOAP12 if soap12 else Binding.SOAP11
            fault = Fault(FaultCode.SERVER, _TOO_LONG)
            raise refused_by_fault(fault, binding)
        chunks.append(chunk)
    return b"".join(chunks)
