"""Every documented kind of damage to a reply's framing, sent whole and in two segments cut at every byte.

Each ends within the time limit with the class that it deserves, and whatever was left on the connection is never taken
for the reply to the next request (RFC 9112).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import pytest

from collector.errors import (
    ConnectError,
    DroppedError,
    ReplyTimeoutError,
    TransportError,
)
from collector.transport import Transport
from collector.wire.requests import Request
from tests.collector.raw_server import OK, Peer, serving

LIMIT_SECONDS: Final = 5.0  # of a case that is not to run into it
LATE_SECONDS: Final = 0.5
SLACK_SECONDS: Final = 2.0
AT_ONCE: Final = 40

STATUS: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = STATUS + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN, LATE = "broken", "late"
OK_OR_BROKEN = "the body, or broken where what is too much came along with it"


class Case(NamedTuple):
    """A reply, what the server does after it, and what is to come of it: a class of error, or the body."""

    data: bytes
    after: str
    expected: str | bytes


def length(value: bytes, body: bytes = b"ok") -> bytes:
    """A reply with this Content-Length."""
    return STATUS + b"Content-Length: " + value + b"\r\n\r\n" + body


def header(line: bytes) -> bytes:
    """A reply with this line among its headers."""
    return STATUS + line + b"\r\nContent-Length: 2\r\n\r\nok"


CASES: Final[dict[str, Case]] = {
    # chunks, section 7.1
    "chunks": Case(CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "open", b"ok"),
    "chunk-extension": Case(CHUNKED + b"2;a=b\r\nok\r\n0\r\n\r\n", "open", b"ok"),
    "trailer": Case(CHUNKED + b"2\r\nok\r\n0\r\nX: y\r\n\r\n", "open", b"ok"),
    "chunk-size-word": Case(CHUNKED + b"2\r\nok\r\nzz\r\n", "open", BROKEN),
    "chunk-size-negative": Case(CHUNKED + b"-2\r\nok\r\n0\r\n\r\n", "open", BROKEN),
    "chunk-size-empty": Case(CHUNKED + b"\r\nok\r\n0\r\n\r\n", "open", BROKEN),
    "chunk-size-0x": Case(CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n", "open", BROKEN),
    "chunk-size-huge": Case(CHUNKED + b"f" * 17 + b"\r\nok\r\n0\r\n\r\n", "open", BROKEN),
    "chunk-size-space": Case(CHUNKED + b"2 x\r\nok\r\n0\r\n\r\n", "open", BROKEN),
    "chunk-too-long": Case(CHUNKED + b"2\r\nokXX\r\n0\r\n\r\n", "open", BROKEN),
    "chunk-too-short": Case(CHUNKED + b"4\r\nok\r\n0\r\n\r\n", "open", BROKEN),
    "chunk-without-end": Case(CHUNKED + b"2\r\nok", "close", BROKEN),
    "last-chunk-missing": Case(CHUNKED + b"2\r\nok\r\n", "close", BROKEN),
    "last-chunk-missing-open": Case(CHUNKED + b"2\r\nok\r\n", "open", LATE),
    "last-line-missing": Case(CHUNKED + b"2\r\nok\r\n0\r\n", "close", BROKEN),
    "trailer-without-colon": Case(CHUNKED + b"2\r\nok\r\n0\r\nnone\r\n\r\n", "open", BROKEN),
    # lengths, sections 6.2 and 6.3
    "length-short-of-body": Case(length(b"2", b"ok") + b"more", "open", OK_OR_BROKEN),
    "length-beyond-body": Case(length(b"5"), "close", BROKEN),
    "length-beyond-body-open": Case(length(b"5"), "open", LATE),
    "length-negative": Case(length(b"-2"), "open", BROKEN),
    "length-word": Case(length(b"two"), "open", BROKEN),
    "length-plus": Case(length(b"+2"), "open", BROKEN),
    "length-huge": Case(length(b"9" * 25), "open", BROKEN),
    "length-twice": Case(
        STATUS + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", "open", BROKEN
    ),
    "length-and-chunks": Case(
        STATUS + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "open",
        BROKEN,
    ),
    "length-none": Case(STATUS + b"\r\nok", "close", b"ok"),
    "length-none-open": Case(STATUS + b"\r\nok", "open", LATE),
    # the status line, section 4
    "no-http": Case(b"hello\r\n\r\n", "open", BROKEN),
    "version-odd": Case(b"HTTP/9.9.9 200 OK\r\n\r\n", "open", BROKEN),
    "status-word": Case(b"HTTP/1.1 abc OK\r\n\r\n", "open", BROKEN),
    "status-long": Case(b"HTTP/1.1 2000 OK\r\n\r\n", "open", BROKEN),
    "reason-none": Case(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "open", b"ok"),
    # header lines, section 5
    "header-without-colon": Case(header(b"nonsense"), "open", BROKEN),
    "header-space-in-name": Case(header(b"X y: z"), "open", BROKEN),
    "header-nul": Case(header(b"X: a\0b"), "open", BROKEN),
    "header-empty-name": Case(header(b": z"), "open", BROKEN),
    # interim replies, RFC 9110 section 15.2
    "interim": Case(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "open", b"ok"),
    # early ends
    "nothing": Case(b"", "close", BROKEN),
    "nothing-open": Case(b"", "open", LATE),
    "nothing-half": Case(b"", "half", BROKEN),
    "nothing-reset": Case(b"", "reset", BROKEN),
    "end-in-status": Case(b"HTTP/1.1 20", "close", BROKEN),
    "end-in-headers": Case(STATUS + b"Content-Le", "close", BROKEN),
    "half-close-in-headers": Case(STATUS + b"Content-Le", "half", BROKEN),
    "half-close-in-body": Case(length(b"5"), "half", BROKEN),
    "half-close-after": Case(OK, "half", b"ok"),
    "reset-in-headers": Case(STATUS + b"Content-Le", "reset", BROKEN),
    "reset-in-body": Case(length(b"5"), "reset", BROKEN),
}
LONG: Final[dict[str, Case]] = {
    "trailer-overlong": Case(
        CHUNKED + b"2\r\nok\r\n0\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "open", BROKEN
    ),
    "header-overlong": Case(header(b"X: " + b"a" * 70_000), "open", BROKEN),
    "headers-endless": Case(STATUS + b"X: a\r\n" * 30_000, "open", BROKEN),
}


async def answering_all(peer: Peer) -> None:
    """Answer the request that has come, and all others."""
    while True:
        await peer.say(OK.replace(b"ok", b"no"))
        await peer.request()


def damaging(case: Case, cut: int) -> Callable[[Peer], Awaitable[None]]:
    """A server whose first connection answers with damage, and all others as they should."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        if peer.served.connections > 1:
            await answering_all(peer)
        if cut:
            await peer.say(case.data[:cut])
            await asyncio.sleep(0.002)
        await peer.say(case.data[cut:])
        if case.after == "half":
            peer.writer.write_eof()
        if case.after == "reset":
            peer.reset()
        elif case.after != "close":
            await peer.request()
            await answering_all(peer)

    return behave


