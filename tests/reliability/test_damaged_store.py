"""A damaged landing store: what is still what was written is saved, the rest is said, nothing wrong is used."""

import asyncio
import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from collector.domain.calls import Call
from collector.domain.outcomes import FaultClass, State
from collector.errors import LandingDamagedError, LandingError
from collector.landing import (
    LandedRun,
    Landing,
    damaged_stores,
    landed_runs,
    salvage,
    set_aside,
    sweep,
)
from collector.landing.records import PAGE_BYTES
from tests.collector.landing_by_hand import CALLS, INFO, created, outcome, reply, stats_call
from tests.reliability.disk_ground import changed, mode_of

MANY = tuple(stats_call(f"session-{n}", 60, 120) for n in range(200))


def body_of(call: Call) -> bytes:
    """A body of its own for every call, some of them longer than a page."""
    random_ = random.Random(call.call_id)
    return random_.randbytes(random_.randrange(700, 11_000))


async def stored(folder: Path, calls: tuple[Call, ...] = MANY, *, finish: bool = True) -> Path:
    """The store of a run whose calls are all answered."""
    landing = created(folder, calls)
    await asyncio.gather(*(landing.land(reply(call, body=body_of(call))) for call in calls))
    for call in calls:
        landing.settle(outcome(call.call_id), final=True)
    if finish:
        landing.finish(99)
    await landing.close()
    return landing.path


