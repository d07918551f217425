"""Replies made to hurt whoever reads them: each is bounded, none needs a flaw to be harmful.

Knows bytes and where a document's root begins, nothing of sockets or of what a reply says.
"""

import dataclasses
import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from collector.simulator.replies import WireReply
from collector.simulator.selector import CallKey, fraction
from collector.simulator.switches import HostileKind, Switches

__all__ = ["hostile"]

_ROOT: Final = re.compile(rb"<[A-Za-z_][^>]*?(?=/?>)")
_BLOCK: Final = 65_536  # bytes compressed at a time
_GZIP: Final = 31  # zlib's window bits for a gzip header
_DEEP: Final = b"<n>", b"</n>"
_SHORT: Final = {
    HostileKind.INVALID_UTF8: b"\xc3\x28\xff\xed\xa0\x80",  # cut short, never allowed, half a pair
    HostileKind.NUL_BYTES: b"\0\0",
}
_KINDS: Final = tuple(kind for kind in HostileKind if kind is not HostileKind.ANY)


def hostile(reply: WireReply, switches: Switches, call: CallKey, seed: int) -> WireReply:
    """The reply with something hostile in its root; the log shows what as the reply's fault."""
    kind = switches.hostile_kind
    if kind is HostileKind.ANY:
        kind = _KINDS[int(fraction(seed, "hostile", *dataclasses.astuple(call)) * len(_KINDS))]
    size = switches.hostile_bytes
    root = _ROOT.search(reply.body)
    # Text and empty bodies have no root: what would be in one comes first.
    name_end = root.end() if root else 0
    inside = reply.body.find(b">", name_end) + 1
    if kind is HostileKind.GZIP_BOMB:
        body = _bomb(reply.body[:inside], size, reply.body[inside:])
        headers = (*reply.headers, ("Content-Encoding", "gzip"))
        return dataclasses.replace(reply, body=body, headers=headers, fault=kind)
    at = name_end if kind in (HostileKind.SAME_ATTRIBUTE, HostileKind.MANY_ATTRIBUTES) else inside
    body = reply.body[:at] + _filling(kind, size) + reply.body[at:]
    return dataclasses.replace(reply, body=body, fault=kind)


@lru_cache(maxsize=2)
def _filling(kind: HostileKind, size: int) -> bytes:
    """What is put into the reply, about `size` bytes long where length is what hurts."""
    if kind is HostileKind.SAME_ATTRIBUTE:
        return b' twice="1" twice="2"'
    if kind is HostileKind.MANY_ATTRIBUTES:
        return b"".join(b' a%07d=""' % number for number in range(size // 12))
    if kind is HostileKind.DEEP_NESTING:
        levels = size // sum(map(len, _DEEP))
        return _DEEP[0] * levels + _DEEP[1] * levels
    return b" " * size if kind is HostileKind.WHITESPACE else _SHORT[kind]


def _bomb(head: bytes, size: int, tail: bytes) -> bytes:
    """Head, `size` spaces and tail, compressed without ever being whole in memory."""
    packer = zlib.compressobj(wbits=_GZIP)
    blocks = [packer.compress(part) for part in (head, *_spaces(size), tail)]
    return b"".join(blocks) + packer.flush()


def _spaces(size: int) -> Iterator[bytes]:
    block = b" " * _BLOCK
    for at in range(0, size, _BLOCK):
        yield block[: size - at]
