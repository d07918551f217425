"""The inline schema of a DataSet, as DataSet.WriteXmlSchema gives it. Knows nothing of rows."""

from typing import Final

from collector.simulator.dataset import (
    Column,
    DataSet,
    DateTimeMode,
    Key,
    Mapping,
    NetType,
    Relation,
    Table,
)
from collector.simulator.names import encode_local_name
from collector.simulator.scalars import DATA_TYPE, XSD_TYPE, written
from collector.simulator.xml_text import XmlWriter
from collector.wire.namespaces import MSDATA, XSD

__all__ = ["write_schema"]

_MSPROP: Final = "urn:schemas-microsoft-com:xml-msprop"

_Attributes = list[tuple[str, str]]


def write_schema(writer: XmlWriter, data: DataSet) -> None:
    """Writes the `xs:schema` element."""
    name = encode_local_name(data.name)
    attributes: _Attributes = [("id", name)]
    if data.namespace:
        attributes += [("targetNamespace", data.namespace), ("xmlns:mstns", data.namespace)]
    attributes += [("xmlns", data.namespace), ("xmlns:xs", XSD), ("xmlns:msdata", MSDATA)]
    if _has_properties(data):
        attributes.append(("xmlns:msprop", _MSPROP))
    if data.namespace:
        attributes += [("attributeFormDefault", "qualified"), ("elementFormDefault", "qualified")]
    writer.start("xs:schema", *attributes)
    _write_root(writer, data, name)
    loose = [each for each in data.relations if not each.constraint and not each.nested]
    _write_relationships(writer, loose)
    writer.end()


def _has_properties(data: DataSet) -> bool:
    return bool(
        data.properties
        or any(table.properties for table in data.tables)
        or any(column.properties for table in data.tables for column in table.columns)
    )


def _properties(properties: tuple[tuple[str, str], ...]) -> _Attributes:
    return [(f"msprop:{encode_local_name(name)}", value) for name, value in properties]


def _write_root(writer: XmlWriter, data: DataSet, name: str) -> None:
    """The element that stands for the DataSet: tables in a choice, then keys."""
    attributes = [("name", name), ("msdata:IsDataSet", "true")]
    if data.case_sensitive:
        attributes.append(("msdata:CaseSensitive", "true"))
    if data.locale is None:
        attributes.append(("msdata:UseCurrentLocale", "true"))
    else:
        attributes.append(("msdata:Locale", data.locale))
    if not data.enforce_constraints:
        # Written by bool.ToString, unlike every other flag.
        attributes.append(("msdata:EnforceConstraints", "False"))
    writer.start("xs:element", *attributes, *_properties(data.properties))
    writer.start("xs:complexType")
    writer.start("xs:choice", ("minOccurs", "0"), ("maxOccurs", "unbounded"))
    # A nested table is declared inside its parent, and only there.
    nested = {relation.child for relation in data.relations if relation.nested}
    for table in data.tables:
        if table.name not in nested:
            _write_table(writer, data, table, [])
    writer.end()
    writer.end()
    for table in data.tables:
        for key in table.keys:
            _write_key(writer, data, table, key)
    for relation in data.relations:
        if relation.constraint:
            _write_keyref(writer, data, relation)
    writer.end()


def _write_table(writer: XmlWriter, data: DataSet, table: Table, extra: _Attributes) -> None:
    """A table; its complexType is never abbreviated, even without columns."""
    attributes: _Attributes = [("name", encode_local_name(table.name))]
    content = [column for column in table.columns if column.mapping is Mapping.SIMPLE_CONTENT]
    if content:
        attributes.append(("nillable", "true"))
    writer.start("xs:element", *attributes, *extra, *_properties(table.properties))
    nesting = [each for each in data.relations if each.nested and each.child == table.name]
    _write_relationships(writer, [each for each in nesting if not each.constraint])
    writer.start("xs:complexType")
    attached = [
        column for column in table.columns if column.mapping in (Mapping.ATTRIBUTE, Mapping.HIDDEN)
    ]
    if content:
        _write_simple_content(writer, data, table, content[0], attached)
    else:
        _write_sequence(writer, data, table, ordinals=bool(attached))
        for column in attached:
            _write_column(writer, data, column, "xs:attribute", None)
    writer.end(full=True)
    writer.end()


