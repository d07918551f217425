"""Damage met by whole commands: tonight's store, an old one, the lake, and what an earlier crash left."""

import asyncio
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from collector.landing.records import PAGE_BYTES
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, counts_sent, counts_told, population, switches
from tests.pipelines.lake_rows import manifest_of
from tests.reliability.disk_ground import (
    CALLS,
    CONFIG,
    changed,
    contents,
    landed,
    of_runs,
    store_of,
)

FLIP = "UPDATE replies SET body = CAST(x'2a' || substr(body, 2) AS BLOB) WHERE rowid = 2"
HOLDER = """
import sys, time
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""
KEY = ["session", "window1_minutes", "window2_minutes"]


def asked_for(night: Ground) -> Counter[tuple[str | None, int | None]]:
    """How often the service saw each call."""
    return Counter(
        (each.session, each.minutes1)
        for each in night.simulator.log.arrivals
        if each.operation == "ReportInstantStats"
    )


def call_of(night: Ground, call_id: str) -> pd.Series:
    """A call's line of the ledger."""
    calls = night.table("calls")
    return calls[calls["call_id"] == call_id].iloc[0]


def landed_second(night: Ground) -> str:
    """The call of the second landed reply."""
    return list(landed(store_of(night.folder)))[1][0]


@pytest.mark.extended
async def test_a_resumed_run_asks_again_for_what_is_damaged(ground: MakeGround) -> None:
    """The damaged answer is not `ok`: its call is made once more, and only it besides those that are missing."""
    night = await ground(population(20, 0), CONFIG, switches=switches(latency_ms=20))
    stopped = await night.interrupted(60)
    assert stopped.code == 4
    before, first = len(night.simulator.log.arrivals), landed_second(night)
    changed(store_of(night.folder), FLIP)
    resumed = await night.run("run")
    assert resumed.code == 0, resumed.err
    assert (resumed.json["run_id"], resumed.json["ok"]) == (stopped.json["run_id"], 20 * CALLS)
    for words in (
        "was damaged",
        stopped.json["run_id"],
        "landing/damaged/",
        "does not match its SHA-256",
    ):
        assert words in resumed.err
    later = list(night.simulator.log.arrivals)[before:]
    asked = sum(each.operation == "ReportInstantStats" for each in later)
    assert asked == 20 * CALLS - stopped.json["ok"] + 1
    assert call_of(night, first)["attempts"] == 2
    states = night.table("calls").set_index(KEY)["state"].to_dict()
    assert counts_sent(night.table("instant_stats")) == counts_told(night.simulator, states)


@pytest.mark.extended
async def test_a_damaged_answer_is_failed_and_the_rest_is_used(ground: MakeGround) -> None:
    """Nobody asks again once a run has ended: the ledger says `damaged`, the other answers are published."""
    night = await ground(population(5, 0), CONFIG)
    assert (await night.run("collect")).code == 0
    first, path = landed_second(night), store_of(night.folder)
    changed(path, FLIP)
    done = await night.run("normalize")
    assert done.code == 0, done.err
    assert f"run_id={path.stem}" in done.err
    assert f"kept_at=data/landing/damaged/{path.name}" in done.err
    assert done.json["runs"][0]["failed"] == 1
    assert len(night.table("instant_stats")) == (5 * CALLS - 1) * 8
    lost = call_of(night, first)
    assert (lost["state"], lost["fault_class"]) == ("failed", "damaged")
    assert "damaged on disk" in lost["fault_text"]
    assert first not in set(night.table("raw")["call_id"])
    status = (await night.run("status")).json
    assert (status["runs"][0]["failed"], len(status["damaged"])) == (1, 1)

    # the way back that the message names: a good copy in its place
    changed(night.folder / status["damaged"][0], FLIP.replace("x'2a'", "x'3c'"))
    (night.folder / status["damaged"][0]).rename(path)
    assert (await night.run("normalize")).json["runs"][0]["failed"] == 0


