"""Hostile replies: each is what it says, inside an answer that is whole otherwise, and no larger than told."""

import gzip
import re

import pytest
from lxml import etree

from collector.domain.binding import Binding
from collector.simulator.switches import HostileKind
from tests.simulator.switched import answer, switched
from tests.simulator.wire import Reply, stats

KINDS = [kind for kind in HostileKind if kind is not HostileKind.ANY]
# the whole body is another one, or goes on after its end
APART = (HostileKind.UTF16, HostileKind.ENDLESS)
IN_SCHEMA = (HostileKind.MANY_COLUMNS, HostileKind.RECURSIVE_TYPE)
# what stands where, in the root's start tag or right behind it
MARKS = {
    HostileKind.SAME_ATTRIBUTE: rb'<soap:Envelope [^<>]* twice="1" twice="2">',
    HostileKind.INVALID_UTF8: rb"<soap:Envelope [^<>]*>\xc3\x28\xff\xed\xa0\x80<",
    HostileKind.NUL_BYTES: rb"<soap:Envelope [^<>]*>\0\0<",
    HostileKind.DEEP_NESTING: rb"<soap:Envelope [^<>]*>(<n>){714}(</n>){714}<soap:Body>",
    HostileKind.MANY_ATTRIBUTES: rb'<soap:Envelope [^<>]*( a\d{7}=""){416}>',
    HostileKind.WHITESPACE: rb"<soap:Envelope [^<>]*> {5000}<soap:Body>",
    HostileKind.EXTERNAL_ENTITY: rb'\?><!DOCTYPE hostile \[<!ENTITY e SYSTEM "file:///.*>&e;<soap:Body>',
    HostileKind.BILLION_LAUGHS: rb'<!ENTITY e0 "ha">(<!ENTITY e\d? "(&e\d;){10}">){10}\]>.*>&e;<soap:Body>',
    HostileKind.QUADRATIC: rb'<!ENTITY e "a{2500}">\]>.*>(&e;){833}<soap:Body>',
    HostileKind.MANY_COLUMNS: rb'"Table">.*<xs:sequence>(<xs:element name="c\d{7}" [^<>]*/>){86}<xs',
    HostileKind.RECURSIVE_TYPE: rb'<xs:complexType name="Loop">.*type="Loop".*"Table">.*type="Loop"',
    HostileKind.GZIP_BOMB: rb"<soap:Envelope [^<>]*> {5000}<soap:Body>",
}


async def struck(kind: HostileKind, binding: Binding = Binding.SOAP12) -> Reply:
    """A hostile answer of some 5000 bytes more."""
    return await answer(binding, hostile="always", hostile_kind=kind, hostile_bytes=5_000)


def bytes_of(reply: Reply) -> bytes:
    """The body unpacked."""
    packed = reply.headers.get("content-encoding") == "gzip"
    return gzip.decompress(reply.body) if packed else reply.body


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in APART])
async def test_each_kind_is_what_it_says(kind: HostileKind) -> None:
    """The mark is there once, and the answer around it is untouched."""
    plain, reply = await answer(), await struck(kind)
    body = bytes_of(reply)
    found = re.search(MARKS[kind], body)
    assert found is not None, body[:1_000]
    assert reply.status == 200
    assert len(plain.body) < len(body) <= len(plain.body) + 5_100
    if kind not in IN_SCHEMA:
        head, tail = plain.body.split(b">", 2)[1], plain.body.split(b">", 2)[2]
        assert head in body
        assert body.endswith(tail)


async def test_the_answer_in_utf16() -> None:
    """The same characters in other bytes than the headers say."""
    plain, reply = await answer(), await struck(HostileKind.UTF16)
    assert reply.body.decode("utf-16").encode() == plain.body
    assert reply.headers["content-type"] == plain.headers["content-type"]


async def test_an_endless_reply_is_poured() -> None:
    """In chunks, so that neither side need hold it; the answer comes first."""
    plain, reply = await answer(), await struck(HostileKind.ENDLESS)
    assert reply.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in reply.headers
    chunks = reply.body.split(b"\r\n")
    assert chunks[1] == plain.body
    assert chunks[3] == b" " * 5_000


@pytest.mark.parametrize("binding", Binding)
@pytest.mark.parametrize(
    "kind", [HostileKind.SAME_ATTRIBUTE, HostileKind.INVALID_UTF8, HostileKind.NUL_BYTES]
)
async def test_some_are_no_xml(kind: HostileKind, binding: Binding) -> None:
    """No parser may take them, in whatever binding."""
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(bytes_of(await struck(kind, binding)))


async def test_a_bomb_is_small_on_the_wire() -> None:
    """Twenty million bytes in less than fifty thousand."""
    reply = await answer(hostile="always", hostile_kind="gzip-bomb", hostile_bytes=20_000_000)
    assert len(reply.body) < 50_000
    assert len(gzip.decompress(reply.body)) > 20_000_000


async def test_any_is_drawn_for_each_attempt_and_logged() -> None:
    """Many attempts meet every kind; the log names it."""
    async with switched(hostile="always", hostile_bytes=100) as simulator:
        for minutes in range(1, 101):
            await stats(simulator, minutes=(minutes, 120))
        assert {each.fault for each in simulator.log.arrivals} == set(KINDS)
        assert {each.hits for each in simulator.log.arrivals} == {("hostile",)}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in APART])
async def test_a_reply_without_a_root_is_struck_too(kind: HostileKind) -> None:
    """The text of a fault, and an empty body: it stands before what there is."""
    for other, text in (("fault_system", b"Internal Error\n"), ("empty_200", b"")):
        reply = await answer(
            Binding.HTTP_GET,
            **{other: "always", "hostile": "always", "hostile_kind": kind, "hostile_bytes": 100},
        )
        body = bytes_of(reply)
        assert len(body) > len(text)
        assert body.endswith(text)
