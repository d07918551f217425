"""What every value type has: a check, a quick conversion of many values, and a final Arrow type.

Responsible for the contract and for the types whose Arrow type is known beforehand; knows nothing
of tables. Codecs hold no state: what a column needs is read off its chunks at the end.
"""

import binascii
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "WHITESPACE",
    "Base64",
    "Boolean",
    "Character",
    "Codec",
    "EscapedText",
    "Floating",
    "Guid",
    "Integer",
    "Text",
    "all_match",
]

WHITESPACE = " \t\r\n"
# Below this many values an Arrow kernel costs more than a loop.
_FEW = 32


class Codec:
    """Turns the text of one column into Arrow; this one keeps it as text.

    Attributes:
        expected: what a value must be, for messages.
        pattern: the canonical spelling, for `re` and for RE2; "" where `matched` checks it.
        stored: Arrow type of a converted chunk.
    """

    expected: str = "text"
    pattern: str = ""
    stored: pa.DataType = pa.string()

    def canonical(self, text: str) -> str:
        """Return the value in the one spelling that `convert` takes.

        Raises:
            ValueError: it is no value of this type.
        """
        return text

    def convert(self, texts: pa.Array) -> pa.Array:
        """Convert a string array, nulls included, all at once.

        Raises:
            ValueError: at least one value is not in the canonical spelling, or unfit. It may be
                `pyarrow.ArrowInvalid`, which is a ValueError too.
        """
        if self.pattern:
            all_match(texts, self.pattern)
        return self.matched(texts)

    def matched(self, texts: pa.Array) -> pa.Array:
        """Convert a string array whose values match the pattern already; may raise the same."""
        return texts

    def finish(self, chunks: list[pa.Array]) -> pa.ChunkedArray:
        """Bring all chunks of the column to its final type."""
        return pa.chunked_array(chunks, self.stored)

    def dropped(self, chunks: list[pa.Array]) -> tuple[str, ...]:
        """Return the zones that values carried and the final type does not keep."""
        del chunks
        return ()


class Text(Codec):
    """Strings, URIs, and whatever has no type of its own here."""


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


class EscapedText(Codec):
    """SqlString and SqlChars, whose text .NET escapes twice."""

    expected = "text that is escaped twice"
    _entities: ClassVar = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
    _reference = re.compile(r"&(?:(lt|gt|amp|quot|apos)|#x([0-9a-fA-F]{1,6})|#([0-9]{1,7}));")
    _loose = re.compile(r"<|&(?!(?:lt|gt|amp|quot|apos|#x[0-9a-fA-F]{1,6}|#[0-9]{1,7});)")

    def canonical(self, text: str) -> str:
        self._unescaped(text)
        return text

    def _unescaped(self, text: str) -> str:
        if self._loose.search(text):
            raise ValueError(text)
        return self._reference.sub(self._character, text)

    def _character(self, match: re.Match[str]) -> str:
        if match[1]:
            return str(self._entities[match[1]])
        return chr(int(match[2], 16) if match[2] else int(match[3]))

    def matched(self, texts: pa.Array) -> pa.Array:
        if not pc.any(pc.match_substring_regex(texts, "[&<]")).as_py():
            return texts
        found = texts.to_pylist()
        return pa.array([None if t is None else self._unescaped(t) for t in found], pa.string())


def all_match(texts: pa.Array, pattern: str) -> None:
    """Raise ValueError unless every value matches the pattern in full; RE2 must know it too."""
    if len(texts) < _FEW:
        compiled = _compiled(pattern)
        if not all(text is None or compiled.fullmatch(text) for text in texts.to_pylist()):
            raise ValueError(pattern)
        return
    matched = pc.all(pc.match_substring_regex(texts, f"^(?:{pattern})$")).as_py()
    if matched is False:
        raise ValueError(pattern)


def _checked(pattern: str) -> Callable[[str], re.Match[str]]:
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str) -> re.Match[str]:
        match = compiled.fullmatch(text)
        if match is None:
            raise ValueError(text)
        return match

    return check


