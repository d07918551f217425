"""A table as a target has it, beside the contract -> what must change, or why it is refused. Pure.

The rules are those of `evolution`: a new column is added and may be null, a wider type widens its column, a column that
the contract no longer has stays and is left null. Nothing is dropped, narrowed or renamed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from pipelines.contract import Table
from pipelines.contract.evolution import WIDER
from pipelines.errors import WarehouseError

__all__ = ["Alteration", "Existing", "Kind", "alterations", "is_wider"]


class Kind(Enum):
    """What is done to a column."""

    ADD = "add"
    WIDEN = "widen"
    LOOSEN = "loosen"  # it may be null from now on


@dataclass(frozen=True, slots=True)
class Alteration:
    """One change of one column; the type is the contract's, None where it stays."""

    kind: Kind
    column: str
    type: pa.DataType | None = None


@dataclass(frozen=True, slots=True)
class Existing:
    """A column that is there.

    Attributes:
        type: in Arrow's terms; None for one that no published column has.
        said: the type in the target's words.
    """

    type: pa.DataType | None
    said: str
    nullable: bool


def alterations(
    table: Table, existing: Mapping[str, Existing], *, ours: bool, where: str, advice: str
) -> tuple[Alteration, ...]:
    """What makes the existing table fit for the contract's rows.

    Args:
        ours: this program made the table; another's must fit as it is.
        where: the table in the target's words.
        advice: what to do if it does not fit.

    Raises:
        WarehouseError: it cannot be made to fit.
    """
    needed = []
    for column in table.columns:
        there = existing.get(column.name)
        if there is None:
            if column.name in table.key:
                raise WarehouseError(f"{where} has no column {column.name!r}: {advice}")
            needed.append(Alteration(Kind.ADD, column.name, column.type))
            continue
        if there.type != column.type and not is_wider(there.type, column.type):
            if not is_wider(column.type, there.type):
                raise WarehouseError(
                    f"{where}: column {column.name!r} is {there.said}, cannot hold {column.type}: {advice}"
                )
            needed.append(Alteration(Kind.WIDEN, column.name, column.type))
        if column.nullable and not there.nullable:
            needed.append(Alteration(Kind.LOOSEN, column.name))
    known = {column.name for column in table.columns}
    needed += [
        Alteration(Kind.LOOSEN, name)
        for name, there in existing.items()
        if name not in known and not there.nullable
    ]
    if needed and not ours:
        names = ", ".join(repr(each.column) for each in needed)
        raise WarehouseError(
            f"{where} was made by another program and differs in {names}: {advice}"
        )
    return tuple(needed)


def is_wider(wide: pa.DataType | None, narrow: pa.DataType | None) -> bool:
    """Whether a column of the narrow type may become one of the wide type."""
    return (str(narrow), str(wide)) in WIDER
