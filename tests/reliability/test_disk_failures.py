"""A disk that is full, cannot be written, or fails to sync: exit code 5, nothing lost, nothing published is touched."""

from pathlib import Path
from typing import Final

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population, switches
from tests.reliability.disk_ground import (
    CALLS,
    CONFIG,
    contents,
    filled,
    landed,
    needs_strace,
    of_runs,
    remounted,
    small_disk,
    store_of,
    strace,
)

SESSIONS: Final = 20
PAGES: Final = 200_000  # bytes that are left on the disk


def asked(night: Ground) -> int:
    """ReportInstantStats requests that the service saw."""
    return sum(each.operation == "ReportInstantStats" for each in night.simulator.log.arrivals)


async def assert_resumed(night: Ground, before: dict[tuple[str, int], bytes]) -> None:
    """The next run completes, asks only for what was not landed, and what was landed is still there."""
    already = asked(night)
    resumed = await night.run("run")
    assert resumed.code == 0, resumed.err
    assert (resumed.json["ok"], resumed.json["resumed"]) == (SESSIONS * CALLS, True)
    assert asked(night) - already == SESSIONS * CALLS - len(before)
    after = landed(store_of(night.folder))
    assert before.items() <= after.items()
    assert len(night.table("instant_stats")) == SESSIONS * CALLS * 8


def assert_said(ended_code: int, said: str, *words: str) -> None:
    """Exit code 5 and one sentence."""
    assert ended_code == 5, said
    for word in words:
        assert word in said
    assert "Traceback" not in said


async def test_full_while_landing(ground: MakeGround) -> None:
    """The message names the store and says that landed replies are safe; with space again the run is resumed."""
    night = await ground(population(SESSIONS, 0), CONFIG, switches=switches(latency_ms=5))
    with small_disk(night.folder / "data") as disk:
        with filled(disk, PAGES):
            full = await night.run("run")
            assert_said(
                full.code, full.json["error"], "landing/", "full", "free some space", "safe"
            )
            before = landed(store_of(night.folder))
            assert 0 < len(before) < SESSIONS * CALLS
            assert not night.lake.exists()
        await assert_resumed(night, before)


@pytest.mark.extended
async def test_full_before_anything(ground: MakeGround) -> None:
    """A night that begins on a full disk sends nothing and leaves no half store."""
    night = await ground(population(2, 0), CONFIG)
    with small_disk(night.folder / "data") as disk:
        with filled(disk, 8192):
            full = await night.run("run")
            assert_said(full.code, full.json["error"], "data/landing/", "free some space")
            assert asked(night) == 0
            assert list((disk / "landing").iterdir()) == []
        assert (await night.run("run")).code == 0


@pytest.mark.extended
async def test_full_while_publishing(ground: MakeGround) -> None:
    """The earlier publication stays byte for byte, no draft is left, and the run is published once there is space."""
    night = await ground(population(SESSIONS, 0), CONFIG)
    with small_disk(night.folder / "data") as disk:
        assert (await night.run("run")).code == 0
        assert (await night.run("collect")).code == 0
        whole = contents(night.lake)
        with filled(disk, 60_000):
            full = await night.run("normalize")
            assert_said(full.code, full.json["error"], "lake", "No space left", "free some space")
            assert contents(night.lake) == whole
        assert (await night.run("normalize")).code == 0
        assert of_runs(whole).items() <= contents(night.lake).items()
        assert len(night.table("calls")) == 2 * SESSIONS * CALLS


@pytest.mark.extended
async def test_read_only_before_the_night(ground: MakeGround) -> None:
    """`run` sends nothing and names storage.root; what is there can still be looked at."""
    night = await ground(population(2, 0), CONFIG)
    with small_disk(night.folder / "data") as disk:
        assert (await night.run("run")).code == 0
        already = asked(night)
        remounted(disk, "ro")
        refused = await night.run("run")
        assert refused.code == 2
        for word in ("storage.root", "data", "Read-only", "may write"):
            assert word in refused.json["error"]
        assert asked(night) == already
        assert (await night.run("status")).code == 0
        remounted(disk, "rw")
        assert (await night.run("run")).code == 0


@pytest.mark.extended
@needs_strace
@pytest.mark.parametrize(
    ("calls", "error", "first"),
    [("fsync,fdatasync", "EIO", 8), ("pwrite64", "EROFS", 60)],
    ids=["a sync fails", "the disk turns read-only"],
)
async def test_failing_while_landing(
    calls: str, error: str, first: int, ground: MakeGround, tmp_path: Path
) -> None:
    """What is not on disk is not acknowledged: the run ends, names the store, and is resumed when the disk is well."""
    night = await ground(population(SESSIONS, 0), CONFIG, switches=switches(latency_ms=5))
    program = night.program
    night.program = (*strace(first, tmp_path / "strace", calls, error), *program)
    failed = await night.run("collect")
    assert "INJECTED" in (tmp_path / "strace").read_text()
    assert_said(failed.code, failed.json["error"], "landing/", "SQLITE_IOERR", "see to the disk")
    night.program = program
    before = landed(store_of(night.folder))
    assert len(before) < SESSIONS * CALLS
    await assert_resumed(night, before)


@needs_strace
@pytest.mark.parametrize(
    "first",
    [
        7,
        *(
            pytest.param(each, marks=pytest.mark.extended)
            for each in (1, 2, 4, 6, 8, 9, 10, 11, 12, 20, 30)
        ),
    ],
)
@pytest.mark.extended
async def test_sync_fails_while_publishing(first: int, ground: MakeGround, tmp_path: Path) -> None:
    """At whichever sync it happens: what was published stays byte for byte, and the next command goes on."""
    night = await ground(population(4, 0), CONFIG)
    assert (await night.run("run")).code == 0
    assert (await night.run("collect")).code == 0
    whole = contents(night.lake)
    del whole["_manifest/live.json"]  # what was to be undone cannot be written any more
    program = night.program
    night.program = (*strace(first, tmp_path / "strace"), *program)
    failed = await night.run("normalize")
    assert "INJECTED" in (tmp_path / "strace").read_text()
    assert_said(failed.code, failed.json["error"], "lake", "Input/output error", "see to the disk")
    assert whole.items() <= contents(night.lake).items()
    night.program = program
    assert (await night.run("normalize")).code == 0
    assert of_runs(whole).items() <= contents(night.lake).items()
    assert len(night.table("calls")) == 2 * 4 * CALLS
    assert not (night.lake / "_drafts").exists()
