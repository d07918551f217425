"""The columns of a landing store: what the objects say, and never anything from a record that was changed."""

import hashlib
from pathlib import Path

import pytest

from collector.domain.values import FaultClass, Outcome, State
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
            CALLS[1].call_id, State.FAILED, 3, None, 500, FaultClass.SERVER, "p\0é", 1, 2, 3, 4
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
                assert columns.window1_minutes[place] == call.window1.minutes
                assert columns.window2_minutes[place] == call.window2.minutes
                for name in columns.__slots__[5:]:
                    assert getattr(columns, name)[place] == getattr(known, name), name
            for some in run.reply_columns(columns):
                for place, ordinal in enumerate(some.ordinal):
                    found, at = replies[at], at + 1
                    assert found.call_id == calls[ordinal].call_id
                    for name in some.__slots__[1:]:
                        if name == "sha256":
                            value: object = hashlib.sha256(found.body).digest()
                        else:
                            value = getattr(found, name)
                        if name == "headers":
                            value = "{}" if not value else some.headers[place]
                        assert getattr(some, name)[place] == value, name
        assert at == len(replies) == 2


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
