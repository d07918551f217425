"""DataSets as the simulator writes them, in the smallest document there is."""

from typing import Any

from collector.simulator.dataset_writer import (
    Column,
    DataSet,
    NetType,
    Row,
    RowState,
    Table,
    Value,
    write_dataset,
)
from collector.simulator.xml_text import XmlWriter

__all__ = ["cell", "one", "written"]


def written(data: DataSet, *, indented: bool = False, xsi: bool = True) -> str:
    """Schema and DiffGram inside an element `r`."""
    writer = XmlWriter(indented=indented)
    writer.start("r")
    write_dataset(writer, data, xsi_declared=xsi)
    writer.end()
    return str(writer)


def one(column: Column, *values: Value) -> str:
    """A table T of one column, one row for each value."""
    rows = tuple(Row((value,), RowState.UNCHANGED) for value in values)
    return written(DataSet((Table("T", (column,), rows),)))


def cell(kind: NetType, value: Value, **settings: Any) -> str:
    """How one value is written, with its element."""
    text = one(Column("c", kind, **settings), value)
    return text.partition('msdata:rowOrder="0">')[2].partition("</T>")[0]