def verified(path: Path) -> None:
    """Read all of a store."""
    with LandedRun.open(path) as run:
        run.verify()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a finished store with 200 answers."""
    return asyncio.run(stored(tmp_path_factory.mktemp("whole"))).read_bytes()


RECORDS = {
    "a bit of a body": "UPDATE replies SET body = CAST(x'2a' || substr(body, 2) AS BLOB) WHERE rowid = 3",
    "a body's length": "UPDATE replies SET body = substr(body, 2) WHERE rowid = 3",
    "a body's digest": "UPDATE replies SET sha256 = zeroblob(32) WHERE rowid = 3",
    "the status of a reply": "UPDATE replies SET status = 200 WHERE rowid = 3",
    "when a reply came": "UPDATE replies SET received_at_us = 1 WHERE rowid = 3",
    "the headers of a reply": "UPDATE replies SET headers = '{}' WHERE rowid = 3",
    "the attempt of a reply": "UPDATE replies SET attempt = 7 WHERE rowid = 3",
    "the call of a reply": "UPDATE replies SET call_id = 'beef' WHERE rowid = 3",
    "the state of a call": "UPDATE outcomes SET state = 'empty'",
    "the clock of the service": "UPDATE outcomes SET observed_at_us = 1",
    "the windows of a call": "UPDATE calls SET arguments = '1-120' WHERE ordinal = 3",
    "the label of a session": "UPDATE calls SET session = 'acme' WHERE ordinal = 3",
    "the plan": "DELETE FROM calls WHERE ordinal = 3",
    "when the run began": "UPDATE run SET value = '1' WHERE key = 'started_at_us'",
}


@pytest.mark.parametrize("what", RECORDS)
async def test_a_changed_record_is_found(what: str, tmp_path: Path) -> None:
    """Whatever part of whatever record is not what was written, reading all of the store says so and names it."""
    path = await stored(tmp_path, CALLS)
    verified(path)
    changed(path, RECORDS[what])
    with pytest.raises(LandingDamagedError, match=rf"{path.name} is damaged .*normalize"):
        verified(path)


async def test_a_damaged_reply_is_not_handed_out(tmp_path: Path) -> None:
    """Its digest is compared when it is read."""
    path = await stored(tmp_path, CALLS)
    changed(path, RECORDS["a bit of a body"])
    with (
        LandedRun.open(path) as run,
        pytest.raises(LandingDamagedError, match=f"{CALLS[2].call_id}, attempt 1, does not match"),
    ):
        list(run.replies())


@pytest.mark.parametrize("finish", [True, False], ids=["finished", "unfinished"])
async def test_one_damaged_reply(finish: bool, tmp_path: Path) -> None:  # a parameter
    """The others are saved, its call is `damaged`, and settled only if nobody will ask again."""
    path = await stored(tmp_path, finish=finish)
    changed(path, RECORDS["a bit of a body"])
    broken = path.read_bytes()
    saved = salvage(path)
    assert (saved.replies, saved.lost_replies, saved.lost_calls) == (199, 1, 0)
    assert saved.damaged == [MANY[2].call_id]
    assert saved.aside.read_bytes() == broken
    assert damaged_stores(tmp_path) == [saved.aside]
    assert (mode_of(saved.aside), mode_of(saved.aside.parent), mode_of(path)) == (
        *(0o600, 0o700, 0o600),
    )
    verified(path)
    with LandedRun.open(path) as run:
        others = [call for call in MANY if call != MANY[2]]
        assert list(run.replies()) == [reply(call, body=body_of(call)) for call in others]
        found = {each.call_id: each for each in run.outcomes()}
        lost = found.pop(MANY[2].call_id)
        assert (lost.state, lost.fault_class, lost.attempts) == (
            *(State.FAILED, FaultClass.DAMAGED, 1),
        )
        assert {each.state for each in found.values()} == {State.OK}
        assert (MANY[2] in list(run.remaining())) is not finish
        assert run.info == replace(INFO, finished_at_us=99 if finish else None)


async def test_a_damaged_plan_of_calls_that_were_not_tried(tmp_path: Path) -> None:
    """The index of the plan still says which call it was: nothing is lost."""
    landing = created(tmp_path, MANY)
    await landing.close()
    changed(landing.path, "UPDATE calls SET session = 'another' WHERE ordinal = 3")
    changed(landing.path, "UPDATE calls SET arguments = '1-2' WHERE ordinal = 150")
    changed(landing.path, "UPDATE calls SET operation = '' WHERE ordinal = 199")
    with pytest.raises(LandingDamagedError):
        verified(landing.path)
    saved = salvage(landing.path)
    assert saved.lost_calls == 0
    with LandedRun.open(landing.path) as run:
        assert list(run.calls()) == list(MANY)
        assert list(run.remaining()) == list(MANY)


def test_any_damage(whole: bytes, tmp_path: Path) -> None:
    """Bytes changed, pages zeroed, the end cut off: what is read afterwards is what was landed, and it adds up."""
    answers = {call.call_id: body_of(call) for call in MANY}
    dice, saved_replies, hopeless = random.Random(4), [], 0
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / f"{INFO.run_id}.db"
        path.write_bytes(damaged(whole, dice))
        lost = 0
        try:
            verified(path)
        except LandingDamagedError:
            try:
                saved = salvage(path)
            except LandingDamagedError:
                hopeless += 1
                assert landed_runs(folder) == []
                assert damaged_stores(folder) == [folder / "damaged" / path.name]
                continue
            saved_replies.append(saved.replies)
            lost = saved.lost_calls
        verified(path)
        with LandedRun.open(path) as run:
            assert all(each.body == answers[each.call_id] for each in run.replies())
            assert set(run.calls()) <= set(MANY)
            sums = run.summary()
            assert sums.planned == run.planned == len(list(run.calls()))
            unclassified = sum(1 for _ in run.unclassified())
            assert sums.ok + sums.failed + unclassified + lost == len(MANY)
    assert len(saved_replies) > 10
    assert sorted(saved_replies)[len(saved_replies) // 2] > 150
    assert hopeless < 20


def damaged(whole: bytes, dice: random.Random) -> bytes:
    """The same with some damage, anywhere behind the first page."""
    data, first = bytearray(whole), PAGE_BYTES
    kind = dice.choice(["flip", "page", "cut"])
    if kind == "cut":
        return bytes(data[: dice.randrange(first, len(data))])
    for _ in range(dice.choice([1, 2, 8])):
        at = dice.randrange(first, len(data))
        if kind == "flip":
            data[at] ^= 1 << dice.randrange(8)
        else:
            page = at - at % PAGE_BYTES
            data[page : page + PAGE_BYTES] = bytes(PAGE_BYTES)
    return bytes(data)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello" * 1000, b"SQLite format 3\0" + bytes(8000)],
    ids=["empty", "text", "torn"],
)
def test_nothing_can_be_read(content: bytes, tmp_path: Path) -> None:
    """The store is set aside, private, and the message says where it is and what to do."""
    path = tmp_path / "20260131T020000Z-aaaaaa.db"
    path.write_bytes(content)
    path.chmod(0o644)
    path.with_name(path.name + "-wal").write_bytes(b"log")
    with pytest.raises(LandingDamagedError, match=r"moved to .*damaged.*put a good copy"):
        salvage(path)
    aside = tmp_path / "damaged"
    assert path.name in names(aside)
    assert {mode_of(each) for each in aside.iterdir()} == {0o600}
    assert list(tmp_path.glob("*.db*")) == []


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
async def test_what_stands_beside_a_store(ending: str, tmp_path: Path) -> None:
    """Rubbish where SQLite keeps its log is not read into the store."""
    path = await stored(tmp_path)
    path.with_name(path.name + ending).write_bytes(random.Random(1).randbytes(40_000))
    verified(path)
    with LandedRun.open(path) as run:
        assert len(list(run.replies())) == len(MANY)


async def test_a_damaged_log(tmp_path: Path) -> None:
    """A write-ahead log is used up to its damage: the calls behind it are asked for again, never wrong."""
    landing = created(tmp_path, MANY)
    for call in MANY:
        await landing.land(reply(call, body=body_of(call)))
        landing.settle(outcome(call.call_id), final=True)
    await landing.flush()
    log = landing.path.with_name(landing.path.name + "-wal")
    copy = tmp_path / "copy" / landing.path.name
    copy.parent.mkdir()
    copy.write_bytes(landing.path.read_bytes())
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    copy.with_name(log.name).write_bytes(data)
    await landing.close()
    verified(copy)
    with LandedRun.open(copy) as run:
        there = list(run.replies())
        assert 0 < len(there) < len(MANY)
        assert all(
            each == reply(call, body=body_of(call)) for each, call in zip(there, MANY, strict=False)
        )
        assert run.summary().not_attempted >= len(MANY) - len(there)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def test_killed_while_recovering(tmp_path: Path) -> None:
    """Before the damaged store was moved the draft is thrown away, after that it takes its place."""
    path = await stored(tmp_path, CALLS)
    draft, original = tmp_path / f".{path.name}.recovered", path.read_bytes()
    draft.write_bytes(original[:5000])
    (tmp_path / f".{path.name}.new").write_bytes(b"begun")
    (tmp_path / f".{path.name}.new-journal").write_bytes(b"begun")
    sweep(tmp_path)
    assert names(tmp_path) == [path.name]
    assert path.read_bytes() == original

    draft.write_bytes(original)
    set_aside(path)
    path.with_name(f"{path.name}-wal").write_bytes(b"the damaged store's")
    sweep(tmp_path)
    verified(path)
    assert names(tmp_path) == [path.name, "damaged"]


async def test_the_same_store_damaged_twice(tmp_path: Path) -> None:
    """Nothing that was set aside is overwritten."""
    path = await stored(tmp_path)
    for number, left in ((3, 199), (5, 198)):
        store = sqlite3.connect(path)
        with store:
            store.execute("DELETE FROM replies WHERE call_id = ?", (MANY[number].call_id,))
        store.close()
        assert salvage(path).replies == left
    assert len(damaged_stores(tmp_path)) == 2
    with LandedRun.open(path) as run:
        assert sum(each.fault_class is FaultClass.DAMAGED for each in run.outcomes()) == 2


async def test_the_same_reply_twice(tmp_path: Path) -> None:
    """Identical bytes are one reply, alone and in a group; the others of the group are landed."""
    landing = created(tmp_path, MANY)
    await landing.land(reply(MANY[0]))
    again = reply(MANY[0])._replace(received_at_us=5)
    await asyncio.gather(landing.land(again), *(landing.land(reply(call)) for call in MANY))
    await landing.close()
    with LandedRun.open(landing.path) as run:
        assert list(run.replies()) == [reply(call) for call in MANY]


async def test_another_reply_to_the_same_attempt(tmp_path: Path) -> None:
    """Other bytes for an attempt that is landed are refused by name; the first stays, nobody waits for ever."""
    landing = created(tmp_path, MANY)
    await landing.land(reply(MANY[0]))
    with pytest.raises(LandingError, match=rf"{MANY[0].call_id}, attempt 1, .*other bytes"):
        await landing.land(reply(MANY[0], body=b"<other/>"))
    with pytest.raises(LandingError, match="other bytes"):
        await landing.close()
    with LandedRun.open(landing.path) as run:
        assert list(run.replies()) == [reply(MANY[0])]
    resumed = Landing.resume(landing.path)
    await resumed.land(reply(MANY[1]))
    await resumed.close()
