"""`python -m pipelines.dataset FILE`: schema and rows of a saved reply, for reading by eye.

Responsible for the printout. The file may hold a body alone or a whole HTTP response.
"""

import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

import pyarrow as pa

from pipelines.dataset import Column, DataSet, DataTable, read
from pipelines.dataset.errors import DataSetError

__all__ = ["main", "printout"]

_UNREADABLE, _USAGE = 1, 2
_HEAD_END = re.compile(rb"\r?\n\r?\n")


def printout(dataset: DataSet, most_rows: int) -> Iterator[str]:
    """Describe a DataSet, line by line."""
    if dataset.is_null:
        yield "null DataSet"
        return
    yield f"DataSet {dataset.name!r}" + _in(dataset.namespace)
    for table in dataset:
        yield from _table(table, most_rows)
    for relation in dataset.relations:
        kind = "nested relation" if relation.nested else "relation"
        yield (
            f"{kind} {relation.name!r}: {relation.parent_table}{list(relation.parent_columns)} "
            f"-> {relation.child_table}{list(relation.child_columns)}"
        )
    for reject in dataset.rejects:
        part = "old version of row" if reject.before else "row"
        yield (
            f"reject: table {reject.table!r}, {part} {reject.row}, column {reject.column!r}: "
            f"{reject.value!r} is not {reject.expected}"
        )


def _table(table: DataTable, most_rows: int) -> Iterator[str]:
    yield ""
    loose = "" if table.declared else ", not in the schema"
    yield f"table {table.name!r}{_in(table.namespace)}: {len(table)} rows{loose}"
    for column, field in zip(table.columns, table.arrow.schema, strict=True):
        yield f"  {_column(column)} -> {field.type}"
    states = [str(state) for state in table.states]
    shown = table.arrow.slice(0, most_rows)
    columns = [_values(values) for values in shown.columns]
    for row in range(len(shown)):
        values = {c.name: values[row] for c, values in zip(table.columns, columns, strict=True)}
        yield f"  {row} {states[row]}: {values}"
    if len(table) > most_rows:
        yield f"  ... {len(table) - most_rows} more"
    if table.deleted.num_rows:
        yield f"  deleted: {table.deleted.num_rows} rows"
    for error in table.errors:
        where = f"row {error.row}" + (f", column {error.column!r}" if error.column else "")
        yield f"  error: {where}: {error.message}"


def _values(values: pa.ChunkedArray) -> list[object]:
    try:
        return list(values.to_pylist())
    except OverflowError:  # a moment that Arrow holds and Python does not
        return list(map(repr, values))


def _column(column: Column) -> str:
    facts = [column.type]
    if column.date_time_mode is not None:
        facts.append(str(column.date_time_mode))
    if column.place != "Element":
        facts.append(str(column.place))
    if not column.nullable:
        facts.append("not null")
    if not column.declared:
        facts.append("not in the schema")
    return f"{column.name!r} {', '.join(facts)}"


def _in(namespace: str) -> str:
    return f" in {namespace!r}" if namespace else ""


def _body(raw: bytes) -> tuple[bytes, str | None]:
    """Split a saved HTTP response; anything else is a body."""
    if not raw.startswith(b"HTTP/"):
        return raw, None
    head, *rest = _HEAD_END.split(raw, maxsplit=1)
    body = rest[0] if rest else b""
    for line in head.decode("latin-1").splitlines()[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-type":
            return body, value.strip()
    return body, None


def main(arguments: list[str] | None = None) -> int:
    """Print a file; 1 if it holds no readable DataSet, 2 if there is no such file."""
    parser = ArgumentParser(prog="python -m pipelines.dataset", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=20, help="rows of each table (20)")
    parser.add_argument("--strict", action="store_true", help="stop at a value that does not fit")
    given = parser.parse_args(arguments)
    try:
        body, content_type = _body(given.file.read_bytes())
    except OSError as error:
        print(f"{given.file}: {error.strerror}", file=sys.stderr)  # noqa: T201  a command line
        return _USAGE
    try:
        dataset = read(body, content_type, strict=given.strict)
    except DataSetError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return _UNREADABLE
    if isinstance(sys.stdout, TextIOWrapper):  # names and values may have letters that it lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        for line in printout(dataset, given.rows):
            print(line)  # noqa: T201
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
