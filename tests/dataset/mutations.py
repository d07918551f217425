"""Valid replies, damaged in the ways that transport, proxies and attackers damage them.

`missing` holds what was read against what a plain parser finds in a document, without knowledge of schemas.
"""

import random
import re
from collections import Counter
from collections.abc import Callable

import pyarrow as pa
from lxml import etree

from pipelines.dataset import DataSet
from tests.dataset.samples import BINDINGS, CASES, body_of

__all__ = ["BASES", "MUTATIONS", "cells_held", "missing", "mutated"]

BASES = tuple(body_of(case, binding)[0] for case in CASES for binding in BINDINGS[:3])
_ID = "{urn:schemas-microsoft-com:xml-diffgram-v1}id"
_NOT_CURRENT = (
    "{urn:schemas-microsoft-com:xml-diffgram-v1}before",
    "{urn:schemas-microsoft-com:xml-diffgram-v1}errors",
)
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_NUMBER = re.compile(r"[+-]?[0-9]{1,28}", re.ASCII)
_PIECES = (
    b"<", b">", b"&", b"&amp;", b"]]>", b"<!-- c -->", b"<?p q?>", b"<![CDATA[x]]>", b"\r\n", b"\0",
    b"\xff", b"\xef\xbf\xbf", b"&#x1;", b"&#0;", b"<!DOCTYPE a>", b"<Extra>1</Extra>", b"</Table>",
    b' a="b"', b' xmlns="urn:x"', b' xsi:nil="true"', b"99999999999", b"NaN", b" ", b"\xc3\xa9",
    b"<Table>", b"<Table/>", b"<xs:element/>", b"_x0041_", b"text",
)  # fmt: skip

Mutation = Callable[[bytes, random.Random], bytes]


def _flip(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :]


def _cut(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + body[at + rng.choice((1, 2, 7, 40, 300)) :]


def _insert(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + rng.choice(_PIECES) + body[at:]


def _truncate(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body))]


def _repeat(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body))
    part = body[at : at + rng.choice((5, 30, 200))]
    return body[:at] + part + body[at:]


def _tag(body: bytes, rng: random.Random) -> tuple[int, int]:
    """A whole element without children, or a tag."""
    start = body.find(b"<", rng.randrange(len(body)))
    start = max(start, 0)
    return start, body.find(b">", start) + 1


def _drop_tag(body: bytes, rng: random.Random) -> bytes:
    start, end = _tag(body, rng)
    return body[:start] + body[end:]


def _swap_tags(body: bytes, rng: random.Random) -> bytes:
    (a, b), (c, d) = sorted((_tag(body, rng), _tag(body, rng)))
    return body if c < b else body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]


def _drop_element(body: bytes, rng: random.Random) -> bytes:
    start, end = _tag(body, rng)
    name = body[start + 1 : end - 1].split()[:1]
    close = b"</" + (name or [b""])[0] + b">"
    found = body.find(close, end)
    return body if found < 0 else body[:start] + body[found + len(close) :]


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _cut, _insert, _truncate, _repeat, _drop_tag, _swap_tags, _drop_element,
)  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """Return a damaged reply."""
    base = body = rng.choice(BASES)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        body = rng.choice(MUTATIONS)(body, rng) or body
    return body if body != base else mutated(rng)


def cells_held(body: bytes) -> Counter[tuple[str, str]] | None:
    """Return how often each leaf of a current row occurs, by name and text; None if a plain parser refuses."""
    try:
        root = etree.fromstring(body)
    except etree.XMLSyntaxError:
        return None
    found: Counter[tuple[str, str]] = Counter()
    for row in root.iter(etree.Element):
        if row.get(_ID) is not None and not any(e.tag in _NOT_CURRENT for e in row.iterancestors()):
            found["row", ""] += 1
            for cell in row.iterchildren(etree.Element):
                # Inside a row, an element named as a table is a row of it, as .NET sees it.
                if cell.get(_ID) is None and cell.get(_NIL) is None and cell.tag != row.tag:
                    text = "".join(map(str, cell.itertext(etree.Element, etree.Entity)))
                    found[etree.QName(cell).localname, "<>" if len(cell) else text] += 1
    return found


def missing(body: bytes, dataset: DataSet) -> Counter[tuple[str, str]]:
    """Return the cells that a plain parser finds in the body and the DataSet lacks.

    Texts and exact numbers are compared as values; of other types, and of markup, how many there are.
    """
    held, read, exact = cells_held(body), _cells_read(dataset), _exact_names(dataset)
    exact -= {name for name, text in held or () if text == "<>"}
    return _compared(held or Counter(), exact) - _compared(read, exact)


def _compared(cells: Counter[tuple[str, str]], exact: set[str]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for (name, text), count in cells.items():
        found[name, _spelled(text) if name in exact else ""] += count
    return found


def _spelled(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return str(int(text)) if _NUMBER.fullmatch(text) else text


def _exact_names(dataset: DataSet) -> set[str]:
    """Names whose columns are all strings or whole numbers, and of no table."""
    kinds: dict[str, set[bool]] = {}
    for table in dataset:
        kinds.setdefault(_local(table.schema.tag), set()).add(False)
        for column, values in zip(table.columns, table.arrow.columns, strict=True):
            kind = values.type
            kinds.setdefault(_local(column.tag), set()).add(
                column.type == "System.String" or pa.types.is_integer(kind)
            )
    return {name for name, exact in kinds.items() if exact == {True}}


def _cells_read(dataset: DataSet) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for table in dataset:
        found["row", ""] += len(table)
        # An element named as a table is a row, with or without a diffgr:id.
        found[_local(table.schema.tag), ""] += len(table)
        for column, values in zip(table.columns, table.arrow.columns, strict=True):
            if column.place == "Element":
                texts = values.drop_null().cast(pa.string()) if _castable(values.type) else values
                found.update((_local(column.tag), str(t)) for t in texts.drop_null().to_pylist())
    return +found


def _castable(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_string(kind)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
