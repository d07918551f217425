"""What the rows of an answer look like as a table, as CSV and as JSON."""

import csv
import io
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines.cli.answer import as_csv, as_json_lines, as_table
from pipelines.errors import QueryError

VALUES = """
    12345678901234567890123::HUGEINT AS sum, 1.50::DECIMAL(4, 2) AS price, true AS yes, 0.1::DOUBLE AS tenth,
    'NaN'::DOUBLE AS no_number, 'inf'::DOUBLE AS endless, NULL AS nothing, '' AS empty, E'a,"b"\\nc' AS text,
    '\\xAA\\x01'::BLOB AS bytes, TIMESTAMPTZ '2026-01-31 02:00:02.5+00' AS moment, DATE '2026-01-31' AS day,
    INTERVAL '25:00:01.25' AS long, INTERVAL '-0.25 seconds' AS before, INTERVAL '14 months 3 days' AS months,
    [1, NULL] AS list, {'a': 1.5::DECIMAL(4, 2), 'b': [true]} AS nested, MAP {'k': 1} AS pairs
"""


@pytest.fixture
def found() -> pa.Table:
    """A row with a value of every kind that DuckDB gives, and one of nulls."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(f"SELECT {VALUES} UNION ALL SELECT {'NULL, ' * 18}").to_arrow_table()


def test_json_has_numbers_for_numbers(found: pa.Table) -> None:
    """A sum is no text though DuckDB makes a decimal of it, and every line is JSON to the letter."""

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    first, nulls = (json.loads(x, parse_constant=refuse) for x in as_json_lines(found).splitlines())
    assert first == {
        "sum": 12345678901234567890123,
        "price": 1.5,
        "yes": True,
        "tenth": 0.1,
        "no_number": None,
        "endless": None,
        "nothing": None,
        "empty": "",
        "text": 'a,"b"\nc',
        "bytes": "aa01",
        "moment": "2026-01-31 02:00:02.500000+00:00",
        "day": "2026-01-31",
        "long": "25:00:01.25",
        "before": "-00:00:00.25",
        "months": "14 months 3 days 00:00:00",
        "list": [1, None],
        "nested": {"a": 1.5, "b": [True]},
        "pairs": [["k", 1]],
    }
    assert set(nulls.values()) == {None}


def test_csv_is_read_back(found: pa.Table) -> None:
    """By Python and by DuckDB: numbers, times, truth and quotes survive; null is empty."""
    text = as_csv(found)
    first, nulls = csv.DictReader(io.StringIO(text))
    assert set(nulls.values()) == {""}
    assert (first["text"], first["yes"], first["bytes"]) == ('a,"b"\nc', "true", "aa01")
    assert (Decimal(first["sum"]), first["price"]) == (12345678901234567890123, "1.50")
    assert json.loads(first["nested"]) == {"a": 1.5, "b": [True]}
    assert datetime.fromisoformat(first["moment"]) == datetime(
        2026, 1, 31, 2, 0, 2, 500_000, tzinfo=UTC
    )
    assert date.fromisoformat(first["day"]) == date(2026, 1, 31)
    assert math.isinf(float(first["endless"]))
    assert first["long"] == "25:00:01.25"


def test_the_table_is_for_people(found: pa.Table) -> None:
    """Numbers to the right, one line a row, and nothing that a terminal obeys."""
    rows = pa.table({"name": ["a", "\x1b[31mred\nline"], "count": [5, 1234]})
    assert as_table(rows).splitlines() == [
        "name              count",
        "a                     5",
        "\\x1b[31mred\\nline  1234",
    ]
    assert as_table(found).count("\n") == 3
    assert as_table(found.slice(0, 0)).split() == found.column_names
    many = as_table(pa.table({"n": range(10_003)})).splitlines()
    assert many[-1] == "... and 3 more rows; --format csv has all"
    assert len(many) == 10_002


def test_plans_are_shown_as_they_are() -> None:
    """EXPLAIN draws boxes over several lines."""
    with duckdb.connect() as connection:
        plan = connection.sql("EXPLAIN SELECT 1").to_arrow_table()
    assert as_table(plan).count("\n") > 3
    assert "\\n" not in as_table(plan)


def test_two_columns_of_one_name_are_no_object() -> None:
    """CSV and a table can have them."""
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    with pytest.raises(QueryError, match=r"2 columns are called 'a'.*AS"):
        as_json_lines(twice)
    assert as_csv(twice) == "a,a\n1,2\n"
    assert as_table(twice) == "a a\n1 2\n"
