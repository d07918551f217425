"""Old runs leave the lake: which, what of them, what is left of files that they share, and what comes back."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from collector.landing import LandedRun
from pipelines.contract import RUN_TABLES, TABLES
from pipelines.lake import Lake, Pruned
from pipelines.normalize import normalize
from pipelines.read import OpenLake
from tests.pipelines.lake_rows import manifest_of, stats
from tests.pipelines.night import STARTED_US, Night, answer, counts

DAY_US = 86_400_000_000
OLD, MIDDLE, NEW = "20260131T020000Z-1f2e3d", "20260201T020000Z-1f2e3d", "20260202T020000Z-1f2e3d"
RUNS = (OLD, MIDDLE, NEW)
ALL = tuple(RUN_TABLES)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three nights with buckets that reach back to each other's days."""
    lake = Lake(tmp_path / "lake")
    for number in range(len(RUNS)):
        with night(tmp_path, number) as landed:
            normalize(landed, lake)
    return lake


def night(folder: Path, number: int) -> LandedRun:
    """One of them, landed; windows of an hour and two days."""
    made = Night()
    at = STARTED_US + number * DAY_US
    for session in ("acme", "beta"):
        body = answer({**counts(number), "Note": "x"})
        made.answered(body, session, 60, 2880, observed_us=at + 2_000_000)
    made.replies = [
        each._replace(
            sent_at_us=each.sent_at_us + number * DAY_US,
            received_at_us=each.received_at_us + number * DAY_US,
        )
        for each in made.replies
    ]
    return made.land(folder / "landing", RUNS[number], at)


def by_name(lake: Lake, table: str) -> pa.Table:
    """What readers of file names see, in the order of the key."""
    names = [each.name for each in TABLES[table].columns]
    found = ds.dataset(lake.folder / table, partitioning=None).to_table().select(names)
    return found.sort_by([(name, "ascending") for name in RUN_TABLES[table].key])


def runs_in(lake: Lake, table: str) -> set[str | None]:
    """Whose rows there are, which readers of manifests see as well."""
    named = (
        set(by_name(lake, table)["run_id"].to_pylist()) if (lake.folder / table).exists() else set()
    )
    assert named == set(OpenLake(lake).table(table)["run_id"].to_pylist())
    return named


@pytest.mark.parametrize("compacted", [False, True], ids=["published", "compacted"])
def test_all_of_old_runs_goes(lake: Lake, compacted: bool) -> None:
    """Whole partitions, and of shared files the rows of those runs; the others keep every row."""
    if compacted:
        lake.compact()
    before = {name: by_name(lake, name) for name in RUN_TABLES}
    done = lake.prune(date(2026, 2, 2), ALL)
    assert done.runs == (OLD, MIDDLE)
    assert (done.rewritten > 0) == compacted
    for name, rows in before.items():
        assert by_name(lake, name).equals(rows.filter(pc.equal(rows["run_id"], NEW)))
        assert runs_in(lake, name) <= {NEW}
    assert [path.name for path in (lake.folder / "raw").iterdir()] == ["run_date=2026-02-02"]
    assert lake.wrong_files() == {}


def test_a_dry_run_says_the_same_and_changes_nothing(lake: Lake) -> None:
    """Files and bytes as they go."""
    lake.compact()
    before = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    said = lake.prune(date(2026, 2, 2), ALL, dry_run=True)
    assert {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()} == before
    done = lake.prune(date(2026, 2, 2), ALL)
    assert (said.runs, said.files, said.bytes, said.rewritten) == (
        done.runs,
        done.files,
        done.bytes,
        done.rewritten,
    )
    assert said.files > 10


def test_of_one_table_alone(lake: Lake) -> None:
    """The landed replies of old runs; a second time there is nothing to do."""
    kept = {name: by_name(lake, name) for name in RUN_TABLES if name != "raw"}
    done = lake.prune(date(2026, 2, 2), ["raw"])
    assert (done.runs, done.files) == ((OLD, MIDDLE), 2)
    assert {name: by_name(lake, name) for name in kept} == kept
    assert runs_in(lake, "raw") == {NEW}
    assert lake.prune(date(2026, 2, 2), ["raw"]) == Pruned()
    manifest = lake.manifest(OLD)
    assert manifest
    assert list(manifest.pruned) == ["raw"]
    assert not manifest.is_pruned


def test_what_was_published_keeps_its_identity(lake: Lake) -> None:
    """So that databases that have loaded it see no change."""
    before = [lake.manifest(OLD).identity(name) for name in RUN_TABLES]
    lake.compact()
    lake.prune(date(2026, 2, 1), ["raw"])
    lake.prune(date(2026, 2, 1), ALL)
    manifest = lake.manifest(OLD)
    assert manifest
    assert manifest.is_pruned
    assert [manifest.identity(name) for name in RUN_TABLES] == before


def test_a_run_that_is_yet_to_be_resumed_stays(lake: Lake) -> None:
    """And is named."""
    done = lake.prune(date(2026, 2, 2), ALL, {OLD})
    assert (done.runs, done.left) == ((MIDDLE,), (OLD,))
    assert runs_in(lake, "calls") == {OLD, NEW}


def test_a_damaged_manifest_is_passed_over(lake: Lake) -> None:
    """Nobody knows what it named; its files stay."""
    manifest_of(lake.folder, OLD).write_bytes(b"{")
    done = lake.prune(date(2026, 2, 2), ALL)
    assert (done.runs, done.passed_over) == ((MIDDLE,), (OLD,))
    assert set(by_name(lake, "calls")["run_id"].to_pylist()) == {OLD, NEW}


def test_publishing_a_pruned_run_brings_it_back(lake: Lake, tmp_path: Path) -> None:
    """From its landing store, with the bytes of before."""
    before = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    lake.prune(date(2026, 2, 2), ALL)
    for number in (0, 1):
        (tmp_path / "landing" / f"{RUNS[number]}.db").unlink()
        with night(tmp_path, number) as landed:
            normalize(landed, lake)
    assert {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()} == before


def test_nothing_old_enough(tmp_path: Path) -> None:
    """An empty lake, and one with new runs."""
    lake = Lake(tmp_path / "lake")
    assert lake.prune(date(2026, 2, 2), ALL) == Pruned()
    with lake.publication("run-a", date(2026, 2, 2)) as publication:
        publication.append("instant_stats", stats(1, "x"))
        publication.commit({})
    assert lake.prune(date(2026, 2, 2), ALL) == Pruned()
