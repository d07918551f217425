"""Landed answers -> decoded tables, grouped by schema. Where the DataSet reader's values become those of a batch."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from collector.errors import WireError
from collector.wire.body import decoded_body
from pipelines.dataset import DEFAULT_LIMITS, Column, DataTable, Group, read, read_many
from pipelines.dataset.errors import DataSetError
from pipelines.normalize.answers import AnswerGroup, Integers, TableRows

__all__ = ["Decoded", "decode"]

_BEFORE: Final = re.compile(rb"b\0*e\0*f\0*o\0*r\0*e")  # in any encoding of XML


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a batch of answers says.

    Attributes:
        groups: every answer that holds a DataSet and could be read is in one of them.
        unreadable: those that could not be read by their number, with the reason.
    """

    groups: tuple[AnswerGroup, ...]
    unreadable: dict[int, str]


def decode(bodies: Sequence[bytes], headers: Sequence[str]) -> Decoded:
    """Read every answer of a batch; an answer is known by its place in it.

    Args:
        bodies: as landed.
        headers: of each answer, a JSON object.
    """
    unreadable: dict[int, str] = {}
    heads = {text: json.loads(text) for text in set(headers)}  # answers of one second share theirs
    encodings = {text: head.get("content-encoding") for text, head in heads.items()}
    kinds = {text: head.get("content-type") for text, head in heads.items()}
    plain = dict(enumerate(bodies))
    if any(encodings.values()) or max(map(len, bodies), default=0) > DEFAULT_LIMITS.body_bytes:
        for number, text in enumerate(headers):
            try:
                body = decoded_body(bodies[number], encodings[text], DEFAULT_LIMITS.body_bytes)
            except WireError as error:
                unreadable[number] = str(error)
                del plain[number]
            else:
                plain[number] = body
    # the batch reader leaves out old and deleted rows, which hardly any answer has
    with_old = {number: body for number, body in plain.items() if _BEFORE.search(body)}
    for number in with_old:
        del plain[number]
    places = np.fromiter(plain, np.int64, len(plain))
    batch = read_many(plain.values(), [kinds[headers[number]] for number in plain])
    unreadable |= {int(places[place]): str(error) for place, error in batch.failures}
    groups = [_group(group, places) for group in batch.groups]
    for number, body in with_old.items():
        try:
            data_set = read(body, kinds[headers[number]])
        except DataSetError as error:
            unreadable[number] = str(error)
        else:
            groups.append(_group_of_one(number, tuple(data_set)))
    return Decoded(tuple(groups), unreadable)


def _group(group: Group, places: Integers) -> AnswerGroup:
    names = _names([(table.name, table.namespace) for table in group.tables])
    tables = [
        TableRows(name, table.arrow, _types(table.columns), places[table.reply], table.row)
        for name, table in zip(names, group.tables, strict=True)
    ]
    return AnswerGroup(places[group.replies], tuple(tables))


def _group_of_one(number: int, tables: Sequence[DataTable]) -> AnswerGroup:
    names = _names([(table.name, table.namespace) for table in tables])
    rows = [
        TableRows(name, part, _types(table.columns), np.full(len(row), number), row, state)
        for name, table in zip(names, tables, strict=True)
        for state, (part, row) in _states(table).items()
        if state == "current" or len(row)
    ]
    return AnswerGroup(np.array([number], np.int64), tuple(rows))


def _states(table: DataTable) -> Mapping[str, tuple[pa.Table, Integers]]:
    return {
        "current": (table.arrow, np.arange(table.arrow.num_rows)),
        "before": (table.before, np.asarray(table.before_rows, np.int64)),
        "deleted": (table.deleted, np.arange(table.deleted.num_rows)),
    }


def _types(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(column.type for column in columns)


def _names(tables: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The tables' names; those that several share, with their namespace."""
    names = [name for name, _ in tables]
    for name, namespace in tables:
        yield name if names.count(name) == 1 else f"{{{namespace}}}{name}"
