"""The batch door on answers of the real stack: each row is the one that the single door gives."""

from collections import defaultdict
from typing import Final

import pyarrow as pa
import pytest

from pipelines.dataset import DataSet, DataTable, TableBatch, read, read_many
from pipelines.dataset.errors import DataSetError
from tests.interop.bindings import Answer
from tests.interop.scenarios import SCENARIOS, answered
from tests.interop.stack import RealStack

COPIES: Final = 3

# place of the reply -> table -> its rows
Rows = dict[int, dict[tuple[str, str], list[tuple]]]


def told(value: object) -> object:
    """A value that can be compared: NaN equals itself; scales and units may be the batch's."""
    return "NaN" if value != value else value  # noqa: PLR0124  only NaN differs from itself


def rows_of(table: DataTable | TableBatch) -> list[tuple]:
    """A table's rows, in order, with their states."""
    states = table.states.cast(pa.string()).to_pylist()
    columns = [*(column.to_pylist() for column in table.arrow.columns), states]
    return [tuple(map(told, row)) for row in zip(*columns, strict=True)]


def alone(answer: Answer) -> DataSet | None:
    """What the single door makes of an answer; None where it refuses."""
    try:
        return read(answer.body)
    except DataSetError:
        return None


def unlike(singles: dict[str, DataSet | None]) -> list[list[str]]:
    """Scenarios in batches without two of one schema: those share columns, as wide as both need."""
    batches: list[list[str]] = []
    for scenario, single in singles.items():
        for batch in batches:
            others = [singles[other] for other in batch]
            if all(single is None or o is None or single.schema != o.schema for o in others):
                batch.append(scenario)
                break
        else:
            batches.append([scenario])
    return batches


@pytest.mark.parametrize("binding", ["soap12", "http-get"])  # one line, and indented
@pytest.mark.extended
def test_a_batch_holds_what_each_answer_holds(real_stack: RealStack, binding: str) -> None:
    """All scenarios, three copies of each, mixed: no row is lost, none gets to another reply."""
    answers = {scenario: answered(real_stack, scenario, binding) for scenario in SCENARIOS}
    singles = {scenario: alone(answer) for scenario, answer in answers.items()}
    batches = unlike(singles)
    assert len(batches[0]) > len(SCENARIOS) // 2

    for scenarios in batches:
        batch = read_many([answers[scenario].body for scenario in scenarios] * COPIES)
        found: Rows = defaultdict(lambda: defaultdict(list))
        for group in batch.groups:
            for table in group.tables:
                for place, row in zip(table.reply.tolist(), rows_of(table), strict=True):
                    found[place][table.name, table.namespace].append(row)
        in_order = [singles[scenario] for scenario in scenarios] * COPIES
        for place, single in enumerate(in_order):
            tables = {(table.name, table.namespace): rows_of(table) for table in single or ()}
            expected = {name: rows for name, rows in tables.items() if rows}
            assert found[place] == expected, scenarios[place % len(scenarios)]
        assert [place for place, _ in batch.failures] == [
            place for place, single in enumerate(in_order) if single is None
        ]
        assert batch.nulls.tolist() == [
            place for place, single in enumerate(in_order) if single is not None and single.is_null
        ]
