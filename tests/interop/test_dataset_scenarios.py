"""The DataSet reader against .NET: every C# scenario, in every binding."""

import json
from typing import Final

import pytest

from pipelines.dataset import Constraint, DataSet, read
from tests.dataset.dotnet_view import differences
from tests.interop.bindings import BINDINGS, Answer
from tests.interop.pending import READER, marked
from tests.interop.scenarios import SCENARIOS, answered, dumped
from tests.interop.stack import RealStack

# .NET fails on its own answer here; the reader gives the text that was sent.
UNREADABLE_FOR_DOTNET: Final = {
    "Histories.WithoutSchemaButChanges": "'Name': 'changed'",
    "Mappings.OffsetAsAttribute": "datetime.datetime(2024, 1, 15, 8, 30",
    "Objects.CharBlank": "'value': ' '",
    "Objects.Enums": "'value': '5'",
    "Types.ObjectBigIntegers": "1" + "0" * 60,
    "Types.ObjectDateTimeOffsets": "2024-01-15T08:30:00+02:00",
    "Types.UrisWithoutScheme": "a/b?c=d",
}
# .NET takes rows in its own namespaces for none of its business; ours finds them by position.
LOST_BY_DOTNET: Final = ("Labels.NamespaceOfDiffGrams", "Labels.NamespaceOfMsdata")
# 02:30 did not exist that night. .NET goes through the instant and says 03:30; the server said 02:30.
WALL_CLOCK: Final = {"Dates.ClockChanges": (1, "2024-03-10T02:30:00.0000000")}
COMPARED: Final = sorted(set(SCENARIOS) - UNREADABLE_FOR_DOTNET.keys() - set(LOST_BY_DOTNET))


def expectation(stack: RealStack, scenario: str, binding: str) -> dict:
    """What .NET reads from the same answer."""
    return json.loads(dumped(stack, scenario, binding))


def understood(answer: Answer) -> DataSet:
    """What the reader makes of it."""
    return read(answer.body, answer.content_type)


def keys_of(dataset: DataSet) -> list[list[dict]]:
    """Unique and foreign keys in the words of the dump; the view of a DataSet leaves them out."""
    return [
        [foreign_key(key) if key.refers_to else unique_key(key) for key in table.schema.constraints]
        for table in dataset
        if table.declared
    ]


def unique_key(key: Constraint) -> dict:
    """A unique constraint, as dumped."""
    return {
        "type": "UniqueConstraint",
        "name": key.name,
        "columns": list(key.columns),
        "primaryKey": key.primary_key,
    }


def foreign_key(key: Constraint) -> dict:
    """A foreign key constraint, as dumped."""
    return {
        "type": "ForeignKeyConstraint",
        "name": key.name,
        "columns": list(key.columns),
        "parentTable": key.refers_to,
        "parentColumns": list(key.refers_to_columns),
        "deleteRule": key.delete_rule or "Cascade",
        "updateRule": key.update_rule or "Cascade",
        "acceptRejectRule": key.accept_reject_rule or "None",
    }


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("scenario", marked(COMPARED, READER))
def test_reader_and_dotnet_hold_the_same(
    real_stack: RealStack, scenario: str, binding: str
) -> None:
    """Names, types, keys, relations, rows, states and values are those that .NET itself reads."""
    answer = answered(real_stack, scenario, binding)
    expected = expectation(real_stack, scenario, binding)
    assert expected["result"] in ("dataset", "null"), expected
    if scenario in WALL_CLOCK:
        row, wall_clock = WALL_CLOCK[scenario]
        expected["tables"][0]["rows"][row]["values"] = [wall_clock]
    assert differences(understood(answer), expected) == []


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("scenario", sorted(UNREADABLE_FOR_DOTNET))
def test_the_reader_reads_what_dotnet_cannot(
    real_stack: RealStack, scenario: str, binding: str
) -> None:
    """.NET's own reader fails on these answers; ours keeps the value that was sent."""
    answer = answered(real_stack, scenario, binding)
    assert expectation(real_stack, scenario, binding)["result"] == "error"
    (table,) = understood(answer)
    assert UNREADABLE_FOR_DOTNET[scenario] in str(table.arrow.to_pylist())


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("scenario", LOST_BY_DOTNET)
def test_the_reader_keeps_what_dotnet_loses(
    real_stack: RealStack, scenario: str, binding: str
) -> None:
    """.NET reads no row of these answers; ours reads those that were sent."""
    expected = expectation(real_stack, scenario, binding)
    assert [table["rows"] for table in expected["tables"]] == [[]]
    (table,) = understood(answered(real_stack, scenario, binding))
    assert table.arrow.to_pylist() == [{"A": 10, "B": "x"}, {"A": 3, "B": "z"}]
    assert (table.states.to_pylist(), table.deleted.num_rows) == (["modified", "unchanged"], 1)


@pytest.mark.parametrize("scenario", COMPARED)
def test_keys_are_those_of_dotnet(real_stack: RealStack, scenario: str) -> None:
    """Unique and foreign keys with their columns and rules, in whatever order."""
    dump = expectation(real_stack, scenario, "soap12")
    expected = [table["constraints"] for table in dump.get("tables", ())]
    found = keys_of(understood(answered(real_stack, scenario, "soap12")))
    assert [sorted(keys, key=str) for keys in found] == [sorted(keys, key=str) for keys in expected]


@pytest.mark.parametrize("scenario", ["Details.AutoIncrement", "Details.Unique"])
def test_numbering_is_that_of_dotnet(real_stack: RealStack, scenario: str) -> None:
    """Seed and step of columns that number themselves."""
    (expected,) = expectation(real_stack, scenario, "soap12")["tables"]
    (found,) = understood(answered(real_stack, scenario, "soap12"))
    assert [
        (column.auto_increment_seed, column.auto_increment_step) for column in found.columns
    ] == [
        (column.get("autoIncrementSeed", 0), column.get("autoIncrementStep", 1))
        for column in expected["columns"]
    ]


@pytest.mark.parametrize("scenario", COMPARED)
def test_dotnet_reads_the_same_in_every_binding(real_stack: RealStack, scenario: str) -> None:
    """So one expectation serves all four."""
    dumps = [expectation(real_stack, scenario, binding) for binding in BINDINGS]
    assert dumps[1:] == dumps[:1] * 3
