"""Writes XML as System.Xml.XmlTextWriter does: one line, or indented by two spaces.

Knows nothing of schemas or envelopes. Names come in as they are to be written, prefix included.
"""

import re
from typing import Final

__all__ = ["XmlWriter", "escaped_attribute", "escaped_text"]

_Attribute = tuple[str, str]

# What XML 1.0 cannot hold is written as a character reference all the same: .NET does not check.
_ODD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TEXT: Final = re.compile("[&<>\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ATTRIBUTE: Final = re.compile('[&<>"\n\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]')
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def _reference(match: re.Match[str]) -> str:
    character = match.group()
    return _NAMED.get(character) or f"&#x{ord(character):X};"


def escaped_text(text: str) -> str:
    """Element text: tab, LF and even CR stay as they are."""
    return _TEXT.sub(_reference, text)


def escaped_attribute(text: str) -> str:
    """An attribute value in double quotes: CR and LF become references, a tab does not."""
    return _ATTRIBUTE.sub(_reference, text)


class XmlWriter:
    """Collects the text of one document or fragment.

    Args:
        indented: put every element on a line of its own, as the GET and POST bindings do.
    """

    __slots__ = ("_indented", "_line", "_open", "_parts", "_pending")

    def __init__(self, *, indented: bool = False) -> None:
        self._indented = indented
        self._parts: list[str] = []
        self._open: list[str] = []
        self._pending = False  # the last start tag still lacks its ">"
        self._line = False  # the last thing written was an end tag

    def declaration(self) -> None:
        """The XML declaration, which .NET's writers give in lower case."""
        self._parts.append('<?xml version="1.0" encoding="utf-8"?>')
        if self._indented:
            self._parts.append("\n")

    def start(self, name: str, *attributes: _Attribute) -> None:
        """Opens an element."""
        self._close_tag()
        if self._indented and self._open:
            self._parts.append("\n" + "  " * len(self._open))
        self._open.append(name)
        self._line = False
        self._parts.append("<" + name)
        for key, value in attributes:
            self._parts.append(f' {key}="{escaped_attribute(value)}"')
        self._pending = True

    def text(self, text: str) -> None:
        """Text of the open element."""
        self._close_tag()
        self._parts.append(escaped_text(text))

    def raw(self, xml: str) -> None:
        """Markup that was written before, at the right depth."""
        self._close_tag()
        self._parts.append(xml)
        self._line = True

    def end(self, *, full: bool = False) -> None:
        """Closes the open element; `full` never abbreviates an empty one."""
        name = self._open.pop()
        if self._pending and not full:
            self._parts.append(" />")
        else:
            broken = self._line or self._pending
            self._close_tag()
            if self._indented and broken:
                self._parts.append("\n" + "  " * len(self._open))
            self._parts.append(f"</{name}>")
        self._pending = False
        self._line = True

    def leaf(self, name: str, text: str | None, *attributes: _Attribute) -> None:
        """An element with text and no child elements; None abbreviates it."""
        self.start(name, *attributes)
        if text:
            self.text(text)
        self.end()

    def __str__(self) -> str:
        return "".join(self._parts)

    def _close_tag(self) -> None:
        """Ends a start tag that was left open in case its element stays empty."""
        if self._pending:
            self._parts.append(">")
            self._pending = False
