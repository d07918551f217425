"""Reads row elements of one table into columns.

Responsible for what belongs to which column, and for the row's own attributes; knows nothing of
where rows stand in the document. Cells go by the element's or attribute's exact namespace and name.
"""

import re
from array import array
from collections.abc import Container
from dataclasses import dataclass, replace

from lxml import etree

from pipelines.dataset.column_builder import Cell, ColumnBuilder, Typed, Unfit
from pipelines.dataset.errors import HostileXmlError
from pipelines.dataset.limits import Limits
from pipelines.dataset.model import STATES
from pipelines.dataset.names import decode_name, speakable
from pipelines.dataset.namespaces import DIFFGR, MSDATA, XML, XSD, XSI, clark
from pipelines.dataset.schema import Column, Place, TableSchema
from pipelines.dataset.tree import inner_xml
from pipelines.dataset.verbatim import Restore
from pipelines.dataset.xsd_types import XSD_TYPES, net_type_name, qname

__all__ = ["DIFF_ID", "Budget", "TableBuilder"]

DIFF_ID = clark(DIFFGR, "id")
_HAS_CHANGES = clark(DIFFGR, "hasChanges")
_HAS_ERRORS = clark(DIFFGR, "hasErrors")
_ROW_ORDER = clark(MSDATA, "rowOrder")
_HIDDEN = clark(MSDATA, "hidden")
_NIL = clark(XSI, "nil")
_TYPE = clark(XSI, "type")
_INSTANCE_TYPE = clark(MSDATA, "InstanceType")
_SPACING = clark(XML, "space")
_NOT_DATA = tuple(f"{{{namespace}" for namespace in (DIFFGR, MSDATA, XSI, XML))
_DIFFGRAM_ONLY = _NOT_DATA[:2]
_ROW_ATTRIBUTES = (DIFF_ID, clark(DIFFGR, "parentId"), clark(DIFFGR, "Error"))
_SPACE = " \t\r\n"
_NUMBER = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_BATCH = 4096
# .NET reads white space alone as nothing in these, and writes no xml:space that would keep it.
_BLANK_IS_EMPTY = (
    "System.Object",
    "System.Data.SqlTypes.SqlString",
    "System.Data.SqlTypes.SqlChars",
)
_STATE_CODES = {state: code for code, state in enumerate(STATES)} | {"descent": 0}


@dataclass(slots=True)
class Budget:
    """What is left of the limits, over all tables, and how to restore a document's values."""

    limits: Limits
    restore: Restore | None = None
    rows: int = 0
    columns: int = 0

    def take_row(self) -> None:
        """Count one more row."""
        self.rows += 1
        if self.rows > self.limits.rows:
            raise HostileXmlError(f"more than {self.limits.rows} rows")

    def take_column(self) -> None:
        """Count one more column."""
        self.columns += 1
        if self.columns > self.limits.columns:
            raise HostileXmlError(f"more than {self.limits.columns} columns")


