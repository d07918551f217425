"""A frame becomes rows of a table exactly, or is refused with table, row, column and value."""

from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import Column, Table, arrow_schema
from pipelines.contract.casting import to_contract
from pipelines.errors import TableSchemaError

TABLE = Table(
    name="things",
    version=1,
    description="Of every type that a contract has.",
    columns=(
        Column("label", pa.string(), "A text."),
        Column("small", pa.int32(), "A small number.", nullable=True),
        Column("count", pa.int64(), "A number.", nullable=True),
        Column("ratio", pa.float64(), "A fraction.", nullable=True),
        Column("is_odd", pa.bool_(), "A flag.", nullable=True),
        Column("at", pa.timestamp("us", "UTC"), "A moment.", nullable=True),
        Column("body", pa.binary(), "Bytes.", nullable=True),
    ),
    key=("label",),
    sort=(),
)
ROW = {
    "label": "a",
    "small": 1,
    "count": 2**62,
    "ratio": 0.5,
    "is_odd": True,
    "at": datetime(2026, 1, 31, 2, 0, 0, 1, UTC),
    "body": b"\xff",
}
ABSENT = {**dict.fromkeys(ROW), "label": "b"}


def frame(**columns: pd.Series) -> pd.DataFrame:
    """Two rows that fit, with some other columns."""
    rows = pa.Table.from_pylist([ROW, ABSENT], arrow_schema(TABLE))
    return rows.to_pandas(types_mapper=pd.ArrowDtype).assign(**columns)


def arrow(values: list[object], type_: pa.DataType) -> pd.Series:
    """A column of another type."""
    return pd.Series(values, dtype=pd.ArrowDtype(type_))


def test_what_fits() -> None:
    """Columns in the table's order, others and the index left out, the schema to its last description."""
    given_frame = frame(more=arrow([1, 2], pa.int64()))[["more", *reversed(ROW)]]
    given_frame.index = pd.Index([7, 7])
    before = given_frame.copy()
    table = to_contract(given_frame, TABLE)
    assert table.schema.equals(arrow_schema(TABLE), check_metadata=True)
    assert table.to_pylist() == [ROW, ABSENT]
    pd.testing.assert_frame_equal(given_frame, before)


@pytest.mark.parametrize(
    ("name", "values", "type_"),
    [
        ("small", [1, None], pa.int64()),
        ("count", [2**31, 1], pa.uint32()),
        ("count", [1, 1], pa.int8()),
        ("ratio", [0.5, None], pa.float32()),
        ("label", ["a", "b"], pa.large_string()),
        ("label", ["a", "b"], pa.dictionary(pa.int8(), pa.string())),
        ("body", [b"a", None], pa.large_binary()),
        ("at", [1_000, None], pa.timestamp("ns", "UTC")),
        ("at", [1, None], pa.timestamp("s", "UTC")),
        ("count", [None, None], pa.null()),
    ],
)
def test_another_type_of_the_same_kind(name: str, values: list[object], type_: pa.DataType) -> None:
    """Nothing is lost by it."""
    table = to_contract(frame(**{name: arrow(values, type_)}), TABLE)
    assert table.schema.equals(arrow_schema(TABLE), check_metadata=True)
    expected = pa.array(values, type_).to_pylist()
    assert [str(each) for each in table[name].to_pylist()][1:] == [str(each) for each in expected][
        1:
    ]


def test_columns_that_pandas_makes_itself() -> None:
    """Those of numpy and pandas' own text too."""
    table = to_contract(frame(label=pd.Series(["a", "b"]), count=pd.Series([1, 2])), TABLE)
    assert table["label"].to_pylist() == ["a", "b"]
    assert table["count"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("name", "values", "type_", "said"),
    [
        ("small", [1, 2**31], pa.int64(), "things: row 1: column small is 2147483648"),
        ("small", [-(2**31) - 1, 1], pa.int64(), "things: row 0: column small is -2147483649"),
        ("at", [0, 1], pa.timestamp("ns", "UTC"), "things: row 1: column at is "),
        ("label", ["a", None], pa.string(), "things: row 1: column label is null"),
        ("count", ["1", "2"], pa.string(), "things: column count is string, which is no int64"),
        ("count", [1.0, 2.0], pa.float64(), "things: column count is double, which is no int64"),
        ("is_odd", [1, 0], pa.int64(), "things: column is_odd is int64, which is no bool"),
        ("label", [1, 2], pa.int64(), "things: column label is int64, which is no string"),
        ("label", [b"a", b"b"], pa.binary(), "things: column label is binary, which is no string"),
    ],
)
def test_what_does_not_fit_is_named(
    name: str, values: list[object], type_: pa.DataType, said: str
) -> None:
    """Nothing is rounded, parsed or cut."""
    with pytest.raises(TableSchemaError) as refused:
        to_contract(frame(**{name: arrow(values, type_)}), TABLE)
    assert str(refused.value).startswith(said)


def test_a_column_that_is_absent() -> None:
    """With those that are there."""
    with pytest.raises(TableSchemaError, match="the frame has no column small, at; it has label"):
        to_contract(frame().drop(columns=["small", "at"]), TABLE)


def test_a_value_that_does_not_fit_among_many() -> None:
    """The first one is named."""
    values: list[object] = [1] * 10_000
    values[7_777] = values[9_999] = 2**40
    rows = pd.DataFrame({"label": ["a"] * 10_000, "small": arrow(values, pa.int64())})
    rows = rows.assign(**{name: arrow([None] * 10_000, pa.null()) for name in list(ROW)[2:]})
    with pytest.raises(TableSchemaError, match=r"row 7777: column small is 1099511627776"):
        to_contract(rows, TABLE)


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2))
def test_integers(values: list[int | None]) -> None:
    """As they are, or refused: a table of int32 holds what is in its range."""
    rows = frame(small=arrow(list(values), pa.int64()))
    if all(value is None or -(2**31) <= value < 2**31 for value in values):
        assert to_contract(rows, TABLE)["small"].to_pylist() == values
    else:
        with pytest.raises(TableSchemaError, match=r"row [01]: column small is -?[0-9]+, which"):
            to_contract(rows, TABLE)
