"""Replies made to hurt whoever reads them: each is bounded, none needs a flaw to be harmful.

Knows bytes, where a document's root and its schema begin, nothing of sockets or of what a reply says.
"""

import dataclasses
import re
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from collector.simulator.replies import WireReply
from collector.simulator.selector import CallKey, fraction
from collector.simulator.switches import HostileKind, Switches

__all__ = ["hostile"]

_ROOT: Final = re.compile(rb"<[A-Za-z_][^>]*?(?=/?>)")
_TABLE: Final = re.compile(rb"<xs:element name=[^>]*><xs:complexType><xs:sequence>|<xs:sequence>")
_SCHEMA: Final = re.compile(rb"<xs:schema [^>]*>")
_BLOCK: Final = 65_536  # bytes compressed at a time
_GZIP: Final = 31  # zlib's window bits for a gzip header
_DEEP: Final = b"<n>", b"</n>"
_LAUGHS: Final = 10  # levels, each ten times the one before
_ENTITIES: Final = {
    HostileKind.EXTERNAL_ENTITY: b'<!ENTITY e SYSTEM "file:///etc/hostname">',
    HostileKind.BILLION_LAUGHS: b'<!ENTITY e0 "ha">'
    + b"".join(
        b'<!ENTITY e%s "%s">'
        % (b"%d" % level if level < _LAUGHS else b"", b"&e%d;" % (level - 1) * 10)
        for level in range(1, _LAUGHS + 1)
    ),
}
_SHORT: Final = {
    HostileKind.INVALID_UTF8: b"\xc3\x28\xff\xed\xa0\x80",  # cut short, never allowed, half a pair
    HostileKind.NUL_BYTES: b"\0\0",
}
_COLUMN: Final = b'<xs:element name="c%07d" type="xs:int" minOccurs="0" />'
_RECURSIVE: Final = (
    b'<xs:complexType name="Loop"><xs:sequence><xs:element name="again" type="Loop" />'
    b"</xs:sequence></xs:complexType>"
)
_KINDS: Final = tuple(kind for kind in HostileKind if kind is not HostileKind.ANY)


def hostile(reply: WireReply, switches: Switches, call: CallKey, seed: int) -> WireReply:
    """The reply with something hostile in it; the log shows what as the reply's fault."""
    kind = switches.hostile_kind
    if kind is HostileKind.ANY:
        kind = _KINDS[int(fraction(seed, "hostile", *dataclasses.astuple(call)) * len(_KINDS))]
    struck = _MADE.get(kind, _filled)(reply, kind, switches.hostile_bytes)
    return dataclasses.replace(struck, fault=kind)


def _start_tag(body: bytes) -> tuple[int, int, int]:
    """Where the root starts, where its name and attributes end, and where its content starts.

    Text and empty bodies have no root: what would be in one comes first.
    """
    root = _ROOT.search(body)
    if root is None:
        return 0, 0, 0
    return root.start(), root.end(), body.find(b">", root.end()) + 1


def _filled(reply: WireReply, kind: HostileKind, size: int) -> WireReply:
    """Something in the root's start tag, or right behind it."""
    _, name_end, inside = _start_tag(reply.body)
    at = name_end if kind in (HostileKind.SAME_ATTRIBUTE, HostileKind.MANY_ATTRIBUTES) else inside
    return _with(reply, at, _filling(kind, size))


def _entities(reply: WireReply, kind: HostileKind, size: int) -> WireReply:
    """A document type whose entity stands in the root."""
    start, _, inside = _start_tag(reply.body)
    half = size // 2
    declared = _ENTITIES.get(kind) or b'<!ENTITY e "' + b"a" * half + b'">'
    references = b"&e;" * (half // 3 if kind is HostileKind.QUADRATIC else 1)
    body = reply.body[:inside] + references + reply.body[inside:]
    doctype = b"<!DOCTYPE hostile [" + declared + b"]>"
    return dataclasses.replace(reply, body=body[:start] + doctype + body[start:])


def _many_columns(reply: WireReply, _: HostileKind, size: int) -> WireReply:
    columns = b"".join(_COLUMN % number for number in range(size // len(_COLUMN % 0)))
    return _with(reply, _behind(_TABLE, reply.body), columns)


def _recursive(reply: WireReply, _: HostileKind, __: int) -> WireReply:
    """A type that holds itself, and a column of it."""
    column = b'<xs:element name="loop" type="Loop" minOccurs="0" />'
    looped = _with(reply, _behind(_TABLE, reply.body), column)
    return _with(looped, _behind(_SCHEMA, looped.body), _RECURSIVE)


def _utf16(reply: WireReply, _: HostileKind, __: int) -> WireReply:
    """All of it in another encoding than it says."""
    return dataclasses.replace(reply, body=reply.body.decode().encode("utf-16"))


def _bombed(reply: WireReply, _: HostileKind, size: int) -> WireReply:
    """Spaces, compressed without ever being whole in memory."""
    inside = _start_tag(reply.body)[2]
    body = _bomb(reply.body[:inside], size, reply.body[inside:])
    headers = (*reply.headers, ("Content-Encoding", "gzip"))
    return dataclasses.replace(reply, body=body, headers=headers)


def _endless(reply: WireReply, _: HostileKind, size: int) -> WireReply:
    """Spaces behind the whole answer."""
    return dataclasses.replace(reply, spaces=size)


_MADE: Final[dict[HostileKind, Callable[[WireReply, HostileKind, int], WireReply]]] = {
    HostileKind.EXTERNAL_ENTITY: _entities,
    HostileKind.BILLION_LAUGHS: _entities,
    HostileKind.QUADRATIC: _entities,
    HostileKind.MANY_COLUMNS: _many_columns,
    HostileKind.RECURSIVE_TYPE: _recursive,
    HostileKind.UTF16: _utf16,
    HostileKind.GZIP_BOMB: _bombed,
    HostileKind.ENDLESS: _endless,
}


def _with(reply: WireReply, at: int, part: bytes) -> WireReply:
    return dataclasses.replace(reply, body=reply.body[:at] + part + reply.body[at:])


def _behind(place: re.Pattern[bytes], body: bytes) -> int:
    """Behind the first such place; in a reply without a schema, right behind the root's start tag."""
    found = place.search(body)
    return found.end() if found else _start_tag(body)[2]


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
    """Head, `size` spaces and tail, compressed."""
    packer = zlib.compressobj(wbits=_GZIP)
    blocks = [packer.compress(part) for part in (head, *_spaces(size), tail)]
    return b"".join(blocks) + packer.flush()


def _spaces(size: int) -> Iterator[bytes]:
    block = b" " * _BLOCK
    for at in range(0, size, _BLOCK):
        yield block[: size - at]
