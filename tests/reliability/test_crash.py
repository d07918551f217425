"""Kill -9 at random moments of every stage, then the same command again: nothing lost, nothing twice."""

import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pipelines import open_lake
from tests.reliability.crash_ground import (
    CONCURRENCY,
    Crashes,
    Evidence,
    Stage,
    Store,
    crashes,
    evidence,
    is_changing,
    is_unsealed,
    marks,
    readers,
)
from tests.reliability.disk_ground import contents

if TYPE_CHECKING:
    from subprocess import Popen

CALLS: Final = 14 * 12
KEY: Final = ["run_id", "call_id", "window_slot", "traffic", "direction"]
NIGHT: Final = (  # what a run is killed at, one after the other
    *(Stage.COLLECT,) * 4,
    *(Stage.SEAL,) * 4,
    *(Stage.NORMALIZE,) * 3,
    *(Stage.PUBLISH,) * 4,
    *(Stage.FINISH,) * 2,
)
AGAIN: Final = (Stage.NORMALIZE,) * 2  # what is published is the same, so nothing is to be done
COMPACT: Final = (*(Stage.REWRITE,) * 2, *(Stage.EXCHANGE,) * 3)
STAGES: Final = (Stage.COLLECT, Stage.SEAL, Stage.NORMALIZE, Stage.PUBLISH, Stage.FINISH)
REWRITING: Final = (Stage.REWRITE, Stage.EXCHANGE)
SIGNS: Final = {  # that a stage has begun
    Stage.COLLECT: "landing",
    Stage.SEAL: "landing",
    Stage.NORMALIZE: "drafts",
    Stage.PUBLISH: "state",
    Stage.FINISH: "state",
    Stage.REWRITE: "rewriting",
    Stage.EXCHANGE: "state",
}
EVERY: Final = (*STAGES, *REWRITING)
SETTLED_SECONDS: Final = 0.03  # what a killed client had sent is in the service's log by then
LOOK_SECONDS: Final = 0.001