class TableBuilder:
    """The rows of one table: its current ones, or their old versions.

    Args:
        tables: tags that are tables, wherever they stand.

    Attributes:
        columns: declared ones first.
        ids: rows that `diffgr:before` and `diffgr:errors` may refer to, by diffgr:id.
        unfit: cells that do not fit, in document order.
        nils: rows, by column place, whose null was an xsi:nil.
    """

    def __init__(
        self,
        schema: TableSchema,
        budget: Budget,
        tables: Container[str],
        *,
        plain: bool,
        before: bool,
    ) -> None:
        self.schema = schema
        self._tables = tables
        self._budget = budget
        self._before = before
        # Rows without a DiffGram around them are new, as .NET sees it.
        self._state = _STATE_CODES["inserted"] if plain else _STATE_CODES["unchanged"]
        self.columns = [ColumnBuilder(column) for column in schema.columns]
        self._elements: dict[str, int] = {}
        # Columns whose cells are mostly nothing but text: no object, no table of the same name.
        self._quick: dict[str, int] = {}
        self._attributes: dict[str, int] = {}
        self._text: int | None = None
        for place, column in enumerate(schema.columns):
            self._index(place, column)
        self._pending: list[list[Cell]] = []
        self._flushed = 0
        self.orders = array("q")
        self.states = bytearray()
        self.ids: dict[str, int] = {}
        self.row_ids: list[str] = []
        self.unfit: list[Unfit] = []
        self.nils: dict[int, list[int]] = {}
        self._next_order = 0

    def _index(self, place: int, column: Column) -> None:
        if column.place is Place.ELEMENT:
            self._elements[column.tag] = place
            plain = self._budget.restore is None and column.type not in _BLANK_IS_EMPTY
            if plain and column.tag not in self._tables:
                self._quick[column.tag] = place
        elif column.place is Place.SIMPLE_CONTENT:
            self._text = place
        else:
            self._attributes[column.tag] = place

    def __len__(self) -> int:
        return len(self.orders)

    def add(self, element: etree._Element) -> list[etree._Element]:
        """Read one row; return those of its children that are rows themselves."""
        self._budget.take_row()
        row = len(self.orders)
        cells: list[Cell] = [None] * len(self.columns)
        state, order, diff_id, has_errors = self._state, None, None, False
        for key, text in element.items():
            if key == DIFF_ID:
                diff_id = str(text)
            elif key == _ROW_ORDER:
                order = self._whole(row, str(text))
            elif key == _HAS_CHANGES:
                state = self._state_code(row, str(text))
            elif key == _HAS_ERRORS:
                has_errors = text in ("true", "1")
            elif key not in _ROW_ATTRIBUTES:
                self._attribute(row, cells, str(key), str(text))
        self._take_order(order)
        self.states.append(state)
        self._remember(diff_id, row, state, has_errors)
        nested = self._children(row, cells, element)
        self._pending.append(cells)
        if len(self._pending) >= _BATCH:
            self.flush()
        return nested

    def _take_order(self, order: int | None) -> None:
        order = self._next_order if order is None else order
        self.orders.append(order)
        self._next_order = max(self._next_order, order + 1)

    def _remember(self, diff_id: str | None, row: int, state: int, has_errors: bool) -> None:
        if self._before:
            self.row_ids.append(diff_id or "")
        if diff_id and (self._before or has_errors or state == _STATE_CODES["modified"]):
            self.ids[diff_id] = row

    def _whole(self, row: int, text: str) -> int | None:
        if _NUMBER.fullmatch(text.strip(_SPACE)):
            return int(text) if int(text) >= 0 else None
        self.unfit.append(Unfit(row, "msdata:rowOrder", text, "a whole number"))
        return None

    def _state_code(self, row: int, text: str) -> int:
        code = _STATE_CODES.get(text)
        if code is None or text == "unchanged":
            self.unfit.append(Unfit(row, "diffgr:hasChanges", text, "inserted or modified"))
            return 0
        return code

    # --- cells --------------------------------------------------------------------------------

    def _attribute(self, row: int, cells: list[Cell], key: str, text: str) -> None:
        place = self._attributes.get(key)
        if place is None:
            hidden = key.startswith(_HIDDEN)
            if key.startswith(_NOT_DATA) and not hidden:
                if key.startswith(_DIFFGRAM_ONLY):
                    self.unfit.append(Unfit(row, key, text, "an attribute that DiffGrams have"))
                return
            place = self._undeclared(key, cells, Place.HIDDEN if hidden else Place.ATTRIBUTE)
        cells[place] = self._whole_text(text)

    def _children(
        self, row: int, cells: list[Cell], element: etree._Element
    ) -> list[etree._Element]:
        nested: list[etree._Element] = []
        around = element.text or ""
        quick = self._quick
        most = self._budget.limits.text_chars
        for child in element:
            tag, text, tail = child.tag, child.text, child.tail
            if tail is not None:
                around += tail
            place = quick.get(tag, -1)
            # By far the most cells are nothing but a text.
            if place < 0 or not text or len(child) or cells[place] is not None or len(text) > most:
                self._cell(row, cells, child, nested)
                # After an xsi:nil, even the first text may be a second cell of its column.
                quick = {} if self.nils else quick
            else:
                cells[place] = text
        self._own_text(row, cells, element, around)
        return nested

    def _cell(
        self, row: int, cells: list[Cell], child: etree._Element, nested: list[etree._Element]
    ) -> None:
        place = self._elements.get(str(child.tag))
        # Inside a row, an element named as a table is a row of it; as a column, by its diffgr:id.
        if child.get(DIFF_ID) is not None or (place is None and child.tag in self._tables):
            nested.append(child)
            return
        if place is None:
            place = self._undeclared(str(child.tag), cells, Place.ELEMENT)
        if cells[place] is not None or self.nils.get(place, [-1])[-1] == row:
            self._refuse(row, place, inner_xml(child), "given at most once")
            return
        cells[place] = self._value(row, place, child)

    def _value(self, row: int, place: int, child: etree._Element) -> Cell:
        builder = self.columns[place]
        text = child.text or ""
        if len(child):
            # White space around the markup is the indentation of a GET or POST reply.
            text = inner_xml(child).strip(_SPACE)
            if builder.column.declared and builder.column.type in ("System.String", "System.Char"):
                self._refuse(row, place, text, "text without markup")
                return None
        text = self._whole_text(text)
        if not text and _is_nil(child):
            self.nils.setdefault(place, []).append(row)
            return None
        if builder.column.type in _BLANK_IS_EMPTY and child.get(_INSTANCE_TYPE) is None:
            text = _unless_blank(child, text)
        return _typed(child, text) if builder.holds_objects else text

    def _own_text(self, row: int, cells: list[Cell], element: etree._Element, text: str) -> None:
        if self.schema.declared and self._text is not None:
            text = self._whole_text(text)
            # .NET cannot tell an empty text here from none, and reads null.
            cells[self._text] = text or None
            if not text and _is_nil(element):
                self.nils.setdefault(self._text, []).append(row)
        elif text and text.strip(_SPACE):
            if self.schema.declared or len(element) or element.get(DIFF_ID) is None:
                self.unfit.append(Unfit(row, "", text.strip(_SPACE), "in a column of its own"))
                return
            # Simple content, of a schema that was left out.
            if self._text is None:
                tag = self.schema.tag + "_text"
                self._text = self._undeclared(tag, cells, Place.SIMPLE_CONTENT)
            cells[self._text] = self._whole_text(text)

    def _refuse(self, row: int, place: int, value: str, expected: str) -> None:
        self.unfit.append(Unfit(row, self.columns[place].column.name, value, expected))

    def _whole_text(self, text: str) -> str:
        if len(text) > self._budget.limits.text_chars:
            most = self._budget.limits.text_chars
            raise HostileXmlError(f"a value of {len(text)} characters; at most {most} are read")
        return text if self._budget.restore is None else self._budget.restore(text)

    def _undeclared(self, tag: str, cells: list[Cell], kind: Place) -> int:
        self._budget.take_column()
        namespace, _, local = tag[1:].rpartition("}") if tag[0] == "{" else ("", "", tag)
        if kind is Place.HIDDEN:
            namespace, local = "", local.removeprefix("hidden")
        name = speakable(decode_name(local))
        if any(builder.column.name == name for builder in self.columns):
            name = clark(namespace, name) if kind is Place.ELEMENT and namespace else "@" + name
        while any(builder.column.name == name for builder in self.columns):
            name += "_"
        column = Column(name, "System.String", "", namespace, tag, kind, declared=False)
        place = len(self.columns)
        self.columns.append(ColumnBuilder(column, self._flushed))
        self._index(place, column)
        cells.append(None)
        return place

    # --- columns ------------------------------------------------------------------------------

    def flush(self) -> None:
        """Convert the rows read so far."""
        if not self._pending:
            return
        width = len(self.columns)
        for cells in self._pending:
            cells.extend([None] * (width - len(cells)))
        for builder, column in zip(self.columns, zip(*self._pending, strict=True), strict=True):
            self.unfit += builder.add(list(column))
        self._flushed += len(self._pending)
        self._pending = []

    def settled_schema(self) -> TableSchema:
        """Return the schema with the undeclared columns that rows brought."""
        return replace(self.schema, columns=tuple(builder.column for builder in self.columns))


def _typed(element: etree._Element, text: str) -> Typed:
    instance = element.get(_INSTANCE_TYPE)
    if instance:
        return Typed(net_type_name(instance), text)
    declared = element.get(_TYPE)
    local = qname(declared, element).removeprefix(f"{{{XSD}}}") if declared else "string"
    return Typed(XSD_TYPES.get(local, local), text)


def _is_nil(element: etree._Element) -> bool:
    return element.get(_NIL, "").strip(_SPACE) in ("true", "1")


def _unless_blank(element: etree._Element, text: str) -> str:
    return text if text.strip(_SPACE) or element.get(_SPACING) == "preserve" else ""
