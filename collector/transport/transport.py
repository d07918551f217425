"""The door: sends requests over kept-alive connections. Owns the pool, the time limit and the trust in certificates.

A reply is whatever came with a status line; no status is an error here. Redirects are not followed, cookies are not
kept, bodies stay encoded, and nothing is sent twice.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from collector.domain.trust import trust
from collector.errors import ConfigError
from collector.transport.connections import Connections
from collector.transport.error_mapping import Sending, translated
from collector.transport.exchange import Exchanges, Received
from collector.transport.resolver import Resolver
from collector.wire.requests import Request

__all__ = ["Transport"]

_CONNECT_SECONDS: Final = 10.0


class Transport:
    """Sends requests over kept-alive connections, as many at a time as it is asked to.

    Args:
        has_tls: some request may go to an https address; aiohttp's own trust is used for one that does all the same.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        max_reply_bytes: int,
        user_agent: str,
        ca_file: Path | None = None,
        has_tls: bool = True,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_reply_bytes = max_reply_bytes
        self._ca_file = ca_file
        self._has_tls = has_tls
        # identity: an answer is small, and sealed replies compress many times better together than each alone
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}

    async def __aenter__(self) -> Self:
        try:
            # reading the system's authorities takes longer than anything else here
            tls = trust(self._ca_file) if self._has_tls else True
        except ValueError as error:  # it was there when the configuration was read
            raise ConfigError(f"service.ca_file = {str(self._ca_file)!r}: {error}") from error
        pool = aiohttp.TCPConnector(limit=0, ssl=tls, resolver=Resolver())
        connecting = min(_CONNECT_SECONDS, self._timeout_seconds)
        self._connections = Connections(pool, aiohttp.ClientTimeout(sock_connect=connecting))
        self._exchanges = Exchanges(self._connections, self._timeout_seconds, self._headers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._connections.close()

    async def send(
        self, request: Request, on_sent: Callable[[], None] = lambda: None, *, fresh: bool = False
    ) -> Received:
        """The reply to `request`; the time limit starts now. `on_sent` is called when it has been written.

        Raises:
            CertificateError: the service's certificate is refused, so nothing was sent.
            ConnectError: nothing was sent.
            DroppedError: a reused connection was closed before any byte came back.
            ReplyTimeoutError: no complete reply within the time limit.
            TransportError: anything else on the way.
        """
        sending = Sending()
        try:
            return await self._exchanges.exchange(request, sending, on_sent, self._max_reply_bytes)
        except (
            aiohttp.ClientError,
            HttpProcessingError,
            TimeoutError,
            ssl.SSLError,
            OSError,
            ValueError,
        ) as error:
            raise translated(error, sending) from error
