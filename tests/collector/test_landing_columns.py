"""The columns of a landing store: what the objects say, and never anything from a record that was changed."""

import contextlib
import hashlib
import json
import sqlite3
import zlib
from pathlib import Path

import pytest

from collector.domain.calls import arguments_of
from collector.domain.outcomes import FaultClass, Outcome, State
from collector.errors import LandingDamagedError
from collector.landing import LandedRun
from tests.collector.landing_by_hand import CALLS, created, outcome, reply
from tests.reliability.disk_ground import changed
from tests.reliability.test_damaged_store import MANY, RECORDS, body_of, stored


def read(path: Path) -> int:
    """Read every column; how many replies there are."""
    with LandedRun.open(path) as run:
        return sum(len(some) for calls in run.call_columns(2) for some in run.reply_columns(calls))


async def test_the_columns_say_what_the_objects_say(tmp_path: Path) -> None:
    """Every field of every call, outcome and reply, whatever the outcome, in the same order."""
    landing = created(tmp_path, CALLS)
    await landing.land(reply(CALLS[0], body=b""))
    await landing.land(reply(CALLS[0], 2)._replace(masked=True, cut=True, headers={}))
    landing.settle(outcome(CALLS[0].call_id), final=True)
    landing.settle(
        Outcome(
            CALLS[1].call_id,
            State.FAILED,
            3,
            charged=2,
            minutes=(60, 61),
            http_status=500,
            fault_class=FaultClass.SERVER,
            fault_text="p\0é",
            requested_at_us=1,
            observed_at_us=2,
            latency_us=3,
            reply_bytes=4,
        ),
        final=False,
    )
    await landing.close()
    with LandedRun.open(landing.path) as run:
        calls, outcomes, replies = list(run.calls()), list(run.outcomes()), list(run.replies())
        at = 0
        for columns in run.call_columns(2):
            for place, ordinal in enumerate(columns.ordinal):
                call, known = calls[ordinal], outcomes[ordinal]
                assert columns.call_id[place] == call.call_id == known.call_id
                assert columns.session[place] == call.session
                assert columns.operation[place] == call.operation
                assert arguments_of(columns.arguments[place]) == call.arguments
                minutes1, minutes2 = known.minutes or (None, None)
                assert (columns.minutes1[place], columns.minutes2[place]) == (minutes1, minutes2)
                for name in set(known._fields) - {"call_id", "minutes"}:
                    assert getattr(columns, name)[place] == getattr(known, name), name
            for some in run.reply_columns(columns):
                for place, ordinal in enumerate(some.ordinal):
                    found, at = replies[at], at + 1
                    assert found.call_id == calls[ordinal].call_id
                    assert (some.minutes1[place], some.minutes2[place]) == found.minutes
                    assert some.sha256[place] == hashlib.sha256(found.body).digest()
                    assert json.loads(some.headers[place]) == found.headers
                    for name in set(found._fields) - {"minutes", "headers"}:
                        assert getattr(some, name)[place] == getattr(found, name), name
        assert at == len(replies) == 2


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("outcomes", "state = 'pigeon'"),
        ("outcomes", "fault_class = 'pigeon'"),
        ("replies", "binding = 'pigeon'"),
    ],
)
async def test_a_word_that_nobody_knows(table: str, statement: str, tmp_path: Path) -> None:
    """A state, class or binding of another program is refused by name, though its record is whole."""
    path = await stored(tmp_path, CALLS)
    changed(path, f"UPDATE {table} SET {statement}")
    sealed_anew(path, table)
    with pytest.raises(LandingDamagedError, match=f"{path.name} is damaged .*pigeon"):
        read(path)


def sealed_anew(path: Path, table: str) -> None:
    """Give every record of a table the checksum of what it holds now, as a program that wrote it would have."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
        rows = store.execute(f"SELECT * FROM {table}").fetchall()
        names = [name for _, name, *_ in store.execute(f"PRAGMA table_info({table})")]
        for row in rows:
            known = [value for name, value in zip(names, row, strict=True) if name != "body"][:-1]
            seal = zlib.crc32("\0".join(map(str, known)).encode())
            key = "call_id = ?"
            store.execute(f"UPDATE {table} SET seal = ? WHERE {key}", (seal, row[0]))


async def test_a_call_without_an_outcome(tmp_path: Path) -> None:
    """Among others that have one, it is not attempted, and nothing was sent or charged for it."""
    landing = created(tmp_path, CALLS)
    landing.settle(outcome(CALLS[1].call_id, State.FAILED, 3), final=True)
    await landing.close()
    with LandedRun.open(landing.path) as run:
        (columns,) = run.call_columns(100)
    rest = len(CALLS) - 2
    assert list(columns.state) == ["not_attempted", "failed", *["not_attempted"] * rest]
    assert list(columns.attempts) == list(columns.charged) == [0, 3, *[0] * rest]


@pytest.mark.parametrize(
    "what", [what for what in RECORDS if what not in ("the plan", "when the run began")]
)
async def test_a_changed_record_is_found(what: str, tmp_path: Path) -> None:
    """Whatever part of whatever record: reading the columns says so."""
    path = await stored(tmp_path, CALLS)
    assert read(path) == len(CALLS)
    changed(path, RECORDS[what])
    if what == "the call of a reply":  # nothing looks it up then, and its call has no answer
        assert read(path) == len(CALLS) - 1
        return
    with pytest.raises(LandingDamagedError, match=rf"{path.name} is damaged .*normalize"):
        read(path)


async def test_batches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes, whatever is in them."""
    path = await stored(tmp_path)
    with LandedRun.open(path) as run:
        (calls,) = run.call_columns(1000)
        monkeypatch.setattr("collector.landing.columns._MOST_REPLIES", 30)
        sizes = [len(some) for some in run.reply_columns(calls)]
        assert sizes == [30] * 6 + [20]
        most = 20_000
        monkeypatch.setattr("collector.landing.columns._MOST_BYTES", most)
        batches = [some.body for some in run.reply_columns(calls)]
        assert [body for some in batches for body in some] == [body_of(call) for call in MANY]
        assert all(sum(map(len, some[:-1])) < most for some in batches)
        assert len(batches) > len(sizes)