def _write_sequence(writer: XmlWriter, data: DataSet, table: Table, *, ordinals: bool) -> None:
    """Element columns, then nested tables; ordinals only where attributes are mixed in."""
    children = [
        relation.child
        for relation in data.relations
        if relation.nested and relation.parent == table.name
    ]
    elements = [
        (at, column) for at, column in enumerate(table.columns) if column.mapping is Mapping.ELEMENT
    ]
    if not elements and not children:
        return
    writer.start("xs:sequence")
    for at, column in elements:
        _write_column(writer, data, column, "xs:element", at if ordinals else None)
    for child in data.tables:
        if child.name in children:
            _write_table(writer, data, child, [("minOccurs", "0"), ("maxOccurs", "unbounded")])
    writer.end()


def _write_simple_content(
    writer: XmlWriter, data: DataSet, table: Table, column: Column, attached: list[Column]
) -> None:
    """A table whose rows are text with attributes."""
    attributes = _described(column)
    if column.default is not None:
        attributes.append(("msdata:DefaultValue", _default(column, data)))
    attributes += [
        ("msdata:ColumnName", encode_local_name(column.name)),
        ("msdata:Ordinal", str(table.columns.index(column))),
    ]
    writer.start("xs:simpleContent", *attributes)
    writer.start("xs:extension", ("base", f"xs:{XSD_TYPE[column.type]}"))
    for other in attached:
        _write_column(writer, data, other, "xs:attribute", None)
    writer.end(full=True)
    writer.end()


def _described(column: Column) -> _Attributes:
    """The msdata attributes of a column, in .NET's order."""
    attributes: _Attributes = []
    if column.type in DATA_TYPE:
        attributes.append(("msdata:DataType", DATA_TYPE[column.type]))
    if column.read_only:
        attributes.append(("msdata:ReadOnly", "true"))
    if column.expression is not None:
        attributes.append(("msdata:Expression", column.expression))
    if column.auto_increment is not None:
        seed, step = column.auto_increment
        attributes.append(("msdata:AutoIncrement", "true"))
        if seed != 0:
            attributes.append(("msdata:AutoIncrementSeed", str(seed)))
        if step != 1:
            attributes.append(("msdata:AutoIncrementStep", str(step)))
    if column.caption is not None and column.caption != column.name:
        attributes.append(("msdata:Caption", column.caption))
    if (
        column.type is NetType.DATETIME
        and column.date_time_mode is not DateTimeMode.UNSPECIFIED_LOCAL
    ):
        attributes.append(("msdata:DateTimeMode", column.date_time_mode))
    return attributes


def _default(column: Column, data: DataSet) -> str:
    return written(column.default, column.type, column.date_time_mode, data.zone)


def _write_column(
    writer: XmlWriter, data: DataSet, column: Column, tag: str, ordinal: int | None
) -> None:
    """A column as an element or an attribute."""
    attributes: _Attributes = [("name", encode_local_name(column.name))]
    attribute = tag == "xs:attribute"
    if attribute and data.namespace and column.mapping is not Mapping.HIDDEN:
        attributes.append(("form", "unqualified"))
    attributes += _described(column) + _properties(column.properties)
    limit = _limit(column)
    if limit is None:
        attributes.append(("type", f"xs:{XSD_TYPE[column.type]}"))
    attributes += _use(column, data) if attribute else []
    if column.default is not None and not any(name == "use" for name, _ in attributes):
        attributes.append(("default", _default(column, data)))
    if not attribute and column.nullable:
        attributes.append(("minOccurs", "0"))
    if ordinal is not None:
        attributes.append(("msdata:Ordinal", str(ordinal)))
    writer.start(tag, *attributes)
    if limit is not None:
        writer.start("xs:simpleType")
        writer.start("xs:restriction", ("base", "xs:string"))
        writer.leaf(limit[0], None, ("value", str(limit[1])))
        writer.end()
        writer.end()
    writer.end()


