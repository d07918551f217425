"""A run is read whole through its manifest, whatever happens to its files meanwhile."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.contract import RUN_TABLES, TABLES, Column
from pipelines.errors import PublicationError
from pipelines.lake import Lake, Published, Sizes
from pipelines.read import snapshot
from tests.pipelines.lake_rows import file_of, stats

DAY = date(2026, 1, 31)
SMALL = Sizes(group_rows=2, file_rows=2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with three files of instant_stats, every count 1."""
    lake = Lake(tmp_path / "lake")
    publish(lake, 1, *"abcdef")
    return lake


def publish(lake: Lake, count: int, *sessions: str) -> None:
    """Every count is this one, in the other tables' place of counts too."""
    with lake.publication("run-a", DAY, SMALL) as publication:
        publication.append("instant_stats", stats(count, *sessions))
        publication.commit({"count": count})


def counts(lake: Lake) -> tuple[int, list[int]]:
    """What the manifest says, and the counts in the table."""
    with snapshot(lake, "run-a") as run:
        told: list[Any] = run.table("instant_stats")["count"].to_pylist()
        return run.manifest.counts["count"], told


def test_a_run_that_is_published_again_meanwhile(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that a publication took away after the manifest was read: the next manifest tells which."""
    real, times = lake.published, iter(range(100))

    def overtaken(*wanted: Any) -> Published:
        found = real(*wanted)
        if next(times) == 0:
            publish(lake, 2, *"abc")
        return found

    monkeypatch.setattr(lake, "published", overtaken)
    assert counts(lake) == (2, [2, 2, 2])


def test_a_run_that_is_published_again_while_it_is_read(lake: Lake) -> None:
    """What is open stays what it was."""
    with snapshot(lake, "run-a") as run:
        publish(lake, 2, *"abc")
        assert run.table("instant_stats")["count"].to_pylist() == [1] * 6
    assert counts(lake) == (2, [2, 2, 2])


def test_a_file_that_is_missing(lake: Lake) -> None:
    """Nobody is going to bring it back."""
    file_of(lake.folder, "run-a", 2).unlink()
    with (
        pytest.raises(
            PublicationError, match=r"run-a-2-\w+\.parquet is missing: publish run run-a"
        ),
        snapshot(lake, "run-a"),
    ):
        pass


def test_a_file_that_is_not_what_the_manifest_says(lake: Lake) -> None:
    """The message names the file and the way out."""
    path = file_of(lake.folder, "run-a", 1)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with (
        pytest.raises(
            PublicationError, match=r"run-a-1-\w+\.parquet is damaged: .*publish run run-a again"
        ),
        snapshot(lake, "run-a"),
    ):
        pass


def test_tables_and_columns(lake: Lake) -> None:
    """Tables without rows have their columns; a run that nobody published is a LookupError."""
    with snapshot(lake, "run-a") as run:
        assert run.table("calls").num_rows == 0
        assert run.table("instant_stats", ["session"]).column_names == ["session"]
        assert {file.table for file, _ in run.files} == set(RUN_TABLES)
        assert isinstance(run.table("raw"), pa.Table)
    with pytest.raises(LookupError, match="run-b"), snapshot(lake, "run-b"):
        pass


def test_a_file_of_an_older_version(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that came since is null, a type that is wider now is the wider one."""
    table = TABLES["instant_stats"]
    columns = [
        replace(each, type=pa.int64()) if each.name == "window_minutes" else each
        for each in table.columns
    ]
    more = Column("more", pa.string(), "New.", nullable=True)
    monkeypatch.setitem(
        TABLES, "instant_stats", replace(table, version=99, columns=(*columns, more))
    )
    with snapshot(lake, "run-a") as run:
        rows = run.table("instant_stats")
    assert rows["more"].null_count == rows.num_rows == 6
    assert rows.schema.field("window_minutes").type == pa.int64()
