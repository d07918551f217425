"""Reads ADO.NET DataSets: inline XSD and DiffGram in, typed Arrow tables out.

Responsible for the whole way from the bytes of a reply to its tables; knows no service.
"""

from pipelines.dataset.assembly import assembled
from pipelines.dataset.batch import read_many
from pipelines.dataset.batch_result import Batch, Group, TableBatch
from pipelines.dataset.document import utf8_document
from pipelines.dataset.limits import DEFAULT_LIMITS, Limits
from pipelines.dataset.model import DataSet, DataTable, Reject, RowError, Tables
from pipelines.dataset.names import decode_name, encode_name
from pipelines.dataset.reader import read_parts
from pipelines.dataset.schema import Column, Constraint, Relation
from pipelines.dataset.shortcut import read_large

__all__ = [
    "DEFAULT_LIMITS",
    "Batch",
    "Column",
    "Constraint",
    "DataSet",
    "DataTable",
    "Group",
    "Limits",
    "Reject",
    "Relation",
    "RowError",
    "TableBatch",
    "Tables",
    "decode_name",
    "encode_name",
    "read",
    "read_many",
]


def read(
    body: bytes | bytearray | memoryview,
    content_type: str | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    strict: bool = True,
) -> DataSet:
    """Read the DataSet in a reply's body.

    Args:
        body: SOAP 1.1, SOAP 1.2, GET or POST reply, or a bare DataSet; not compressed.
        content_type: the reply's header; its charset wins over the XML declaration, unless that says
            UTF-8 and the bytes are.
        limits: what the document may cost.
        strict: raise for a value that does not fit; otherwise it goes to `rejects`.

    Raises:
        DataSetError: it cannot be read; the subclass says why.
    """
    body = bytes(body)  # the same object, if it is bytes already
    large = read_large(body, content_type, limits)
    if large is not None:
        return large
    document = utf8_document(body, content_type, limits)
    return assembled(read_parts(document, limits), strict)
