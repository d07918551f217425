import asyncio
import contextlib
import sqlite3
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.outcomes import FaultClass, Outcome, State, Tries
from collector.domain.run import RunSummary
from collector.domain.whoami import WhoAmI
from collector.errors import LandingError
from collector.landing import LandedRun, Landing, landed_runs
from tests.collector.landing_by_hand import CALLS, INFO, created, outcome, reply, stats_call

if TYPE_CHECKING:
    from collector.domain.replies import LandedReply


def other_connection(path: Path) -> sqlite3.Connection:
    """The store as another program sees it: what is not committed is not there."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


async def test_the_plan_is_there_before_the_first_reply(tmp_path: Path) -> None:
    """`create` returns when the whole plan is in the file, in order."""
    landing = created(tmp_path / "landing")
    with LandedRun.open(landing.path) as landed:
        assert landed.info == INFO
        assert tuple(landed.calls()) == CALLS
        assert [one.state for one in landed.outcomes()] == [State.NOT_ATTEMPTED] * len(CALLS)
        assert landed.summary() == RunSummary(
            INFO.run_id, len(CALLS), 0, 0, 0, len(CALLS), attempts=0, logins=0
        )
    await landing.close()


async def test_land_returns_when_others_can_read_it(tmp_path: Path) -> None:
    """Each landed reply is committed when `land` returns: another connection reads it byte for byte."""
    landing = created(tmp_path)
    for attempt in range(1, 30):
        sent = reply(attempt=attempt, body=bytes([attempt]) * 1000)
        await landing.land(sent)
        with LandedRun.open(landing.path) as landed:
            assert list(landed.replies())[-1] == sent
        other = other_connection(landing.path)
        ((synchronous_count,),) = other.execute("SELECT count(*) FROM replies").fetchall()
        other.close()
        assert synchronous_count == attempt
    await landing.close()


def commits(log: Path) -> int:
    """The commits in a write-ahead log, by SQLite's file format (4.1): of each the last frame tells the size."""
    content = log.read_bytes()
    page = int.from_bytes(content[8:12])
    frames = [content[at : at + 24] for at in range(32, len(content), 24 + page)]
    return sum(frame[4:8] != bytes(4) and frame[8:16] == content[16:24] for frame in frames)


async def test_commits_in_groups(tmp_path: Path) -> None:
    """Hundreds of replies at once take few commits, and all of them are there."""
    calls = [stats_call(f"s{n}", 1, 2) for n in range(300)]
    landing = created(tmp_path, calls)
    log = landing.path.with_name(f"{landing.path.name}-wal")
    before = commits(log) if log.exists() else 0
    await landing.land(reply(calls[0]))
    assert commits(log) == before + 1
    await asyncio.gather(*(landing.land(reply(call)) for call in calls[1:]))
    assert before + 1 < commits(log) <= before + 6
    with LandedRun.open(landing.path) as landed:
        assert [one.call_id for one in landed.replies()] == [call.call_id for call in calls]
    await landing.close()