def _use(column: Column, data: DataSet) -> _Attributes:
    """`use` of an attribute; XML Schema allows no default beside it, so that is said in msdata's words."""
    hidden = column.mapping is Mapping.HIDDEN
    if not hidden and column.nullable:
        return []
    attributes: _Attributes = []
    if hidden and not column.nullable:
        attributes.append(("msdata:AllowDBNull", "false"))
    if column.default is not None:
        attributes.append(("msdata:DefaultValue", _default(column, data)))
    return [*attributes, ("use", "prohibited" if hidden else "required")]


def _limit(column: Column) -> tuple[str, int] | None:
    """The facet of a restricted string; a Char is a string of length 1."""
    if column.type is NetType.CHAR:
        return "xs:length", 1
    if column.max_length is not None:
        return "xs:maxLength", column.max_length
    return None


def _column(table: Table, name: str) -> Column:
    for column in table.columns:
        if column.name == name:
            return column
    raise ValueError(
        f"table {table.name!r} has no column {name!r}; it has {[c.name for c in table.columns]}"
    )


def _table(data: DataSet, name: str) -> Table:
    for table in data.tables:
        if table.name == name:
            return table
    raise ValueError(
        f"DataSet {data.name!r} has no table {name!r}; it has {[t.name for t in data.tables]}"
    )


def _write_fields(writer: XmlWriter, data: DataSet, table: Table, columns: tuple[str, ...]) -> None:
    """Selector and fields of a key; attributes have no prefix, as they are in no namespace."""
    prefix = "mstns:" if data.namespace else ""
    writer.leaf("xs:selector", None, ("xpath", f".//{prefix}{encode_local_name(table.name)}"))
    for name in columns:
        column = _column(table, name)
        attached = column.mapping in (Mapping.ATTRIBUTE, Mapping.HIDDEN)
        step = f"@{encode_local_name(name)}" if attached else prefix + encode_local_name(name)
        writer.leaf("xs:field", None, ("xpath", step))
    writer.end()


def _write_key(writer: XmlWriter, data: DataSet, table: Table, key: Key) -> None:
    attributes = [("name", encode_local_name(key.name))]
    if key.primary:
        attributes.append(("msdata:PrimaryKey", "true"))
    writer.start("xs:unique", *attributes)
    _write_fields(writer, data, table, key.columns)


def _write_keyref(writer: XmlWriter, data: DataSet, relation: Relation) -> None:
    """A foreign key, which refers to the parent's key by name."""
    parent = _table(data, relation.parent)
    keys = [key.name for key in parent.keys if key.columns == relation.parent_columns]
    if not keys:
        raise ValueError(
            f"relation {relation.name!r}: table {parent.name!r} has no key on {relation.parent_columns}; "
            "add a Key, or set constraint=False"
        )
    attributes = [
        ("name", encode_local_name(relation.name)),
        ("refer", encode_local_name(keys[0])),
    ]
    if relation.nested:
        attributes.append(("msdata:IsNested", "true"))
    writer.start("xs:keyref", *attributes)
    _write_fields(writer, data, _table(data, relation.child), relation.child_columns)


def _write_relationships(writer: XmlWriter, relations: list[Relation]) -> None:
    """Relations without a constraint, which XML Schema has no words for."""
    if not relations:
        return
    writer.start("xs:annotation")
    writer.start("xs:appinfo")
    for relation in relations:
        attributes = [
            ("name", encode_local_name(relation.name)),
            ("msdata:parent", encode_local_name(relation.parent)),
            ("msdata:child", encode_local_name(relation.child)),
            ("msdata:parentkey", " ".join(map(encode_local_name, relation.parent_columns))),
            ("msdata:childkey", " ".join(map(encode_local_name, relation.child_columns))),
        ]
        writer.leaf("msdata:Relationship", None, *attributes)
    writer.end()
    writer.end()
