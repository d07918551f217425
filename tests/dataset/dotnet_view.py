"""A DataSet as the structure that .NET dumps, and the differences from such a dump.

The dump is JSON: `result`, `dataset`, `tables` with `columns` and `rows`, `relations`; values are
text in .NET's round-trip spelling. What a dump does not say is not compared.
"""

import base64
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.dataset import Column, Constraint, DataSet, DataTable
from pipelines.dataset.ticks import date_time_text, duration_ticks

__all__ = ["differences", "view"]

Json = Any

_STATES = {"unchanged": "Unchanged", "inserted": "Added", "modified": "Modified"}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_TICKS = 10**7
_XSD_MOMENT = re.compile(r"(.{19})(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?")


def view(dataset: DataSet) -> Json:
    """Return the DataSet in the dump's structure; what .NET would not have read is left out."""
    if dataset.is_null:
        return {"result": "null"}
    schema = dataset.schema
    return {
        "result": "dataset",
        "dataset": {
            "name": schema.name,
            "namespace": schema.namespace,
            "prefix": schema.prefix,
            "caseSensitive": schema.case_sensitive,
            "enforceConstraints": schema.enforce_constraints,
            "extendedProperties": dict(schema.extended_properties),
        },
        "tables": [_table(table) for table in dataset if table.declared],
        "relations": [
            {
                "name": relation.name,
                "parentTable": relation.parent_table,
                "parentColumns": list(relation.parent_columns),
                "childTable": relation.child_table,
                "childColumns": list(relation.child_columns),
                "nested": relation.nested,
            }
            for relation in dataset.relations
        ],
    }


def _table(table: DataTable) -> Json:
    declared = [column for column in table.columns if column.declared]
    texts = [
        list(_texts(column, table.arrow.column(place)))
        for place, column in enumerate(table.columns)
        if column.declared
    ]
    rows = list(zip(*texts, strict=True)) if texts else [()] * len(table)
    return {
        "name": table.name,
        "namespace": table.namespace,
        "prefix": table.schema.prefix,
        "columns": [_column(column) for column in declared],
        "primaryKey": list(table.schema.primary_key),
        "constraints": [_constraint(constraint) for constraint in table.schema.constraints],
        "extendedProperties": dict(table.schema.extended_properties),
        "deletedRows": table.deleted.num_rows,
        "rows": [
            {"state": _STATES[state], "values": list(values)}
            for state, values in zip(table.states.to_pylist(), rows, strict=True)
        ],
    }


def _constraint(constraint: Constraint) -> Json:
    columns = list(constraint.columns)
    if constraint.refers_to is None:
        return {
            "type": "UniqueConstraint",
            "name": constraint.name,
            "columns": columns,
            "primaryKey": constraint.primary_key,
        }
    return {
        "type": "ForeignKeyConstraint",
        "name": constraint.name,
        "columns": columns,
        "parentTable": constraint.refers_to,
        "parentColumns": list(constraint.refers_to_columns),
        "deleteRule": constraint.delete_rule,
        "updateRule": constraint.update_rule,
        "acceptRejectRule": constraint.accept_reject_rule,
    }


def _column(column: Column) -> Json:
    found = {
        "name": column.name,
        "type": column.type,
        "nullable": column.nullable,
        "mapping": str(column.place),
        "namespace": column.namespace,
        "caption": column.name if column.caption is None else column.caption,
        "maxLength": -1 if column.max_length is None else column.max_length,
        "readOnly": column.read_only,
        "autoIncrement": column.auto_increment,
        "autoIncrementSeed": column.auto_increment_seed,
        "autoIncrementStep": column.auto_increment_step,
        "prefix": column.prefix,
        "expression": column.expression or "",
        "extendedProperties": dict(column.extended_properties),
    }
    if column.date_time_mode is not None:
        found["dateTimeMode"] = str(column.date_time_mode)
    return found


# --- values -----------------------------------------------------------------------------------


def _texts(column: Column, values: pa.ChunkedArray) -> Iterator[Json]:
    kind = values.type
    if pa.types.is_timestamp(kind):
        offset = 0 if kind.tz else None
        yield from (_on(date_time_text, _ticks(t, kind), offset) for t in _integers(values))
    elif pa.types.is_duration(kind):
        yield from (_on(_time_span, _ticks(t, kind)) for t in _integers(values))
    elif column.type in ("System.DateTimeOffset", "System.DateTime") and pa.types.is_struct(kind):
        yield from _with_offset(values)
    else:
        for value in values.to_pylist():
            yield None if value is None else _text(column.type, value)


