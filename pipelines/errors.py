"""The pipelines' errors, named by what the caller must do.

PipelineError
├── DataSetError           one reply cannot be read: quarantine it
│   ├── HostileXmlError    a DTD, or a limit on bytes, depth, rows, columns or text
│   ├── NotADataSetError   well-formed, but no DataSet in it; or not XML at all
│   ├── SchemaError        the inline schema is not one that ADO.NET writes
│   └── ValueFormatError   a value does not fit its declared type
├── PublicationError       the lake cannot be written or read: stop, nothing half-published
│   ├── LakeVersionError   another version wrote it
│   ├── StorageError       the store of objects does not answer or refuses: mend that, publish again
│   └── TableSchemaError   a published file does not fit this program's contract: the message says what to do
├── QueryError             a question to the lake is wrong: mend the SQL
└── WarehouseError         a target cannot be loaded: what was committed stays, load again
"""

__all__ = [
    "DataSetError",
    "HostileXmlError",
    "LakeVersionError",
    "NotADataSetError",
    "PipelineError",
    "PublicationError",
    "QueryError",
    "SchemaError",
    "StorageError",
    "TableSchemaError",
    "ValueFormatError",
    "WarehouseError",
]


class PipelineError(Exception):
    """Root of everything this package raises on purpose."""


class DataSetError(PipelineError):
    """A reply cannot be read as a DataSet."""


class HostileXmlError(DataSetError):
    """The document is refused before it costs anything."""


class NotADataSetError(DataSetError):
    """There is no DataSet in the document, or it is not XML."""


class SchemaError(DataSetError):
    """The inline schema is not one that ADO.NET writes."""


class ValueFormatError(DataSetError):
    """A value does not fit its declared type.

    Attributes:
        row: zero-based, in the table's row order; None for a default in the schema.
    """

    def __init__(self, table: str, row: int | None, column: str, value: str, expected: str) -> None:
        shown = value if len(value) <= 80 else value[:80] + "…"
        super().__init__(
            f"table {table!r}, row {row}, column {column!r}: {shown!r} is not {expected}"
        )
        self.table, self.row, self.column, self.value, self.expected = (
            table,
            row,
            column,
            value,
            expected,
        )

    def __reduce__(self) -> tuple[type, tuple[str, int | None, str, str, str]]:
        return type(self), (self.table, self.row, self.column, self.value, self.expected)


class PublicationError(PipelineError):
    """The lake cannot be written, or a written file does not verify; nothing was published."""


class LakeVersionError(PublicationError):
    """The lake was written by a newer version of this program."""


class StorageError(PublicationError):
    """The store of objects cannot be reached, or does not let this program in; the message says what to do."""


class TableSchemaError(PublicationError):
    """A published file has a schema that cannot be read together with this program's."""


class QueryError(PipelineError):
    """SQL that is wrong, or that would do more than read."""


class WarehouseError(PipelineError):
    """A target cannot be loaded; what was committed before stays, nothing is half-loaded."""
