"""Connections that are kept for the next request. aiohttp makes them; asking its pool for each request takes longer."""

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.connector import Connection

from collector.errors import TransportError

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

__all__ = ["UNASKED", "Connected", "Connections"]

_KEPT_SECONDS: Final = 30.0
UNASKED: Final = "the other side spoke before it was asked"


class Connected:
    """A connection for one request.

    Attributes:
        protocol: what reads it.
        transport: what writes it.
        was_used: a request was answered over it before.
    """

    __slots__ = ("connection", "protocol", "since", "transport", "was_used")

    def __init__(self, connection: Connection) -> None:
        protocol = connection.protocol
        if protocol is None or protocol.transport is None:
            connection.close()
            raise aiohttp.ServerDisconnectedError  # closed like one that was closed later
        self.connection = connection
        self.protocol: ResponseHandler = protocol
        self.transport: asyncio.Transport = protocol.transport
        self.was_used = False
        self.since = 0.0

    def close(self) -> None:
        """Close it."""
        self.connection.close()


class Connections:
    """Makes connections, as many as are asked for at a time, and keeps those over which an answer came whole."""

    def __init__(self, pool: aiohttp.BaseConnector, connecting: aiohttp.ClientTimeout) -> None:
        self._pool = pool
        self._connecting = connecting
        self._idle: defaultdict[str, list[Connected]] = defaultdict(list)

    async def take(self, origin: str, place: aiohttp.ClientRequest, deadline: float) -> Connected:
        """A connection to where `place` is, by an instant of the event loop's clock.

        Raises:
            aiohttp.ClientError, OSError: there is none to be had.
            TimeoutError: nor by then.
            TransportError: the other side spoke before it was asked.
        """
        idle = self._idle[origin]
        oldest = asyncio.get_running_loop().time() - _KEPT_SECONDS
        while idle:
            connected = idle.pop()
            protocol = connected.protocol
            # what was said unasked would be taken for the answer to the next request
            if protocol.is_connected() and not protocol.should_close and connected.since >= oldest:
                connected.was_used = True
                return connected
            connected.close()
        async with asyncio.timeout_at(deadline):
            connected = Connected(await self._pool.connect(place, [], self._connecting))
        try:
            await asyncio.sleep(0)  # what is here already is read now
            if not connected.protocol.is_connected():
                raise aiohttp.ServerDisconnectedError
            if connected.protocol.should_close:
                raise TransportError(UNASKED)
        except BaseException:
            connected.close()
            raise
        return connected

    def keep(self, origin: str, connected: Connected) -> None:
        """For the next request to the same place, unless the other side wants to close it."""
        if connected.protocol.should_close:
            connected.close()
            return
        idle, now = self._idle[origin], asyncio.get_running_loop().time()
        if idle and idle[0].since < now - _KEPT_SECONDS:
            idle.pop(0).close()
        connected.since = now
        idle.append(connected)

    async def close(self) -> None:
        """Close them all."""
        for idle in self._idle.values():
            while idle:
                idle.pop().connection.release()  # the pool waits for the ends of those with TLS
        await self._pool.close()
