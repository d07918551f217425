"""Table and column names as XML names and back, exactly as .NET's XmlConvert does it.

Responsible for `EncodeLocalName` and `DecodeName`; knows nothing of tables or XML documents.
"""

import re
from functools import lru_cache

from pipelines.dataset.name_characters import FURTHER, START

__all__ = ["decode_name", "encode_name", "speakable"]

_ESCAPE = re.compile(r"_[Xx]([0-9a-fA-F]{4}|[0-9a-fA-F]{8})_")
_HIGHEST = 0x10FFFF


def _character_class(table: str) -> str:
    spans = (entry.partition("-") for entry in table.split())
    return "".join(
        f"\\u{int(a, 16):04x}{dash}\\u{int(b or a, 16):04x}" if dash else f"\\u{int(a, 16):04x}"
        for a, dash, b in spans
    )


_START = _character_class(START)
_OUTSIDE = f"[^{_START}{_character_class(FURTHER)}]"
# Matches what must be escaped: a character outside the table, or the "_" of what would read as an
# escape. XmlConvert overlooks "_x0041:", whose colon brings the missing "_", and loses the name.
_TO_ESCAPE = re.compile(
    rf"_(?=[Xx](?:[0-9a-fA-F]{{4}}|[0-9a-fA-F]{{8}})(?:_|{_OUTSIDE}))"
    rf"|^[^{_START}]|{_OUTSIDE}",
    re.DOTALL,
)


@lru_cache(maxsize=4096)
def decode_name(name: str) -> str:
    """Undo `_xHHHH_` and `_xHHHHHHHH_`, once; anything else stays as it is."""
    if "_" not in name:
        return name
    return _joined(_ESCAPE.sub(_decoded, name))


def _decoded(match: re.Match[str]) -> str:
    point = int(match[1], 16)
    return chr(point) if point <= _HIGHEST else match[0]


def _joined(text: str) -> str:
    # Two escapes may hold the halves of one character, as UTF-16 has them.
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def encode_name(name: str) -> str:
    """Escape what an XML name cannot hold, and what would read as an escape."""
    return _TO_ESCAPE.sub(lambda match: _escaped(ord(match[0])), name)


def _escaped(point: int) -> str:
    return f"_x{point:08X}_" if point > 0xFFFF else f"_x{point:04X}_"


def speakable(name: str) -> str:
    """Return the name, escaped again where it could not be stored as UTF-8 (a lone surrogate)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return encode_name(name)
    return name
