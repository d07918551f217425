"""How rows lie in files: order, encodings, compression. The same rows make the same bytes."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract import Table

__all__ = ["coded_columns", "sorted_rows", "writer_options"]

_DICTIONARY_BYTES: Final = 4 << 20  # 1 MiB, the default, does not hold the texts of one row group
_PAGE_ROWS: Final = 1 << 15  # every page has a header and an entry in the index
# These repeat on neighbouring rows only, so a dictionary would add indices. Digests are random otherwise: a thorough
# search for matches finds short ones that cost more than they save.
_NAMES: Final = ("call_id", "from_call_id", "raw_sha256", "body_sha256")
_LEVEL: Final = 3  # of zstd
_QUICK: Final = 1  # a higher level makes digests and differences larger, not smaller
_COUNTS: Final = ("count", "low", "high", "estimate", "reply_bytes")
_IDS: Final = ("network_id", "mailbox_id", "user_id")


def writer_options(table: Table) -> dict[str, Any]:
    """The arguments of the writer of Parquet."""
    encodings = {
        column.name: encoding
        for column in table.columns
        if (encoding := _encoding(table, column.name, column.type))
    }
    return {
        "compression": "zstd",
        "compression_level": {
            column.name: _QUICK if encodings.get(column.name, "").startswith("DELTA") else _LEVEL
            for column in table.columns
        },
        "use_dictionary": [each.name for each in table.columns if each.name not in encodings],
        "column_encoding": encodings,
        "dictionary_pagesize_limit": _DICTIONARY_BYTES,
        "max_rows_per_page": _PAGE_ROWS,
        "write_page_index": True,
        "write_page_checksum": True,
        # of what has no order they would say nothing, and of a body they would be two copies of it
        "write_statistics": [
            each.name
            for each in table.columns
            if each.name not in _NAMES and not pa.types.is_binary(each.type)
        ],
    }


def coded_columns(table: Table) -> list[str]:
    """The columns of text that are written as codes into a dictionary."""
    return [
        column.name
        for column in table.columns
        if pa.types.is_string(column.type) and not _encoding(table, column.name, column.type)
    ]


def sorted_rows(rows: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    """The rows by these columns; equal ones keep their order."""
    if not columns or rows.num_rows < 2:
        return rows
    order = np.lexsort([_codes(rows.column(name)) for name in reversed(columns)])
    if np.array_equal(order, np.arange(len(order))):
        return rows
    return rows.take(order)


def _encoding(table: Table, name: str, kind: pa.DataType) -> str | None:
    """How a column is written; None for a dictionary."""
    if name in _NAMES:
        return "DELTA_BYTE_ARRAY"
    if pa.types.is_timestamp(kind) or name in _IDS:
        return "DELTA_BINARY_PACKED"
    return "PLAIN" if name in (*_COUNTS, *table.plain) else None


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Integers that sort as the values do; far cheaper to compare than text."""
    if pa.types.is_integer(column.type):
        return np.asarray(column.to_numpy(), np.int64)
    encoded = pa.chunked_array([*column.dictionary_encode().chunks]).combine_chunks()
    assert isinstance(encoded, pa.DictionaryArray)  # noqa: S101 # tells the type checker
    ranks = np.empty(len(encoded.dictionary), np.int64)
    ranks[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(ranks))
    return np.asarray(ranks[encoded.indices.to_numpy()], np.int64)
