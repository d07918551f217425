"""Publications that share files go in together, and only those."""

import pytest
from pyiceberg.catalog import load_catalog

from pipelines.contract import CALLS
from pipelines.lake import Lake
from pipelines.warehouse.grouping import joined
from pipelines.warehouse.publications import Publication
from pipelines.warehouse.target import IcebergCatalog
from tests.warehouse.ground import compacted, load, publish_calls, run_id_of


@pytest.mark.parametrize(
    ("files", "steps"),
    [
        ([], []),
        (["x", "y", "z"], ["a", "b", "c"]),
        (["x", "xy", "z"], ["ab", "c"]),
        (["x", "z", "x"], ["ac", "b"]),
        (["x", "y", "xy"], ["abc"]),
        (["w", "z", "yz", "xy", "q"], ["a", "bcd", "e"]),
        (["", "x", ""], ["a", "b", "c"]),
    ],
)
def test_groups(files: list[str], steps: list[str]) -> None:
    """Each file is a letter; a chain of shared files is one group."""
    publications = [Publication(name, {}) for name in "abcdefg"[: len(files)]]
    found = joined(publications, [set(names) for names in files])
    assert ["".join(each.run_id for each in step) for step in found] == steps


def test_compaction_is_one_snapshot(lake: Lake, iceberg: IcebergCatalog) -> None:
    """No reader ever sees the rows of a run twice, or not at all."""
    for number in range(3):
        publish_calls(lake, number, a="x", b="y")
    load(lake, iceberg)
    compacted(lake, [run_id_of(0), run_id_of(2)], CALLS)
    load(lake, iceberg)
    catalog = load_catalog("ecgrid", uri=iceberg.uri.reveal())
    table = catalog.load_table("ecgrid.calls")
    catalog.close()
    found = [each.summary for each in table.snapshots() if each.summary]
    assert [int(each["total-records"]) for each in found] == [2, 4, 6, 6]
    assert [int(each["total-data-files"]) for each in found] == [1, 2, 3, 2]
    assert found[-1]["ecgrid.runs"] == f"{run_id_of(0)},{run_id_of(2)}"
