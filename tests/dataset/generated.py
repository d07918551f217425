"""Any DataSet that ADO.NET could send: hypothesis makes it, the simulator's writer writes it.

`expected` says, from the description alone, what .NET's dump of it would be.
"""

import base64
import struct
from datetime import UTC, date, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from collector.domain.binding import Binding
from collector.simulator.dataset_writer import (
    Column,
    DataSet,
    DateTimeMode,
    Mapping,
    NetType,
    Row,
    RowState,
    Table,
    Value,
    Variant,
)
from collector.simulator.replies import Answer, answer_reply

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BINDINGS", "body_of", "datasets", "expected", "plain_datasets"]

Json = Any

BINDINGS = (Binding.SOAP11, Binding.SOAP12, Binding.HTTP_GET, Binding.HTTP_POST)
_LAST_TICK = 3155378975999999999
_STATES = {"unchanged": "Unchanged", "inserted": "Added", "modified": "Modified"}
_SQL = "System.Data.SqlTypes."

# All but NUL, surrogates and the two noncharacters: what an ASMX client can read at all.
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff")
TEXT = st.text(_CHARACTERS, max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "\r",
        "\r\n",
        "\t",
        "\x01",
        "]]>",
        "&amp;",
        "&lt;",
        "&amp;gt;",
        "<a/>",
        "a\rb",
        "x" * 300,
        "\U0001f600",
    ]
)
_NAMES = st.text(_CHARACTERS, min_size=1, max_size=8) | st.sampled_from(
    ["Table", "table", "schema", "before", "diffgram", "DataSet", "NewDataSet", "a b", "_x0020_"]
)


def _integers(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low = -(2 ** (bits - 1)) if signed else 0
    return st.integers(low, low + 2**bits - 1)


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


_SINGLES = st.floats(width=32).map(_single)
_DECIMALS = st.builds(
    lambda units, scale: Decimal(f"{units}E-{scale}"),  # exact: arithmetic rounds to 28 digits
    st.integers(-(2**96) + 1, 2**96 - 1),
    st.integers(0, 28),
)
# Away from both ends, so that the moment in UTC is within Python's years too.
_TICKS = st.integers(10**12, _LAST_TICK - 10**12)
_OFFSETS = st.tuples(st.integers(10**12, _LAST_TICK - 10**12), st.integers(-14 * 60, 14 * 60))
_BINARY = st.binary(max_size=9)

_PLAIN: dict[NetType, st.SearchStrategy[Any]] = {
    NetType.BOOLEAN: st.booleans(),
    NetType.BYTE: _integers(8, signed=False),
    NetType.SBYTE: _integers(8, signed=True),
    NetType.INT16: _integers(16, signed=True),
    NetType.UINT16: _integers(16, signed=False),
    NetType.INT32: _integers(32, signed=True),
    NetType.UINT32: _integers(32, signed=False),
    NetType.INT64: _integers(64, signed=True),
    NetType.UINT64: _integers(64, signed=False),
    NetType.SINGLE: _SINGLES,
    NetType.DOUBLE: st.floats(),
    NetType.DECIMAL: _DECIMALS,
    NetType.DATETIME: _TICKS | _TICKS.map(lambda ticks: ticks // 10 * 10),
    NetType.DATETIMEOFFSET: _OFFSETS,
    NetType.TIMESPAN: st.integers(-(2**63), 2**63 - 1),
    NetType.GUID: st.uuids(),
    NetType.CHAR: st.characters(
        max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"
    ),
    NetType.STRING: TEXT,
    NetType.BYTES: _BINARY,
    NetType.URI: st.just("http://example.invalid/?a=1&b=ü"),
}
_VARIANTS = st.one_of(
    *(
        st.builds(Variant, st.just(kind), _PLAIN[kind])
        for kind in _PLAIN
        # .NET writes these as xs:anyType and cannot read them back.
        if kind not in (NetType.DATETIMEOFFSET, NetType.STRING, NetType.CHAR)
    )
)
VALUES: dict[NetType, st.SearchStrategy[Any]] = {
    **_PLAIN,
    NetType.OBJECT: _VARIANTS,
    NetType.BIGINTEGER: st.integers(-(10**60), 10**60),
    NetType.SQL_BOOLEAN: st.booleans(),
    NetType.SQL_INT32: _integers(32, signed=True),
    NetType.SQL_BINARY: _BINARY,
    NetType.SQL_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    NetType.SQL_GUID: st.uuids(),
    NetType.SQL_STRING: TEXT.filter(lambda text: "\x01" not in text),
    NetType.SQL_MONEY: st.integers(-(2**62), 2**62).map(lambda units: Decimal(units).scaleb(-4)),
}
# XSD has no attribute of type anyType; and the writer escapes an SqlString twice in elements only.
_ELEMENT_ONLY = (
    NetType.OBJECT,
    NetType.DATETIMEOFFSET,
    NetType.BIGINTEGER,
    NetType.SQL_STRING,
)


@st.composite
def _columns(draw: st.DrawFn, names: list[str], mappings: list[Mapping]) -> tuple[Column, ...]:
    found = []
    for name in names:
        mapping = draw(st.sampled_from(mappings))
        kinds = [k for k in VALUES if mapping is Mapping.ELEMENT or k not in _ELEMENT_ONLY]
        found.append(
            Column(
                name,
                draw(st.sampled_from(kinds)),
                mapping=mapping,
                date_time_mode=draw(st.sampled_from(list(DateTimeMode))),
            )
        )
    return tuple(found)


def _in_attributes(name: str) -> bool:
    return not name.lower().startswith("xml")


@st.composite
def _tables(draw: st.DrawFn, name: str, mappings: list[Mapping]) -> Table:
    plain = mappings == [Mapping.ELEMENT]
    name_kind = _NAMES if plain else _NAMES.filter(_in_attributes)
    names = draw(st.lists(name_kind, min_size=1, max_size=5, unique_by=str.casefold))
    columns = draw(_columns(names, mappings))
    if not plain and draw(st.booleans()):
        kinds = [k for k in _PLAIN if k is not NetType.CHAR]
        kept = tuple(c for c in columns if c.mapping is not Mapping.ELEMENT)
        content = Column("Text.", draw(st.sampled_from(kinds)), mapping=Mapping.SIMPLE_CONTENT)
        columns = (*kept, content)
    return Table(name, columns, tuple(draw(st.lists(_rows(columns), max_size=4))))


@st.composite
def _rows(draw: st.DrawFn, columns: tuple[Column, ...]) -> Row:
    state = draw(st.sampled_from(list(RowState)))
    values = draw(_cells(columns))
    before = draw(_cells(columns)) if state is RowState.MODIFIED else None
    return Row(values, state, before)


def _cells(columns: tuple[Column, ...]) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.tuples(*(st.none() | VALUES[column.type] for column in columns))


@st.composite
def datasets(draw: st.DrawFn, mappings: tuple[Mapping, ...] = tuple(Mapping)[:3]) -> DataSet:
    """Any DataSet without relations."""
    names = draw(st.lists(_NAMES, max_size=3, unique_by=str.casefold))
    zone = draw(
        st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(minutes=330))])
    )
    tables = tuple(draw(_tables(name, list(mappings))) for name in names)
    return DataSet(tables, draw(_NAMES), zone=zone)