@pytest.mark.parametrize("seconds", [0.05, 60.0])
async def test_outcomes_that_stand_on_an_answer_wait_for_others(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a while; all others are written at once, as no reply would tell what is to come of them."""
    monkeypatch.setattr("collector.landing.writer._LATER_SECONDS", seconds)
    landing = created(tmp_path)

    def written() -> list[tuple[str, int]]:
        with contextlib.closing(sqlite3.connect(landing.path)) as store:
            return store.execute("SELECT state, final FROM outcomes ORDER BY attempts").fetchall()

    landing.settle(outcome(CALLS[1].call_id, State.FAILED, 2), final=False)
    landing.settle(outcome(CALLS[2].call_id, State.FAILED, 3), final=True)
    landing.settle(outcome(CALLS[0].call_id, State.OK, 1), final=True)
    await landing.land(reply(CALLS[3]))
    assert written()[-2:] == [("failed", 0), ("failed", 1)]
    await asyncio.sleep(0.2)
    await landing.land(reply(CALLS[4]))
    assert (("ok", 1) in written()) is (seconds < 1)
    await landing.close()
    assert written() == [("ok", 1), ("failed", 0), ("failed", 1)]


async def test_a_cancelled_worker_harms_nobody(tmp_path: Path) -> None:
    """Its reply is landed all the same, and those of the others too."""
    landing = created(tmp_path)
    tasks = [asyncio.ensure_future(landing.land(reply(call))) for call in CALLS]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await landing.flush()
    with LandedRun.open(landing.path) as landed:
        assert len(list(landed.replies())) == len(CALLS)
    await landing.close()


async def test_what_was_landed_comes_back_whole(tmp_path: Path) -> None:
    """Replies, outcomes, facts and logins, with every field, in the order of the plan."""
    landing = created(tmp_path)
    replies = [reply(call, attempt) for call in reversed(CALLS) for attempt in (2, 1)]
    for one in replies:
        await landing.land(one)
    full = Outcome(
        CALLS[1].call_id,
        State.FAILED,
        4,
        charged=3,
        minutes=(61, 121),
        http_status=503,
        fault_class=FaultClass.THROTTLED,
        fault_text="said: 'ñ' \x00",
        requested_at_us=1,
        observed_at_us=2_000_000,
        latency_us=3,
        reply_bytes=4,
    )
    landing.settle(full, final=True)
    landing.settle(outcome(CALLS[0].call_id, attempts=2), final=True)
    known = WhoAmI("acme", 5, 1, 2, 3, 1200, 4)
    unknown = WhoAmI("../x", 6, fault_class=FaultClass.AUTHORISATION, fault_text="no")
    for facts in (known, unknown):
        landing.note(facts)
    for _ in range(3):
        landing.count_login()
    landing.finish(99)
    await landing.close()
    with LandedRun.open(landing.path) as landed:
        expected = sorted(
            replies, key=lambda one: ([c.call_id for c in CALLS].index(one.call_id), one.attempt)
        )
        assert list(landed.replies()) == expected
        assert list(landed.outcomes())[1] == full
        assert list(landed.whoami()) == [unknown, known]
        assert (landed.logins, landed.info) == (3, replace(INFO, finished_at_us=99))
        assert landed.summary() == RunSummary(INFO.run_id, 8, 1, 0, 1, 6, attempts=6, logins=3)


def test_what_is_recorded_outside_of_an_event_loop_is_written(tmp_path: Path) -> None:
    """The thread is woken where no turn of a loop ends."""
    landing = created(tmp_path)
    with contextlib.closing(other_connection(landing.path)) as other:
        for count in (1, 2):  # once while it may still be starting, once while it sleeps
            landing.settle(outcome(CALLS[count].call_id), final=True)
            deadline = time.monotonic() + 10
            while other.execute("SELECT count(*) FROM outcomes").fetchone() != (count,):
                assert time.monotonic() < deadline
    asyncio.run(landing.close())


async def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    """Whatever text holds one: SQLite takes none, and a writer that stumbles over it would end the run."""
    landing = created(tmp_path)
    text = "caf\u00e9 \ud800 and \udcff"
    odd = outcome(CALLS[0].call_id)._replace(fault_text=text)
    await landing.land(reply()._replace(request=text))
    landing.settle(odd, final=True)
    landing.note(WhoAmI("s", 1, fault_class=FaultClass.TRANSPORT, fault_text=text))
    await landing.close()
    with LandedRun.open(landing.path) as landed:
        assert next(iter(landed.outcomes())).fault_text == "caf\u00e9 ? and ?"
        assert [one.fault_text for one in landed.whoami()] == ["caf\u00e9 ? and ?"]
        assert [one.request for one in landed.replies()] == ["caf\u00e9 ? and ?"]


async def test_provisional_outcomes(tmp_path: Path) -> None:
    """What may be tried again is not settled, but its attempts are known; a final outcome replaces it."""
    landing = created(tmp_path)
    first, second = CALLS[0].call_id, CALLS[1].call_id
    landing.settle(outcome(first, State.FAILED, 2)._replace(charged=1), final=False)
    landing.settle(outcome(second, State.FAILED, 1), final=False)
    landing.settle(outcome(second, State.EMPTY, 2), final=True)
    await landing.flush()
    with LandedRun.open(landing.path) as landed:
        assert list(landed.remaining()) == [CALLS[0], *CALLS[2:]]
        assert landed.tries() == {first: Tries(sent=2, charged=1)}
    await landing.close()


async def test_unclassified_replies(tmp_path: Path) -> None:
    """Landed, but the outcome was not written: what a resumed run has to look at again, and nothing else."""
    landing = created(tmp_path)
    for call, attempt in (
        (CALLS[0], 1),
        (CALLS[1], 1),
        (CALLS[1], 2),
        (CALLS[2], 1),
        (CALLS[3], 1),
    ):
        await landing.land(reply(call, attempt))
    await landing.land(reply(CALLS[0], 2))
    landing.settle(outcome(CALLS[0].call_id), final=True)
    landing.settle(outcome(CALLS[1].call_id, State.FAILED, 1), final=False)
    landing.settle(outcome(CALLS[3].call_id, State.FAILED, 1), final=False)
    await landing.close()
    with LandedRun.open(landing.path) as landed:
        found = [(one.call_id, one.attempt) for one in landed.unclassified()]
    assert found == [(CALLS[1].call_id, 2), (CALLS[2].call_id, 1)]


async def test_resume(tmp_path: Path) -> None:
    """A second program goes on where the first one stopped."""
    first = created(tmp_path)
    await first.land(reply(CALLS[0]))
    await first.close()
    second = Landing.resume(first.path)
    await second.land(reply(CALLS[1]))
    second.count_login()
    await second.close()
    with LandedRun.open(first.path) as landed:
        assert [one.call_id for one in landed.replies()] == [CALLS[0].call_id, CALLS[1].call_id]
        assert landed.logins == 1


async def test_one_plain_file_in_the_end(tmp_path: Path) -> None:
    """After `close` nothing stands beside the store, and it can be read from a folder nobody may write."""
    landing = created(tmp_path / "landing")
    await landing.land(reply())
    await landing.close()
    assert [path.name for path in (tmp_path / "landing").iterdir()] == [f"{INFO.run_id}.db"]
    assert landing.path.read_bytes()[18:20] == b"\x01\x01", "no write-ahead log any more"
    landing.path.parent.chmod(0o500)
    with LandedRun.open(landing.path) as landed:
        assert list(landed.replies()) == [reply()]
    landing.path.parent.chmod(0o700)


async def test_a_reader_does_not_disturb_the_end(tmp_path: Path) -> None:
    """`close` succeeds while somebody reads; nothing is lost."""
    landing = created(tmp_path)
    await landing.land(reply())
    with LandedRun.open(landing.path) as landed:
        reading = landed.calls()
        next(reading)
        await landing.close()
        assert len(list(reading)) == len(CALLS) - 1
    with LandedRun.open(landing.path) as landed:
        assert len(list(landed.replies())) == 1


async def test_private_modes(tmp_path: Path) -> None:
    """Folder 0700, files 0600, also those that SQLite keeps beside the store while it works."""
    landing = created(tmp_path / "landing")
    await landing.land(reply())
    files = list((tmp_path / "landing").iterdir())
    assert len(files) >= 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "landing").stat().st_mode) == 0o700
    await landing.close()


async def test_a_run_id_is_used_once(tmp_path: Path) -> None:
    """A second run of the same id is refused, and the first one is untouched."""
    landing = created(tmp_path)
    await landing.land(reply())
    with pytest.raises(LandingError, match="exists already"):
        created(tmp_path)
    await landing.close()
    with LandedRun.open(landing.path) as landed:
        assert len(list(landed.replies())) == 1


async def test_landed_runs(tmp_path: Path) -> None:
    """By run id; drafts, other files and an absent folder count for nothing."""
    assert landed_runs(tmp_path / "absent") == []
    for run_id in ("20260201T000000Z-aaaaaa", "20260131T000000Z-bbbbbb"):
        await created(tmp_path, info=replace(INFO, run_id=run_id)).close()
    (tmp_path / ".20260101T000000Z-cccccc.db.new").touch()
    (tmp_path / ".hidden.db").touch()
    (tmp_path / "notes.txt").touch()
    names = [path.name for path in landed_runs(tmp_path)]
    assert names == ["20260131T000000Z-bbbbbb.db", "20260201T000000Z-aaaaaa.db"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["land", "retry", "ok", "empty", "failed", "resume"]),
        st.integers(0, len(CALLS) - 1),
    ),
    max_size=40,
)


@settings(max_examples=25)
@given(steps=STEPS)
def test_any_history_adds_up(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Whatever is landed and settled, with resumptions in between: the sums are those of a plain model."""
    states = {"ok": State.OK, "empty": State.EMPTY, "failed": State.FAILED, "retry": State.FAILED}

    async def main(folder: Path) -> None:
        landing = created(folder)
        landed_ones: dict[tuple[str, int], LandedReply] = {}
        last: dict[str, tuple[State, int, bool]] = {}
        attempts = dict.fromkeys((call.call_id for call in CALLS), 0)
        for step, index in steps:
            call = CALLS[index]
            if step == "resume":
                await landing.close()
                landing = Landing.resume(landing.path)
            elif step == "land":
                attempts[call.call_id] += 1
                one = reply(call, attempts[call.call_id])
                landed_ones[call.call_id, one.attempt] = one
                await landing.land(one)
            else:
                final, tries = step != "retry", max(1, attempts[call.call_id])
                last[call.call_id] = (states[step], tries, final)
                landing.settle(outcome(call.call_id, states[step], tries), final=final)
        await landing.close()
        with LandedRun.open(landing.path) as landed:
            assert {(one.call_id, one.attempt): one for one in landed.replies()} == landed_ones
            remaining = [call for call in CALLS if not last.get(call.call_id, (0, 0, 0))[2]]
            assert list(landed.remaining()) == remaining
            unclassified = {
                key
                for key in landed_ones
                if key[0] not in last or (key[1] > last[key[0]][1] and not last[key[0]][2])
            }
            assert {(one.call_id, one.attempt) for one in landed.unclassified()} == unclassified
            sums = landed.summary()
            assert sums.planned == sums.ok + sums.empty + sums.failed + sums.not_attempted
            assert sums.not_attempted == len(CALLS) - len(last)
            assert sums.attempts == sum(tries for _, tries, _ in last.values())

    asyncio.run(main(tmp_path_factory.mktemp("history")))
