"""The one place where a reply becomes XML: hardened against entities, DTDs and size. Interprets nothing."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from lxml import etree

from collector.errors import WireError

__all__ = ["local_name", "namespace_of", "parse"]

_DOCTYPES: Final = tuple("<!DOCTYPE".encode(codec) for codec in ("ascii", "utf-16-le", "utf-16-be"))
_HARDENED: Final[dict[str, Any]] = {
    # for a DTD in an encoding that was not looked for before; it is refused afterwards
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_PARSER: Final = etree.XMLParser(**_HARDENED)
_NO_CHARACTER: Final = re.compile(
    rb"&#(?:x0*(?:[0-8bcef]|1[0-9a-f]|fffe|ffff)|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]|6553[45]));",
    re.IGNORECASE,
)
_LARGE_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 16


def parse(body: bytes, records: str = "") -> etree._Element:
    """The root element; of a large document without most of what it repeats, see `_outline`.

    Args:
        records: the name of elements that are all wanted; of a large document, with their fields that are plain text.
            A reference to a character that XML does not have is a space then: .NET writes them unchecked, and one odd
            name is not to hide all others.

    Raises:
        WireError: empty, not well-formed, nested beyond 256 levels, or with a DTD.
    """
    if not body.strip():
        raise WireError("an empty body")
    # before the parser sees it: a DTD may cost time and memory without ever being used
    if any(doctype in body for doctype in _DOCTYPES):
        raise WireError("a document with a DTD")
    if records:
        body = _NO_CHARACTER.sub(b" ", body)
    try:
        if _is_many_elements(body):
            root = _outline(body, partial(_without_parts, records) if records else _drop_between)
        else:
            root = etree.fromstring(body, _PARSER)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        said = error.msg if isinstance(error, etree.XMLSyntaxError) else error
        raise WireError(f"not well-formed XML: {' '.join(str(said).split())}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise WireError("a document with a DTD")
    return root


def _is_many_elements(body: bytes) -> bool:
    """Whether a document is large since it has many elements, rather than a few with many attributes or much text.

    A parser that is fed piece by piece reads each tag again and again until its end has come; and it does not know
    encodings of more than a byte for a "<" as well as one that has the whole.
    """
    if len(body) <= _LARGE_BYTES or b"\0" in body[:4]:
        return False
    pieces = range(0, len(body) - _PIECE_BYTES, _PIECE_BYTES)
    return all(b"<" in body[start : start + _PIECE_BYTES] for start in pieces)


def _outline(body: bytes, shorten: Callable[[etree._Element], None]) -> etree._Element:
    """The root of a document that is shortened, at the end of each element, as it is read.

    A tree takes many times as much memory as its document.

    Raises:
        XMLSyntaxError: not well-formed.
    """
    parser = etree.XMLPullParser(("end",), **_HARDENED)
    for start in range(0, len(body), _PIECE_BYTES):
        parser.feed(body[start : start + _PIECE_BYTES])
        for _, ended in parser.read_events():
            if ended is not None and not isinstance(ended, tuple):  # of namespaces
                shorten(ended)
    return parser.close()


def _drop_between(last: etree._Element) -> None:
    """Take out the neighbour before an element, if it and the one before it have the same name.

    So of those that have one name the first and the last stay: what a reply means shows in the first of its rows.
    """
    parent, previous = last.getparent(), last.getprevious()
    if parent is None or previous is None:
        return
    before = previous.getprevious()
    if before is not None and before.tag == previous.tag == last.tag:
        parent.remove(previous)


def _without_parts(records: str, ended: etree._Element) -> None:
    """Empty a field of a record that is a record itself."""
    parent = ended.getparent()
    if len(ended) and parent is not None and local_name(parent) == records:
        ended.clear()


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace."""
    tag = str(element.tag)
    return tag[tag.rfind("}") + 1 :]


def namespace_of(element: etree._Element) -> str:
    """The element's namespace, "" for none; a URI may hold braces, which lxml's QName refuses."""
    return str(element.tag)[1:].rpartition("}")[0]
