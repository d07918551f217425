"""A service that is down for a while: when it begins, how long it lasts, and a port that refuses.

Knows sockets and switches, nothing of requests but their number.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from aiohttp import web

from collector.simulator.switches import DownBy, Switches

__all__ = ["Listener", "Outage"]

# Lets a thousand clients connect at once without a retry of theirs.
_BACKLOG: Final = 1_024


class Listener:
    """The port: open, closed, or refusing for a while.

    Args:
        port: 0 takes a free one, and keeps it.
    """

    def __init__(self, runner: web.ServerRunner, host: str, port: int) -> None:
        self._runner = runner
        self._host = host
        self.port = port
        self._site: web.TCPSite | None = None
        self._refusing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listens."""
        site = web.TCPSite(self._runner, self._host, self.port, backlog=_BACKLOG)
        await site.start()
        self._site, self.port = site, site.port

    def refuse(self, seconds: float) -> None:
        """Turns new connections away for that long; those there are stay."""
        if self._refusing is None or self._refusing.done():
            self._refusing = asyncio.get_running_loop().create_task(self._refuse(seconds))

    async def close(self) -> None:
        """Ends what is under way; the runner closes the port."""
        if self._refusing is not None:
            self._refusing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refusing

    async def _refuse(self, seconds: float) -> None:
        """Closes the port and opens it again."""
        if self._site is None:
            return
        addresses = [address[:2] for address in self._runner.addresses]
        await self._site.stop()
        with contextlib.ExitStack() as held:
            # Bound without listening: refuses connections, and nobody else gets the port meanwhile.
            for host, port in addresses:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                holder = held.enter_context(socket.socket(family))
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                holder.bind((host, port))
            await asyncio.sleep(seconds)
            await self.open()


class Outage:
    """Whether the service is down: from the Nth request on, once for each N it is told.

    Args:
        refuse: turns new connections away for so many seconds.
    """

    def __init__(self, refuse: Callable[[float], None]) -> None:
        self._refuse = refuse
        self._begun = 0  # the N of the outage that came last
        self._until = 0.0  # seconds of the monotonic clock

    def holds(self, switches: Switches, number: int, now: float) -> bool:
        """Whether the request of that number meets a service that is down."""
        if switches.down_from != self._begun and number >= switches.down_from:
            self._begun = switches.down_from
            self._until = now + switches.down_seconds if switches.down_from else 0.0
            if switches.down_from and switches.down_by is DownBy.REFUSAL:
                self._refuse(switches.down_seconds)
        return now < self._until