def plain_datasets() -> st.SearchStrategy[DataSet]:
    """DataSets whose columns are all elements, as a service's mostly are."""
    return datasets((Mapping.ELEMENT,))


def body_of(data: DataSet | None, binding: Binding) -> bytes:
    """Write the reply that returns it."""
    return answer_reply(Answer("ReportInstantStats", data), binding).body


# --- what .NET would hold -----------------------------------------------------------------------


def expected(data: DataSet) -> Json:
    """Return the dump of a described DataSet."""
    return {
        "result": "dataset",
        "dataset": {"name": data.name, "namespace": data.namespace},
        "tables": [_table(table, data) for table in data.tables],
        "relations": [],
    }


def _table(table: Table, data: DataSet) -> Json:
    current = [row for row in table.rows if row.state is not RowState.DELETED]
    return {
        "name": table.name,
        "columns": [
            {"name": column.name, "type": str(column.type), "mapping": str(column.mapping)}
            for column in table.columns
        ],
        "deletedRows": len(table.rows) - len(current),
        "rows": [
            {
                "state": _STATES[row.state],
                "values": [
                    _value(column, value, data)
                    for column, value in zip(table.columns, row.values, strict=True)
                ],
            }
            for row in current
        ],
    }


def _value(column: Column, value: Value, data: DataSet) -> Json:
    if value is None or (column.mapping is Mapping.SIMPLE_CONTENT and value in ("", b"")):
        return None
    if column.type is NetType.SQL_STRING and not str(value).strip(" \t\r\n"):
        return ""  # .NET reads white space alone as nothing here
    if isinstance(value, Variant):
        mode = DateTimeMode.UNSPECIFIED
        return {"type": str(value.type), "value": _spelled(value.type, value.value, mode, data)}
    return _spelled(column.type, value, column.date_time_mode, data)


def _spelled(kind: NetType, value: Any, mode: DateTimeMode, data: DataSet) -> str:
    name = kind.removeprefix(_SQL).removeprefix("System.").removeprefix("Sql")
    if name == "DateTime":
        offset = {
            DateTimeMode.UTC: "Z",
            DateTimeMode.LOCAL: _zone(
                int((data.zone.utcoffset(None) or timedelta()).total_seconds() // 60)
            ),
        }
        return _moment(value) + offset.get(mode, "")
    spell: dict[str, Callable[[Any], str]] = {
        "Boolean": lambda v: "true" if v else "false",
        "DateTimeOffset": lambda v: _moment(v[0]) + _zone(v[1]),
        "TimeSpan": _span,
        "Byte[]": lambda v: base64.b64encode(v).decode(),
        "Binary": lambda v: base64.b64encode(v).decode(),
        "Single": _number,
        "Double": _number,
        "Decimal": lambda v: format(v, "f"),
        "Money": lambda v: format(v, "f"),
    }
    return spell.get(name, str)(value)


def _number(value: float) -> str:
    return repr(value).replace("inf", "INF").replace("nan", "NaN")


def _moment(ticks: int) -> str:
    seconds, fraction = divmod(ticks, 10**7)
    days, seconds = divmod(seconds, 86400)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)

    return f"{date.fromordinal(days + 1)}T{hour:02d}:{minute:02d}:{second:02d}.{fraction:07d}"


def _zone(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _span(ticks: int) -> str:
    seconds, fraction = divmod(abs(ticks), 10**7)
    days, seconds = divmod(seconds, 86400)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{hour:02d}:{minute:02d}:{second:02d}" + (f".{fraction:07d}" if fraction else "")
    return ("-" if ticks < 0 else "") + (f"{days}." if days else "") + text
