"""Everything that the answers say besides their counts -> rows of `dataset_extras`, columns at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.contract import DATASET_EXTRAS, arrow_schema
from pipelines.tidy.answers import AnswerGroup, Flags, Integers, TableRows
from pipelines.tidy.facts import METRICS, Counts, layout
from pipelines.tidy.text import text_of

__all__ = ["dataset_extras"]


@dataclass(frozen=True, slots=True)
class _Values:
    """Some values of one column of one table, and where they are from."""

    table: TableRows
    table_number: int
    column_number: int
    answer: Integers
    row: Integers
    value: pa.Array


def dataset_extras(
    run_id: str, answers: pa.Table, groups: Sequence[AnswerGroup], counts: Counts, kept: Flags
) -> pa.Table:
    """The rows of `dataset_extras`: all values but the counts of the kept answers.

    They are in the order of answers, tables, rows, columns.
    """
    published = np.zeros((answers.num_rows, len(METRICS)), np.bool_)
    published[counts.answer] = ~counts.missing & kept[:, np.newaxis]
    parts = [values for group in groups for values in _group_values(group, published)]
    schema = arrow_schema(DATASET_EXTRAS)
    if not parts:
        return schema.empty_table()
    answer = np.concatenate([part.answer for part in parts])
    row = np.concatenate([part.row for part in parts])
    lengths = [len(part.answer) for part in parts]
    column_number = np.repeat([part.column_number for part in parts], lengths)
    table_number = np.repeat([part.table_number for part in parts], lengths)
    of_part = np.repeat(np.arange(len(parts)), lengths)
    names = [part.table.rows.schema.names[part.column_number] for part in parts]
    types = [part.table.types[part.column_number] for part in parts]
    calls = answers.take(answer)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "run_id": pa.repeat(run_id, len(answer)),
        "call_id": calls["call_id"],
        "session": calls["session"],
        "table": pa.array([part.table.name for part in parts]).take(of_part),
        "state": pa.array([part.table.state for part in parts]).take(of_part),
        "row": pa.array(row, pa.int32()),
        "column": pa.array(names).take(of_part),
        "type": pa.array(types).take(of_part),
        "value": pa.concat_arrays([part.value for part in parts]),
    }
    table = pa.table([columns[name] for name in schema.names], schema=schema)
    return table.take(np.lexsort((column_number, row, table_number, answer)))


def _group_values(group: AnswerGroup, published: Flags) -> Iterator[_Values]:
    place = layout(group)
    for table_number, table in enumerate(group.tables):
        metrics: dict[int, int] = {}
        if table_number == place.table:
            metrics = {column: metric for metric, column in place.columns.items()}
        for column_number in range(table.rows.num_columns):
            left = np.ones(len(table.answer), np.bool_)
            if column_number in metrics:
                left = (table.row != 0) | ~published[table.answer, metrics[column_number]]
            if left.any():
                column = table.rows.column(column_number).filter(pa.array(left))
                yield _Values(
                    table,
                    table_number,
                    column_number,
                    table.answer[left],
                    table.row[left],
                    text_of(column),
                )
