"""Everything that the answers say besides their counts -> the rows of `dataset_extras`."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.contract import DATASET_EXTRAS
from pipelines.normalize.answers import TEXT, AnswerGroup, Flags, TableRows, column, empty_of
from pipelines.normalize.counts import COLUMNS, Counts, layout
from pipelines.normalize.text import text_of

__all__ = ["extras_of"]

_ORDER: Final = ["answer", "table_number", "row", "column_number"]


def extras_of(
    answers: pd.DataFrame, groups: Sequence[AnswerGroup], published: Counts
) -> pd.DataFrame:
    """The rows of `dataset_extras`: all values but the published counts, by answers, tables, rows and columns."""
    is_published = np.zeros((len(answers), len(COLUMNS)), np.bool_)
    is_published[published.wide.index] = ~published.missing.to_numpy()
    parts = [part for group in groups for part in _extras_of_group(group, is_published)]
    if not parts:
        return empty_of(DATASET_EXTRAS)
    values = pd.concat(parts).sort_values(_ORDER, kind="stable").set_index("answer")
    calls = answers.loc[values.index]
    return values.assign(call_id=calls["call_id"].array, session=calls["session"].array)


def _extras_of_group(group: AnswerGroup, is_published: Flags) -> Iterator[pd.DataFrame]:
    place = layout(group)
    for table_number, table in enumerate(group.tables):
        metrics: dict[int, int] = {}
        if table_number == place.table:
            metrics = {column: metric for metric, column in place.columns.items()}
        for column_number in range(table.rows.num_columns):
            is_left = np.ones(len(table.answer), np.bool_)
            if column_number in metrics:
                is_left = (table.row != 0) | ~is_published[table.answer, metrics[column_number]]
            if is_left.any():
                values = _values(table, column_number, is_left)
                yield values.assign(table_number=table_number, column_number=column_number)


def _values(table: TableRows, column_number: int, is_left: Flags) -> pd.DataFrame:
    """Values of one column of a table, and where they are from."""
    values = table.rows.column(column_number).filter(pa.array(is_left))
    number = len(values)
    said = {
        "table": table.name,
        "state": table.state,
        "column": table.rows.schema.names[column_number],
        "type": table.types[column_number],
    }
    return pd.DataFrame(
        {
            "answer": table.answer[is_left],
            "row": table.row[is_left],
            **{name: pd.Series(text, range(number), TEXT) for name, text in said.items()},
            "value": column(text_of(values), TEXT),
        }
    )
