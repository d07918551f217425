"""Bytes to UTF-8 without byte order mark and XML declaration; refuses any DTD.

Responsible for encodings and for what must be refused before a parser sees it; knows nothing of
SOAP or DataSets. BOM, then the charset of the content type, then the declaration decide; where the
latter two contradict each other and one of them is UTF-8, it is UTF-8 if the bytes are.
"""

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass

from pipelines.dataset.errors import HostileXmlError, NotADataSetError
from pipelines.dataset.limits import Limits

__all__ = ["Document", "utf8_document"]

# Byte order marks, longest first: UTF-32's begins like UTF-16's.
_MARKS = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
)
# Python knows "encodings" that are compressions or take quadratic time; XML needs none of them.
_KNOWN = re.compile(
    r"utf-?8|utf-?(?:16|32)(?:-?[bl]e)?|us-ascii|ascii|iso-8859-(?:[1-9]|1[03456])|latin-?1"
    r"|windows-(?:125[0-8]|874)|cp125[0-8]|koi8-[ru]|shift_jis|euc-(?:jp|kr)|gb2312|gbk|gb18030|big5"
)
# ASCII is a part of it.
_UTF_8 = ("utf-8", "utf8", "us-ascii", "ascii")
_PIECE = 1 << 20
_DECLARATION = re.compile(rb"<\?xml[ \t\r\n](.{0,400}?)\?>", re.DOTALL)
_ENCODING = re.compile(
    rb"""[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z][A-Za-z0-9._-]*)["']"""
)
_CHARSET = re.compile(r""";[ \t]*charset[ \t]*=[ \t]*["']?([A-Za-z0-9._-]+)""", re.IGNORECASE)
_PROLOG = re.compile(rb"(?:[ \t\r\n]+|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as UTF-8: `data` from `start` on, so that a large body is not copied."""

    data: bytes
    start: int = 0

    def __len__(self) -> int:
        return len(self.data) - self.start

    def __contains__(self, part: bytes) -> bool:
        return self.data.find(part, self.start) >= 0


def utf8_document(body: bytes, content_type: str | None, limits: Limits) -> Document:
    """Return the document as UTF-8, ready to be parsed as the content of another element.

    Raises:
        HostileXmlError: longer than the limit, or a document type declaration.
        NotADataSetError: empty, an unknown encoding, or bytes that are not of it.
    """
    if len(body) > limits.body_bytes:
        raise HostileXmlError(f"{len(body)} bytes; at most {limits.body_bytes} are read")
    document = _utf8(body, content_type)
    if len(document) > limits.body_bytes:
        raise HostileXmlError(
            f"{len(document)} bytes as UTF-8; at most {limits.body_bytes} are read"
        )
    text = document.data
    declaration = _DECLARATION.match(text, document.start)
    start = declaration.end() if declaration else document.start
    prolog = _PROLOG.match(text, start)
    assert prolog is not None  # noqa: S101  it matches nothing, too
    if text.startswith(b"<!", prolog.end()) and not text.startswith(b"<!--", prolog.end()):
        raise HostileXmlError("a document type declaration; a DataSet has none")
    if prolog.end() == len(text):
        raise NotADataSetError("the document is empty")
    return Document(text, start)


def _utf8(body: bytes, content_type: str | None) -> Document:
    encoding, start = _encoding(body, content_type)
    if encoding in _UTF_8:
        # The parser checks UTF-8 itself.
        return Document(body, start)
    try:
        return Document(body[start:].decode(encoding).encode())
    except (UnicodeError, LookupError) as error:
        raise NotADataSetError(f"the document is not {encoding}: {error}") from error


def _encoding(body: bytes, content_type: str | None) -> tuple[str, int]:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return encoding, len(mark)
    charset = _CHARSET.search(content_type or "")
    guessed = _guessed(body)
    name = charset[1].lower() if charset else ""
    # A wide charset on bytes that are plainly not wide is a server's mistake, and the reverse.
    if _KNOWN.fullmatch(name) and _is_wide(name) == (guessed is not None):
        return (name if guessed else _of_two(name, body)), 0
    return guessed or _declared(body), 0


def _of_two(charset: str, body: bytes) -> str:
    """The header's charset; where the document contradicts it and either is UTF-8, the bytes decide."""
    own = _named(body) or "utf-8"
    if (charset in _UTF_8) == (own in _UTF_8) or not _KNOWN.fullmatch(own) or _is_wide(own):
        return charset
    other = own if charset in _UTF_8 else charset
    return "utf-8" if _is_utf8(body) else other


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    decoder = getincrementaldecoder("utf-8")()
    view = memoryview(body)
    try:
        for at in range(0, len(body), _PIECE):
            decoder.decode(view[at : at + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _named(body: bytes) -> str | None:
    declaration = _DECLARATION.match(body)
    named = _ENCODING.search(b" " + declaration[1]) if declaration else None
    return named[1].decode("ascii").lower() if named else None


def _declared(body: bytes) -> str:
    name = _named(body)
    if name is None:
        return "utf-8"
    if not _KNOWN.fullmatch(name):
        raise NotADataSetError(f"the declared encoding {name!r} is not one that is read")
    return "utf-8" if _is_wide(name) else name


def _is_wide(name: str) -> bool:
    return name.startswith(("utf-16", "utf16", "utf-32", "utf32"))


def _guessed(body: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 without a mark by the zeros around the first "<"."""
    starts = {
        b"\x00\x00\x00<": "utf-32-be",
        b"<\x00\x00\x00": "utf-32-le",
    }
    if body[:4] in starts:
        return starts[body[:4]]
    return {b"\x00<": "utf-16-be", b"<\x00": "utf-16-le"}.get(body[:2])
