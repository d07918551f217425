"""Pings of a check in the manner of Healthchecks: that a run began, and how it ended. Delays a run by a bounded time.

`POST url/start`, then `POST url` for a success or `POST url/<exit code>`, with `rid=<uuid>`, which ties the two
together, and the last log lines as the body. Nothing that happens here is an error of the run: a ping that is not heard
is a warning, and whoever runs the check misses it.
"""

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import structlog

from collector.domain.secret import Secret, mask
from collector.version import VERSION

__all__ = ["MOST_BYTES", "Pings"]

MOST_BYTES: Final = 10_000  # of log lines in a ping
_LOG: Final = structlog.get_logger("nightly")
_START_SECONDS: Final = 2.0  # that the end of a run waits for the ping of its start
_END_SECONDS: Final = 5.0
_SOCKET_SECONDS: Final = 4.0  # without a byte
_MOST_ANSWER: Final = 200  # bytes that are read of an answer
_HEADERS: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "User-Agent": f"ecgrid-stats/{VERSION}",
}


class Pings:
    """The pings of one run; each is sent in a thread of its own.

    DNS knows no timeout, and a body may never end, so a thread may hang: it is waited for as long as the run can spare,
    and holds neither the run nor the process. All in all that is seven seconds, and nothing at the start.

    Args:
        url: of the check; who knows it can report a success.
    """

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._run = str(uuid4())
        self._start: _Sending | None = None

    def start(self) -> None:
        """Say that a run begins; returns at once."""
        self._start = _Sending(self._sender("/start", b""))

    def end(self, exit_code: int | None, lines: str, secrets: tuple[Secret, ...] = ()) -> None:
        """Say how it ended; returns when that is heard, or after some seconds.

        Args:
            exit_code: None for a success.
            lines: what the log said last; cut to its last `MOST_BYTES`.
            secrets: that are masked there, as the address is.
        """
        if self._start is not None:
            self._tell("start", self._start.outcome(_START_SECONDS))
        suffix, name = ("", "success") if exit_code is None else (f"/{exit_code}", "failure")
        # no more is searched than may be sent, and none of it begins within a secret
        latest = _tail(lines.encode(errors="replace"), 2 * MOST_BYTES)
        body = _tail(mask(latest, (self._url, *secrets))[0], MOST_BYTES)
        self._tell(name, _Sending(self._sender(suffix, body)).outcome(_END_SECONDS))

    def _sender(self, suffix: str, body: bytes) -> Callable[[], str | None]:
        url = urlsplit(self._url.reveal())
        query = "&".join(filter(None, (url.query, f"rid={self._run}")))
        path = url.path.rstrip("/") + suffix
        return lambda: _sent(urlunsplit((url.scheme, url.netloc, path, query, "")), body)

    def _tell(self, ping: str, said: str | None) -> None:
        if said is not None:
            _LOG.warning(
                "a ping was not heard: is alert.ping_url right, and can it be reached from here?",
                ping=ping,
                said=said,
            )


class _Sending:
    """A ping on its way."""

    def __init__(self, send: Callable[[], str | None]) -> None:
        self._said: str | None = "no answer in time"
        self._send = send
        self._thread = threading.Thread(target=self._work, name="ping", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        self._said = self._send()

    def outcome(self, seconds: float) -> str | None:
        """Why it was not heard, as far as is known after so many seconds at most; None if it was."""
        self._thread.join(seconds)
        return self._said


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: the address is a secret of the place that it names."""

    def redirect_request(
        self,
        req: urllib.request.Request,  # noqa: ARG002  # urllib's signature
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: http.client.HTTPMessage,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        """Follow none."""
        return


def _sent(url: str, body: bytes) -> str | None:
    """Send it; why it was not heard, in words that never hold the address, or None."""
    try:
        # as the service is asked: what the environment says of proxies is passed over
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        request = urllib.request.Request(url, body, _HEADERS, method="POST")  # noqa: S310  # http or https by ping_url
        with opener.open(request, timeout=_SOCKET_SECONDS) as answer:
            said = answer.read1(_MOST_ANSWER)
    except urllib.error.HTTPError as error:
        moved = "; name the address that it leads to" if 300 <= error.code < 400 else ""
        return f"HTTP status {error.code}{moved}"
    except urllib.error.URLError as error:
        return _reason(error.reason)
    except Exception as error:  # noqa: BLE001  # a ping is worth no run, whatever a library does
        return _reason(error)
    # Healthchecks answers a ping that it does not count with 200, too
    return "the check is not known there, or pinged too often" if said.startswith(b"OK (") else None


def _reason(error: object) -> str:
    """What went wrong, without the texts of libraries, which may show the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is refused"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _tail(text: bytes, most: int) -> bytes:
    """The last lines, as many as fit into so many bytes; none of a single line that is longer."""
    return text if len(text) <= most else text[-most:].partition(b"\n")[2]
