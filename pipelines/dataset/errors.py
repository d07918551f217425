"""What may be wrong with a reply that is to be read as a DataSet.

DataSetError
├── HostileXmlError    a DTD, or a limit on bytes, depth, rows, columns or text
├── NotADataSetError   well-formed, but no DataSet in it; or not XML at all
├── SchemaError        the inline schema is not one that ADO.NET writes
└── ValueFormatError   a value does not fit its declared type
"""

__all__ = [
    "DataSetError",
    "HostileXmlError",
    "NotADataSetError",
    "SchemaError",
    "ValueFormatError",
]


class DataSetError(Exception):
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
