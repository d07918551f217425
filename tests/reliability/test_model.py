"""Runs that are planned, killed, resumed, published and compacted in any order, with the real parts."""

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import pipelines.normalize
from collector.config import Settings
from collector.domain.binding import Binding
from collector.domain.calls import Call
from collector.domain.replies import LandedReply
from collector.domain.run import RunInfo
from collector.landing import LandedRun, Landing
from collector.outcomes.classify_reply import classify_reply
from collector.runs.recovery import classify_leftovers, is_usable
from collector.runs.reports import INSTANT_STATS
from collector.runs.run import unfinished
from pipelines.contract import TABLES
from pipelines.job.earlier import catch_up
from pipelines.job.publishing import publish
from pipelines.lake import Lake, Sizes
from pipelines.normalize import normalize
from pipelines.read import snapshot
from tests.collector.landing_by_hand import minutes_of, stats_call
from tests.pipelines.night import NULL_ANSWER, SENT_US, STARTED_US, answer, counts
from tests.reliability.images import Images, Kill, Killed

RUNS: Final = 3
ATTEMPTS: Final = 2
SMALL: Final = Sizes(group_rows=8, file_rows=16)  # so that a table of a run has several files
STATES: Final = {"answer": "ok", "null": "empty", "fault": "failed"}
HEADERS: Final = {"content-type": "text/xml", "date": "Sat, 31 Jan 2026 02:00:02 GMT"}
SERIES: Final = [(traffic, way) for traffic in ("parcel", "interchange") for way in ("in", "out")]

Key = tuple[str, int]  # call and attempt


@dataclass(frozen=True, slots=True)
class Tables:
    """What the tables say of a run, or ought to."""

    states: dict[str, str]
    raw: dict[Key, bytes]
    stats: dict[tuple[str, int, str, str], int]

    @property
    def sums(self) -> dict[str, int]:
        """The ledger's sums, as the manifest names them."""
        states = ("ok", "empty", "failed", "not_attempted")
        found = Counter(self.states.values())
        return {"planned": len(self.states), **{state: found[state] for state in states}}


@dataclass
class Ran:
    """What is known of a run: its plan, and what was acknowledged, with the kind of answer."""

    calls: list[Call]
    landed: dict[Key, tuple[str, bytes]] = field(default_factory=dict)
    maybe: dict[Key, tuple[str, bytes]] = field(
        default_factory=dict
    )  # handed over, not acknowledged
    unjudged: set[str] = field(default_factory=set)
    finished: bool = False
    published: Tables | None = None

    def kinds(self, call_id: str) -> list[str]:
        """What came back for a call, in order."""
        return [self.landed[key][0] for key in sorted(self.landed) if key[0] == call_id]

    @property
    def missing(self) -> list[Call]:
        """The calls that are to be made."""
        return [
            call
            for call in self.calls
            if call.call_id not in self.unjudged
            and (not (kinds := self.kinds(call.call_id)) or kinds[-1] == "fault")
            and len(kinds) < ATTEMPTS
        ]

    def tables(self) -> Tables:
        """What the tables ought to say now."""
        states, stats = {}, {}
        for call in self.calls:
            kinds = self.kinds(call.call_id)
            states[str(call.call_id)] = STATES[kinds[-1]] if kinds else "not_attempted"
            if kinds and kinds[-1] == "answer":
                first = first_count(call, len(kinds))
                for slot, start in ((1, first), (2, first + 100)):
                    for place, series in enumerate(SERIES):
                        stats[str(call.call_id), slot, *series] = start + place
        return Tables(states, {key: body for key, (_, body) in self.landed.items()}, stats)


def first_count(call: Call, attempt: int) -> int:
    """The smallest number of an answer: no two answers of a run have the same."""
    return minutes_of(call)[0] * 1_000 + attempt * 10


