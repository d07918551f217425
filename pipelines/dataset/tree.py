"""Feeds a document to lxml piece by piece and hands out the tree as it grows.

Responsible for the parser's hardening and for the bound on markup held at one time; the only place
where lxml's errors become ours. Knows nothing of SOAP or DataSets.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from typing import cast
from xml.sax.saxutils import escape

from lxml import etree

from pipelines.dataset.document import Document
from pipelines.dataset.errors import HostileXmlError, NotADataSetError
from pipelines.dataset.limits import Limits
from pipelines.dataset.verbatim import verbatim

__all__ = ["GrowingTree", "NamespaceError", "depth_within", "inner_xml"]

_WRAPPER = "document"
_CHUNK = 256 * 1024
# libxml2's own caps, below which it needs no permission.
_SAFE_DEPTH, _SAFE_TEXT = 250, 9_000_000


class GrowingTree:
    """A document under a wrapper element, parsed as far as it was fed.

    Attributes:
        top: the wrapper; the document's root is its only child element.
        complete: whether the document has ended.
        restore: what to apply to every value, if anything.
    """

    def __init__(self, document: Document, limits: Limits) -> None:
        self._limits = limits
        self._parser = etree.XMLPullParser(
            events=("start",),
            tag=_WRAPPER,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
            huge_tree=limits.depth > _SAFE_DEPTH or limits.text_chars > _SAFE_TEXT,
        )
        self._parser.feed(f"<{_WRAPPER}>".encode())
        started = [element for _, element in self._parser.read_events()]
        # The only event so far: the wrapper itself has begun.
        self.top = cast("etree._Element", started[0])  # noqa: SLF001
        self.complete = False
        self._held = self._latest = 0
        # A character may take four bytes, or more as a reference.
        self._pieces, self.restore = verbatim(document, _CHUNK, 8 * limits.text_chars)

    def grow(self) -> Iterator[None]:
        """Feed the document; each step has more of it, and the last has `complete` set.

        Raises:
            NotADataSetError: it is not well-formed.
            HostileXmlError: more markup than `consumed` made room for.
        """
        started = False
        try:
            for chunk in self._pieces:
                if started:
                    yield
                started = True
                self._latest = chunk.count(b"<") + chunk.count(b"=")
                self._held += self._latest
                if self._held > self._limits.nodes + _CHUNK // 4:
                    raise HostileXmlError(
                        f"more than {self._limits.nodes} elements and attributes outside of rows"
                    )
                self._parser.feed(chunk)
            self._parser.feed(f"</{_WRAPPER}>".encode())
            self._parser.close()
        except etree.XMLSyntaxError as error:
            raise _translated(error) from error
        self._check_root()
        self.complete = True
        yield

    def consumed(self) -> None:
        """Say that of what was fed, at most the latest piece is still held."""
        self._held = self._latest

    def clear(self) -> None:
        """Let go of the tree now: parser and tree hold each other, until Python's collector comes by."""
        self.top.clear()

    def _check_root(self) -> None:
        around = [self.top.text, *(child.tail for child in self.top)]
        if len(self.top) != 1 or any(text and text.strip() for text in around):
            raise NotADataSetError("the document is not one XML element")


class NamespaceError(NotADataSetError):
    """A namespace is no URI, which the parser refuses and .NET does not."""


def _translated(error: etree.XMLSyntaxError) -> HostileXmlError | NotADataSetError:
    message = " ".join(str(error.msg).split()).replace(f" {_WRAPPER} ", " the end of the document ")
    if any(
        word in message for word in ("too deep", "xcessive depth", "huge", "too long", "oo big")
    ):
        return HostileXmlError(f"the document exceeds the parser's limits: {message}")
    if getattr(error, "code", None) == etree.ErrorTypes.WAR_NS_URI:
        return NamespaceError(f"the document has a namespace that cannot be read: {message}")
    return NotADataSetError(f"the document is not well-formed XML: {message}")


@lru_cache(maxsize=8)
def _deeper_than(most: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/'.join(['*'] * (most + 1))})")


def depth_within(element: etree._Element, most: int) -> bool:
    """Whether no element lies more than `most` levels below the given one."""
    return not _deeper_than(most)(element)


def inner_xml(element: etree._Element) -> str:
    """Return an element's content as XML text, with no more namespace declarations than it needs."""
    parts = [escape(element.text or "")]
    for child in element:
        alone = deepcopy(child)
        etree.cleanup_namespaces(alone)
        parts.append(etree.tostring(alone, encoding="unicode", with_tail=True))
    return "".join(parts)
