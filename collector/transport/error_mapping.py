"""The client library's errors as ours: the one seam at which they are translated."""

import errno
import os
import ssl
from dataclasses import dataclass

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from collector.domain.trust import certificate_fault
from collector.errors import (
    CertificateError,
    ConnectError,
    DroppedError,
    ReplyTimeoutError,
    TransportError,
)

__all__ = ["Sending", "translated"]


@dataclass(slots=True)
class Sending:
    """How far one request came, and on which kind of connection."""

    sent_at_us: int = 0
    reused: bool = False
    answered: bool = False
    is_late: bool = False


def translated(error: Exception, sending: Sending) -> TransportError | CertificateError:
    """What an error that came of a request means for its call."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateError(certificate_fault(cause))
    text = f"{type(error).__name__}: {_said(error)}".rstrip(": ")[:300]
    if isinstance(error, DroppedError):
        return error
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ConnectError(text)
    if isinstance(error, TimeoutError) and not sending.sent_at_us:
        return ConnectError("no connection in time")
    if isinstance(error, TimeoutError):
        return ReplyTimeoutError("no complete reply within service.timeout_seconds")
    if sending.reused and not sending.answered and _is_drop(error):
        return DroppedError(text)
    return TransportError(text)


def _said(error: Exception) -> str:
    """Never the URL: in the http-get binding the credential is in its query."""
    if isinstance(error, HttpProcessingError):
        said = f"{error.code} {error.message}"
    elif isinstance(error, aiohttp.ClientResponseError):
        said = f"{error.status} {error.message}"
    elif isinstance(error, aiohttp.ClientConnectorError):
        said = f"cannot connect to {error.host}:{error.port}: {_cause(error.os_error)}"
    else:
        said = "" if isinstance(error, aiohttp.InvalidURL) else str(error)
    return said.encode("utf-8", errors="replace").decode()


def _cause(error: OSError) -> str:
    """In the system's words; errors of a look-up have numbers below 0 and words of their own."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _is_drop(error: Exception) -> bool:
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)
