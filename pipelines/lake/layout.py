"""How rows are laid out in files: encodings and compression. The same rows and layout make the same bytes."""

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from pipelines.contract import Column, Table

__all__ = ["COMPACTED", "PUBLISHED", "Layout", "coded_columns"]

_DICTIONARY_BYTES: Final = 4 << 20  # 1 MiB, the default, does not hold the texts of one row group
# A compacted row group, whole: every page has a header and an entry in the index
_PAGE_ROWS: Final = 1 << 15
# These repeat on neighbouring rows only, so a dictionary would add indices. Digests are random otherwise: a thorough
# search for matches finds short ones that cost more than they save.
_NAMES: Final = ("call_id", "from_call_id", "raw_sha256", "body_sha256")
_QUICK: Final = 1  # level of zstd; a higher one makes digests and differences larger, not smaller
_COUNTS: Final = ("count", "low", "high", "estimate", "reply_bytes")
_IDS: Final = ("network_id", "mailbox_id", "user_id")


@dataclass(frozen=True, slots=True)
class Layout:
    """What is told to the writer of Parquet.

    Attributes:
        level: of zstd, for what is not encoded as a difference to the value before.
        body_level: of zstd, for landed bodies; they are alike, which a thorough search finds.
        is_read_again: whether every value is read again before the file is published, not the footer alone.
    """

    level: int
    body_level: int
    is_read_again: bool = False

    def options(self, table: Table) -> dict[str, Any]:
        """The arguments of the writer."""
        encodings = {
            column.name: encoding
            for column in table.columns
            if (encoding := _encoding(table, column.name, column.type))
        }
        return {
            "compression": "zstd",
            "compression_level": {
                column.name: self._level(column, encodings.get(column.name, ""))
                for column in table.columns
            },
            "use_dictionary": [each.name for each in table.columns if each.name not in encodings],
            "column_encoding": encodings,
            "dictionary_pagesize_limit": _DICTIONARY_BYTES,
            "max_rows_per_page": _PAGE_ROWS,
            "write_page_index": True,
            # of what has no order they would say nothing, and of a body they would be two copies of it
            "write_statistics": [
                each.name
                for each in table.columns
                if each.name not in _NAMES and not pa.types.is_binary(each.type)
            ],
        }

    def _level(self, column: Column, encoding: str) -> int:
        if pa.types.is_binary(column.type):
            return self.body_level
        return _QUICK if encoding.startswith("DELTA") else self.level


def coded_columns(table: Table) -> list[str]:
    """The columns of text that are written as codes into a dictionary."""
    return [
        column.name
        for column in table.columns
        if pa.types.is_string(column.type) and not _encoding(table, column.name, column.type)
    ]


def _encoding(table: Table, name: str, kind: pa.DataType) -> str | None:
    """How a column is written; None for a dictionary."""
    if name in _NAMES:
        return "DELTA_BYTE_ARRAY"
    if pa.types.is_timestamp(kind) or name in _IDS:
        return "DELTA_BINARY_PACKED"
    return "PLAIN" if name in (*_COUNTS, *table.plain) else None


PUBLISHED: Final = Layout(level=3, body_level=3)
COMPACTED: Final = Layout(level=3, body_level=9, is_read_again=True)
