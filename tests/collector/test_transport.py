import asyncio
import contextlib
import gzip
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from collector.errors import (
    ConnectError,
    DroppedError,
    ReplyTimeoutError,
    TransportError,
)
from collector.transport import Received, Transport
from collector.wire.requests import Request
from tests.collector.raw_server import OK, Peer, Served, closed_port, serving

LIMIT = 10_000
KEY = "fake-key-0001"


def transport(timeout_seconds: float = 5.0, kept_seconds: float = 30.0) -> Transport:
    """A transport as a run has it."""
    return Transport(
        timeout_seconds=timeout_seconds,
        kept_seconds=kept_seconds,
        max_reply_bytes=LIMIT,
        user_agent="test-agent",
    )


def get(url: str) -> Request:
    """A request of the GET binding, with a credential in its query."""
    return Request("GET", f"{url}/ReportInstantStats?SessionID={KEY}&Minutes1=60", {}, None)


def post(url: str) -> Request:
    """A request with a body."""
    return Request("POST", url, {"Content-Type": "text/xml"}, b"<a>1</a>")


async def exchanged(
    behave: Callable[[Peer], Awaitable[None]],
    request: Callable[[str], Request] = post,
    timeout_seconds: float = 5.0,
) -> tuple[Received | TransportError, Served]:
    """What comes of one request to a server that behaves like this."""
    async with serving(behave) as served, transport(timeout_seconds) as sender:
        try:
            return await sender.send(request(served.url)), served
        except TransportError as error:
            return error, served


def answering(data: bytes) -> Callable[[Peer], Awaitable[None]]:
    """A server that answers every request with these bytes, and then closes."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(data)

    return behave


async def received(data: bytes) -> Received:
    """What is received of these bytes."""
    result, _ = await exchanged(answering(data))
    assert isinstance(result, Received), result
    return result


BOTH = pytest.mark.parametrize("request_of", [get, post])


@BOTH
async def test_a_reply(request_of: Callable[[str], Request]) -> None:
    """Status, headers and body come as they are, with the clocks of sending and receiving."""
    before = time.time_ns() // 1_000
    result, served = await exchanged(answering(OK), request_of)
    assert isinstance(result, Received)
    reply = result.reply
    assert (reply.status, reply.body, result.cut) == (200, b"ok", False)
    assert reply.headers == {"content-type": "text/xml", "content-length": "2"}
    assert before <= reply.sent_at_us <= reply.received_at_us <= time.time_ns() // 1_000
    (head,) = served.heads
    assert head.startswith(
        ("GET /service.asmx/ReportInstantStats?SessionID=", "POST /service.asmx HTTP")
    )
    assert "User-Agent: test-agent" in head
    assert "Accept-Encoding: identity" in head


@pytest.mark.parametrize("status", [204, 301, 302, 303, 307, 308, 400, 401, 429, 500, 503, 599])
async def test_no_status_is_an_error_and_no_redirect_is_followed(status: int) -> None:
    """Whatever came with a status line is a reply; a credential does not follow a Location."""
    async with serving(answering(OK)) as elsewhere:
        head = f"HTTP/1.1 {status} Odd\r\nLocation: {elsewhere.url}\r\nWWW-Authenticate: Basic\r\n"
        reply = (await received(f"{head}Content-Length: 0\r\n\r\n".encode())).reply
        assert elsewhere.connections == 0
    assert reply.status == status


async def test_cookies_are_not_kept() -> None:
    """A cookie of one session's reply is not sent with another's request."""

    async def behave(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            await peer.say(
                OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: ASP.NET_SessionId=x; path=/\r\n\r\n")
            )

    async with serving(behave) as served, transport() as sender:
        for _ in range(2):
            await sender.send(post(served.url.replace("127.0.0.1", "localhost")))
    assert served.connections == 1
    assert not any("cookie" in head.lower() for head in served.heads)


async def test_repeated_headers_and_odd_bytes() -> None:
    """A header that comes twice is joined; one that is no ASCII is no error."""
    reply = (
        await received(
            OK.replace(b"Content-Type: text/xml", b"Warning: a\r\nWarning: b\r\nServer: \xff")
        )
    ).reply
    assert reply.headers["warning"] == "a, b"
    assert reply.headers["server"]


async def test_long_headers() -> None:
    """Proxies add policies of many kilobytes."""
    policy = b"Content-Security-Policy: " + b"x" * 30_000
    reply = (await received(OK.replace(b"Content-Type: text/xml", policy))).reply
    assert len(reply.headers["content-security-policy"]) == 30_000


async def test_bodies_stay_encoded() -> None:
    """A compressed body comes as it was sent."""
    body = gzip.compress(b"<a/>" * 100)
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    reply = (await received(head + body)).reply
    assert (reply.body, reply.headers["content-encoding"]) == (body, "gzip")


CHUNK = b"%x\r\n%b\r\n" % (LIMIT, b"x" * LIMIT)
HUGE = {
    "declared": b"Content-Length: 99999999\r\n\r\n" + b"x" * (LIMIT + 1),
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 3,
    "until-close": b"Connection: close\r\n\r\n" + b"x" * (LIMIT * 3),
}


@pytest.mark.parametrize("how", HUGE)
async def test_a_body_beyond_the_limit_is_cut(how: str) -> None:
    """What is too large is cut at the limit, and the rest is not waited for."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n" + HUGE[how])
        await asyncio.sleep(30)

    result, _ = await exchanged(behave)
    assert isinstance(result, Received)
    assert result.cut
    assert result.reply.body == b"x" * LIMIT


