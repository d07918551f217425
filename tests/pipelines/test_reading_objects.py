"""The doors for readers on a store of objects, over real HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import pipelines
from pipelines.read.sql import queried
from tests.pipelines.lake_rows import stats
from tests.pipelines.object_store import BUCKET, ObjectStore, object_store
from tests.pipelines.publish_forever import DAY

pytest.importorskip("moto")


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    """An empty store."""
    with object_store() as running:
        yield running


def test_an_address_opens_as_a_folder_does(store: ObjectStore, tmp_path: Path) -> None:
    """Frames and SQL over s3://, with filters; SQL reaches the lake and still nothing else."""
    lake = store.lake(tmp_path / "drafts")
    with lake.publication("run-a", DAY) as publication:
        publication.append("instant_stats", stats(3, "acme", "beta"))
        publication.commit({})
    opened = pipelines.open_lake(f"s3://{BUCKET}/tables", store.options())
    frame = opened.instant_stats(since=DAY, sessions=["beta"])
    assert frame["count"].tolist() == [3]
    assert frame["run_date"].tolist() == [DAY]
    rows = queried(opened, "SELECT session, count FROM instant_stats WHERE run_date = '2026-01-31'")
    assert sorted(row["session"] for row in rows.to_pylist()) == ["acme", "beta"]
    assert len(opened.calls()) == 0
