"""Decimals, exact: the column's scale is what its values need.

Responsible for decimals and big integers; knows nothing of tables. A .NET decimal keeps the scale
of each value, and 29 whole digits may share a column with 28 decimals: more than 38 digits in all.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dataset.codec import WHITESPACE, Codec

__all__ = ["BigInteger", "Decimal", "SqlDecimal"]

_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?", re.ASCII)
_NARROW, _WIDE = 38, 76


class Decimal(Codec):
    """System.Decimal: 96 bits and up to 28 decimals."""

    expected = "a decimal number of at most 96 bits and 28 decimals"
    pattern = r"-?[0-9]+(?:\.[0-9]+)?"
    _highest = 2**96 - 1
    _most_decimals = 28
    _most_digits = 29

    def canonical(self, text: str) -> str:
        match = _NUMBER.fullmatch(text.strip(WHITESPACE))
        if match is None or not (match[2] or match[3]):
            raise ValueError(text)
        whole = match[2].lstrip("0") or "0"
        decimals = match[3] or ""
        if len(decimals) > self._most_decimals:
            kept = decimals[: self._most_decimals]
            if decimals[self._most_decimals :].strip("0"):
                raise ValueError(text)
            decimals = kept
        if len(whole) > self._most_digits or int(whole) > self._highest:
            raise ValueError(text)
        sign = "-" if match[1] == "-" else ""
        return f"{sign}{whole}.{decimals}" if decimals else sign + whole

    def matched(self, texts: pa.Array) -> pa.Array:
        length = pc.binary_length(texts)
        point = pc.find_substring(texts, ".")
        whole = pc.if_else(pc.less(point, 0), length, point)
        scale = max(0, pc.max(pc.subtract(pc.subtract(length, whole), 1)).as_py() or 0)
        # One more than needed where there is a sign.
        digits = pc.max(whole).as_py() or 1
        if digits >= self._most_digits or scale > self._most_decimals:
            self._measure(texts)
        return texts.cast(_decimal(digits, scale))

    def _measure(self, texts: pa.Array) -> None:
        for text in texts.to_pylist():
            if text is not None and self.canonical(text) != text:
                raise ValueError(text)

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        scale = max((chunk.type.scale for chunk in chunks), default=0)
        whole = max((_whole_digits(chunk) for chunk in chunks), default=1)
        final = _decimal(whole, scale)
        return pa.chunked_array([chunk.cast(final) for chunk in chunks], final)


def _whole_digits(chunk: pa.Array) -> int:
    lowest, highest = pc.min(chunk).as_py(), pc.max(chunk).as_py()
    return max(len(str(abs(int(value or 0)))) for value in (lowest, highest))


def _decimal(whole: int, scale: int) -> pa.DataType:
    if whole + scale <= _NARROW:
        return pa.decimal128(_NARROW, scale)
    return pa.decimal256(_WIDE, scale)


class SqlDecimal(Decimal):
    """SqlDecimal: up to 38 digits."""

    expected = "a decimal number of at most 38 digits"
    _highest = 10**38 - 1
    _most_decimals = 38
    _most_digits = 38


class BigInteger(Decimal):
    """System.Numerics.BigInteger, as far as Arrow's widest decimal goes; kept as text beyond it."""

    expected = "a whole number"
    pattern = "-?(?:0|[1-9][0-9]*)"
    stored = pa.string()
    _most_decimals = 0

    def canonical(self, text: str) -> str:
        match = _NUMBER.fullmatch(text.strip(WHITESPACE))
        if match is None or not match[2] or match[3] is not None:
            raise ValueError(text)
        return ("-" if match[1] == "-" else "") + (match[2].lstrip("0") or "0")

    def matched(self, texts: pa.Array) -> pa.Array:
        return texts

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        bare = [pc.utf8_ltrim(chunk, "-") for chunk in chunks]
        digits = max((pc.max(pc.binary_length(c)).as_py() or 1 for c in bare), default=1)
        final = pa.string() if digits > _WIDE else _decimal(digits, 0)
        return pa.chunked_array([chunk.cast(final) for chunk in chunks], final)
