"""A digest of rows: that what is read is what was written, whatever the file does in between."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["fingerprint"]


def fingerprint(rows: pa.Table) -> bytes:
    """32 bytes that differ where a value, a null, a column or the order differs."""
    sums = hashlib.sha256(f"{rows.num_rows} {rows.schema.names}".encode())
    for column in rows.columns:
        values = column.combine_chunks()
        if column.null_count:
            sums.update(np.packbits(pc.is_null(values).to_numpy(zero_copy_only=False)).tobytes())
        if pa.types.is_string(column.type):
            encoded = values.dictionary_encode()
            sums.update(encoded.indices.fill_null(-1).to_numpy().tobytes())
            values = encoded.dictionary
        _take_in(sums, values)
    return sums.digest()


def _take_in(sums: "hashlib._Hash", values: pa.Array) -> None:
    """The values without what a slice has around them, or a null below it."""
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        parts = [each or b"" for each in values.cast(pa.binary()).to_pylist()]
        sums.update(np.fromiter(map(len, parts), np.int64, len(parts)).tobytes())
        sums.update(b"".join(parts))
        return
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    elif pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    sums.update(values.fill_null(0).to_numpy().tobytes())