@pytest.mark.parametrize("how", ["declared", "chunked", "until-close"])
async def test_a_body_at_the_limit_is_whole(how: str) -> None:
    """Exactly the limit is not too large."""
    body = b"x" * LIMIT
    data = {
        "declared": b"Content-Length: %d\r\n\r\n" % LIMIT + body,
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK + b"0\r\n\r\n",
        "until-close": b"Connection: close\r\n\r\n" + body,
    }[how]
    result = await received(b"HTTP/1.1 200 OK\r\n" + data)
    assert (result.reply.body, result.cut) == (body, False)


async def reset_at_once(peer: Peer) -> None:
    """Reset before a byte of a reply."""
    await peer.request()
    peer.reset()


async def reset_in_body(peer: Peer) -> None:
    """Reset in the middle of a body."""
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    peer.reset()


FAILURES: dict[str, Callable[[Peer], Awaitable[None]]] = {
    "closed-before": answering(b""),
    "reset-before": reset_at_once,
    "reset-in-body": reset_in_body,
    "closed-in-head": answering(b"HTTP/1.1 200 OK\r\nContent-"),
    "closed-in-body": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "closed-in-chunk": answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf"
    ),
    "no-last-chunk": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
    "chunked-garbage": answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"
    ),
    "no-http": answering(b"garbage\r\n\r\n"),
    "bad-length": answering(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\nok"),
    "two-lengths": answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"
    ),
    "endless-header": answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
    "tls-alert": answering(b"\x15\x03\x01\x00\x02\x02\x28"),
}


@BOTH
@pytest.mark.parametrize("failure", FAILURES)
async def test_failures(failure: str, request_of: Callable[[str], Request]) -> None:
    """Every broken reply is a TransportError that names no credential, and the request was sent once."""
    result, served = await exchanged(FAILURES[failure], request_of)
    assert type(result) is TransportError
    assert str(result)
    assert KEY not in str(result)
    assert len(served.heads) == 1


async def test_refused() -> None:
    """Where nobody listens, nothing was sent."""
    port = closed_port()
    said = (
        f"cannot connect to 127.0.0.1:{port}: is service.url right, .*\\? \\(Connection refused\\)$"
    )
    async with transport() as sender:
        with pytest.raises(ConnectError, match=said):
            await sender.send(get(f"http://127.0.0.1:{port}"))