async def outcome(case: Case, cut: int) -> str:
    """What is wrong with what came of a case; empty if nothing is."""
    limit = LATE_SECONDS if case.expected == LATE else LIMIT_SECONDS
    async with (
        serving(damaging(case, cut)) as served,
        Transport(
            timeout_seconds=limit, max_reply_bytes=1_000, user_agent="test", has_tls=False
        ) as sender,
    ):
        request = Request("POST", served.url, {}, b"<x/>")
        started = time.monotonic()
        try:
            found: str | bytes = (await sender.send(request)).reply.body
        except ReplyTimeoutError:
            found = LATE
        except (ConnectError, DroppedError) as error:
            found = type(error).__name__
        except TransportError:
            found = BROKEN
        took = time.monotonic() - started
        expected = {BROKEN, b"ok"} if case.expected == OK_OR_BROKEN else {case.expected}
        if found not in expected:
            return f"{found!r} instead of {case.expected!r}"
        if took > limit + SLACK_SECONDS:
            return f"took {took:.1f} s"
        for _ in range(3):  # what is left of the first connection may be found out once
            try:
                body = (await sender.send(request)).reply.body
            except TransportError:
                continue
            return "" if body == b"no" else f"the next reply is {body!r}"
        return "no reply to three more requests"


async def failures(runs: list[tuple[str, Case, int]]) -> list[str]:
    """What went wrong in these, many at a time."""
    waiting, wrong = iter(runs), list[str]()

    async def work() -> None:
        for name, case, cut in waiting:
            if said := await outcome(case, cut):
                wrong.append(f"{name} cut at {cut}: {said}")

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return wrong


@pytest.mark.parametrize("name", [*CASES, *LONG])
async def test_damage_in_one_piece(name: str) -> None:
    """The whole reply in one segment."""
    case = CASES[name] if name in CASES else LONG[name]
    assert await failures([(name, case, 0)]) == []


@pytest.mark.timeout(120)
async def test_damage_cut_at_every_byte() -> None:
    """The same replies in two segments, wherever the first one ends; late ones at every seventh byte."""
    runs = [
        (name, case, cut)
        for name, case in CASES.items()
        for cut in range(1, len(case.data), 7 if case.expected == LATE else 1)
    ]
    assert len(runs) > 1_500
    assert await failures(runs) == []


async def test_damage_that_is_long() -> None:
    """Lines beyond the limit, cut around the end of the headers and of the limit itself."""
    runs = [
        (name, case, cut)
        for name, case in LONG.items()
        for cut in (1, len(STATUS), len(CHUNKED), len(CHUNKED) + 10, 65_530, 65_600)
    ]
    assert await failures(runs) == []
