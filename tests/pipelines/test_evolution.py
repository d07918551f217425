"""How tables may change, and that files of before and after are read together by everybody."""

import copy
import re
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.contract import CALLS, INSTANT_STATS, TABLES, VIEWS, Table, View, arrow_schema
from pipelines.contract.evolution import changes, check_file, contract_of
from pipelines.contract.tables_doc import EXAMPLES, example_of, tables_markdown
from pipelines.errors import TableSchemaError
from tests.pipelines.contract_golden import current, golden, unraised
from tests.pipelines.lake_rows import stats

DOCS = Path(__file__).parents[2] / "docs"


def test_the_contract_is_the_one_that_was_agreed() -> None:
    """A change is made on purpose: raise the table's version, then `python -m tests.pipelines.contract_golden`."""
    assert unraised(golden(), current()) == [], "raise the version of these tables in the contract"
    assert current() == golden(), "run `python -m tests.pipelines.contract_golden`"


def test_a_change_without_a_new_version_is_seen() -> None:
    """The check above can fail."""
    after = copy.deepcopy(golden())
    after["calls"]["columns"]["more"] = {"type": "string", "nullable": True}
    assert unraised(golden(), after) == ["calls"]
    after["calls"]["version"] += 1
    assert unraised(golden(), after) == []


def test_the_page_of_tables_is_the_contract() -> None:
    """Every table, column, type, meaning, key and example, as `python -m pipelines.contract.tables_doc` prints it."""
    assert (DOCS / "tables.md").read_text(encoding="utf-8") == tables_markdown()
    for table in (*TABLES.values(), *VIEWS.values()):
        found = re.search(
            rf"^## {table.name}\n(.*?)(?=^## |\Z)", tables_markdown(), re.MULTILINE | re.DOTALL
        )
        assert found
        for column in table.columns:
            assert f"`{column.name}`" in found[1]
            assert f"| `{column.name}` | {column.type} |" in tables_markdown()
    both = (*TABLES.values(), *VIEWS.values())
    used = {column.name for table in both for column in table.columns}
    assert {name for name in EXAMPLES if "." not in name} == used


@pytest.mark.parametrize("table", [*TABLES.values(), *VIEWS.values()], ids=lambda each: each.name)
def test_examples_are_values_of_their_columns(table: Table | View) -> None:
    """Of the type, and one of the words where the meaning lists words."""
    for column in table.columns:
        example = example_of(table, column)
        if not pa.types.is_binary(column.type):
            assert pa.scalar(example).cast(column.type).is_valid, column.name
        if words := re.findall(r"'([\w-]+)'", column.description):
            assert example in words, f"{table.name}.{column.name}"


def _with(**columns: Any) -> dict[str, Any]:
    """The contract of `calls` with some columns changed; None takes one away."""
    found = copy.deepcopy(contract_of(arrow_schema(CALLS)))
    for name, column in columns.items():
        if column is None:
            del found["columns"][name]
        else:
            found["columns"][name] = dict(zip(("type", "nullable"), column, strict=True))
    return found


@pytest.mark.parametrize(
    ("after", "breaking"),
    [
        (_with(), None),
        (_with(more=("string", True)), False),
        (_with(more=("string", False)), True),
        (_with(quality=None), False),
        (_with(call_id=None), True),
        (_with(attempts=("int64", False)), False),
        (_with(reply_bytes=("int32", True)), True),
        (_with(attempts=("string", False)), True),
        (_with(state=("string", True)), False),
        (_with(quality=("string", False)), True),
        ({**_with(), "key": ["call_id"]}, True),
        ({**_with(), "partition": "day"}, True),
    ],
)
def test_every_change_is_compatible_or_breaking(
    after: dict[str, Any], breaking: bool | None
) -> None:
    """One change each; None for none."""
    found = changes(_with(), after)
    assert [change.breaking for change in found] == ([] if breaking is None else [breaking])


def _file_schema(version: int, *fields: pa.Field) -> pa.Schema:
    """The schema of a file of `instant_stats` in which these fields are others."""
    schema = arrow_schema(INSTANT_STATS)
    for field in fields:
        place = schema.get_field_index(field.name)
        schema = schema.append(field) if place < 0 else schema.set(place, field)
    return schema.with_metadata({**schema.metadata, b"ecgrid.schema_version": str(version)})


@pytest.mark.parametrize(
    ("version", "advice"), [(99, "a newer program"), (0, "publish the run again")]
)
def test_a_file_that_does_not_fit_is_refused_with_advice(version: int, advice: str) -> None:
    """The message names the file, the versions, the column and both types."""
    schema = _file_schema(version, pa.field("count", pa.string()))
    with pytest.raises(TableSchemaError) as refused:
        check_file(INSTANT_STATS, schema, "instant_stats/x.parquet")
    said = str(refused.value)
    for part in (
        "instant_stats/x.parquet",
        f"version {version}",
        "count",
        "string",
        "int64",
        advice,
    ):
        assert part in said
    check_file(INSTANT_STATS, _file_schema(99, pa.field("new", pa.string())), "x")


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A table of two versions: the newer one has one more column, one fewer, and a wider type."""
    folder = tmp_path / "instant_stats"
    new = stats(7, "acme", "beta").append_column(pa.field("more", pa.string()), [["x", "y"]])
    old = new.drop_columns(["more"]).set_column(
        5, pa.field("window_minutes", pa.int16(), nullable=False), pa.array([60, 60], pa.int16())
    )
    for day, rows in (("30", old), ("31", new.drop_columns(["mailbox_id"]))):
        path = folder / f"run_date=2026-01-{day}" / f"run-{day}-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(rows, path)
    return folder


EXPECTED = [None, None, "x", "y"]


def test_pyarrow_and_pandas_read_both_versions(mixed: Path) -> None:
    """With the schema that has everything; columns that a file does not have are null."""
    schema = stats(1, "a").schema.append(pa.field("more", pa.string()))
    schema = schema.append(pa.field("run_date", pa.string()))
    rows = ds.dataset(mixed, schema=schema, partitioning="hive").to_table().sort_by("run_date")
    assert rows["more"].to_pylist() == EXPECTED
    assert rows["mailbox_id"].null_count == 4
    assert rows.schema.field("window_minutes").type == pa.int32()
    frame = pd.read_parquet(mixed, schema=schema)
    assert frame["more"].isna().tolist() == [True, True, False, False]
    assert frame["window_minutes"].tolist() == [60] * 4


def test_duckdb_reads_both_versions(mixed: Path) -> None:
    """By name, with the wider type."""
    rows = duckdb.read_parquet(f"{mixed}/**/*.parquet", hive_partitioning=True, union_by_name=True)
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    assert types["window_minutes"] == "INTEGER"
    found = duckdb.sql("SELECT more FROM rows ORDER BY run_date, session").fetchall()
    assert [row[0] for row in found] == EXPECTED


def test_polars_reads_both_versions(mixed: Path) -> None:
    """With the newest schema's columns, integers widened."""
    rows = pl.scan_parquet(
        sorted(mixed.rglob("*.parquet"), reverse=True),
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=pl.ScanCastOptions(integer_cast="upcast"),
    ).collect()
    assert rows["more"].to_list() == ["x", "y", None, None]
    assert rows.schema["window_minutes"] == pl.Int32()
