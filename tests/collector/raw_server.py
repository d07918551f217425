"""A raw TCP server on loopback that misbehaves on purpose, and writes down every request head it gets."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

__all__ = ["OK", "Peer", "Served", "closed_port", "serving"]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Peer:
    """One connection, as a behaviour sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    served: "Served"

    async def request(self) -> str:
        """The next request's head; its body is read too."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.served.heads.append(head)
        for line in head.split("\r\n"):
            if line.lower().startswith("content-length:"):
                await self.reader.readexactly(int(line.partition(":")[2]))
        return head

    async def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Make closing a reset instead of an end."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@dataclass
class Served:
    """Where it listens, and what came."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    ended: int = 0


@contextlib.asynccontextmanager
async def serving(
    behave: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Served]:
    """Serve every connection with that behaviour; closed when it returns."""
    served, tasks = Served(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        served.connections += 1
        try:
            with contextlib.suppress(
                asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
            ):
                await behave(Peer(reader, writer, served))
        finally:
            tasks.discard(task)
            served.ended += 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/service.asmx"
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
