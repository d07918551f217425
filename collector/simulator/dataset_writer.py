"""A DataSet as a web method returns it: inline schema, then DiffGram. Knows nothing of envelopes.

The types that describe a DataSet are imported from here, too.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from collector.simulator.dataset import (
    Column,
    DataSet,
    DateTimeMode,
    Key,
    Mapping,
    NetType,
    Relation,
    Row,
    RowState,
    Scalar,
    Table,
    Value,
    Variant,
)
from collector.simulator.names import encode_local_name
from collector.simulator.scalars import XSD_TYPE, written
from collector.simulator.xml_text import XmlWriter, escaped_text
from collector.simulator.xsd import write_schema
from collector.wire.namespaces import DIFFGR, MSDATA, XSD, XSI

__all__ = [
    "Column",
    "DataSet",
    "DateTimeMode",
    "Key",
    "Mapping",
    "NetType",
    "Relation",
    "Row",
    "RowState",
    "Scalar",
    "Table",
    "Value",
    "Variant",
    "encode_local_name",
    "write_dataset",
    "write_diffgram",
    "write_schema",
]

# Char.IsWhiteSpace
_BLANK: Final = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_CURRENT: Final = (RowState.UNCHANGED, RowState.INSERTED, RowState.MODIFIED)

_Attributes = list[tuple[str, str]]
_NumberedRow = tuple[int, Row]


def write_dataset(writer: XmlWriter, data: DataSet, *, xsi_declared: bool) -> None:
    """Writes schema and DiffGram into the open element.

    Args:
        xsi_declared: the prefix xsi is bound already, as on a SOAP envelope.
    """
    write_schema(writer, data)
    write_diffgram(writer, data, xsi_declared=xsi_declared)


def write_diffgram(writer: XmlWriter, data: DataSet, *, xsi_declared: bool) -> None:
    """Writes the `diffgr:diffgram` element."""
    writer.start("diffgr:diffgram", ("xmlns:msdata", MSDATA), ("xmlns:diffgr", DIFFGR))
    if any(table.rows for table in data.tables):
        _DiffGram(writer, data, xsi_declared=xsi_declared).write()
    writer.end()


class _DiffGram:
    """The three parts of one DiffGram."""

    def __init__(self, writer: XmlWriter, data: DataSet, *, xsi_declared: bool) -> None:
        self._writer = writer
        self._data = data
        self._xsi: _Attributes = [] if xsi_declared else [("xmlns:xsi", XSI)]
        self._tables = {table.name: table for table in data.tables}
        self._nested = {relation.child: relation for relation in data.relations if relation.nested}

    def write(self) -> None:
        """Current rows by table, then what they were, then what is wrong with them."""
        self._writer.start(encode_local_name(self._data.name), ("xmlns", self._data.namespace))
        for table in self._data.tables:
            for number, row in enumerate(table.rows):
                if row.state in _CURRENT and self._parent(table, row) is None:
                    self._current(table, number, row)
        self._writer.end()
        self._write_before()
        self._write_errors()

    def _write_before(self) -> None:
        """The original values of modified and deleted rows; only deleted ones repeat their marks."""
        old = [
            (table, number, row)
            for table in self._data.tables
            for number, row in enumerate(table.rows)
            if row.state in (RowState.MODIFIED, RowState.DELETED)
        ]
        if not old:
            return
        self._writer.start("diffgr:before")
        for table, number, row in old:
            attributes: _Attributes = [("diffgr:id", f"{table.name}{number + 1}")]
            attributes += self._parent_id(table, row)
            if _has_errors(row) and row.state is RowState.DELETED:
                attributes.append(("diffgr:hasErrors", "true"))
            attributes.append(("msdata:rowOrder", str(number)))
            self._row(table, _original(row), attributes, [("xmlns", self._data.namespace)])
            self._writer.end()
        self._writer.end()

    def _write_errors(self) -> None:
        """Row and column errors, found by the row's id."""
        faulty = [
            (table, number, row)
            for table in self._data.tables
            for number, row in enumerate(table.rows)
            if _has_errors(row)
        ]
        if not faulty:
            return
        self._writer.start("diffgr:errors")
        for table, number, row in faulty:
            attributes: _Attributes = [("diffgr:id", f"{table.name}{number + 1}")]
            if row.error:
                attributes.append(("diffgr:Error", row.error))
            self._writer.start(
                encode_local_name(table.name), *attributes, ("xmlns", self._data.namespace)
            )
            for column, text in row.column_errors:
                attached = any(
                    each.name == column and each.mapping is Mapping.ATTRIBUTE
                    for each in table.columns
                )
                space: _Attributes = [("xmlns", "")] if attached and self._data.namespace else []
                self._writer.leaf(encode_local_name(column), None, ("diffgr:Error", text), *space)
            self._writer.end()
        self._writer.end()

    def _current(self, table: Table, number: int, row: Row) -> None:
        """One current row, with the rows nested inside it after its columns."""
        attributes: _Attributes = [
            ("diffgr:id", f"{table.name}{number + 1}"),
            ("msdata:rowOrder", str(number)),
        ]
        if row.state is not RowState.UNCHANGED:
            attributes.append(("diffgr:hasChanges", row.state))
        if _has_errors(row):
            attributes.append(("diffgr:hasErrors", "true"))
        self._row(table, row.values, attributes, [])
        for child, at, nested_row in self._children(table, row):
            self._current(child, at, nested_row)
        self._writer.end()

    def _row(
        self, table: Table, values: tuple[Value, ...], attributes: _Attributes, last: _Attributes
    ) -> None:
        """Opens the row's element and writes its columns; the caller closes it."""
        content: str | None = None
        nil: _Attributes = []
        for column, value in zip(table.columns, values, strict=True):
            name = encode_local_name(column.name)
            if column.mapping is Mapping.SIMPLE_CONTENT:
                content, nil = self._simple(column, value, old=bool(last))
            elif value is not None and column.mapping is not Mapping.ELEMENT:
                prefix = "msdata:hidden" if column.mapping is Mapping.HIDDEN else ""
                attributes.append((prefix + name, self._text(column, value)))
        self._writer.start(encode_local_name(table.name), *attributes, *nil, *last)
        if content:
            self._writer.text(content)
        for column, value in zip(table.columns, values, strict=True):
            if value is not None and column.mapping is Mapping.ELEMENT:
                self._cell(column, value)

    def _simple(self, column: Column, value: Value, *, old: bool) -> tuple[str | None, _Attributes]:
        """The text of a row without child elements, and its nil mark if there is none."""
        if value is None:
            return None, [("xsi:nil", "true"), *self._xsi]
        text = self._text(column, value)
        return text, [] if old else _preserved(text)

    def _cell(self, column: Column, value: Value) -> None:
        """One column as an element."""
        name = encode_local_name(column.name)
        if isinstance(value, Variant):
            text = written(value.value, value.type, DateTimeMode.UNSPECIFIED, self._data.zone)
            self._writer.leaf(name, text, *self._variant(value))
            return  # blank text of an Object column is not preserved
        text = self._text(column, value)
        if column.type in (NetType.SQL_CHARS, NetType.SQL_STRING):
            text = escaped_text(text)  # .NET escapes it twice
        plain = column.type.startswith("System.Data.SqlTypes.")
        self._writer.leaf(name, text, *([] if plain else _preserved(text)))

    def _variant(self, value: Variant) -> _Attributes:
        """How a value of an Object column says its type: by xsi:type where XML Schema has one."""
        if value.type in (NetType.CHAR, NetType.GUID):
            return [("msdata:InstanceType", value.type)]
        return [("xsi:type", f"xs:{XSD_TYPE[value.type]}"), ("xmlns:xs", XSD), *self._xsi]

    def _text(self, column: Column, value: Value) -> str:
        return written(value, column.type, column.date_time_mode, self._data.zone)

    def _parent(self, table: Table, row: Row) -> _NumberedRow | None:
        """The current parent row this one stands inside, if any."""
        relation = self._nested.get(table.name)
        if relation is None:
            return None
        key = _values(table, row.values, relation.child_columns)
        if all(value is None for value in key):
            return None
        parent = self._tables[relation.parent]
        for number, candidate in enumerate(parent.rows):
            if (
                candidate.state in _CURRENT
                and _values(parent, candidate.values, relation.parent_columns) == key
            ):
                return number, candidate
        return None

    def _parent_id(self, table: Table, row: Row) -> _Attributes:
        """The parent an old row stood inside, judged by original values on both sides."""
        relation = self._nested.get(table.name)
        if relation is None or row.state is not RowState.DELETED:
            return []
        key = _values(table, _original(row), relation.child_columns)
        parent = self._tables[relation.parent]
        for number, candidate in enumerate(parent.rows):
            values = _values(parent, _original(candidate), relation.parent_columns)
            if candidate.state is not RowState.INSERTED and values == key and None not in key:
                return [("diffgr:parentId", f"{parent.name}{number + 1}")]
        return []

    def _children(self, table: Table, row: Row) -> Iterator[tuple[Table, int, Row]]:
        """The current rows of nested tables that belong into this one, in table order."""
        for child in self._data.tables:
            relation = self._nested.get(child.name)
            if relation is None or relation.parent != table.name:
                continue
            key = _values(table, row.values, relation.parent_columns)
            for number, candidate in enumerate(child.rows):
                if (
                    candidate.state in _CURRENT
                    and _values(child, candidate.values, relation.child_columns) == key
                ):
                    yield child, number, candidate


def _values(table: Table, values: tuple[Value, ...], columns: Iterable[str]) -> tuple[Value, ...]:
    """The values of the named columns."""
    names = [column.name for column in table.columns]
    return tuple(values[names.index(name)] for name in columns)


def _original(row: Row) -> tuple[Value, ...]:
    return row.values if row.before is None else row.before


def _has_errors(row: Row) -> bool:
    return bool(row.error or row.column_errors)


def _preserved(text: str) -> _Attributes:
    """xml:space, which .NET adds only where an XML reader would drop the whole text."""
    blank = text != "" and not text.strip(_BLANK)
    return [("xml:space", "preserve")] if blank else []