async def test_name_that_does_not_resolve() -> None:
    """DNS failure is a failure to connect."""
    async with transport() as sender:
        with pytest.raises(ConnectError, match=r"^there is no address for nowhere\.invalid: .*DNS"):
            await sender.send(get("http://nowhere.invalid/x"))


async def test_look_up_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer costs the time limit, and no thread that anybody waits for."""
    hanging = threading.Event()

    def hang(*_: object, **__: object) -> None:
        hanging.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "at last")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    start = time.monotonic()
    async with transport(timeout_seconds=0.3) as sender:
        with pytest.raises(TransportError):
            await sender.send(get("http://nowhere.invalid/x"))
    assert 0.25 < time.monotonic() - start < 2
    (thread,) = (each for each in threading.enumerate() if each.name == "look-up")
    assert thread.daemon
    hanging.set()
    thread.join(5)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_names_are_looked_up(host: str) -> None:
    """A name and an address both lead there."""
    async with serving(answering(OK)) as served, transport() as sender:
        assert (await sender.send(get(served.url.replace("127.0.0.1", host)))).reply.body == b"ok"


async def one_byte_at_a_time(data: bytes, peer: Peer) -> None:
    """Send slowly, for ever if the peer stays."""
    await peer.request()
    for byte in data:
        await peer.say(bytes([byte]))
        await asyncio.sleep(0.05)
    await asyncio.sleep(30)


@BOTH
@pytest.mark.parametrize(
    "data",
    [
        b"",
        OK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    ],
)
async def test_slow_replies(data: bytes, request_of: Callable[[str], Request]) -> None:
    """The limit holds for the whole reply, however steadily it drips."""

    async def behave(peer: Peer) -> None:
        await one_byte_at_a_time(data, peer)

    start = time.monotonic()
    result, served = await exchanged(behave, request_of, timeout_seconds=0.3)
    assert type(result) is ReplyTimeoutError
    assert 0.25 < time.monotonic() - start < 2
    assert len(served.heads) == 1


async def test_body_without_a_length_that_does_not_end() -> None:
    """What came until the time was over is not taken for the whole."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await peer.reader.read()

    result, _ = await exchanged(behave, timeout_seconds=0.3)
    assert type(result) is ReplyTimeoutError


def dropping(how: str, *, replies: int = 1) -> Callable[[Peer], Awaitable[None]]:
    """A server that answers so many requests of a connection, and drops it at the next."""

    async def behave(peer: Peer) -> None:
        for _ in range(replies):
            await peer.request()
            await peer.say(OK)
        await peer.request()
        if how == "reset":
            peer.reset()

    return behave


@BOTH
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_kept_alive_connection_that_is_dropped(
    how: str, request_of: Callable[[str], Request]
) -> None:
    """A drop on reuse is told apart, costs no connection slot, and never becomes a second request by itself."""
    async with serving(dropping(how)) as served, transport() as sender:
        for sent in range(1, 13):
            try:
                await sender.send(request_of(served.url))
            except DroppedError:
                assert sent % 2 == 0
            else:
                assert sent % 2 == 1
            assert len(served.heads) == sent, "exactly one request on the wire for each permit"
        assert served.connections == 6