@pytest.mark.extended
async def test_old_stores_stop_no_new_run(ground: MakeGround) -> None:
    """Seven runs of earlier nights, damaged in seven ways: tonight's is whole, what was left of them is published."""
    night = await ground(population(6, 0), CONFIG)
    assert (await night.run("collect")).code == 0
    good = store_of(night.folder)
    whole, folder = good.read_bytes(), good.parent
    good.unlink()
    half = len(whole) // 2 - len(whole) // 2 % PAGE_BYTES
    flipped = bytearray(whole)
    for at in random.Random(7).sample(range(8192, len(whole)), 40):
        flipped[at] ^= 0x10
    old = {
        "20260101T020000Z-aaaaaa": b"",
        "20260102T020000Z-aaaaaa": b"these are somebody's notes\n" * 400,
        "20260103T020000Z-aaaaaa": b"SQLite format 3\0" + bytes(9000),
        good.stem: whole[: len(whole) - 9000],
        "20260105T020000Z-aaaaaa": whole[:half] + bytes(8192) + whole[half + 8192 :],
        "20260106T020000Z-aaaaaa": bytes(flipped),
        "20260107T020000Z-aaaaaa": whole[:100],
    }
    for name, data in old.items():
        (folder / f"{name}.db").write_bytes(data)
        for ending in ("-wal", "-shm"):
            (folder / f"{name}.db{ending}").write_bytes(random.Random(name).randbytes(3000))
    before = (await night.run("status")).json
    assert sum("damaged" in each["standing"] for each in before["runs"]) >= 4

    tonight = await night.run("run")
    assert tonight.code == 0, tonight.err
    assert (tonight.json["ok"], tonight.json["resumed"]) == (6 * CALLS, False)
    after = (await night.run("status")).json
    aside = {Path(each).stem for each in after["damaged"]}
    hopeless = {name for name, data in old.items() if len(data) < 9100 or data[:6] == b"these "}
    assert hopeless <= aside
    for name in aside:
        assert name in tonight.err
    assert "put a good copy of it back" in tonight.err
    published = night.table("calls")
    assert set(published["run_id"]) >= {good.stem, tonight.json["run_id"]}
    earlier = published[published["run_id"] == good.stem]
    assert len(earlier) == 6 * CALLS
    assert set(earlier["fault_class"].dropna()) <= {"damaged"}
    assert 0 < (earlier["state"] == "ok").sum() <= 6 * CALLS

    again = await night.run("run")
    assert again.code == 0
    assert "passed over" not in again.err


@pytest.mark.extended
async def test_published_files_that_are_damaged(ground: MakeGround) -> None:
    """`status` names them and the command, `normalize` gives the very bytes back, and so does the next run."""
    night = await ground(population(2, 0), CONFIG)
    run_id = (await night.run("run")).json["run_id"]
    whole = contents(night.lake)
    (table,) = (night.lake / "instant_stats").rglob("*.parquet")
    manifest = manifest_of(night.lake, run_id)
    for path, repair in ((table, ("normalize", "--run", run_id)), (manifest, ("run",))):
        path.write_bytes(path.read_bytes()[:100])
        name = path.relative_to(night.lake).as_posix()
        (status,) = (await night.run("status")).json["runs"]
        assert status["wrong_files"] == [name]
        repaired = await night.run(*repair)
        assert repaired.code == 0, repaired.err
        assert (name in repaired.err) is (repair == ("run",))
        assert of_runs(whole).items() <= contents(night.lake).items()


@pytest.mark.extended
async def test_leftovers_of_an_earlier_crash(ground: MakeGround) -> None:
    """A dead process's lock and drafts: the next run is not stopped, and they are gone after it."""
    night = await ground(population(4, 0), CONFIG)
    assert (await night.run("collect")).code == 0
    run_id, data = store_of(night.folder).stem, night.folder / "data"
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(data / ".lock")), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    assert (await night.run("normalize")).code == 3
    holder.kill()
    await holder.wait()
    assert (await night.run("normalize")).code == 0
    (day,) = (night.lake / "calls").iterdir()
    drafts = night.lake / "_drafts" / day.relative_to(night.lake)
    drafts.mkdir(parents=True)
    (drafts / f"{run_id}-0.writing").write_bytes(b"half")
    (night.lake / "_manifest" / ".live.json.draft").write_bytes(b"half")
    landing = data / "landing"
    for name in (".20260101T020000Z-aaaaaa.db.new", f".{run_id}.db.recovered"):
        (landing / name).write_bytes(b"half")
    assert (await night.run("normalize")).code == 0
    assert (await night.run("run")).code == 0
    assert [path for path in data.rglob(".*") if path.name != ".lock"] == []
    assert not (night.lake / "_drafts").exists()
    assert len(night.table("calls")) == 2 * 4 * CALLS


@pytest.mark.extended
async def test_nothing_is_readable_by_others(ground: MakeGround) -> None:
    """Whatever the umask and whatever happened: folders 0700, files 0600, set aside ones too."""
    night = await ground(population(3, 0), CONFIG)
    program = night.program
    night.program = ("sh", "-c", 'umask 0000; exec "$@"', "sh", *program)
    assert (await night.run("collect")).code == 0
    store_of(night.folder).chmod(0o644)
    changed(store_of(night.folder), FLIP)
    assert (await night.run("run")).code == 0
    process = await night.start("run")
    await night.arrivals(night.simulator.log.total + 5)
    working = _modes(night.folder / "data")
    process.kill()
    await process.wait()
    for found in (working, _modes(night.folder / "data")):
        assert set(found.values()) == {"0700 folder", "0600 file"}, found
    names = {Path(name).name.partition(".")[2] for name in found}
    assert {"lock", "db", "parquet", "json"} <= {name.split(".")[-1] for name in names}
    assert "damaged" in {Path(name).name for name in found}


def _modes(folder: Path) -> dict[str, str]:
    found = {}
    for path in [folder, *folder.rglob("*")]:
        try:
            mode = path.stat().st_mode & 0o7777
        except FileNotFoundError:  # SQLite has removed it meanwhile
            continue
        kind = "folder" if path.is_dir() else "file"
        found[os.fspath(path)] = f"{mode:04o} {kind}"
    return found
