"""Translates aiohttp's errors into the collector's; no other module does."""

import asyncio
import errno
import os
import ssl
from collections.abc import Callable
from typing import Final

import aiohttp

from collector.domain.clock import now_us
from collector.domain.trust import certificate_fault
from collector.errors import (
    CertificateError,
    ConnectError,
    DroppedError,
    ReplyTimeoutError,
    TransportError,
)

__all__ = ["NotResentError", "Sending", "translated"]

_NO_TLS: Final = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)
_LONGEST: Final = 300  # characters of a text
_REACHABLE: Final = "is service.url right, and does the network of this machine lead there?"
_NAME: Final = "is service.url right, and does this machine's DNS answer?"
_TOO_LATE: Final = f"no connection in time: {_REACHABLE}"


class NotResentError(Exception):
    """The connection of a request failed; raised in aiohttp's place, so that it does not send the request again.

    Attributes:
        error: what aiohttp said.
    """

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__(str(error))
        self.error = error


class Sending:
    """How far one request came, and on which kind of connection.

    Attributes:
        has_body: its body is written after its headers.
        sent_at_us: the client's clock as it was written; 0 before.
        reused: its connection has served another request before.
        answered: the headers of a reply came.
        is_broken: its connection was closed before its body had come whole.
        may_be_answered: a turn of the event loop has passed since the request was written. What came from the network
            after that wakes whoever waits for it one turn later at the earliest, so a reply that is there sooner had
            come before the request was written.
    """

    __slots__ = (
        "_on_sent",
        "answered",
        "has_body",
        "is_broken",
        "may_be_answered",
        "reused",
        "sent_at_us",
    )

    def __init__(self, on_sent: Callable[[], None], *, has_body: bool) -> None:
        self._on_sent = on_sent
        self.has_body = has_body
        self.sent_at_us = 0
        self.reused = False
        self.answered = False
        self.is_broken = False
        self.may_be_answered = False

    def written(self) -> None:
        """The request is written now: aiohttp calls this right before it gives the bytes to the socket."""
        if not self.sent_at_us:
            self.sent_at_us = now_us()
            asyncio.get_running_loop().call_soon(self._turn)
            self._on_sent()

    def _turn(self) -> None:
        self.may_be_answered = True


def translated(error: Exception, sending: Sending) -> TransportError | CertificateError:
    """What an error that came of a request means for its call."""
    if isinstance(error, NotResentError):
        error = error.error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateError(certificate_fault(cause))
    text = _said(error)[:_LONGEST]
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ConnectError(text)
    if sending.is_broken:
        return TransportError("the reply is broken: the connection was closed within its body")
    if isinstance(error, TimeoutError) and not sending.sent_at_us:
        return ConnectError(_TOO_LATE)
    if isinstance(error, TimeoutError):
        return ReplyTimeoutError("no complete reply within service.timeout_seconds")
    if sending.reused and not sending.answered and _is_drop(error):
        return DroppedError(text)
    return TransportError(text)


def _said(error: Exception) -> str:
    """What happened and what to look at, then the library's words; never the URL: it may have the credential in it."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        # errors of a look-up have numbers below 0 and words of their own
        said = f"there is no address for {error.host}: {_NAME} ({_cause(error.os_error)})"
    elif isinstance(error, aiohttp.ClientConnectorError):
        said = f"cannot connect to {error.host}:{error.port}{_refusal(error.os_error)}"
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        said = _TOO_LATE
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        said = "the connection was closed before the reply had come"
    elif isinstance(error, aiohttp.ClientResponseError):
        said = f"what came back is not proper HTTP ({error.status} {error.message})"
    elif isinstance(error, aiohttp.InvalidURL):
        said = "what service.url names is no address that can be asked"
    elif isinstance(error, aiohttp.ClientPayloadError):
        cause = error.__cause__
        why = cause.message if isinstance(cause, aiohttp.http.HttpProcessingError) else error
        said = f"the reply is broken or ended too early ({why})"
    elif isinstance(error, OSError):
        said = f"the connection broke ({_cause(error)})"
    else:
        said = f"the exchange with the service failed ({error})"
    return " ".join(said.encode("utf-8", errors="replace").decode().split())


def _refusal(error: OSError) -> str:
    """Why there is no connection, and what to look at."""
    if isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
        if reason in _NO_TLS:
            return f" with TLS: what listens there does not speak it; is the port in service.url right? ({reason})"
        return f" with TLS: is service.url right, and is no proxy in the way? ({reason})"
    return f": {_REACHABLE} ({_cause(error)})"


def _cause(error: OSError) -> str:
    """In the system's words."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error.strerror or error)


def _is_drop(error: Exception) -> bool:
    """The other side closed the connection; a part of a reply that came before is in the error's message."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)
    return isinstance(error, OSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)
