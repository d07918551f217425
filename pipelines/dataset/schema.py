"""What the inline schema says: tables, columns, keys and relations, as plain values.

Responsible for the vocabulary only; knows neither XML nor Arrow. Names are decoded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Column",
    "Constraint",
    "DateTimeMode",
    "Place",
    "Relation",
    "Schema",
    "TableSchema",
]


class Place(StrEnum):
    """Where a row keeps a column's value: .NET's MappingType."""

    ELEMENT = "Element"
    ATTRIBUTE = "Attribute"
    HIDDEN = "Hidden"
    SIMPLE_CONTENT = "SimpleContent"


class DateTimeMode(StrEnum):
    """What a DateTime column knows of its zone."""

    UNSPECIFIED_LOCAL = "UnspecifiedLocal"
    UNSPECIFIED = "Unspecified"
    LOCAL = "Local"
    UTC = "Utc"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        type: full name of the .NET type, without assembly, such as `System.Int32`.
        xsd_type: local name of the XSD type it was declared with, "" for none.
        tag: `{namespace}local` of its element or attribute, as it stands in a row.
        default: as written; .NET does not apply it when it reads a DiffGram, nor do we.
        declared: False where rows hold it but the schema does not; it is read as text then.
    """

    name: str
    type: str
    xsd_type: str = "string"
    namespace: str = ""
    tag: str = ""
    place: Place = Place.ELEMENT
    nullable: bool = True
    date_time_mode: DateTimeMode | None = None
    default: str | None = None
    caption: str | None = None
    prefix: str = ""
    max_length: int | None = None
    read_only: bool = False
    expression: str | None = None
    auto_increment: bool = False
    auto_increment_seed: int = 0
    auto_increment_step: int = 1
    extended_properties: Mapping[str, str] = field(default_factory=dict)
    declared: bool = True


@dataclass(frozen=True, slots=True)
class Constraint:
    """A unique or foreign key; `refers_to`, `refers_to_columns` and the rules are a foreign key's."""

    name: str
    columns: tuple[str, ...]
    primary_key: bool = False
    refers_to: str | None = None
    refers_to_columns: tuple[str, ...] = ()
    update_rule: str | None = None
    delete_rule: str | None = None
    accept_reject_rule: str | None = None
    extended_properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relation:
    """Which columns of a child table point at which of its parent."""

    name: str
    parent_table: str
    parent_columns: tuple[str, ...]
    child_table: str
    child_columns: tuple[str, ...]
    nested: bool = False
    parent_namespace: str = ""
    child_namespace: str = ""
    extended_properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One table: its columns in the DataSet's order, its keys."""

    name: str
    namespace: str
    tag: str
    columns: tuple[Column, ...] = ()
    prefix: str = ""
    primary_key: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    case_sensitive: bool | None = None
    locale: str | None = None
    extended_properties: Mapping[str, str] = field(default_factory=dict)
    declared: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """One DataSet's schema; without any, `declared` is False."""

    name: str = "NewDataSet"
    namespace: str = ""
    prefix: str = ""
    tables: tuple[TableSchema, ...] = ()
    relations: tuple[Relation, ...] = ()
    case_sensitive: bool = False
    locale: str | None = None
    enforce_constraints: bool = True
    extended_properties: Mapping[str, str] = field(default_factory=dict)
    declared: bool = False
