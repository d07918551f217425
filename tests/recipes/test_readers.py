"""A lake of real nights, every table of it, read by those who know nothing of this program: the same rows and types."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines import open_lake
from pipelines.contract import RUN_TABLES, TABLES, arrow_schema
from tests.recipes.fortnight import Fortnight

pytestmark = pytest.mark.timeout(240)  # the first test waits for the fortnight


def by_duckdb(folder: Path) -> pa.Table:
    """As the README shows it."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = f"FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true)"
        return connection.sql(query).to_arrow_table()


READERS: Final[dict[str, Callable[[Path], pa.Table]]] = {
    "pyarrow": pq.read_table,
    "pyarrow-dataset": lambda folder: ds.dataset(folder, partitioning="hive").to_table(),
    "pandas": lambda folder: _of_pandas(pd.read_parquet(folder)),
    "pandas-arrow": lambda folder: _of_pandas(pd.read_parquet(folder, dtype_backend="pyarrow")),
    "duckdb": by_duckdb,
    "polars": lambda folder: pl.read_parquet(folder, hive_partitioning=True).to_arrow(
        compat_level=pl.CompatLevel.oldest()
    ),
}


@pytest.mark.parametrize("table", RUN_TABLES)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.extended
def test_every_reader_gives_the_same(fortnight: Fortnight, reader: str, table: str) -> None:
    """Row by row with `open_lake`, in the order of the key; types are the contract's, the date of the path included."""
    schema, partition = arrow_schema(TABLES[table]), TABLES[table].partition
    names = [*schema.names, partition]
    expected = open_lake(fortnight.folder / "data").table(table)
    assert expected.num_rows > 0
    found = READERS[reader](fortnight.folder / "data" / "lake" / table)
    assert sorted(found.column_names) == sorted(names)
    for field in schema:
        kind = str(found.schema.field(field.name).type).removeprefix("large_")
        assert kind == str(field.type), field.name
    assert _in_order(found, table) == _in_order(expected, table)


def _in_order(rows: pa.Table, table: str) -> list[dict[str, Any]]:
    ordered = rows.sort_by([(name, "ascending") for name in TABLES[table].key])
    partition = TABLES[table].partition
    return [
        {name: str(value) if name == partition else value for name, value in sorted(row.items())}
        for row in ordered.to_pylist()
    ]


def _of_pandas(frame: pd.DataFrame) -> pa.Table:
    """The frame's own types as Arrow names them; the partition is a category there."""
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].astype(str)
    return pa.Table.from_pandas(frame, preserve_index=False)
