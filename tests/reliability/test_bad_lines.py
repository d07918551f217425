"""Whole runs over lines that lie and drip: each kind of trouble has its class, and costs nobody else anything."""

import asyncio
import re
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import population
from tests.reliability.front import Line, fronting
from tests.reliability.network_ground import CONFIG, accounted, redirected

TIMEOUT: Final = 1.2
PAGE: Final = b"<html><body><h1>Please sign in to the guest network</h1></body></html>"
HEAD_END: Final = b"\r\n\r\n"


def lengthened(reply: bytes, by: int) -> bytes:
    """The reply with another Content-Length."""
    return re.sub(
        rb"Content-Length: (\d+)", lambda m: b"Content-Length: %d" % (int(m[1]) + by), reply
    )


async def hang_up(_: Line) -> None:
    """Close in order."""
    raise EOFError


async def reset_at_once(line: Line, _: bytes) -> None:
    """Reset instead of an answer."""
    line.writer.transport.abort()


async def reset_in_body(line: Line, reply: bytes) -> None:
    """Half a reply, then a reset."""
    await line.say(reply[: len(reply) // 2 + 200])
    line.writer.transport.abort()


async def drip_head(line: Line, reply: bytes) -> None:
    """A byte a second, for as long as anybody listens."""
    for at in range(30):
        await line.say(reply[at : at + 1])
        await asyncio.sleep(1)


async def drip_body(line: Line, reply: bytes) -> None:
    """The head at once, the body a byte a second."""
    head, end, body = reply.partition(HEAD_END)
    await line.say(head + end)
    await drip_head(line, body)


async def end_early(line: Line, reply: bytes) -> None:
    """Less than was announced."""
    await line.say(lengthened(reply, 100))
    await hang_up(line)


async def announce_less(line: Line, reply: bytes) -> None:
    """More than was announced: what is read is half an envelope."""
    await line.say(lengthened(reply, -300))


async def say_more(line: Line, reply: bytes) -> None:
    """A second reply behind the one that was asked for: lies, should anybody take it for the next answer."""
    await line.say(reply + re.sub(rb">\d+<", b">4242<", reply))


async def break_chunks(line: Line, reply: bytes) -> None:
    """Chunks whose size is no number."""
    head, end, body = reply.partition(HEAD_END)
    head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    await line.say(head + end + b"zz\r\n" + body + b"\r\n0\r\n\r\n")
    await hang_up(line)


async def show_a_page(line: Line, _: bytes) -> None:
    """What a proxy says instead."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    await line.say(head % len(PAGE) + PAGE)


async def talk_nonsense(line: Line, _: bytes) -> None:
    """No HTTP at all."""
    await line.say(b"220 smtp.invalid ESMTP\r\n")
    await hang_up(line)


NONE: Final = frozenset[str]()
TRANSPORT: Final = frozenset({"transport"})
TIMED_OUT: Final = frozenset({"timeout"})
# what is read of it is half an envelope, or no HTTP, as the pieces come
OVERLONG: Final = frozenset({"malformed", "transport"})
KINDS: Final[dict[str, tuple[Callable[[Line, bytes], Awaitable[None]], frozenset[str]]]] = {
    "reset": (reset_at_once, TRANSPORT),
    "reset in the body": (reset_in_body, TRANSPORT),
    "a byte a second, from the head on": (drip_head, TIMED_OUT),
    "a byte a second, in the body": (drip_body, TIMED_OUT),
    "truncated": (end_early, TRANSPORT),
    "longer than announced": (announce_less, OVERLONG),
    "a second reply behind the first": (say_more, NONE),
    "chunked garbage": (break_chunks, TRANSPORT),
    "a proxy's page": (show_a_page, frozenset({"not_service"})),
    "no HTTP": (talk_nonsense, TRANSPORT),
}


def charged_attempts(folder: Path) -> dict[str, int]:
    """How many attempts counted against the budget of each session's one call, as its landing store has it."""
    (store,) = folder.rglob("landing/*.db")
    with closing(sqlite3.connect(store)) as connection:
        query = "SELECT session, charged FROM outcomes JOIN calls USING (call_id)"
        return dict(connection.execute(query).fetchall())


@pytest.mark.parametrize("how", ["always", "once"])
@pytest.mark.few(1)
@pytest.mark.extended
async def test_every_kind_of_bad_line(ground: MakeGround, how: str) -> None:
    """Three sessions for each kind among as many whose line is good; 'once' is the first attempt of a call.

    Always: each call of a bad line has the class of its trouble after all its attempts. Once: everything is
    collected, at one attempt more. Either way the counts are the service's, and the others go on.
    """
    changes = (
        ("timeout_seconds = 5", f"timeout_seconds = {TIMEOUT}"),
        ("concurrency = 8", "concurrency = 40"),
        ("[retry]", "[retry]\nattempts = 3\nmax_outage_seconds = 4"),
        ("60, 120, 180, 240", "60, 120"),
    )
    config = CONFIG
    for before, after in changes:
        config = config.replace(before, after)
    night = await ground(population(6 * len(KINDS), 0), config)
    kind_of = {
        f"mailbox-{number:04d}": kind
        for number, kind in enumerate((kind for kind in KINDS for _ in range(3)), 1)
    }
    asked: Counter[str] = Counter()

    async def misbehave(line: Line) -> None:
        while True:
            request = await line.request()
            found = re.search(rb"fake-key-(\d{4})", request)
            label = f"mailbox-{found[1].decode()}" if found else ""
            is_call = b"ReportInstantStats" in request
            asked[label] += is_call
            reply = await line.reply(request)
            if is_call and label in kind_of and (how == "always" or asked[label] == 1):
                await KINDS[kind_of[label]][0](line, reply)
            else:
                await line.say(reply)

    async with fronting(night.simulator, misbehave) as front:
        redirected(night, front.url())
        ended = await night.run("run")
    faults = accounted(night, ended)
    calls = night.table("calls")
    bad = {label for label, kind in kind_of.items() if KINDS[kind][1]}
    attempts = calls.set_index("session")["attempts"]
    if how == "once":
        assert (ended.code, faults) == (0, {}), ended.err
        # reset on a kept-alive connection, before anything came, is sent again at no attempt's cost
        free = {label for label in bad if kind_of[label] == "reset"}
        assert set(attempts[list(bad - free)]) <= {2, 3}
    else:
        # those that hang are left at last, alone, which nobody can tell from a service that went away
        assert (ended.code, ended.json["stopped"]) == (4, "outage"), ended.err
        classes = calls.set_index("session")["fault_class"]
        for label in bad:
            assert classes[label] in KINDS[kind_of[label]][1], kind_of[label]
        hang = {label for label in bad if KINDS[kind_of[label]][1] == TIMED_OUT}
        # a call that was a probe of the outage was asked more often, which costs it nothing
        charged = charged_attempts(night.folder)
        assert {charged[label] for label in bad - hang} <= {1, 2, 3}
        assert all(attempts[label] >= 3 for label in bad - hang)
    good = attempts[[label for label in attempts.index if label not in bad]]
    # what an overlong reply leaves on its connection spoils the next one there: that costs the call an attempt
    overlong = sum(asked[label] for label in kind_of if KINDS[kind_of[label]][1] == OVERLONG)
    assert sum(good) - len(good) <= overlong
    assert ended.json["attempts"] == sum(attempts)
    resets = sum(asked[label] for label, kind in kind_of.items() if kind == "reset")
    assert 0 <= asked.total() - sum(attempts) <= resets
