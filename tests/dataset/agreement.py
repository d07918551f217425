"""Whether two ways of reading came to the same."""

import pyarrow as pa

from pipelines.dataset import DataSet, DataTable, Limits, TableBatch
from pipelines.dataset.assembly import assembled
from pipelines.dataset.document import utf8_document
from pipelines.dataset.errors import DataSetError
from pipelines.dataset.reader import read_parts

__all__ = ["full_reading", "same_arrow", "same_tables"]


def full_reading(body: bytes, limits: Limits | None = None) -> DataSet | DataSetError:
    """Read with the full reader, whatever the size; an error is an answer too."""
    limits = limits or Limits()
    try:
        return assembled(read_parts(utf8_document(body, None, limits), limits), strict=True)
    except DataSetError as error:
        return error


def same_arrow(one: pa.Table, other: pa.Table) -> bool:
    """Same columns of the same types with the same values; NaN is the same as NaN."""
    if not one.schema.equals(other.schema, check_metadata=True) or len(one) != len(other):
        return False
    pairs = zip(one.columns, other.columns, strict=True)
    # Through text, because NaN differs from itself.
    return all(a.equals(b) or repr(a.to_pylist()) == repr(b.to_pylist()) for a, b in pairs)


def same_tables(one: DataTable | TableBatch, other: DataTable | TableBatch) -> bool:
    """Same schema, rows, states and dropped zones."""
    return (
        one.schema == other.schema
        and same_arrow(one.arrow, other.arrow)
        and one.states.to_pylist() == other.states.to_pylist()
        and one.offsets == other.offsets
    )
