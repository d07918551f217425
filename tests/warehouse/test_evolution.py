"""A contract that changed: old and new runs in one table, and what is refused."""

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from pipelines.contract import CALLS, TABLES, Column, Table
from pipelines.lake import Lake
from pipelines.warehouse.target import Target
from tests.warehouse.ground import Look, call_row, load, publish_rows


def column_of(table: Table, name: str) -> Column:
    """The column of that name."""
    return next(column for column in table.columns if column.name == name)


def changed(*gone: str, **kinds: pa.DataType) -> Table:
    """The ledger, a version later: columns gone, columns with another type, columns that are new."""
    kept = [
        replace(column, type=kinds.pop(column.name, column.type))
        for column in CALLS.columns
        if column.name not in gone
    ]
    added = [
        Column(name, kind, f"What {name} says.", nullable=True) for name, kind in kinds.items()
    ]
    return replace(CALLS, version=CALLS.version + 1, columns=(*kept, *added))


GROWN = changed("window2_minutes", "quality", attempts=pa.int64(), region=pa.string())


def grown_row(call_id: str) -> dict[str, object]:
    """A row as the later version has it."""
    row = call_row(call_id, attempts=2**40, region="north")
    del row["window2_minutes"]
    return row


def test_old_and_new_runs_stand_side_by_side(
    lake: Lake, target: Target, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New columns are added, wider types widen theirs, columns that are gone are left null."""
    publish_rows(lake, 0, CALLS, [call_row("a", quality="readable")])
    load(lake, target)
    monkeypatch.setitem(TABLES, "calls", GROWN)
    publish_rows(lake, 1, GROWN, [grown_row("b")])
    done = load(lake, target)
    assert (done.error, done.runs, done.inserted) == (
        None,
        2,
        1,
    )  # the first once more: it may know more of it
    assert look.query(
        "SELECT call_id, attempts, region, window2_minutes, quality FROM calls ORDER BY call_id"
    ) == [("a", 1, None, 120, "readable"), ("b", 2**40, "north", None, None)]


def test_a_later_program_loads_earlier_runs(
    lake: Lake, target: Target, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of both versions into tables that were made for the later one."""
    publish_rows(lake, 0, CALLS, [call_row("a", quality="readable")])
    monkeypatch.setitem(TABLES, "calls", GROWN)
    publish_rows(lake, 1, GROWN, [grown_row("b")])
    done = load(lake, target)
    assert (done.error, done.inserted) == (None, 2)
    assert look.query("SELECT call_id, attempts, region FROM calls ORDER BY call_id") == [
        ("a", 1, None),
        ("b", 2**40, "north"),
    ]


def test_an_earlier_program_loads_what_fits(
    lake: Lake, target: Target, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later version that is compatible; once the later program comes, it brings what the earlier one did not know."""
    with monkeypatch.context() as later:
        later.setitem(TABLES, "calls", GROWN)
        publish_rows(lake, 0, GROWN, [grown_row("a") | {"attempts": 7}])
    assert load(lake, target).error is None
    assert look.query("SELECT call_id, attempts FROM calls") == [("a", 7)]
    assert load(lake, target).runs == 0
    monkeypatch.setitem(TABLES, "calls", GROWN)
    assert load(lake, target).runs == 1
    assert look.query("SELECT call_id, attempts, region FROM calls") == [("a", 7, "north")]


def test_an_earlier_program_refuses_what_does_not_fit(
    lake: Lake, target: Target, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot know what a later version means; the runs that it knows are loaded."""
    publish_rows(lake, 0, CALLS, [call_row("a")])
    with monkeypatch.context() as later:
        other = changed(state=pa.int64())
        later.setitem(TABLES, "calls", other)
        publish_rows(lake, 1, other, [call_row("b", state=1)])
    done = load(lake, target)
    assert f"version {GROWN.version} of calls" in str(done.error)
    assert "newer program" in str(done.error)
    assert (done.runs, done.caught_up) == (1, False)
    assert look.query("SELECT call_id FROM calls") == [("a",)]


def test_a_table_that_is_wider_than_the_contract_serves(
    lake: Lake, target: Target, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier version of the program after a later one."""
    with monkeypatch.context() as later:
        wide = changed(attempts=pa.int64(), region=pa.string())
        later.setitem(TABLES, "calls", wide)
        publish_rows(lake, 0, wide, [call_row("a", region="north")])
        load(lake, target)
    lake.prune(date.max, [*TABLES])
    publish_rows(lake, 1, CALLS, [call_row("b")])
    assert load(lake, target).error is None
    assert ("b", 1, None) in look.query("SELECT call_id, attempts, region FROM calls")


@pytest.mark.parametrize(("name", "kind"), [("attempts", pa.string()), ("fault_text", pa.int64())])
def test_a_type_that_is_another_is_refused(
    lake: Lake,
    target: Target,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: pa.DataType,
) -> None:
    """The table, the column, both types and what to do; what is there stays."""
    publish_rows(lake, 0, CALLS, [call_row("a")])
    load(lake, target)
    other = changed(**{name: kind})
    monkeypatch.setitem(TABLES, "calls", other)
    publish_rows(lake, 1, other, [call_row("b", **{name: None if kind == pa.int64() else "x"})])
    done = load(lake, target)
    assert (done.runs, done.caught_up) == (0, False)
    assert "calls" in str(done.error)
    assert repr(name) in str(done.error)
    assert str(kind) in str(done.error)
    assert "rename it" in str(done.error)
    assert look.query("SELECT call_id FROM calls") == [("a",)]
