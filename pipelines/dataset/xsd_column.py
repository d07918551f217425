"""One column's declaration, and the msdata attributes that all declarations share.

Responsible for reading single attributes; knows nothing of a schema's structure.
"""

from lxml import etree

from pipelines.dataset.errors import SchemaError
from pipelines.dataset.names import decode_name, speakable
from pipelines.dataset.namespaces import MSDATA, MSPROP, clark
from pipelines.dataset.schema import Column, DateTimeMode
from pipelines.dataset.xsd_types import ValueType

__all__ = ["column", "extended_properties", "flag", "msdata"]


def column(node: etree._Element, encoded: str, namespace: str, value: ValueType) -> Column:
    """Return the column that an element, attribute or simpleContent declares."""
    mode = None
    if value.net == "System.DateTime":
        mode = DateTimeMode(_one_of(node, "DateTimeMode", DateTimeMode.UNSPECIFIED_LOCAL))
    # .NET writes msdata:ColumnName as the name is, and reads it so.
    name = msdata(node, "ColumnName") or decode_name(encoded)
    return Column(
        name=speakable(name),
        type=value.net,
        xsd_type=value.xsd,
        namespace=namespace,
        tag=clark(namespace, encoded),
        date_time_mode=mode,
        caption=msdata(node, "Caption"),
        prefix=msdata(node, "Prefix") or "",
        max_length=value.max_length,
        read_only=flag(node, "ReadOnly"),
        expression=msdata(node, "Expression"),
        auto_increment=flag(node, "AutoIncrement"),
        auto_increment_seed=_whole(node, "AutoIncrementSeed", 0),
        auto_increment_step=_whole(node, "AutoIncrementStep", 1),
        extended_properties=extended_properties(node),
    )


def msdata(node: etree._Element, name: str) -> str | None:
    """Return an attribute in the msdata namespace."""
    return node.get(clark(MSDATA, name))


def flag(node: etree._Element, name: str, default: bool = False) -> bool:
    """Return a boolean msdata attribute."""
    text = msdata(node, name)
    if not text:
        return default
    if text.lower() not in ("true", "1", "false", "0"):
        raise SchemaError(f"msdata:{name} is {text!r}; true or false is expected")
    return text.lower() in ("true", "1")


def _whole(node: etree._Element, name: str, default: int) -> int:
    text = msdata(node, name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise SchemaError(f"msdata:{name} is {text!r}; a whole number is expected") from None


def _one_of(node: etree._Element, name: str, default: DateTimeMode) -> str:
    text = msdata(node, name) or default
    if text not in list(DateTimeMode):
        raise SchemaError(f"msdata:{name} is {text!r}; expected one of {', '.join(DateTimeMode)}")
    return text


def extended_properties(node: etree._Element) -> dict[str, str]:
    """Return the msprop attributes, which are ExtendedProperties."""
    start = f"{{{MSPROP}}}"
    return {
        decode_name(str(key)[len(start) :]): str(value)
        for key, value in node.attrib.items()
        if str(key).startswith(start)
    }
