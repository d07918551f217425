"""Recognises rows as .NET's XmlWriter spells them, without an XML parser.

Responsible for one schema's rows in one exact spelling, indented or not: attributes in .NET's
order, columns in the schema's, no comment, no other namespace. What matches is well-formed by
construction; whatever does not match is left to the full reader.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dataset.codec import Base64, Codec
from pipelines.dataset.codecs import codec_for
from pipelines.dataset.schema import Column, Place, Schema, TableSchema

__all__ = ["Rows", "Spelling"]

_GAP = r"[ \t\r\n]*+"
# XML 1.0 characters but for markup; a "&" must begin one of XML's five entities.
_CHARACTERS = r"[^<>&\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*+"
_TEXT = rf"{_CHARACTERS}(?:&(?:amp|lt|gt|quot|apos);{_CHARACTERS})*+"
# "&" last, or what it brings forth would be taken for another entity.
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
# Enough for every number, date, GUID and duration; what is longer is odd enough for the full reader.
_VALUE = r"[-+.:0-9A-Za-z]{1,64}+"
_BYTES = r"[+/=0-9A-Za-z]++"
# What makes a row's state; in the order of the states' codes, without "unchanged".
_STATES = ("", "inserted", "modified")
_MOST_GROUPS = 400
_PLAIN_NAME = re.compile(r"[^\x00-\x20<>&\"'=/:!?]+")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table, as matched: texts by column, null where a column is absent."""

    table: int
    orders: np.ndarray
    states: np.ndarray
    columns: list[pa.Array]


class Spelling:
    """The one spelling of rows of a schema.

    Attributes:
        row_start: how rows of each table begin: nothing else in matched text contains it.
        row_end: how rows of each table end.
    """

    def __init__(self, schema: Schema) -> None:
        self._tables = schema.tables
        self._texts = [[_text_end(column) for column in table.columns] for table in schema.tables]
        rows = [_row_pattern(table) for table in schema.tables]
        self._pattern = re.compile("|".join([*rows, r"([\s\S]++)"]))
        self.row_start = [f'<{_local(table.tag)} diffgr:id="'.encode() for table in schema.tables]
        self.row_end = [f"</{_local(table.tag)}>".encode() for table in schema.tables]

    @classmethod
    def of(cls, schema: Schema, namespace: str) -> "Spelling | None":
        """Return the spelling, or None if the schema has more than plain columns in elements.

        Args:
            schema: the DataSet's.
            namespace: the default namespace where rows stand.
        """
        groups = sum(2 + len(table.columns) for table in schema.tables)
        if not schema.tables or groups > _MOST_GROUPS:
            return None
        plain = all(_is_plain(table, namespace) for table in schema.tables)
        return (
            cls(schema)
            if plain and len({t.tag for t in schema.tables}) == len(schema.tables)
            else None
        )

    def match(self, text: str) -> list[Rows] | None:
        """Return all rows of a text, by table; None unless it is rows and gaps throughout.

        A NUL may stand between rows: the caller's mark, once it made sure that no text has one.
        """
        found = self._pattern.findall(text)
        if not found:
            return []
        if found[-1][-1]:
            if found[-1][-1].strip(" \t\r\n\0"):
                return None
            found.pop()
        groups = list(zip(*found, strict=True))[:-1]
        rows, start = [], 0
        for place, table in enumerate(self._tables):
            end = start + 2 + len(table.columns)
            own = self._own(groups[start:end])
            if own:
                rows.append(self._rows(place, own))
            start = end
        return rows

    def _own(self, groups: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Drop what belongs to rows of other tables."""
        if len(self._tables) == 1:
            return groups
        return list(zip(*(row for row in zip(*groups, strict=True) if row[0]), strict=True))

    def _rows(self, place: int, groups: list[tuple[str, ...]]) -> Rows:
        orders, states, *columns = groups
        return Rows(
            place,
            np.array(orders, np.int64),
            _state_codes(states),
            [
                _typed(column) if end is None else _texts(column, end)
                for column, end in zip(columns, self._texts[place], strict=True)
            ],
        )


def _state_codes(states: tuple[str, ...]) -> np.ndarray:
    # Mostly all rows are new, or none is.
    if states.count(states[0]) == len(states):
        return np.full(len(states), _STATES.index(states[0]), np.int8)
    return np.fromiter(map(_STATES.index, states), np.int8, len(states))


def _typed(column: tuple[str, ...]) -> pa.Array:
    """An absent column matched as nothing, which no value of a type does."""
    texts = pa.array(column, pa.string())
    return pc.if_else(pc.equal(texts, ""), None, texts) if "" in column else texts


def _texts(column: tuple[str, ...], end: int) -> pa.Array:
    """Matched as `>text</Name` or `/`, or as nothing where the column is absent."""
    found = [None if not t else t[1:end] if t[0] == ">" else "" for t in column]
    texts = pa.array(found, pa.string())
    if pc.any(pc.match_substring(texts, "&")).as_py():
        for entity, character in _ENTITIES:
            texts = pc.replace_substring(texts, entity, character)
    return texts


def _is_text(column: Column) -> bool:
    return type(codec_for(column)).canonical is Codec.canonical


def _text_end(column: Column) -> int | None:
    """Where a text ends in what was matched, from the end; None for types whose text is never empty."""
    return -len(f"</{_local(column.tag)}") if _is_text(column) else None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _is_plain(table: TableSchema, namespace: str) -> bool:
    names = [column.tag for column in table.columns]
    return (
        table.namespace == namespace
        and bool(_PLAIN_NAME.fullmatch(_local(table.tag)))
        and len(set(names)) == len(names)
        and all(
            column.place is Place.ELEMENT
            and column.namespace == namespace
            and column.type != "System.Object"
            and column.tag != table.tag
            and bool(_PLAIN_NAME.fullmatch(_local(column.tag)))
            for column in table.columns
        )
    )


def _row_pattern(table: TableSchema) -> str:
    name = re.escape(_local(table.tag))
    cells = "".join(_cell_pattern(column) for column in table.columns)
    return (
        rf'[ \t\r\n\0]*+<{name} diffgr:id="[^"<&\x00-\x1f\ufffe\uffff]*+"'
        r' msdata:rowOrder="([0-9]{1,9}+)"(?: diffgr:hasChanges="(inserted|modified)")?+'
        rf"(?:>{_GAP}{cells}</{name}>| ?/>)[ \t\r\n\0]*+"
    )


def _cell_pattern(column: Column) -> str:
    name = re.escape(_local(column.tag))
    if _is_text(column):
        return rf'(?:<{name}(?: xml:space="preserve")?+ ?(/|>{_TEXT}</{name})>{_GAP})?+'
    codec = codec_for(column)
    value = _BYTES if isinstance(codec, Base64) else codec.pattern or _VALUE
    return rf"(?:<{name}>({value})</{name}>{_GAP})?+"
