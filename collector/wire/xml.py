"""The one place where a reply becomes XML: hardened against entities, DTDs and size. Interprets nothing."""

from typing import Final

from lxml import etree

from collector.errors import WireError

__all__ = ["local_name", "namespace_of", "parse"]

_DOCTYPES: Final = tuple("<!DOCTYPE".encode(codec) for codec in ("ascii", "utf-16-le", "utf-16-be"))
_PARSER: Final = etree.XMLParser(
    # for a DTD in an encoding that was not looked for before; it is refused afterwards
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


def parse(body: bytes) -> etree._Element:
    """The root element.

    Raises:
        WireError: empty, not well-formed, nested beyond 256 levels, or with a DTD.
    """
    if not body.strip():
        raise WireError("an empty body")
    # before the parser sees it: a DTD may cost time and memory without ever being used
    if any(doctype in body for doctype in _DOCTYPES):
        raise WireError("a document with a DTD")
    try:
        root = etree.fromstring(body, _PARSER)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise WireError(f"not well-formed XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise WireError("a document with a DTD")
    return root


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace."""
    tag = str(element.tag)
    return tag[tag.rfind("}") + 1 :]


def namespace_of(element: etree._Element) -> str:
    """The element's namespace, "" for none; a URI may hold braces, which lxml's QName refuses."""
    return str(element.tag)[1:].rpartition("}")[0]
