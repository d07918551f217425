"""Keys and relations of the inline schema: `xs:unique`, `xs:key`, `xs:keyref`, `msdata:Relationship`.

Responsible for adding them to tables already read; knows nothing of types or rows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree

from pipelines.dataset.errors import SchemaError
from pipelines.dataset.names import decode_name, speakable
from pipelines.dataset.namespaces import MSDATA, MSPROP, XSD, clark
from pipelines.dataset.schema import Constraint, Relation, TableSchema

__all__ = ["KeyReader"]

_KEYREF = clark(XSD, "keyref")
_KEYS = (clark(XSD, "unique"), clark(XSD, "key"))
_RELATIONSHIP = clark(MSDATA, "Relationship")
# Old and new separators of column names in a Relationship.
_SEPARATORS = re.compile(r"[ +]")


@dataclass(frozen=True, slots=True)
class _Key:
    table: int
    columns: tuple[str, ...]


class KeyReader:
    """Collects the keys and relations of one DataSet.

    Attributes:
        tables: the given tables, with their keys.
        relations: in the order .NET adds them.
    """

    def __init__(self, tables: list[TableSchema], roots: list[etree._Element]) -> None:
        self.tables = tables
        self.relations: list[Relation] = []
        self._roots = roots
        self._keys: dict[str, _Key] = {}
        self._constraints: list[list[Constraint]] = [[] for _ in tables]
        self._names: set[str] = set()

    def read(
        self, main: etree._Element | None, nestings: list[etree._Element | tuple[str, str]]
    ) -> None:
        """Read what the DataSet element and the schemas' annotations say.

        Args:
            main: the DataSet element, if there is one.
            nestings: nested tables, in order, as their declaration and as (name, namespace).
        """
        for node in () if main is None else main.iterchildren(*_KEYS):
            self._unique(node)
        keyrefs = [] if main is None else list(main.iterchildren(_KEYREF))
        for nesting in nestings:
            if isinstance(nesting, tuple):
                self._nested_keyrefs(keyrefs, nesting)
            else:
                self._annotated(nesting, nested=True)
        for node in keyrefs:
            if not _flag(node, "IsNested"):
                self._keyref(node)
        for root in self._roots:
            self._annotated(root, nested=False)
        pairs = zip(self.tables, self._constraints, strict=True)
        self.tables = [_with(table, constraints) for table, constraints in pairs]

    def _nested_keyrefs(self, keyrefs: list[etree._Element], table: tuple[str, str]) -> None:
        for node in keyrefs:
            if _flag(node, "IsNested"):
                place = self._selected(node)
                child = None if place is None else self.tables[place]
                if child is not None and (child.name, child.namespace) == table:
                    self._keyref(node)

    def _annotated(self, holder: etree._Element, nested: bool) -> None:
        for annotation in holder.iterchildren(clark(XSD, "annotation")):
            for appinfo in annotation.iterchildren(clark(XSD, "appinfo")):
                for node in appinfo.iterchildren(_RELATIONSHIP):
                    self._relationship(node, nested)

    def _unique(self, node: etree._Element) -> None:
        place = self._selected(node)
        if place is None:
            return
        encoded = node.get("name", "")
        columns = self._fields(node, place)
        constraint = Constraint(
            name=speakable(_msdata(node, "ConstraintName") or decode_name(encoded)),
            columns=columns,
            primary_key=_flag(node, "PrimaryKey"),
            extended_properties=_extended(node, ""),
        )
        self._keys[decode_name(encoded)] = _Key(place, columns)
        self._constraints[place].append(constraint)

    def _keyref(self, node: etree._Element) -> None:
        place = self._selected(node)
        if place is None:
            return
        encoded = node.get("name", "")
        name = speakable(_msdata(node, "ConstraintName") or decode_name(encoded))
        refer = decode_name(node.get("refer", "").rpartition(":")[2])
        key = self._keys.get(refer)
        if key is None:
            raise SchemaError(f"key reference {name!r} refers to {refer!r}, which is no key")
        columns = self._fields(node, place)
        parent, child = self.tables[key.table], self.tables[place]
        self._constraints[place].append(
            Constraint(
                name=name,
                columns=columns,
                refers_to=parent.name,
                refers_to_columns=key.columns,
                update_rule=_msdata(node, "UpdateRule") or "Cascade",
                delete_rule=_msdata(node, "DeleteRule") or "Cascade",
                accept_reject_rule=_msdata(node, "AcceptRejectRule") or "None",
                extended_properties=_extended(node, "fk_"),
            ),
        )
        if not _flag(node, "ConstraintOnly"):
            relation_name = decode_name(_msdata(node, "RelationName") or encoded)
            nested = _flag(node, "IsNested")
            self._relate(node, relation_name, parent, key.columns, child, columns, nested)

    def _relationship(self, node: etree._Element, nested: bool) -> None:
        name = decode_name(node.get("name", ""))
        parent = self._named(_required(node, "parent"), _msdata(node, "ParentTableNamespace"))
        child = self._named(_required(node, "child"), _msdata(node, "ChildTableNamespace"))
        if parent is None or child is None:
            raise SchemaError(f"relation {name!r} names a table that the schema does not declare")
        parent_columns = self._columns(_required(node, "parentkey"), parent)
        child_columns = self._columns(_required(node, "childkey"), child)
        if len(parent_columns) != len(child_columns):
            raise SchemaError(f"relation {name!r} has keys of different lengths")
        tables = self.tables
        self._relate(
            node, name, tables[parent], parent_columns, tables[child], child_columns, nested
        )

    def _relate(
        self,
        node: etree._Element,
        name: str,
        parent: TableSchema,
        parent_columns: tuple[str, ...],
        child: TableSchema,
        child_columns: tuple[str, ...],
        nested: bool,
    ) -> None:
        name = speakable(name)
        if name in self._names:
            return
        self._names.add(name)
        self.relations.append(
            Relation(
                name=name,
                parent_table=parent.name,
                parent_columns=parent_columns,
                child_table=child.name,
                child_columns=child_columns,
                nested=nested,
                parent_namespace=parent.namespace,
                child_namespace=child.namespace,
                extended_properties=_extended(node, "rel_"),
            )
        )

    def _selected(self, node: etree._Element) -> int | None:
        selector = node.find(clark(XSD, "selector"))
        step = "" if selector is None else selector.get("xpath", "").rpartition("/")[2]
        prefix, colon, encoded = step.rpartition(":")
        if not encoded:
            raise SchemaError(f"key {node.get('name')!r} selects no table")
        namespace = node.nsmap.get(prefix) if colon else _msdata(node, "TableNamespace")
        return self._named(encoded, namespace)

    def _named(self, encoded: str, namespace: str | None) -> int | None:
        name = speakable(decode_name(encoded))
        found = [place for place, table in enumerate(self.tables) if table.name == name]
        exact = [place for place in found if self.tables[place].namespace == (namespace or "")]
        # Like .NET: a name that only one table has needs no namespace.
        if exact or namespace is None:
            return next(iter(exact or found), None)
        return found[0] if len(found) == 1 else None

    def _fields(self, node: etree._Element, place: int) -> tuple[str, ...]:
        steps = [field.get("xpath", "") for field in node.iterchildren(clark(XSD, "field"))]
        names = " ".join(step.lstrip("@").rpartition(":")[2] for step in steps)
        return self._columns(names, place) if names else ()

    def _columns(self, encoded: str, place: int) -> tuple[str, ...]:
        table = self.tables[place]
        return tuple(_column_names(encoded, table))


def _with(table: TableSchema, constraints: list[Constraint]) -> TableSchema:
    primary = [constraint.columns for constraint in constraints if constraint.primary_key]
    return replace(
        table,
        constraints=tuple(constraints),
        primary_key=primary[-1] if primary else table.primary_key,
    )


def _column_names(encoded: str, table: TableSchema) -> Iterator[str]:
    names = {column.name for column in table.columns}
    for part in _SEPARATORS.split(encoded.rstrip()):
        name = speakable(decode_name(part))
        if name not in names:
            raise SchemaError(
                f"table {table.name!r} has a key of {name!r}, which is no column of it"
            )
        yield name


def _msdata(node: etree._Element, name: str) -> str | None:
    return node.get(clark(MSDATA, name))


def _required(node: etree._Element, name: str) -> str:
    text = _msdata(node, name)
    if not text:
        raise SchemaError(f"relation {node.get('name')!r} lacks msdata:{name}")
    return text


def _flag(node: etree._Element, name: str) -> bool:
    return (_msdata(node, name) or "") in ("true", "1")


def _extended(node: etree._Element, own: str) -> dict[str, str]:
    """Extended properties; those of a relation and of its constraint share one element."""
    found = {}
    for key, text in node.attrib.items():
        if str(key).startswith(f"{{{MSPROP}}}"):
            name = decode_name(str(key).rpartition("}")[2])
            if not own or name.startswith(own) or (own == "rel_" and not name.startswith("fk_")):
                found[name.removeprefix(own)] = str(text)
    return found
