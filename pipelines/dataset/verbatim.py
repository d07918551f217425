"""Lets an XML 1.0 parser keep what an ASMX client keeps: line ends, tabs, control characters.

Responsible for rewriting a document so that its values survive parsing; knows nothing of
DataSets. .NET writes a carriage return raw in text, a tab raw in attributes, and U+0001 as `&#x1;`.
A conforming parser makes a line feed and a space of the first two and refuses the third;
`DataSet.ReadXml` turns normalisation off and reads all three as they were.
"""

import re
from collections.abc import Callable, Iterator

from pipelines.dataset.document import Document
from pipelines.dataset.errors import HostileXmlError

__all__ = ["Restore", "needs_care", "verbatim"]

Restore = Callable[[str], str]

_TOKEN = re.compile(
    # A reference at the end of a piece may go on in the next.
    rb"(?P<text>(?:[^<&]++|&(?!#?[0-9a-zA-Z]{0,9}\Z))++)"
    rb"|(?P<cdata><!\[CDATA\[.*?\]\]>)"
    rb"|<!--.*?-->|<\?.*?\?>"
    rb"""|(?P<tag><(?![!?])[^<>"']*+(?:(?:"[^"]*+"|'[^']*+')[^<>"']*+)*+>)""",
    re.DOTALL,
)
_QUOTED = re.compile(rb"""="[^"]*"|='[^']*'""")
# References to U+0001 to U+001F but for tab, line feed and carriage return, and to U+FFFE and U+FFFF.
_CONTROL = re.compile(
    rb"&#(?:x0{0,6}([1-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[eEfF])"
    rb"|0{0,6}([1-8]|1[124-9]|2[0-9]|3[01]|6553[45]));"
)
_WHITE = {b"\r": b"&#13;", b"\n": b"&#10;", b"\t": b"&#9;"}
_WHITE_BYTE = re.compile(rb"[\r\n\t]")
# U+0001 to U+001F, U+FFFE and U+FFFF by their place in the block of private characters that stands for them while the
# parser is at work. A block is the first of these, of 64 characters each, that the document has no part of.
_PLACES = {code: code for code in range(1, 0x20)} | {0xFFFE: 0x20, 0xFFFF: 0x21}
_BLOCKS = range(0xF0000, 0xF0400, 64)
# A reference to a private character, in XML or in a name that XmlConvert escaped.
_PRIVATE = re.compile(rb"(?:&#x|_[Xx])0*([fF][0-9a-fA-F]{4})[;_]|&#0*(98[0-9]{4});")


def needs_care(document: Document) -> bool:
    """Whether a conforming parser might read other values than an ASMX client."""
    return b"\r" in document or b"\t" in document or b"&#" in document


def verbatim(document: Document, chunk: int, most: int) -> tuple[Iterator[bytes], Restore | None]:
    """Return the document in pieces that parse to the values an ASMX client reads.

    Args:
        document: what to parse.
        chunk: about how long the pieces are.
        most: how long one tag, comment or CDATA section may be.

    Returns:
        The pieces, and what to apply to each value, if anything.
    """
    if not needs_care(document):
        return _chunks(document, chunk), None
    block = _free_block(document) if _CONTROL.search(document.data, document.start) else None
    if block is None:
        return _rewritten(document, chunk, most, None), None
    stood_for = {block + place: code for code, place in _PLACES.items()}

    def restore(text: str) -> str:
        return text if text.isascii() else text.translate(stood_for)

    return _rewritten(document, chunk, most, block), restore


def _free_block(document: Document) -> int | None:
    """Return a block that is not in the document; without any, the parser refuses it."""
    found = _PRIVATE.finditer(document.data, document.start)
    referred = {(int(match[1], 16) if match[1] else int(match[2])) // 64 for match in found}
    free = (
        block
        for block in _BLOCKS
        # All characters of a block begin with the same three bytes.
        if block // 64 not in referred and chr(block).encode()[:3] not in document
    )
    return next(free, None)


def _chunks(document: Document, chunk: int) -> Iterator[bytes]:
    data = document.data
    return (data[at : at + chunk] for at in range(document.start, len(data), chunk))


def _control(match: re.Match[bytes], block: int) -> bytes:
    code = int(match[1], 16) if match[1] else int(match[2])
    return chr(block + _PLACES[code]).encode()


def _token(match: re.Match[bytes], block: int | None) -> bytes:
    token, kind = match[0], match.lastgroup
    if kind == "text":
        token = token.replace(b"\r", b"&#13;")
    elif kind == "cdata":
        return token.replace(b"\r", b"]]>&#13;<![CDATA[")
    elif kind == "tag" and _WHITE_BYTE.search(token):
        token = _QUOTED.sub(lambda q: _WHITE_BYTE.sub(lambda w: _WHITE[w[0]], q[0]), token)
    if block is None or not kind or b"&#" not in token:
        return token
    return _CONTROL.sub(lambda control: _control(control, block), token)


def _rewritten(document: Document, chunk: int, most: int, block: int | None) -> Iterator[bytes]:
    waiting: list[bytes] = []
    held = wanted = fed = 0
    for piece in _chunks(document, chunk):
        waiting.append(piece)
        held += len(piece)
        fed += len(piece)
        if held < wanted and fed < len(document):
            continue
        rest, pieces, end = b"".join(waiting), [], 0
        for match in _TOKEN.finditer(rest):
            if match.start() != end:
                break
            pieces.append(_token(match, block))
            end = match.end()
        waiting = [rest[end:]]
        held = len(rest) - end
        if held > most + chunk:
            raise HostileXmlError(f"a tag, comment or CDATA section of more than {most} bytes")
        # Looking again at what did not end yet pays only when there is much more of it.
        wanted = 2 * held
        yield b"".join(pieces)
    # Whatever is no token is not XML either: the parser shall say why.
    yield from waiting
