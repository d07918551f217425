"""Namespaces that are no URI, such as `My Company` or `urn:größe`: .NET allows them, the parser does not.

Responsible for putting names that the parser takes in their place, and the true ones back afterwards; knows nothing of
schemas or rows.
"""

import re
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

from lxml import etree

from pipelines.dataset.document import Document
from pipelines.dataset.namespaces import DIFFGR, MSDATA, MSPROP, SOAP11, SOAP12, XML, XSD, XSI
from pipelines.dataset.verbatim import Restore

__all__ = ["aliased", "renamed"]

_KNOWN = (SOAP11, SOAP12, XSD, XSI, XML, MSDATA, MSPROP, DIFFGR)
# Wherever a namespace is written; in a text that looks like it, the alias is put back with all others.
_DECLARATION = re.compile(
    rb"""([ \t\r\n](?:xmlns(?::[^ \t\r\n=<>"']+)?|(?:[^ \t\r\n=<>"':]+:)?(?:targetNamespace|namespace"""
    rb"""|DataSetNamespace|(?:Parent|Child)?TableNamespace))[ \t\r\n]*=[ \t\r\n]*)("[^"<]*"|'[^'<]*')"""
)

_T = TypeVar("_T")


def aliased(document: Document) -> tuple[Document, Restore] | None:
    """Return the document with an alias for each of its own namespaces, and what undoes it in a text.

    None where a CDATA section might hold what looks like one and must stay as it is.
    """
    data = document.data[document.start :]
    if b"<![CDATA[" in data:
        return None
    # No document holds its own digest.
    stem = f"urn:{sha256(data).hexdigest()}:"
    originals: dict[str, int] = {}
    values: dict[bytes, str | None] = {}

    def rewrite(match: re.Match[bytes]) -> bytes:
        quoted = match[2]
        if quoted not in values:
            values[quoted] = _unescaped(quoted)
        original = values[quoted]
        if not original or original in _KNOWN:
            return match[0]
        place = originals.setdefault(original, len(originals))
        return match[1] + quoted[:1] + f"{stem}{place}.".encode() + quoted[:1]

    rewritten = Document(_DECLARATION.sub(rewrite, data))
    alias, names = re.compile(rf"{stem}([0-9]+)\."), list(originals)

    def restore(text: str) -> str:
        return alias.sub(lambda match: names[int(match[1])], text) if stem in text else text

    return rewritten, restore


def _unescaped(quoted: bytes) -> str | None:
    """An attribute's value, or None if it is not well-formed; the parser shall say why."""
    try:
        return etree.fromstring(b"<a b=" + quoted + b"/>").get("b")
    except etree.XMLSyntaxError:
        return None


def renamed(value: _T, restore: Restore) -> _T:
    """Return a value of schemas, tables or columns with all its texts restored."""
    return _renamed(value, restore)


def _renamed(value: Any, restore: Restore) -> Any:  # noqa: ANN401  whatever a field holds
    if type(value) is str:
        return restore(value)
    if isinstance(value, tuple):
        return tuple(_renamed(each, restore) for each in value)
    if isinstance(value, dict):
        return {_renamed(key, restore): _renamed(each, restore) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: _renamed(each, restore) for name, each in found.items()})
    return value