async def test_reset_in_the_body_of_a_reused_connection_is_no_drop() -> None:
    """A reply that began was answered: the attempt counts."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await reset_in_body(peer)

    async with serving(behave) as served, transport() as sender:
        await sender.send(post(served.url))
        with pytest.raises(TransportError) as refused:
            await sender.send(post(served.url))
        assert type(refused.value) is TransportError


async def answering_all(peer: Peer) -> None:
    """A server that answers whatever comes."""
    while True:
        await peer.request()
        await peer.say(OK)


async def test_connections_are_reused() -> None:
    """Ten requests, one connection."""
    async with serving(answering_all) as served, transport() as sender:
        for _ in range(10):
            await sender.send(post(served.url))
    assert served.connections == 1


async def never_answering(peer: Peer) -> None:
    """A server that reads and says nothing."""
    await peer.reader.read()


async def test_cancelled_while_a_connection_is_made() -> None:
    """At whatever turn of the event loop: nothing is left open, and nothing was sent."""
    async with serving(never_answering) as served, transport() as sender:
        for turns in range(12):
            task = asyncio.create_task(sender.send(post(served.url)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.05)
        assert served.ended == served.connections > 0


async def test_more_requests_than_connections() -> None:
    """Whoever sends says how many at a time; nobody waits for a connection that is kept for another."""
    async with (
        serving(answering_all) as served,
        serving(answering_all) as other,
        transport() as sender,
    ):
        for each in (served, other):
            await asyncio.gather(*(sender.send(post(each.url)) for _ in range(30)))
        await asyncio.gather(*(sender.send(post(served.url)) for _ in range(60)))
    assert (len(served.heads), len(other.heads)) == (90, 30)


async def test_kept_connection_is_for_its_own_server() -> None:
    """A request goes where its URL says, whatever connection is at hand."""
    async with (
        serving(answering_all) as one,
        serving(answering_all) as other,
        transport() as sender,
    ):
        for served in (one, other, one, other):
            await sender.send(post(served.url))
    assert [(len(served.heads), served.connections) for served in (one, other)] == [(2, 1), (2, 1)]


async def test_connection_that_the_server_will_close() -> None:
    """`Connection: close` is believed at once."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await peer.reader.read()

    async with serving(behave) as served, transport() as sender:
        for _ in range(3):
            await sender.send(post(served.url))
    assert served.connections == 3