class Integer(Codec):
    """A whole number of a fixed width."""

    pattern = "-?[0-9]+"
    _signed = staticmethod(_checked(r"[+-]?([0-9]+)"))
    _unsigned = staticmethod(_checked(r"([0-9]+)"))

    def __init__(self, stored: pa.DataType) -> None:
        self.stored = stored
        self._is_signed = pa.types.is_signed_integer(stored)
        bits = stored.bit_width
        self._low = -(2 ** (bits - 1)) if self._is_signed else 0
        self._high = 2 ** (bits - 1) - 1 if self._is_signed else 2**bits - 1
        self.expected = f"a whole number from {self._low} to {self._high}"

    def canonical(self, text: str) -> str:
        text = text.strip(WHITESPACE)
        digits = (self._signed if self._is_signed else self._unsigned)(text)[1]
        # Python refuses to convert very long numbers; nothing that long could fit.
        value = int(text) if len(digits.lstrip("0")) <= 20 else self._high + 1
        if not self._low <= value <= self._high:
            raise ValueError(text)
        return str(value)

    def matched(self, texts: pa.Array) -> pa.Array:
        return texts.cast(self.stored)


class Floating(Codec):
    """A single or double, NaN and the infinities included."""

    pattern = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?INF|NaN"
    _number = staticmethod(_checked(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"))
    _named: ClassVar = {"Infinity": "INF", "-Infinity": "-INF"} | {
        name: name for name in ("INF", "-INF", "NaN")
    }

    def __init__(self, stored: pa.DataType) -> None:
        self.stored = stored
        self.expected = "a number within the range of a " + (
            "single" if stored.bit_width == 32 else "double"
        )

    def canonical(self, text: str) -> str:
        text = text.strip(WHITESPACE)
        named = self._named.get(text)
        if named is not None:
            return named
        self._number(text)
        value = pa.scalar(text.lstrip("+")).cast(self.stored).as_py()
        if math.isinf(value):
            raise ValueError(text)
        return text.lstrip("+")

    def matched(self, texts: pa.Array) -> pa.Array:
        found = texts.cast(self.stored)
        if pc.any(pc.is_inf(found)).as_py():
            all_match(texts.filter(pc.is_inf(found)), "-?INF")
        return found


class Boolean(Codec):
    """`true`, `false`, `1` or `0`."""

    expected = "true, false, 1 or 0"
    pattern = "true|false"
    stored = pa.bool_()
    _spellings: ClassVar = {"true": "true", "1": "true", "false": "false", "0": "false"}

    def canonical(self, text: str) -> str:
        spelling = self._spellings.get(text.strip(WHITESPACE))
        if spelling is None:
            raise ValueError(text)
        return spelling

    def matched(self, texts: pa.Array) -> pa.Array:
        return pc.equal(texts, "true")


class Character(Codec):
    """One UTF-16 unit, so nothing beyond the basic plane."""

    expected = "exactly one character of the basic plane"

    def canonical(self, text: str) -> str:
        if len(text) != 1 or ord(text) > 0xFFFF:
            raise ValueError(text)
        return text

    def matched(self, texts: pa.Array) -> pa.Array:
        # In UTF-8 the basic plane ends with three bytes.
        if pc.any(pc.greater(pc.binary_length(texts), 3)).as_py():
            raise ValueError("beyond the basic plane")
        if pc.any(pc.not_equal(pc.utf8_length(texts), 1)).as_py():
            raise ValueError("not one character")
        return texts


class Guid(Codec):
    """A GUID in any of .NET's common spellings; kept as lower-case text with hyphens."""

    expected = "a GUID"
    pattern = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    _spelling = staticmethod(
        _checked(
            r"(?:\{(?=.{36}\})|\((?=.{36}\)))?"
            r"([0-9a-fA-F]{8})(-?)([0-9a-fA-F]{4})\2([0-9a-fA-F]{4})\2([0-9a-fA-F]{4})\2"
            r"([0-9a-fA-F]{12})[)}]?"
        )
    )

    def canonical(self, text: str) -> str:
        text = text.strip(WHITESPACE)
        match = self._spelling(text)
        if (text[0] in "{(") != (text[-1] in ")}"):
            raise ValueError(text)
        return "-".join(part for place, part in enumerate(match.groups()) if place != 1).lower()

    def matched(self, texts: pa.Array) -> pa.Array:
        return texts


class Base64(Codec):
    """Bytes. Base64 whatever the schema says: .NET writes it even where it declares hexBinary."""

    expected = "base64"
    stored = pa.binary()
    _space = str.maketrans("", "", WHITESPACE)

    def canonical(self, text: str) -> str:
        text = text.translate(self._space)
        self._decode(text)
        return text

    def _decode(self, text: str) -> bytes:
        if len(text) % 4 or text.endswith("==="):  # Python lets more padding pass than belongs
            raise ValueError(text)
        return binascii.a2b_base64(text, strict_mode=bool(text))

    def matched(self, texts: pa.Array) -> pa.Array:
        found: list[Any] = texts.to_pylist()
        return pa.array([None if t is None else self._decode(t) for t in found], pa.binary())
