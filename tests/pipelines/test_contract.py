"""What the contract promises of every table."""

import json

import pyarrow as pa
import pytest

from pipelines.contract import INSTANT_STATS, TABLES, Table, arrow_schema

TIME = pa.timestamp("us", "UTC")
EVERY_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


def test_the_tables_are_the_promised_ones() -> None:
    """Users rely on these names."""
    assert set(TABLES) == {
        "instant_stats",
        "traffic_buckets",
        "calls",
        "dataset_extras",
        "sessions",
        "raw",
        "traffic_history",
    }


def test_instant_stats_has_the_promised_columns_and_types() -> None:
    """Counts are int64, times are microseconds in UTC, and nothing else may be null than what may."""
    time = pa.timestamp("us", "UTC")
    fields = [(f.name, f.type, f.nullable) for f in arrow_schema(INSTANT_STATS)]
    assert fields == [
        ("run_id", pa.string(), False),
        ("call_id", pa.string(), False),
        ("session", pa.string(), False),
        ("network_id", pa.int64(), True),
        ("mailbox_id", pa.int64(), True),
        ("window_minutes", pa.int32(), False),
        ("window_start", time, True),
        ("window_end", time, True),
        ("traffic", pa.string(), False),
        ("direction", pa.string(), False),
        ("count", pa.int64(), True),
        ("window_slot", pa.int32(), False),
        ("requested_at", time, False),
        ("observed_at", time, True),
        ("raw_sha256", pa.string(), False),
    ]


@EVERY_TABLE
def test_every_column_is_described_once(table: Table) -> None:
    """A reader of the file alone learns what each column means."""
    schema = arrow_schema(table)
    assert len(set(schema.names)) == len(schema.names)
    for field in schema:
        assert field.metadata is not None
        description = field.metadata[b"description"].decode()
        assert description.endswith("."), field.name
        assert not description.endswith(".."), field.name


@EVERY_TABLE
def test_the_schema_names_its_table_version_key_and_partition(table: Table) -> None:
    """Every file says what it is, and the partition column is not in it."""
    schema = arrow_schema(table)
    assert schema.metadata is not None
    assert schema.metadata[b"ecgrid.table"].decode() == table.name
    assert int(schema.metadata[b"ecgrid.schema_version"]) == table.version
    assert schema.metadata[b"ecgrid.key"].decode().split(",") == list(table.key)
    assert schema.metadata[b"ecgrid.partition"].decode() == table.partition
    names = {None: "run_date", "bucket_start": "bucket_date", "span_start": "span_month"}
    assert table.partition == names[table.partition_from]
    assert table.partition_from is None or schema.field(table.partition_from).type == TIME
    assert table.partition not in schema.names
    assert {*table.key, *table.sort, *table.plain} <= set(schema.names)
    assert not any(schema.field(name).nullable for name in (*table.key, *table.sort))


@EVERY_TABLE
def test_pandas_is_told_of_every_integer_that_may_be_null(table: Table) -> None:
    """Without it pandas reads such a column as float."""
    schema = arrow_schema(table)
    assert schema.metadata is not None
    told = json.loads(schema.metadata[b"pandas"])["columns"]
    types = {column["name"]: column["numpy_type"] for column in told}
    assert types == {
        field.name: str(field.type).capitalize() if field.nullable else str(field.type)
        for field in schema
        if pa.types.is_integer(field.type)
    }