async def test_cancelled_while_it_waits() -> None:
    """What ends a run is not taken for a time limit, and the connection is not used again."""
    async with serving(hanging_once()) as served, transport() as sender:
        task = asyncio.create_task(sender.send(post(served.url)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await sender.send(post(served.url))).reply.body == b"ok"
        assert served.connections == 2


def hanging_once() -> Callable[[Peer], Awaitable[None]]:
    """A server that never answers on its first connection."""
    first = [True]

    async def behave(peer: Peer) -> None:
        if first:
            first.clear()
            await peer.reader.read()
        await answering_all(peer)

    return behave


async def test_overlong_reply_does_not_poison_the_next_one() -> None:
    """Bytes after the declared length are not taken for the next reply."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await peer.request()
        await peer.say(OK)

    async with serving(behave) as served, transport() as sender:
        bodies = []
        for _ in range(4):
            try:
                bodies.append((await sender.send(post(served.url))).reply.body)
            except TransportError:
                await asyncio.sleep(0)
    assert set(bodies) == {b"ok"}


async def test_each_request_has_its_own_headers() -> None:
    """Two operations at one address differ in their headers alone."""
    async with serving(answering_all) as served, transport() as sender:
        for action in ("Login", "WhoAmI", "Login"):
            request = Request("POST", served.url, {"SOAPAction": f'"urn:x/{action}"'}, b"<x/>")
            await sender.send(request)
    actions = [action for head in served.heads for action in re.findall(r"urn:x/(\w+)", head)]
    assert actions == ["Login", "WhoAmI", "Login"]


@pytest.mark.parametrize("mark", ["\r\n", "\n", "\r", "\0"])
async def test_nothing_slips_in_a_header(mark: str) -> None:
    """A value that would end its line is not sent."""
    async with serving(answering(OK)) as served, transport() as sender:
        with pytest.raises(TransportError, match="header injection"):
            await sender.send(Request("POST", served.url, {"X": f"a{mark}Y: b"}, b""))
        assert served.heads == []


async def test_kept_connection_that_speaks_unasked() -> None:
    """What comes between two requests is the reply to neither, and its connection is not used again."""
    spoken, busy = asyncio.Event(), asyncio.Event()

    async def behave(peer: Peer) -> None:
        if peer.served.connections == 2:  # another request, in flight meanwhile
            await peer.request()
            await busy.wait()
            await peer.say(OK)
        if peer.served.connections > 1:
            await answering_all(peer)
        await peer.request()
        await peer.say(OK)
        await asyncio.sleep(0.05)
        await peer.say(OK.replace(b"ok", b"no"))
        spoken.set()
        await answering_all(peer)

    async with serving(behave) as served, transport() as sender:
        await sender.send(post(served.url))
        in_flight = asyncio.create_task(
            sender.send(post(served.url.replace("127.0.0.1", "localhost")))
        )
        await spoken.wait()
        await asyncio.sleep(0.05)
        with pytest.raises(TransportError, match="sent data before the request"):
            await sender.send(post(served.url))
        for _ in range(3):
            assert (await sender.send(post(served.url))).reply.body == b"ok"
        busy.set()
        assert (await in_flight).reply.body == b"ok"


@BOTH
async def test_idle_connection_is_not_kept_for_ever(request_of: Callable[[str], Request]) -> None:
    """One that was idle for long may be cut off on the way, and nobody says so."""
    async with serving(answering_all) as served, transport(kept_seconds=0.05) as sender:
        for pause in (0.0, 0.2, 0.0):
            await asyncio.sleep(pause)
            await sender.send(request_of(served.url))
    assert served.connections == 2


@BOTH
async def test_nothing_is_sent_again_without_a_permit(request_of: Callable[[str], Request]) -> None:
    """A kept connection that is closed as a request is written to it: whoever sends is told, and asks for leave."""
    sent: list[int] = []

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await peer.request()  # and close without a word

    async with serving(behave) as served, transport() as sender:
        await sender.send(request_of(served.url), partial(sent.append, 1))
        with pytest.raises(DroppedError):
            await sender.send(request_of(served.url), partial(sent.append, 2))
        assert sent == [1, 2]
        assert len(served.heads) == 2
        assert (await sender.send(request_of(served.url))).reply.body == b"ok"


async def test_a_fresh_connection_is_one() -> None:
    """What must not go out twice goes over a connection that was not used before and is not used again."""
    async with serving(answering_all) as served, transport() as sender:
        for _ in range(2):
            await sender.send(post(served.url))
        for _ in range(2):
            await sender.send(post(served.url), fresh=True)
        await sender.send(post(served.url))
    assert served.connections == 3


async def test_no_tls_where_it_is_spoken_to() -> None:
    """TLS to a port of plain HTTP: the sentence names host and port, and what is wrong."""

    async def behave(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.say(OK.replace(b"200 OK", b"400 Bad Request"))

    async with serving(behave) as served, transport() as sender:
        with pytest.raises(
            ConnectError, match="with TLS: what listens there does not speak it"
        ) as refused:
            await sender.send(post(served.url.replace("http:", "https:")))
    assert served.url.split("/")[2] in str(refused.value)


LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000


async def large_where_asked(peer: Peer) -> None:
    """A server whose replies are large for one address."""
    while True:
        await peer.say(LARGE if "/large" in await peer.request() else OK)


async def test_one_large_reply_at_a_time() -> None:
    """The next one grows when the one before has been dealt with; small ones do not wait for it."""
    sender = Transport(timeout_seconds=5.0, max_reply_bytes=1 << 20, user_agent="test-agent")
    async with serving(large_where_asked) as served, sender:
        large = post(f"{served.url}/large")
        async with contextlib.AsyncExitStack() as held:
            first = await sender.send(large, held=held)
            second = asyncio.create_task(sender.send(large))
            assert (await sender.send(post(served.url))).reply.body == b"ok"
            await asyncio.sleep(0.3)
            assert not second.done()
        assert len((await second).reply.body) == len(first.reply.body) == 600_000
        assert len((await sender.send(large)).reply.body) == 600_000


async def test_a_large_reply_does_not_wait_for_ever() -> None:
    """The time limit holds for one that waits for another."""
    sender = Transport(timeout_seconds=1.0, max_reply_bytes=1 << 20, user_agent="test-agent")
    async with (
        serving(large_where_asked) as served,
        sender,
        contextlib.AsyncExitStack() as held,
    ):
        large = post(f"{served.url}/large")
        await sender.send(large, held=held)
        with pytest.raises(ReplyTimeoutError):
            await sender.send(large)
