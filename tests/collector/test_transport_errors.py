from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError

import collector.errors
from collector.errors import ConnectError, DroppedError, ReplyTimeoutError
from collector.transport.error_mapping import Sending, translated

KEY = "fake-key-0001"


def subclasses(kind: type[BaseException]) -> Iterable[type[BaseException]]:
    """A class and everything below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from subclasses(below)


CLIENT_ERRORS = sorted({*subclasses(aiohttp.ClientError)}, key=lambda kind: kind.__qualname__)
ASKED = f"http://127.0.0.1/x?SessionID={KEY}"


def sendings() -> list[Sending]:
    """Requests that came so far and no further."""
    found = []
    for sent, reused, answered in (
        (0, False, False),
        (1, False, False),
        (1, True, False),
        (1, True, True),
    ):
        sending = Sending(lambda: None, has_body=True)
        sending.sent_at_us, sending.reused, sending.answered = sent, reused, answered
        found.append(sending)
    return found


def made(kind: Any) -> Any:
    """An error of the client library as it makes it, with a byte in it that is no text."""
    connection = SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)
    if issubclass(kind, UnixClientConnectorError):
        return kind("/x", connection, OSError(1, "x"))
    if issubclass(kind, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        return kind(connection, OSError(1, "x"))
    if issubclass(kind, aiohttp.ClientResponseError):
        request = SimpleNamespace(real_url=ASKED)
        return kind(request, (), status=400, message="x\udcff")
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"1", b"2", "h", 1)
    return kind(ASKED if issubclass(kind, aiohttp.InvalidURL) else "x\udcff")


@pytest.mark.parametrize("kind", CLIENT_ERRORS, ids=lambda kind: kind.__qualname__)
def test_every_client_error_is_translated(kind: type[Exception]) -> None:
    """Whatever the client library raises becomes one of ours; its text can be written anywhere and holds no URL."""
    for sending in sendings():
        ours = translated(made(kind), sending)
        assert type(ours).__name__ in collector.errors.__all__
        assert KEY not in str(ours)
        assert kind.__name__ not in str(ours), "a class of the library is no word for what happened"
        str(ours).encode()
        if isinstance(ours, DroppedError):
            assert (sending.reused, sending.answered) == (True, False)
        if issubclass(kind, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            assert isinstance(ours, ConnectError)
        elif issubclass(kind, TimeoutError):
            assert isinstance(ours, ReplyTimeoutError if sending.sent_at_us else ConnectError)
