"""A run is read whole through its manifest, whatever happens to its files meanwhile."""

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.contract import TABLES
from pipelines.errors import PublicationError
from pipelines.lake import Lake, Sizes, snapshot
from tests.pipelines.lake_rows import stats

DAY = date(2026, 1, 31)
SMALL = Sizes(group_rows=2, file_rows=2)


class KilledError(BaseException):
    """The process is gone: nothing of it cleans up."""


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


def killed_at(lake: Lake, step: int, monkeypatch: pytest.MonkeyPatch, *sessions: str) -> bool:
    """Publish 2 as every count, with the process gone before one of the steps that change names."""
    steps = iter(range(1, 100))
    gone = False

    def stop(real: Callable[..., Any]) -> Callable[..., Any]:
        def step_or_die(*args: Any, **options: Any) -> Any:
            nonlocal gone
            if gone or next(steps) == step:
                gone = True
                raise KilledError
            return real(*args, **options)

        return step_or_die

    with monkeypatch.context() as patch:
        for owner, name in ((Path, "replace"), (Path, "rename"), (Path, "unlink"), (os, "link")):
            patch.setattr(owner, name, stop(getattr(owner, name)))
        try:
            publish(lake, 2, *sessions)
        except KilledError:
            return True
    return False


@pytest.mark.parametrize("sessions", ["abcdefgh", "abc"], ids=["more files", "fewer files"])
def test_a_kill_at_any_step_leaves_one_publication_whole(
    lake: Lake, tmp_path: Path, sessions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers that go by the manifest see the old one or the new one, and so does the next publication."""
    before, seen = lake.folder, []
    for step in range(1, 100):
        lake = Lake(shutil.copytree(before, tmp_path / str(step)))
        died = killed_at(lake, step, monkeypatch, *sessions)
        said, told = counts(lake)
        assert told == [said] * (6 if said == 1 else len(sessions))
        assert ("run-a" in lake.torn_runs()) or said == 2 or step < 4
        with lake.publication("run-a", DAY, SMALL):  # gives up: nothing may have changed
            assert counts(lake) == (said, told)
        assert counts(lake) == (said, told)
        plain = pq.read_table(lake.folder / "instant_stats")["count"].to_pylist()
        assert set(plain) == {said} or sessions == "abcdefgh"
        if step % 4 == 0:
            publish(lake, 3, *sessions)
            assert counts(lake) == (3, [3] * len(sessions))
            assert pq.read_table(lake.folder / "instant_stats").num_rows == len(sessions)
            assert not list(lake.folder.rglob(".*"))
        assert lake.torn_runs() == set()
        seen.append(said)
        if not died:
            break
    assert 1 in seen[:-1]
    assert seen == sorted(seen)
    assert seen[-1] == 2


def test_an_interrupt_after_the_manifest_has_its_name_undoes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published stays published."""
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        renamed = real(path, target)
        if target.name == "run-a.json":
            raise KeyboardInterrupt
        return renamed

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        publish(lake, 2, *"ab")
    assert counts(lake) == (2, [2, 2])
    monkeypatch.undo()
    publish(lake, 2, *"ab")
    assert not list(lake.folder.rglob(".*"))


def test_a_manifest_that_cannot_have_its_name_gives_all_files_back(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed publication changes nothing, however late it fails."""
    before = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if target.name == "run-a.json":
            raise OSError(5, "input/output error")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(PublicationError):
        publish(lake, 2, *"abcdefgh")
    after = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    assert after == before


def test_a_copy_that_fails_is_not_given_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hard links, the old files are copied aside; half a copy must not replace the whole file."""
    before = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}

    def link(*_: object) -> None:
        raise OSError(1, "not permitted")

    def copyfile(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr("pipelines.lake.swap.shutil.copyfile", copyfile)
    with pytest.raises(PublicationError):
        publish(lake, 2, *"abcdef")
    after = {path: path.read_bytes() for path in lake.folder.rglob("*") if path.is_file()}
    assert after == before


def test_a_file_that_is_not_what_the_manifest_says(lake: Lake) -> None:
    """The message names the file and the way out."""
    path = next((lake.folder / "instant_stats").rglob("run-a-1.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with (
        pytest.raises(PublicationError, match=r"run-a-1\.parquet is not .*publish the run again"),
        snapshot(lake, "run-a"),
    ):
        pass


def test_tables_and_columns(lake: Lake) -> None:
    """Tables without rows have their columns; a run that nobody published is a LookupError."""
    with snapshot(lake, "run-a") as run:
        assert run.table("calls").num_rows == 0
        assert run.table("instant_stats", ["session"]).column_names == ["session"]
        assert {file.table for file, _ in run.files} == set(TABLES)
        assert isinstance(run.table("raw"), pa.Table)
    with pytest.raises(LookupError, match="run-b"), snapshot(lake, "run-b"):
        pass
