"""Reads `xs:schema` elements into a `Schema`, in the order and by the rules of System.Data.

Responsible for tables and columns; keys and relations are read by `xsd_keys`. Knows nothing of
rows. .NET's order matters: global tables come first, then those inside the DataSet element; within
a table attributes come first, then elements, each at its `msdata:Ordinal` where it has one.
"""

from dataclasses import dataclass, field, replace

from lxml import etree

from pipelines.dataset.errors import HostileXmlError, SchemaError
from pipelines.dataset.limits import Limits
from pipelines.dataset.names import decode_name, encode_name, speakable
from pipelines.dataset.namespaces import MSDATA, XSD, clark
from pipelines.dataset.schema import Column, Place, Schema, TableSchema
from pipelines.dataset.xsd_column import column as column_of
from pipelines.dataset.xsd_column import extended_properties, flag, msdata
from pipelines.dataset.xsd_keys import KeyReader
from pipelines.dataset.xsd_types import SimpleTypes, qname

__all__ = ["read_schema"]

_PARTICLES = frozenset(clark(XSD, name) for name in ("sequence", "choice", "all"))
_VOCABULARY = frozenset(
    "all annotation any anyAttribute appinfo attribute attributeGroup choice complexContent "
    "complexType documentation element enumeration extension field fractionDigits group import "
    "include key keyref length list maxExclusive maxInclusive maxLength minExclusive minInclusive "
    "minLength notation pattern redefine restriction schema selector sequence simpleContent "
    "simpleType totalDigits union unique whiteSpace".split()
)
_PROSE = frozenset({"appinfo", "documentation"})
_ELEMENT = clark(XSD, "element")
_COMPLEX = clark(XSD, "complexType")
_ATTRIBUTE = clark(XSD, "attribute")
_GROUP = clark(XSD, "group")


@dataclass(slots=True)
class _Draft:
    """A table while its columns are being found."""

    name: str
    namespace: str
    tag: str
    node: etree._Element
    columns: list[Column] = field(default_factory=list)


def read_schema(roots: list[etree._Element], limits: Limits) -> Schema:
    """Read one DataSet's `xs:schema` siblings; no table in them gives a schema without tables.

    Raises:
        SchemaError: a type that contains itself, a key of a column that is not there, ...
        HostileXmlError: more tables or columns than the limits allow.
    """
    try:
        return _Reader(roots, limits).read()
    except RecursionError:
        raise SchemaError("the schema's types refer to each other too deeply") from None