@dataclass
class Killer:
    """Starts commands, kills them within a stage, and holds what is left against what was."""

    ground: Crashes
    chance: random.Random
    seconds: dict[Stage, float] = field(default_factory=dict)  # how long each stage takes
    hits: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    once: bool = False  # each stage of a night is a target once

    @property
    def kills(self) -> int:
        """Processes that were killed before they ended."""
        return self.hits.total() - self.hits["missed"]

    def has(self, kills: int) -> bool:
        """Whether each stage was hit so often."""
        return min(self.hits[stage] for stage in EVERY) >= kills

    def calibrate(self) -> None:
        """A night and a compaction without a kill: how long each stage takes."""
        self._watch("run", STAGES)
        self.seconds[Stage.COLLECT] = 0.02  # its moment is drawn as a number of replies
        self._watch("compact", REWRITING)
        self.ground.stores()
        self.ground.arrivals()

    def _watch(self, command: str, stages: Sequence[Stage]) -> None:
        before = evidence(self.ground.data)
        begun: dict[Stage, float] = {}
        ended: dict[Stage, float] = {}
        with self.ground.start(command) as process:
            while process.poll() is None:
                looked = time.monotonic()
                for stage in stages:
                    target = 1 if stage is Stage.COLLECT else CALLS
                    if stage not in begun and self._is_due(stage, before, target):
                        begun[stage] = looked
                if Stage.NORMALIZE not in begun and is_unsealed(self.ground.data):
                    ended[Stage.SEAL] = looked
                if is_changing(self.ground.data):
                    ended[stages[-1] if stages is REWRITING else Stage.PUBLISH] = looked
                time.sleep(LOOK_SECONDS)
            assert process.returncode == 0
        end = time.monotonic()
        for stage in reversed(stages):
            begin = begun.get(stage, end)  # one may be over before it is seen
            self.seconds[stage] = max(0.005, ended.get(stage, end) - begin)
            end = begin

    def night(self) -> str:
        """A run, killed within each stage in turn and started again, until it ends by itself; its id."""
        known = set(self.ground.known)
        for stage in self._targets(NIGHT):
            if self._invocation(known, stage) or self._run_of(known)[1].finished:
                break
        else:
            assert self._invocation(known, None)
        run_id, store = self._run_of(known)
        assert (store.planned, len(store.landed)) == (CALLS, CALLS)
        self._assert_published(run_id, store)
        return run_id

    def again(self, run_id: str) -> None:
        """The run published once more, killed likewise: the same bytes."""
        whole = contents(self.ground.lake)
        for stage in self._targets(AGAIN):
            self._killed(["normalize", "--run", run_id], stage)
            self.ground.assert_readable()
        self.ground.done("normalize", "--run", run_id)
        assert contents(self.ground.lake) == whole

    def compact(self, run_id: str) -> None:
        """Files made few, killed likewise: the same rows; then the run is published again, and leaves them."""
        for stage in self._targets(COMPACT):
            self._killed(["compact"], stage)
            self.ground.assert_readable()
        self.ground.done("compact")
        assert self.ground.done("compact")["partitions"] == 0
        every = self.ground.lake.glob("*/*/*.parquet")
        files = [path for path in every if "traffic_history" not in path.parts]
        assert len(files) == len({path.parent for path in files}), "one file for each partition"
        self._assert_published(run_id, self.ground.known[run_id])
        self._killed(["normalize", "--run", run_id], Stage.EXCHANGE)
        self.ground.assert_readable()
        self._assert_published(run_id, self.ground.known[run_id])

    def _targets(self, stages: Sequence[Stage]) -> Sequence[Stage]:
        return list(dict.fromkeys(stages)) if self.once else stages

    def _invocation(self, known: set[str], stage: Stage | None) -> bool:
        """`run` once, killed within a stage or not at all; whether it ended by itself."""
        run_id, before = self._run_of(known)
        has_ended = self._killed(["run"], stage, before)
        time.sleep(SETTLED_SECONDS)
        asked = self.ground.arrivals()
        self.ground.stores()
        now_id, after = self._run_of(known)
        assert run_id in {"", now_id}, "the run was not resumed"
        assert not set(asked) & before.landed, "asked for again, though it was landed"
        in_flight = asked.total() - (len(after.landed) - len(before.landed))
        # a worker asks for nothing else before its reply is landed: the service sees what was acknowledged
        assert 0 <= in_flight <= (0 if has_ended else CONCURRENCY)
        self.in_flight += in_flight
        self.ground.assert_readable()
        return has_ended

    def _killed(self, command: list[str], stage: Stage | None, before: Store | None = None) -> bool:
        """Run a command and kill it within a stage, or let it end; whether it ended by itself."""
        earlier = evidence(self.ground.data)
        noting = command == ["run"] and self.chance.random() < 0.7
        missing = CALLS - len(before.landed if before else ())
        wanted = self.chance.randint(1, missing // 2 + 1) if stage is Stage.COLLECT else missing
        target = self.ground.replied + wanted
        with self.ground.start(*command, noting=noting) as process:
            if stage is None or not self._reached(process, stage, earlier, target):
                out, err = process.communicate(timeout=50)
                assert process.returncode == 0, (out, err[-3000:])
                self.hits["missed"] += stage is not None
                return True
            # half of them at once: a stage may have pauses in which it is at something else
            time.sleep(self.chance.uniform(0, self.chance.choice([0.003, self.seconds[stage]])))
            process.kill()
            _, err = process.communicate(timeout=50)
            if process.returncode == 0:
                self.hits["missed"] += 1
                return True
            assert process.returncode == -9, err[-3000:]
        left = evidence(self.ground.data).since(earlier)
        self.hits[self._stage_of(left, command)] += 1
        return False

    def _reached(self, process: "Popen[str]", stage: Stage, before: Evidence, target: int) -> bool:
        """Wait until the stage begins; False if the command ended before."""
        while process.poll() is None:
            if self._is_due(stage, before, target):
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def _is_due(self, stage: Stage, before: Evidence, target: int) -> bool:
        is_early = stage in {Stage.COLLECT, Stage.SEAL}
        if is_early and self.ground.replied < target:
            return False
        if is_early and not is_unsealed(self.ground.data):
            return False
        if stage is Stage.FINISH and is_changing(self.ground.data):
            return False
        return bool(marks(self.ground.data, SIGNS[stage]) - getattr(before, SIGNS[stage]))

    def _stage_of(self, left: Evidence, command: list[str]) -> Stage:
        # an earlier kill may have left a change that is to be settled yet
        if left.state and is_changing(self.ground.data):
            return Stage.EXCHANGE if left.rewriting else Stage.PUBLISH
        if left.rewriting:
            return Stage.REWRITE
        if left.drafts:
            return Stage.NORMALIZE
        if left.state:
            return Stage.FINISH
        if command != ["run"] or not is_unsealed(self.ground.data) or not left.landing:
            return Stage.START
        newest = max(self.ground.stores().items())[1]
        return Stage.COLLECT if len(newest.landed) < CALLS else Stage.SEAL

    def _run_of(self, known: set[str]) -> tuple[str, Store]:
        """The run of this night, or an empty one if there is none yet."""
        new = self.ground.known.keys() - known
        assert len(new) <= 1, f"one night, {len(new)} runs"
        run_id = next(iter(new), "")
        return run_id, self.ground.known.get(run_id) or Store(CALLS, False, {}, {})

    def _assert_published(self, run_id: str, store: Store) -> None:
        """The tables hold what was landed, byte for byte and once, and the ledger adds up."""
        lake = open_lake(self.ground.lake)
        raw = lake.table("raw", runs=[run_id], columns=["call_id", "attempt", "body"])
        found = {(row["call_id"], row["attempt"]): row["body"] for row in raw.to_pylist()}
        assert found == store.replies
        assert raw.num_rows == len(found)
        stats = lake.table("instant_stats", runs=[run_id])
        assert stats.num_rows == 8 * CALLS == stats.group_by(KEY).aggregate([]).num_rows
        assert len(stats["call_id"].unique()) == CALLS
        digests = {hashlib.sha256(body).hexdigest() for body in store.replies.values()}
        assert set(stats["raw_sha256"].unique().to_pylist()) == digests
        assert lake.table("calls", runs=[run_id])["state"].to_pylist() == ["ok"] * CALLS


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(20, marks=[pytest.mark.extended, pytest.mark.timeout(900)]),
        pytest.param(
            200, marks=[pytest.mark.extended, pytest.mark.soak, pytest.mark.timeout(5_400)]
        ),
    ],
)
def test_killed_at_every_stage(kills: int, tmp_path: Path) -> None:
    """What was acknowledged stays, only what was in flight is sent twice, and readers see whole runs."""
    seed = int(os.environ.get("ECGRID_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"ECGRID_TEST_SEED={seed}")  # noqa: T201  # which moments they were
    with crashes(tmp_path) as ground:
        killer = Killer(ground, random.Random(seed), once=kills < 25)
        killer.calibrate()
        with readers(ground.lake, CALLS) as said:
            while killer.kills < kills or (
                not killer.has(kills // 25) and killer.kills < 3 * kills
            ):
                run_id = killer.night()
                killer.again(run_id)
                killer.compact(run_id)
                print(killer.kills, killer.hits, flush=True)  # noqa: T201  # it takes a while
            ground.done("run")
    print(  # noqa: T201
        f"{killer.kills} kills, {dict(killer.hits)}; {killer.in_flight} calls were in flight; {said}"
    )
    assert killer.has(kills // 25), killer.hits
    assert said["wrong"] == []
    assert min(said["reads"].values()) > kills // 4
    assert [path for path in ground.data.rglob(".*") if path.name != ".lock"] == []
