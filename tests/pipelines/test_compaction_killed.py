"""Compaction killed at any moment, with readers at work: every row is there once."""

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from pipelines.lake import Lake
from pipelines.read import OpenLake, snapshot
from tests.pipelines.compact_forever import DAY, NIGHTS, publish_nights, rows_of
from tests.pipelines.object_store import object_store

KILLS = [pytest.param(2), pytest.param(12, marks=pytest.mark.extended)]
EXPECTED = {run_id: rows_of(run_id).num_rows for run_id in NIGHTS}


def told(rows: pa.Table) -> dict[str, int]:
    """Rows by run."""
    found = rows.group_by("run_id").aggregate([([], "count_all")])
    return dict(zip(found["run_id"].to_pylist(), found["count_all"].to_pylist(), strict=True))


def by_manifest(lake: Lake) -> dict[str, int]:
    """What readers see who go through the manifests; once more if a file went away meanwhile."""
    for _ in range(50):
        with contextlib.suppress(FileNotFoundError, OSError):
            return told(OpenLake(lake).table("instant_stats", columns=["run_id"]))
    raise AssertionError("files went away fifty times")


def by_name(lake: Lake) -> dict[str, int]:
    """What readers of file names see; once more if a file went away after the folder was listed."""
    for _ in range(50):
        with contextlib.suppress(FileNotFoundError):
            found = ds.dataset(lake.folder / "instant_stats", partitioning=None)
            return told(found.to_table(columns=["run_id"]))
    raise AssertionError("files went away fifty times")


def killed(arguments: list[str], after_seconds: float, look: Callable[[], None]) -> None:
    """The program that publishes and compacts, ended by SIGKILL; readers look meanwhile."""
    program = [sys.executable, "-m", "tests.pipelines.compact_forever", *arguments]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        look()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after_seconds)
        process.kill()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", KILLS)
def test_readers_of_a_folder(tmp_path: Path, kills: int) -> None:
    """Manifests, file names and single runs, while it is at work and after each kill."""
    lake, chance = Lake(tmp_path / "lake"), random.Random(11)
    publish_nights(lake)

    def look() -> None:
        for _ in range(10):
            assert by_manifest(lake) == EXPECTED

    for _ in range(kills):
        killed([str(lake.folder)], chance.uniform(0, 0.7), look)
        assert by_manifest(lake) == EXPECTED
        for run_id in NIGHTS:
            with snapshot(lake, run_id) as run:
                assert run.table("instant_stats").num_rows == EXPECTED[run_id]
    publish_nights(lake)
    lake.compact()
    assert by_name(lake) == by_manifest(lake) == EXPECTED
    assert not list(lake.folder.rglob(".*"))
    assert not (lake.folder / "_drafts").exists()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.extended
def test_readers_of_a_store_of_objects(tmp_path: Path, kills: int) -> None:
    """Through the manifests; what was left is gone after the next compaction."""
    pytest.importorskip("moto")
    with object_store() as store:
        lake, chance = store.lake(tmp_path / "drafts"), random.Random(12)
        publish_nights(lake)

        def look() -> None:
            for _ in range(3):
                assert by_manifest(lake) == EXPECTED

        for _ in range(kills // 2):
            killed([str(tmp_path / "drafts"), str(store.port)], chance.uniform(0, 2), look)
            assert by_manifest(lake) == EXPECTED
        publish_nights(lake)
        lake.compact()
        assert by_manifest(lake) == EXPECTED
        named = {file.path for file in lake.files("instant_stats")}
        assert set(lake.storage.sizes("instant_stats")) == named
        assert len(named) == 1
        before = lake.storage.sizes("")
        lake.compact()
        assert lake.storage.sizes("") == before
        for run_id in NIGHTS[:2]:
            with lake.publication(run_id, DAY) as again:
                again.append("instant_stats", rows_of(run_id).slice(0, 3))
                again.commit({})
        assert by_manifest(lake) == EXPECTED | dict.fromkeys(NIGHTS[:2], 3)