class _Reader:
    def __init__(self, roots: list[etree._Element], limits: Limits) -> None:
        self._roots, self._limits = roots, limits
        self._global: dict[str, dict[str, etree._Element]] = {}
        for root in roots:
            _check_vocabulary(root)
            target = root.get("targetNamespace", "")
            for child in root.iterchildren(etree.Element):
                kind = self._global.setdefault(str(child.tag), {})
                kind.setdefault(clark(target, child.get("name", "")), child)
        self._simple = SimpleTypes(self._global.get(clark(XSD, "simpleType"), {}))
        self._tables: dict[tuple[str, str], _Draft] = {}
        self._open_types: set[etree._Element] = set()
        self._width = 0
        # Nested tables in the order .NET meets them: first a relation beside the element, then,
        # when the parent is complete, the key references of all its children.
        self._nestings: list[etree._Element | tuple[str, str]] = []

    def read(self) -> Schema:
        elements = self._global.get(_ELEMENT, {})
        main = next((e for e in elements.values() if flag(e, "IsDataSet")), None)
        if main is None and len(elements) == 1:
            main = self._untold_dataset(next(iter(elements.values())))
        for element in elements.values():
            if element is not main:
                self._table(element)
        if main is not None:
            for element in self._particles(self._complex_type(main)):
                if element.get("ref") is None:
                    self._table(element)
        keys = KeyReader([self._finished(draft) for draft in self._tables.values()], self._roots)
        keys.read(main, self._nestings)
        return self._dataset(main, keys)

    def _untold_dataset(self, element: etree._Element) -> etree._Element | None:
        """A lone element whose children are all tables is the DataSet, said or not."""
        complex_type = self._complex_type(element)
        if complex_type is None or complex_type.find(_ATTRIBUTE) is not None:
            return None
        tables = all(self._is_table(child) for child in self._particles(complex_type))
        return element if tables else None

    def _dataset(self, main: etree._Element | None, keys: KeyReader) -> Schema:
        first = self._roots[0]
        target = first.get("targetNamespace", "")
        plain = Schema(
            name=speakable(decode_name(first.get("id") or "NewDataSet")),
            namespace=target,
            tables=tuple(keys.tables),
            relations=tuple(keys.relations),
            declared=True,
        )
        if main is None:
            return plain
        name = msdata(main, "DataSetName") or main.get("name", "")
        return replace(
            plain,
            name=speakable(decode_name(name)) or plain.name,
            namespace=msdata(main, "DataSetNamespace") or self._target(main),
            prefix=msdata(main, "Prefix") or "",
            case_sensitive=flag(main, "CaseSensitive"),
            locale=msdata(main, "Locale"),
            enforce_constraints=flag(main, "EnforceConstraints", True),
            extended_properties=extended_properties(main),
        )

    # --- declarations

    def _target(self, node: etree._Element) -> str:
        return _schema_of(node).get("targetNamespace", "")

    def _namespace(self, node: etree._Element, default_form: str) -> str:
        """The namespace a local declaration's instances are in."""
        schema = _schema_of(node)
        if node.getparent() is not schema:
            form = node.get("form") or schema.get(default_form, "unqualified")
            if form != "qualified":
                return ""
        return schema.get("targetNamespace", "")

    def _resolved(self, node: etree._Element) -> tuple[etree._Element | None, str, str]:
        """Return the declaration itself (the global one of a `ref`), its name and namespace."""
        attribute = node.tag == _ATTRIBUTE
        reference = node.get("ref")
        if reference is None and not node.get("name"):
            raise SchemaError("the schema declares an element or attribute without a name")
        if reference is None:
            form = "attributeFormDefault" if attribute else "elementFormDefault"
            return node, node.get("name", ""), self._namespace(node, form)
        name = qname(reference, node)
        namespace, _, local = name[1:].rpartition("}") if name[:1] == "{" else ("", "", name)
        return self._global.get(str(node.tag), {}).get(name), local, namespace

    def _complex_type(self, element: etree._Element) -> etree._Element | None:
        declaration, _, _ = self._resolved(element)
        if declaration is None:
            return None
        type_name = declaration.get("type")
        if type_name:
            return self._global.get(_COMPLEX, {}).get(qname(type_name, declaration))
        return declaration.find(_COMPLEX)

    def _is_table(self, element: etree._Element) -> bool:
        most = element.get("maxOccurs", "1")
        if most == "0" or msdata(element, "DataType") is not None:
            return False
        return self._complex_type(element) is not None

    def _particles(
        self, holder: etree._Element | None, seen: set[etree._Element] | None = None
    ) -> list[etree._Element]:
        """All element declarations below a complex type's (nested) sequences, choices and groups."""
        found: list[etree._Element] = []
        seen = set() if seen is None else seen
        for child in () if holder is None else holder.iterchildren(_ELEMENT, _GROUP, *_PARTICLES):
            inner = self._group(child, seen) if child.tag == _GROUP else child
            found += [child] if child.tag == _ELEMENT else self._particles(inner, seen)
        return found

    def _group(self, node: etree._Element, seen: set[etree._Element]) -> etree._Element | None:
        """The group, but only once: the same columns again would add nothing."""
        name = qname(node.get("ref", ""), node)
        group = self._global.get(str(node.tag), {}).get(name)
        if group is None:
            raise SchemaError(f"the schema uses the group {name!r}, which it does not define")
        known = group in seen
        seen.add(group)
        return None if known else group

    # --- tables -------------------------------------------------------------------------------

    def _table(self, element: etree._Element) -> _Draft | None:
        if not self._is_table(element):
            return None
        declaration, encoded, namespace = self._resolved(element)
        complex_type = self._complex_type(element)
        if declaration is None or complex_type is None:
            return None
        name = speakable(decode_name(encoded))
        known = self._tables.get((name, namespace))
        if known is not None:
            return known
        if len(self._tables) >= self._limits.tables:
            raise HostileXmlError(f"the schema has more than {self._limits.tables} tables")
        draft = _Draft(name, namespace, clark(namespace, encoded), declaration)
        self._tables[name, namespace] = draft
        self._fill(draft, complex_type)
        return draft

    def _fill(self, draft: _Draft, complex_type: etree._Element) -> None:
        if complex_type in self._open_types:
            raise SchemaError(f"table {draft.name!r}: its type contains itself")
        self._open_types.add(complex_type)
        content = next(
            complex_type.iterchildren(clark(XSD, "simpleContent"), clark(XSD, "complexContent")),
            None,
        )
        if content is None:
            self._attributes(draft, complex_type)
            self._children(draft, complex_type)
        else:
            self._derived(draft, content)
        self._open_types.discard(complex_type)

    def _derived(self, draft: _Draft, content: etree._Element) -> None:
        derivation = next(
            content.iterchildren(clark(XSD, "extension"), clark(XSD, "restriction")), None
        )
        if derivation is None:
            return
        self._attributes(draft, derivation)
        base = qname(derivation.get("base", ""), derivation)
        base_type = self._global.get(_COMPLEX, {}).get(base)
        if base_type is not None and derivation.tag == clark(XSD, "extension"):
            self._fill(draft, base_type)
        elif content.tag == clark(XSD, "simpleContent"):
            self._text_column(draft, content, derivation)
        self._children(draft, derivation)

    def _children(self, draft: _Draft, holder: etree._Element) -> None:
        children: list[_Draft] = []
        for element in self._particles(holder):
            child = self._table(element)
            if child is None:
                self._element_column(draft, element)
            else:
                self._nestings.append(element)
                children.append(child)
        self._nestings += [(child.name, child.namespace) for child in children]

    def _attributes(
        self, draft: _Draft, holder: etree._Element, seen: set[etree._Element] | None = None
    ) -> None:
        seen = set() if seen is None else seen
        for attribute in holder.iterchildren(_ATTRIBUTE, clark(XSD, "attributeGroup")):
            if attribute.tag == _ATTRIBUTE:
                self._attribute_column(draft, attribute)
                continue
            group = self._group(attribute, seen)
            if group is not None:
                self._attributes(draft, group, seen)

    # --- columns ------------------------------------------------------------------------------

    def _add(self, draft: _Draft, column: Column, ordinal: str | None) -> None:
        if any(known.name == column.name for known in draft.columns):
            return  # .NET keeps the first declaration of a name
        self._width += 1
        if self._width > self._limits.columns:
            raise HostileXmlError(f"the schema has more than {self._limits.columns} columns")
        known = ordinal and ordinal.isascii() and ordinal.isdigit() and len(ordinal) < 10
        place = int(ordinal or -1) if known else -1
        if 0 <= place < len(draft.columns):
            draft.columns.insert(place, column)
        else:
            draft.columns.append(column)

    def _element_column(self, draft: _Draft, element: etree._Element) -> None:
        declaration, encoded, namespace = self._resolved(element)
        if declaration is None:
            return
        column = replace(
            column_of(declaration, encoded, namespace, self._simple.of(declaration)),
            nullable=element.get("minOccurs") == "0" or element.get("nillable") in ("true", "1"),
            default=declaration.get("default"),
        )
        self._add(draft, column, msdata(element, "Ordinal"))

    def _attribute_column(self, draft: _Draft, attribute: etree._Element) -> None:
        declaration, encoded, namespace = self._resolved(attribute)
        if declaration is None:
            return
        use = attribute.get("use", "optional")
        hidden = use == "prohibited"
        default = declaration.get("default", declaration.get("fixed"))
        column = replace(
            column_of(declaration, encoded, namespace, self._simple.of(declaration)),
            place=Place.HIDDEN if hidden else Place.ATTRIBUTE,
            nullable=flag(declaration, "AllowDBNull", True) if hidden else use != "required",
            default=msdata(declaration, "DefaultValue") or default,
        )
        if hidden:
            column = replace(column, tag=clark(MSDATA, "hidden" + encoded))
        self._add(draft, column, None)

    def _text_column(
        self, draft: _Draft, content: etree._Element, derivation: etree._Element
    ) -> None:
        value_type = self._simple.of_base(content, derivation)
        column = replace(
            column_of(content, encode_name(f"{draft.name}_text"), draft.namespace, value_type),
            tag="",
            place=Place.SIMPLE_CONTENT,
            nullable=draft.node.get("nillable") in ("true", "1")
            and flag(content, "AllowDBNull", True),
            default=msdata(content, "DefaultValue"),
        )
        self._add(draft, column, msdata(content, "Ordinal"))

    def _finished(self, draft: _Draft) -> TableSchema:
        node = draft.node
        case = msdata(node, "CaseSensitive")
        return TableSchema(
            name=draft.name,
            namespace=draft.namespace,
            tag=draft.tag,
            columns=tuple(draft.columns),
            prefix=msdata(node, "Prefix") or "",
            case_sensitive=None if case is None else case.lower() == "true",
            locale=msdata(node, "Locale"),
            extended_properties=extended_properties(node),
        )


def _check_vocabulary(root: etree._Element) -> None:
    """Refuse what no XSD has, before a table or a column goes missing over it."""
    for node in root.iter(etree.Element):
        namespace, _, local = str(node.tag)[1:].rpartition("}")
        if namespace == XSD and local not in _VOCABULARY:
            raise SchemaError(
                f"the schema has an element xs:{local[:100]}, which XSD does not have"
            )
        if namespace == XSD and local not in _PROSE and node.text and node.text.strip():
            raise SchemaError(f"the schema has a text in xs:{local}: {node.text.strip()[:80]!r}")


def _schema_of(node: etree._Element) -> etree._Element:
    return next(node.iterancestors(clark(XSD, "schema")))
