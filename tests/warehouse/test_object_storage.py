"""A lake on a store of objects, over real HTTP, into every target."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.domain.secret import Secret
from pipelines.lake import Lake
from pipelines.warehouse.target import IcebergCatalog, Target
from tests.pipelines.object_store import BUCKET, KEY, WORD, ObjectStore, object_store
from tests.warehouse.ground import LOADED, Look, load, night_of, publish_night

pytest.importorskip("moto")


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """A store for all tests here; each has a prefix of its own."""
    with object_store() as running:
        yield running


@pytest.fixture
def lake(store: ObjectStore, tmp_path: Path, target: Target) -> Lake:
    """An empty lake in the store."""
    return store.lake(tmp_path / "drafts", f"for-{target.name}")


@pytest.fixture
def iceberg(iceberg: IcebergCatalog, store: ObjectStore) -> IcebergCatalog:
    """A catalog that is told how to reach the store; its own metadata goes there as well."""
    properties = {
        "s3.endpoint": Secret(store.endpoint),
        "s3.region": Secret("us-east-1"),
        "s3.access-key-id": Secret(KEY),
        "s3.secret-access-key": Secret(WORD),
    }
    return replace(iceberg, location=f"s3://{BUCKET}/iceberg", properties=properties)


@pytest.mark.extended
def test_the_lake_may_be_in_a_store_of_objects(
    lake: Lake, tmp_path: Path, target: Target, look: Look
) -> None:
    """Loaded once, again for nothing, and what was published again is replaced."""
    publish_night(lake, tmp_path, 0)
    publish_night(lake, tmp_path, 1, night_of(missing=2))
    first = load(lake, target)
    assert (first.error, first.runs, first.caught_up) == (None, 2, True)
    for name in LOADED:
        assert look.query(f'SELECT count(*) FROM "{name}"') == [(lake_rows(lake, name),)], name
    assert load(lake, target).runs == 0
    publish_night(lake, tmp_path, 1, night_of(sessions=5))
    again = load(lake, target)
    assert (again.error, again.runs) == (None, 1)
    assert again.inserted > 0
    for name in LOADED:
        assert look.query(f'SELECT count(*) FROM "{name}"') == [(lake_rows(lake, name),)], name


def lake_rows(lake: Lake, table: str) -> int:
    """What the manifests say."""
    return sum(
        file.rows
        for run_id in lake.run_ids()
        for file in (lake.manifest(run_id) or pytest.fail(run_id)).files
        if file.table == table
    )
