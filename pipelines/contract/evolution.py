"""How a table may change and still be read together with its older files: the rules, as a function. Pure.

A new column that may be null is compatible: older files have nulls there. So is a column that is gone, unless it is
part of the key: newer files have nulls there. So is a wider type, and a column that may be null from now on. Everything
else is breaking.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from pipelines.contract.tables import Table, arrow_schema
from pipelines.errors import TableSchemaError

__all__ = ["WIDER", "Contract", "Difference", "changes", "check_file", "contract_of"]

WIDER: Final = frozenset(
    {("int16", "int32"), ("int16", "int64"), ("int32", "int64"), ("float", "double")}
)

Contract = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two contracts of a table.

    Attributes:
        what: the column, or `key` and the like.
        breaking: files of before and after cannot be read together.
    """

    what: str
    said: str
    breaking: bool


def contract_of(schema: pa.Schema) -> dict[str, object]:
    """What the schema of a published file promises: version, key, partition and columns, as plain JSON values."""
    metadata = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}
    return {
        "version": int(metadata.get("ecgrid.schema_version", 0)),
        "key": metadata.get("ecgrid.key", "").split(","),
        "partition": metadata.get("ecgrid.partition", ""),
        "columns": {
            field.name: {"type": str(field.type), "nullable": field.nullable} for field in schema
        },
    }


def changes(before: Contract, after: Contract) -> list[Difference]:
    """What changed from one contract to another, as `contract_of` gives them; descriptions and order do not count."""
    found = [
        Difference(what, f"{what} was {before[what]}, is {after[what]}", breaking=True)
        for what in ("key", "partition")
        if before[what] != after[what]
    ]
    old, new = _columns(before), _columns(after)
    for name in old.keys() - new.keys():
        is_key = name in _key(before)
        found.append(Difference(name, f"column {name} is gone", breaking=is_key))
    for name in new.keys() - old.keys():
        nullable = bool(new[name]["nullable"])
        said = f"column {name} is new" + ("" if nullable else " and may not be null")
        found.append(Difference(name, said, breaking=not nullable))
    for name in old.keys() & new.keys():
        found += _column_changes(name, old[name], new[name])
    return sorted(found, key=lambda change: change.what)


def check_file(table: Table, schema: pa.Schema, path: str) -> None:
    """Refuse a published file that cannot be read by this program's contract; a newer or older compatible one is fine.

    Raises:
        TableSchemaError: it names the file, what differs and what to do.
    """
    there, ours = contract_of(schema), contract_of(arrow_schema(table))
    is_newer = int(str(there["version"])) > table.version
    found = changes(ours, there) if is_newer else changes(there, ours)
    breaking = [change.said for change in found if change.breaking]
    if not breaking:
        return
    advice = (
        "a newer program wrote it: use that one"
        if is_newer
        else "publish the run again with this program (`ecgrid-stats normalize`), or read the file with the program"
        " that wrote it"
    )
    raise TableSchemaError(
        f"{path} has version {there['version']} of {table.name}, this program knows version"
        f" {table.version}: {'; '.join(breaking)}; {advice}"
    )


def _column_changes(
    name: str, before: Mapping[str, object], after: Mapping[str, object]
) -> list[Difference]:
    found = []
    types = str(before["type"]), str(after["type"])
    if types[0] != types[1]:
        said = f"column {name} was {types[0]}, is {types[1]}"
        found.append(Difference(name, said, breaking=types not in WIDER))
    if before["nullable"] != after["nullable"]:
        may = "may" if after["nullable"] else "may not"
        found.append(
            Difference(name, f"column {name} {may} be null now", breaking=not after["nullable"])
        )
    return found


def _columns(contract: Contract) -> Mapping[str, Mapping[str, object]]:
    columns = contract["columns"]
    assert isinstance(columns, Mapping)  # noqa: S101  # tells the type checker
    return columns


def _key(contract: Contract) -> list[str]:
    key = contract["key"]
    assert isinstance(key, list)  # noqa: S101  # tells the type checker
    return key
