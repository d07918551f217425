"""Finds the DataSet in a document: SOAP 1.1, SOAP 1.2, GET/POST, or bare.

Responsible for the way from the root to the element that holds the schema and the rows; reads
neither. Elements are matched by namespace and position, never by a search for a name.
"""

from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from lxml import etree

from pipelines.dataset.errors import NotADataSetError
from pipelines.dataset.namespaces import DIFFGR, SOAP11, SOAP12, XSD, XSI, clark, local_name

__all__ = ["DIFFGRAM", "SCHEMA", "Found", "Holding", "find_dataset"]

SCHEMA = clark(XSD, "schema")
DIFFGRAM = clark(DIFFGR, "diffgram")
_SOAP = (SOAP11, SOAP12)
_NIL = clark(XSI, "nil")
# An operation's result and its out parameters.
_MOST_RESULTS = 16
_BARE_NAMES = ("DataSet", "NewDataSet")


class Holding(Enum):
    """What stands where the DataSet should be."""

    DATASET = auto()
    PLAIN_ROWS = auto()
    NULL = auto()


@dataclass(frozen=True, slots=True)
class Found:
    """Where the DataSet is; `holder` is the parent of schema, diffgram or rows."""

    holding: Holding
    holder: etree._Element


def find_dataset(top: etree._Element, complete: bool) -> Found | None:
    """Look for the DataSet below the wrapper; None as long as more of the document may tell.

    Raises:
        NotADataSetError: a Fault, another operation's answer, or no SOAP and no DataSet at all.
    """
    root = next(iter(top), None)
    if root is None:
        return None
    payload = _payload(root, complete)
    if payload is None:
        return None
    soap = payload is not root
    children = list(islice(payload, _MOST_RESULTS))
    for candidate in [*children, payload] if soap else [top, root, *children]:
        if candidate.find(SCHEMA) is not None or candidate.find(DIFFGRAM) is not None:
            return Found(Holding.DATASET, candidate)
    if not complete:
        return None
    result = _result(payload) if soap else root
    if result is None or (not len(result) and _is_true(result.get(_NIL))):
        return Found(Holding.NULL, payload)
    return Found(Holding.PLAIN_ROWS, _plain_holder(result, soap))


def _payload(root: etree._Element, complete: bool) -> etree._Element | None:
    """The response element of a SOAP envelope, or the root itself outside of SOAP."""
    namespace = next((soap for soap in _SOAP if root.tag == clark(soap, "Envelope")), None)
    if namespace is None:
        return root
    bodies = root.findall(clark(namespace, "Body"))
    payload = next(iter(bodies[0]), None) if bodies else None
    if complete and (len(bodies) != 1 or len(bodies[0]) != 1):
        raise NotADataSetError("the SOAP envelope has not one Body with one element in it")
    if payload is None:
        return None
    if payload.tag == clark(namespace, "Fault"):
        if not complete:
            return None
        text = " ".join("".join(map(str, payload.itertext())).split())
        raise NotADataSetError(f"a SOAP Fault instead of a DataSet: {text[:300]}")
    return payload


def _result(payload: etree._Element) -> etree._Element | None:
    if not len(payload):
        if payload.text and payload.text.strip():
            raise _no_dataset(payload)
        return None
    named = (child for child in payload if str(child.tag).endswith("Result"))
    return next(named, payload[0])


def _plain_holder(result: etree._Element, soap: bool) -> etree._Element:
    """The parent of rows without schema and diffgram, as the vendor's pages print them."""
    if not soap and local_name(str(result.tag)) not in _BARE_NAMES:
        raise _no_dataset(result)
    if len(result) == 1 and local_name(str(result[0].tag)) in _BARE_NAMES and _grows(result[0]):
        return result[0]
    if (result.text and result.text.strip()) or any(not len(row) and row.text for row in result):
        raise _no_dataset(result)
    return result


def _grows(element: etree._Element) -> bool:
    return not len(element) or any(len(child) for child in element)


def _is_true(text: str | None) -> bool:
    return (text or "").strip() in ("true", "1")


def _no_dataset(element: etree._Element) -> NotADataSetError:
    name = local_name(str(element.tag))
    return NotADataSetError(f"there is no DataSet in the document; it holds {name[:100]!r}")
