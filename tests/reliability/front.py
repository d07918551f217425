"""What may stand between a run and the service: a TLS end, a proxy that lies, a line that breaks.

Each connection is passed on to the simulator, or dealt with by a behaviour of its own.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from collector.simulator import Simulator

__all__ = ["Front", "Line", "fronting", "passing"]

_HEAD_END = b"\r\n\r\n"


@dataclass
class Front:
    """Where it listens, and how many connections and requests came."""

    port: int = 0
    connections: int = 0
    requests: int = 0

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """The service's page behind it."""
        return f"{scheme}://{host}:{self.port}/v4.1/prod/ECGridOS.asmx"


@dataclass
class Line:
    """One connection of a client, and one to the service."""

    front: Front
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upstream: tuple[str, int]

    async def request(self) -> bytes:
        """The next request, whole."""
        head = await self.reader.readuntil(_HEAD_END)
        self.front.requests += 1
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head + await self.reader.readexactly(length)

    async def reply(self, request: bytes) -> bytes:
        """The service's reply to a request, head and body."""
        reader, writer = await asyncio.open_connection(*self.upstream)
        try:
            writer.write(request)
            head = await reader.readuntil(_HEAD_END)
            lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
            (length,) = [int(value) for name, _, value in lines if name == b"content-length"]
            return head + await reader.readexactly(length)
        finally:
            writer.close()

    async def say(self, data: bytes) -> None:
        """Send bytes to the client."""
        self.writer.write(data)
        await self.writer.drain()


Behaviour = Callable[[Line], Awaitable[None]]


async def passing(line: Line) -> None:
    """Every request to the service, every reply back."""
    while True:
        await line.say(await line.reply(await line.request()))


@contextlib.asynccontextmanager
async def fronting(
    simulator: Simulator, behave: Behaviour = passing, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Front]:
    """Listens on a free port of this machine until the block ends."""
    front, tasks = Front(), set[asyncio.Task[None]]()
    host, _, port = simulator.origin.removeprefix("http://").rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        front.connections += 1
        try:
            with contextlib.suppress(EOFError, OSError, asyncio.CancelledError):
                await behave(Line(front, reader, writer, (host, int(port))))
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
