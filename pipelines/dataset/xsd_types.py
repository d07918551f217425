"""XSD type names, facets and `msdata:DataType` to .NET types.

Responsible for the table of types; knows nothing of tables or rows. A type name is looked up in
this fixed table or kept as text: it is never loaded.
"""

from dataclasses import dataclass

from lxml import etree

from pipelines.dataset.errors import SchemaError
from pipelines.dataset.namespaces import MSDATA, XSD, clark

__all__ = ["NET_TYPES", "XSD_TYPES", "SimpleTypes", "ValueType", "net_type_name", "qname"]

XSD_TYPES = {
    **dict.fromkeys(
        "ENTITIES ENTITY ID IDREF IDREFS NCName NMTOKEN NMTOKENS NOTATION Name QName language "
        "normalizedString string token anySimpleType".split(),
        "System.String",
    ),
    **dict.fromkeys(
        "date dateTime gDay gMonth gMonthDay gYear gYearMonth time".split(), "System.DateTime"
    ),
    "anyType": "System.Object",
    "anyURI": "System.Uri",
    "base64Binary": "System.Byte[]",
    "hexBinary": "System.Byte[]",
    "boolean": "System.Boolean",
    "byte": "System.SByte",
    "decimal": "System.Decimal",
    "double": "System.Double",
    "duration": "System.TimeSpan",
    "float": "System.Single",
    "int": "System.Int32",
    # Unbounded in XSD; .NET reads them as 64 bits, and a BigInteger column says so itself.
    "integer": "System.Int64",
    "long": "System.Int64",
    "negativeInteger": "System.Int64",
    "nonPositiveInteger": "System.Int64",
    "nonNegativeInteger": "System.UInt64",
    "positiveInteger": "System.UInt64",
    "short": "System.Int16",
    "unsignedByte": "System.Byte",
    "unsignedInt": "System.UInt32",
    "unsignedLong": "System.UInt64",
    "unsignedShort": "System.UInt16",
}

NET_TYPES = frozenset(XSD_TYPES.values()) | {
    "System.Char",
    "System.DateTimeOffset",
    "System.Guid",
    "System.Numerics.BigInteger",
    "System.Type",
    *(
        f"System.Data.SqlTypes.Sql{name}"
        for name in "Binary Boolean Byte Bytes Chars DateTime Decimal Double Guid Int16 Int32 Int64 "
        "Money Single String Xml".split()
    ),
}


@dataclass(frozen=True, slots=True)
class ValueType:
    """What a declaration says of its values."""

    net: str
    xsd: str = ""
    max_length: int | None = None


def net_type_name(data_type: str) -> str:
    """Return the type's own name of `msdata:DataType`, without its assembly and version."""
    return data_type.partition(",")[0].strip()


def qname(text: str, element: etree._Element) -> str:
    """Resolve `prefix:local` where it stands, to `{namespace}local`."""
    prefix, colon, local = text.strip().rpartition(":")
    namespace = element.nsmap.get(prefix if colon else None, "")
    return clark(namespace or "", local)


class SimpleTypes:
    """The named simple types of a set of schemas, and what a declaration makes of them."""

    def __init__(self, named: dict[str, etree._Element]) -> None:
        self._named = named
        self._found: dict[str, ValueType] = {}

    def of(self, declaration: etree._Element) -> ValueType:
        """Return the type of an element's or attribute's values."""
        declared = self._declared(declaration)
        data_type = declaration.get(clark(MSDATA, "DataType"))
        if data_type:
            return ValueType(net_type_name(data_type), declared.xsd, declared.max_length)
        return declared

    def of_base(self, content: etree._Element, derivation: etree._Element) -> ValueType:
        """Return the type of the text that a simpleContent extends."""
        base = self._by_name(qname(derivation.get("base", ""), derivation), frozenset())
        data_type = content.get(clark(MSDATA, "DataType"))
        return ValueType(net_type_name(data_type), base.xsd, base.max_length) if data_type else base

    def _declared(self, declaration: etree._Element) -> ValueType:
        type_name = declaration.get("type")
        if type_name:
            return self._by_name(qname(type_name, declaration), frozenset())
        inline = declaration.find(clark(XSD, "simpleType"))
        if inline is None:
            return ValueType("System.String")
        found, length = self._restriction(inline, frozenset())
        # Only an unnamed type of length 1 is a Char: a named one stays the string it restricts.
        if length == 1 and found.net == "System.String":
            return ValueType("System.Char", found.xsd, found.max_length)
        return found

    def _by_name(self, name: str, seen: frozenset[str]) -> ValueType:
        namespace, _, local = name[1:].rpartition("}") if name[:1] == "{" else ("", "", name)
        if not local:
            raise SchemaError("the schema has a type that is derived from nothing")
        if namespace == XSD:
            if local not in XSD_TYPES:
                raise SchemaError(f"the schema uses the XSD type {local!r}, which does not exist")
            return ValueType(XSD_TYPES[local], local)
        if name not in self._found:
            simple = self._named.get(name)
            if simple is None or name in seen:
                raise SchemaError(f"the schema uses the type {name!r}, which it does not define")
            self._found[name] = self._restriction(simple, seen | {name})[0]
        return self._found[name]

    def _restriction(
        self, simple: etree._Element, seen: frozenset[str]
    ) -> tuple[ValueType, int | None]:
        restriction = simple.find(clark(XSD, "restriction"))
        if restriction is None:  # a list or a union
            return ValueType("System.String", "string"), None
        base_name = restriction.get("base")
        inline = restriction.find(clark(XSD, "simpleType"))
        length: int | None = None
        if base_name:
            base = self._by_name(qname(base_name, restriction), seen)
        elif inline is not None:
            base, length = self._restriction(inline, seen)
        else:
            base = ValueType("System.String", "string")
        longest = _facet(restriction, "maxLength")
        own_length = _facet(restriction, "length")
        return (
            ValueType(base.net, base.xsd, base.max_length if longest is None else longest),
            length if own_length is None else own_length,
        )


def _facet(restriction: etree._Element, name: str) -> int | None:
    facet = restriction.find(clark(XSD, name))
    text = "" if facet is None else facet.get("value", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
