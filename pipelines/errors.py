"""The pipelines' errors, named by what the caller must do; those of reading a DataSet are `pipelines.dataset.errors`.

PipelineError
├── PublicationError       the lake cannot be written or read: stop, nothing half-published
│   ├── LakeVersionError   another version wrote it
│   ├── StorageError       object storage does not answer or refuses: correct that, publish again
│   └── TableSchemaError   a published file or new rows do not fit the contract: the message says what to do
├── QueryError             a query is wrong: correct the SQL
├── ReportError            the page cannot be written: nothing else is touched
└── WarehouseError         a target cannot be loaded: what was committed stays, load again
"""

__all__ = [
    "LakeVersionError",
    "PipelineError",
    "PublicationError",
    "QueryError",
    "ReportError",
    "StorageError",
    "TableSchemaError",
    "WarehouseError",
]


class PipelineError(Exception):
    """Root of everything this package raises on purpose."""


class PublicationError(PipelineError):
    """The lake cannot be written, or a written file does not verify; nothing was published."""


class LakeVersionError(PublicationError):
    """The lake was written by a newer version of this program."""


class StorageError(PublicationError):
    """Object storage cannot be reached, or refuses this program; the message says what to do."""


class TableSchemaError(PublicationError):
    """A published file cannot be read together with this program's tables, or rows do not fit their table."""


class QueryError(PipelineError):
    """SQL that is wrong, or that would do more than read."""


class ReportError(PipelineError):
    """The page of a night cannot be written; the one that was there stays."""


class WarehouseError(PipelineError):
    """A target cannot be loaded; what was committed before stays, nothing is half-loaded."""
