"""Where .NET's reader stands in a document once it has read an element. Knows nothing of envelopes."""

import re
from typing import Final

from lxml import etree

__all__ = ["place_after"]

# Enough for documents that a parser has accepted, without a document type.
_TOKEN: Final = re.compile(
    r"""(?P<comment> <!--.*?--> ) | (?P<cdata> <!\[CDATA\[.*?\]\]> ) | (?P<pi> <\?.*?\?> )
    | (?P<end> </[^>]*> ) | (?P<start> <(?: [^>"'] | "[^"]*" | '[^']*' )*> ) | (?P<text> [^<]+ )""",
    re.DOTALL | re.VERBOSE,
)
# A node's position is that of its name or content, not of its markup.
_LEAD: Final = {"comment": 4, "cdata": 9, "pi": 2, "end": 2, "start": 1, "text": 0}


def place_after(body: bytes, element: etree._Element) -> tuple[int, int]:
    """Line and column (in UTF-16 units), both from 1, of the node that follows the element.

    Args:
        body: the well-formed document that the element was parsed from.
    """
    root = element.getroottree().getroot()
    number = next(at for at, each in enumerate(root.iter("*")) if each is element)
    text = _decoded(body, root.getroottree().docinfo.encoding or "utf-8")
    at = _start_of_next(text, number)
    line_start = text.rfind("\n", 0, at) + 1
    column = len(text[line_start:at].encode("utf-16-le", "replace")) // 2
    return text.count("\n", 0, at) + 1, column + 1


def _decoded(body: bytes, encoding: str) -> str:
    """The document's text; an encoding only libxml2 knows costs no more than a wrong column."""
    try:
        return body.decode(encoding, "replace").removeprefix("\ufeff")
    except LookupError:
        return body.decode("latin-1")


def _start_of_next(text: str, number: int) -> int:
    """Where the node after the element of that number (from 0, by start tags) begins."""
    left = 1  # elements to close before the one sought is over; counted from its start tag on
    seen = -1
    over = False
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup or ""
        if over:
            return token.start() + _LEAD[kind]
        seen += kind == "start"
        if seen < number:
            continue
        opens = kind == "start" and seen > number
        closes = kind == "end" or (kind == "start" and token.group().endswith("/>"))
        left += opens - closes
        over = left == 0
    return len(text)