def _on(spell: Callable[..., str], ticks: int | None, *rest: Any) -> Json:
    return None if ticks is None else spell(ticks, *rest)


def _integers(values: pa.ChunkedArray) -> list[int | None]:
    return list(values.cast(pa.int64()).to_pylist())


def _ticks(value: int | None, kind: pa.DataType) -> int | None:
    return None if value is None else value * _TICKS // _PER_SECOND[kind.unit]


def _with_offset(values: pa.ChunkedArray) -> Iterator[Json]:
    whole = values.combine_chunks()
    moments = whole.field(0)
    triples = zip(
        whole.is_valid().to_pylist(),
        moments.cast(pa.int64()).to_pylist(),
        whole.field(1).to_pylist(),
        strict=True,
    )
    for valid, moment, offset in triples:
        if not valid:
            yield None
            continue
        text = date_time_text(_ticks(moment, moments.type) or 0, offset)
        yield text.replace("Z", "+00:00")


def _text(net_type: str, value: Any) -> Json:
    if isinstance(value, dict):
        return {"type": value["type"], "value": _object_text(value["type"], value["value"])}
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        named = {math.inf: "INF", -math.inf: "-INF"}
        return "NaN" if math.isnan(value) else named.get(value, repr(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if net_type == "System.TimeSpan":
        return _time_span(duration_ticks(value))
    return str(value)


def _object_text(net_type: str, text: str) -> str:
    if net_type == "System.DateTime":
        match = _XSD_MOMENT.fullmatch(text)
        assert match is not None, text
        return f"{match[1]}.{(match[2] or '').ljust(7, '0')}{match[3] or ''}"
    if net_type == "System.TimeSpan":
        return _time_span(duration_ticks(text))
    return text


def _time_span(ticks: int) -> str:
    seconds, fraction = divmod(abs(ticks), _TICKS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (
        ("-" if ticks < 0 else "")
        + (f"{days}." if days else "")
        + f"{hours:02d}:{minutes:02d}:{seconds:02d}"
        + (f".{fraction:07d}" if fraction else "")
    )


# --- comparison -------------------------------------------------------------------------------

_FLOATS = frozenset({"System.Single", "System.Double", "SqlSingle", "SqlDouble"})
_NUMBERS = _FLOATS | {"System.Decimal", "SqlDecimal", "SqlMoney"}


def differences(dataset: DataSet, expected: Json) -> list[str]:
    """Return where the DataSet differs from a dump; empty when .NET holds the same."""
    return list(_different(view(dataset), expected, ""))


def _different(ours: Json, theirs: Json, path: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(theirs.keys() & ours.keys()):
            if key == "rows":
                types = [column["type"] for column in theirs["columns"]]
                yield from _different_rows(ours[key], theirs[key], types, path)
            else:
                yield from _different(ours[key], theirs[key], f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path}: {len(ours)} entries, .NET has {len(theirs)}"
        for place, pair in enumerate(zip(ours, theirs, strict=False)):
            yield from _different(*pair, f"{path}/{place}")
    elif ours != theirs:
        yield f"{path}: {ours!r}, .NET has {theirs!r}"


def _different_rows(
    ours: list[Json], theirs: list[Json], types: list[str], path: str
) -> Iterator[str]:
    if len(ours) != len(theirs):
        yield f"{path}: {len(ours)} rows, .NET has {len(theirs)}"
    for place, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        if mine["state"] != other["state"]:
            yield f"{path}/rows/{place}: {mine['state']}, .NET has {other['state']}"
        for net_type, value, wanted in zip(types, mine["values"], other["values"], strict=False):
            if not _same_value(net_type, value, wanted):
                yield f"{path}/rows/{place}: {value!r} as {net_type}, .NET has {wanted!r}"


def _same_value(net_type: str, ours: Json, theirs: Json) -> bool:
    """Floats and decimals may be spelled in more ways than one; nothing else may."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours["type"] == theirs["type"] and _same_value(
            ours["type"], ours["value"], theirs["value"]
        )
    if ours == theirs or ours is None or theirs is None:
        return bool(ours == theirs)
    name = net_type.removeprefix("System.Data.SqlTypes.")
    if name in _NUMBERS and isinstance(ours, str) and isinstance(theirs, str):
        if name in _FLOATS:
            kind = np.float32 if name.endswith("Single") else np.float64
            # NaN is the same as NaN here.
            return bool(np.array_equal(kind(_xsd(ours)), kind(_xsd(theirs)), equal_nan=True))
        return Decimal(ours) == Decimal(theirs)
    return False


def _xsd(text: str) -> str:
    return text.replace("INF", "inf")