def reply_to(call: Call, attempt: int, kind: str) -> LandedReply:
    """A reply of that kind."""
    first = first_count(call, attempt)
    body = {
        "answer": answer(counts(first, first + 100)),
        "null": NULL_ANSWER,
        "fault": f"<fault n='{first}'/>".encode(),
    }[kind]
    return LandedReply(
        call.call_id,
        attempt,
        call.session,
        call.operation,
        minutes_of(call),
        Binding.SOAP11,
        "POST /ECGridOS.asmx HTTP/1.1",
        500 if kind == "fault" else 200,
        HEADERS,
        body,
        SENT_US + first,
        SENT_US + first + 5,
    )


def published(lake: Lake, run_id: str) -> Tables:
    """What the tables say of a run, through its manifest; each key is there once."""
    with snapshot(lake, run_id) as run:
        ledger, raw, stats = (
            run.table(name).to_pylist() for name in ("calls", "raw", "instant_stats")
        )
        found = Tables(
            {row["call_id"]: row["state"] for row in ledger},
            {(row["call_id"], row["attempt"]): row["body"] for row in raw},
            {
                (row["call_id"], row["window_slot"], row["traffic"], row["direction"]): row["count"]
                for row in stats
            },
        )
        assert (len(ledger), len(raw)) == (len(found.states), len(found.raw))
        assert len(stats) == len(found.stats)
        counted = run.manifest.counts
    assert {name: counted[name] for name in found.sums} == found.sums
    return found


KILL = st.none() | st.tuples(st.just(""), st.integers(1, 12))
SWAP_KILL = st.tuples(st.sampled_from(["os.rename", "os.link", "os.remove"]), st.integers(1, 12))
LATE_KILL = st.none() | st.tuples(st.just(""), st.integers(1, 70)) | SWAP_KILL
KINDS = st.lists(st.sampled_from(sorted(STATES)), min_size=1, max_size=4)


class Nights(RuleBasedStateMachine):
    """One storage root, at most one program at work on it at a time."""

    @initialize()
    def begin(self) -> None:
        """An empty storage root."""
        shm = Path("/dev/shm")  # noqa: S108  # a kill needs no disk
        self.base = Path(tempfile.mkdtemp(prefix="ecgrid-", dir=shm if shm.is_dir() else None))
        self.images = Images(self.base)
        self.images.root.mkdir()
        self.runs: dict[str, Ran] = {}
        self.at_work: tuple[str, Landing] | None = None

    def teardown(self) -> None:
        """End the writer's thread."""
        if self.at_work is not None:
            asyncio.run(self.at_work[1].close())
        shutil.rmtree(self.base, ignore_errors=True)

    # --- what a program does

    @precondition(lambda self: self.at_work is None and len(self.runs) < RUNS)
    @rule(sessions=st.integers(1, 2), windows=st.integers(1, 2), kill=KILL)
    def plan(self, sessions: int, windows: int, kill: Kill | None) -> None:
        """A new run; its whole plan is there or none of it."""
        number = len(self.runs)
        run_id = f"20260131T0200{number:02}Z-1f2e3d"
        calls = [
            stats_call(f"s{session}", 60 * window + number, 60 * window + number + 60)
            for session in range(sessions)
            for window in range(1, windows + 1)
        ]
        url = "https://os.ecgrid.io/"
        started_us = STARTED_US + number * 1_000_000
        info = RunInfo(run_id, url, url, Binding.SOAP11, started_us)
        with self.killed(kill):
            self.at_work = run_id, Landing.create(self.landing, info, calls)
        if self.at_work is not None or self.store(run_id).exists():
            self.runs[run_id] = Ran(calls)

    @precondition(lambda self: self.at_work is None and self.unfinished())
    @rule(data=st.data(), kill=KILL)
    def resume(self, data: st.DataObject, kill: Kill | None) -> None:
        """An unfinished run goes on: what was landed and not judged is judged."""
        run_id = data.draw(st.sampled_from(self.unfinished()))
        with self.killed(kill):
            self._resume(run_id)

    def _resume(self, run_id: str) -> None:
        found = {info.run_id for info in unfinished(self.settings())}
        assert found == set(self.unfinished())
        assert is_usable(self.store(run_id))
        landing = Landing.resume(self.store(run_id))
        self.at_work = run_id, landing
        with LandedRun.open(landing.path) as landed:
            classify_leftovers(self.settings(), landed, landing)
        asyncio.run(landing.flush())
        self.runs[run_id].unjudged.clear()

    @precondition(lambda self: self.current is not None and self.current.missing)
    @rule(data=st.data(), kind=st.sampled_from(sorted(STATES)), judged=st.booleans())
    def land(self, data: st.DataObject, kind: str, judged: bool) -> None:
        """A reply is acknowledged; perhaps the program does not come to judge it."""
        self._land(data.draw(st.sampled_from(self._ran().missing)), kind, judged=judged)

    def _land(self, call: Call, kind: str, *, judged: bool) -> None:
        ran, landing = self._ran(), self._landing()
        attempt = len(ran.kinds(call.call_id)) + 1
        reply = reply_to(call, attempt, kind)
        asyncio.run(landing.land(reply))
        ran.landed[call.call_id, attempt] = kind, reply.body
        if judged:
            outcome, _ = classify_reply(INSTANT_STATS.operation, reply, 1 << 20)
            assert outcome.state == STATES[kind]
            landing.settle(outcome, final=kind != "fault" or attempt == ATTEMPTS)
        else:
            ran.unjudged.add(call.call_id)

    @precondition(
        lambda self: self.at_work is None and any(map(self.to_be_made, self.unfinished()))
    )
    @rule(data=st.data(), kinds=KINDS)
    def go_on(self, data: st.DataObject, kinds: list[str]) -> None:
        """A run that is resumed, gets some replies, and is stopped."""
        some = [run_id for run_id in self.unfinished() if self.to_be_made(run_id)]
        self._go_on(data.draw(st.sampled_from(some)), kinds)

    def _go_on(self, run_id: str, kinds: list[str]) -> None:
        self._resume(run_id)
        for kind in kinds:
            if self._ran().missing:
                self._land(self._ran().missing[0], kind, judged=True)
        self.stop(None)

    @precondition(lambda self: self.current is not None and self.current.landed)
    @rule(data=st.data())
    def land_again(self, data: st.DataObject) -> None:
        """The same reply handed over once more changes nothing."""
        ran = self._ran()
        call_id, attempt = data.draw(st.sampled_from(sorted(ran.landed)))
        (call,) = [call for call in ran.calls if call.call_id == call_id]
        asyncio.run(self._landing().land(reply_to(call, attempt, ran.landed[call_id, attempt][0])))

    @precondition(lambda self: self.current is not None)
    @rule(kill=KILL)
    def stop(self, kill: Kill | None) -> None:
        """The store becomes one plain file; the run is finished if no call is missing."""
        run_id, landing = self._at_work()
        ran = self.runs[run_id]
        is_complete = not ran.missing and not ran.unjudged
        with self.killed(kill):
            if is_complete:
                landing.finish(STARTED_US + 1)
            asyncio.run(landing.close())
            self.at_work = None
        self.at_work = None
        with LandedRun.open(self.store(run_id)) as landed:
            ran.finished = landed.info.finished_at_us is not None
        assert not ran.finished or is_complete

    @precondition(lambda self: self.current is not None)
    @rule()
    def crash(self) -> None:
        """Kill -9, perhaps before the last outcomes were written."""
        _, landing = self._at_work()
        self.images.take()
        self._abandon(landing)

    @precondition(lambda self: self.current is not None and self.current.missing)
    @rule(data=st.data(), kind=st.sampled_from(sorted(STATES)), written=st.booleans())
    def crash_while_landing(self, data: st.DataObject, kind: str, written: bool) -> None:
        """Kill -9 after a reply was handed over and before it was acknowledged: it is there if it was written."""
        ran, landing = self._ran(), self._landing()
        call = data.draw(st.sampled_from(ran.missing))
        attempt = len(ran.kinds(call.call_id)) + 1
        reply = reply_to(call, attempt, kind)
        commit = Landing._commit

        def struck(writer: Landing, *group: Any) -> None:
            if written:
                commit(writer, *group)
            self.images.take()
            if not written:
                commit(writer, *group)

        asyncio.run(landing.flush())
        with patch.object(Landing, "_commit", struck):
            asyncio.run(landing.land(reply))
        self._abandon(landing)
        if written:
            ran.landed[call.call_id, attempt] = kind, reply.body

    @precondition(lambda self: self.at_work is None and self.runs)
    @rule(data=st.data(), kill=LATE_KILL)
    def publish(self, data: st.DataObject, kill: Kill | None) -> None:
        """A run is published, or published again; killed, the lake says what it said before or what it is to say."""
        self._publish(self._to_publish(data), kill)

    @precondition(lambda self: self.at_work is None and any(map(self.to_be_made, self.half())))
    @rule(data=st.data(), kinds=KINDS, kill=SWAP_KILL)
    def publish_more(self, data: st.DataObject, kinds: list[str], kill: Kill | None) -> None:
        """A run of which a part was published goes on, and is killed while files give way to others."""
        run_id = data.draw(st.sampled_from([each for each in self.half() if self.to_be_made(each)]))
        self._go_on(run_id, kinds)
        self._publish(run_id, kill)

    def _to_publish(self, data: st.DataObject) -> str:
        """A run, those of which the tables do not say everything being likelier."""
        run_ids = sorted(self.runs)
        changed = [
            each for each in run_ids if self.runs[each].published != self.runs[each].tables()
        ]
        return str(data.draw(st.sampled_from(changed or run_ids) | st.sampled_from(run_ids)))

    def _publish(self, run_id: str, kill: Kill | None) -> None:
        ran = self.runs[run_id]
        before, will_be = ran.published, ran.tables()
        with self.killed(kill) as was_killed, small_files():
            publish(self.settings(), self.store(run_id))
            ran.unjudged.clear()
        ran.published = self._published(run_id, [will_be] if not was_killed else [will_be, before])

    @precondition(lambda self: self.at_work is None and self.behind())
    @rule(kill=LATE_KILL)
    def catch_up(self, kill: Kill | None) -> None:
        """What a night does for the runs before it: all published, all finished, nothing left lying about."""
        will_be = {run_id: ran.tables() for run_id, ran in self.runs.items()}
        with self.killed(kill) as was_killed, small_files():
            catch_up(self.settings(), self.landing / "tonight.db")
        for run_id, ran in self.runs.items():
            allowed = [will_be[run_id], ran.published] if was_killed else [will_be[run_id]]
            ran.published = self._published(run_id, allowed)
            with LandedRun.open(self.store(run_id)) as landed:
                ran.finished = landed.info.finished_at_us is not None
                assert ran.finished or was_killed
        if not was_killed:
            assert not [*self.lake.folder.rglob(".*"), *self.lake.folder.glob("_drafts")]

    @precondition(lambda self: self.at_work is None and self.done())
    @rule(kill=LATE_KILL)
    def compact(self, kill: Kill | None) -> None:
        """Fewer files of the runs that are finished; whenever it is killed, every row is there once."""
        with self.killed(kill) as was_killed:
            self.lake.compact(but=set(self.unfinished()))
        if not was_killed:
            assert self.lake.compact(but=set(self.unfinished())).partitions == 0
            for run_id, ran in self.runs.items():
                ran.published = self._published(run_id, [ran.published])

    # --- what holds at any time

    @invariant()
    def stores_hold_what_was_acknowledged(self) -> None:
        """Byte for byte; and planned = ok + empty + failed + not attempted."""
        for run_id, ran in self.runs.items():
            with LandedRun.open(self.store(run_id)) as landed:
                found = {(each.call_id, each.attempt): each.body for each in landed.replies()}
                summary = landed.summary()
            assert found == {key: body for key, (_, body) in ran.landed.items()}
            states = (summary.ok, summary.empty, summary.failed, summary.not_attempted)
            assert sum(states) == summary.planned == len(ran.calls)

    @invariant()
    def tables_hold_what_was_landed(self) -> None:
        """Through the manifests; by file names every file reads, and no key is twice."""
        for run_id, ran in self.runs.items():
            ran.published = self._published(run_id, [ran.published])
        for name, table in TABLES.items():
            keys: Counter[tuple[object, ...]] = Counter()
            for path in self.lake.folder.glob(f"{name}/*/[!.]*.parquet"):
                rows = pq.read_table(path, partitioning=None, columns=[*table.key])
                keys.update(zip(*(column.to_pylist() for column in rows.columns), strict=True))
            assert set(keys.values()) <= {1}, name

    # --- how it is done

    @property
    def lake(self) -> Lake:
        """The tables."""
        return Lake(self.images.root / "lake")

    @property
    def landing(self) -> Path:
        """The folder of the stores."""
        return self.images.root / "landing"

    @property
    def current(self) -> Ran | None:
        """The run that a program is at work on."""
        return None if self.at_work is None else self.runs[self.at_work[0]]

    def store(self, run_id: str) -> Path:
        """Where a run is landed."""
        return self.landing / f"{run_id}.db"

    def unfinished(self) -> list[str]:
        """The runs that can be resumed."""
        return sorted(run_id for run_id, ran in self.runs.items() if not ran.finished)

    def done(self) -> list[str]:
        """The published runs that are finished."""
        return [run_id for run_id, ran in self.runs.items() if ran.finished and ran.published]

    def half(self) -> list[str]:
        """The unfinished runs of which something is published."""
        return [run_id for run_id in self.unfinished() if self.runs[run_id].published]

    def to_be_made(self, run_id: str) -> list[Call]:
        """The calls that a run would make if it were resumed now: all that is landed is judged first."""
        ran = self.runs[run_id]
        return replace(ran, unjudged=set()).missing

    def behind(self) -> bool:
        """Whether a night would have something to do for the runs before it."""
        return any(not ran.finished or ran.published is None for ran in self.runs.values())

    def settings(self) -> Settings:
        """For this storage root."""
        return Settings.model_validate(
            {
                "service": {"url": "https://os.ecgrid.io/"},
                "retry": {"attempts": ATTEMPTS},
                "windows": {"minutes": [60]},
                "sessions": [{"label": "s0", "api_key": "env:T_MODEL_KEY"}],
                "storage": {"root": self.images.root, "keep_landing_days": 3650},
            }
        )

    @contextlib.contextmanager
    def killed(self, kill: Kill | None) -> Iterator[list[bool]]:
        """A program that is killed at a step, unless it ends before; the list is not empty if it was."""
        struck: list[bool] = []
        try:
            with self.images.killing(kill):
                yield struck
        except Killed:
            struck.append(True)
            self._abandon(self.at_work[1] if self.at_work else None)

    def _published(self, run_id: str, allowed: Sequence[Tables | None]) -> Tables | None:
        """What is published of a run, which must be one of these."""
        found = published(self.lake, run_id) if run_id in self.lake.run_ids() else None
        assert found in allowed
        return found

    def _abandon(self, landing: Landing | None) -> None:
        """End the writer of a folder that was left behind."""
        if landing is not None:
            asyncio.run(landing.close())
        self.at_work = None
        self.images.forget()

    def _at_work(self) -> tuple[str, Landing]:
        assert self.at_work is not None
        return self.at_work

    def _ran(self) -> Ran:
        return self.runs[self._at_work()[0]]

    def _landing(self) -> Landing:
        return self._at_work()[1]


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """Tables of a few rows have several files."""
    with patch.object(pipelines.normalize, "normalize", partial(normalize, sizes=SMALL)):
        yield


@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(4, 25, marks=pytest.mark.timeout(600)),
        pytest.param(20, 40, marks=[pytest.mark.extended, pytest.mark.timeout(900)]),
        pytest.param(
            120, 40, marks=[pytest.mark.extended, pytest.mark.soak, pytest.mark.timeout(3_000)]
        ),
    ],
)
def test_any_order(examples: int, steps: int) -> None:
    """Whatever is done, killed and done again: the ledger adds up, keys are unique, Parquet is what was landed."""
    run_state_machine_as_test(
        Nights,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )
