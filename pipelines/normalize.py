"""One landed run -> the published tables. No network; memory depends on the batch, not on the run.

The same landed run, checks and program make the same bytes.
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa

from collector.landing import LandedRun
from collector.model import Call, CallId, FaultClass, LandedReply, Outcome, State
from pipelines.contract import CALLS, DATASET_EXTRAS, INSTANT_STATS, RAW, SESSIONS, TRAFFIC_BUCKETS
from pipelines.decode import decode
from pipelines.lake import DEFAULT_SIZES, Lake, Manifest, Publication, Sizes
from pipelines.landed import (
    Verdict,
    answer_rows,
    digests_of,
    ledger_rows,
    raw_rows,
    session_rows,
)
from pipelines.quality import READABLE, Batch, Level, Violation, judge, levels_of
from pipelines.spool import Spool
from pipelines.tidy import (
    counted,
    counts_of,
    dataset_extras,
    instant_stats,
    probes_disagree,
    traffic_buckets,
)

__all__ = ["Normalized", "normalize"]

_LEDGER_CALLS: Final = 4096
_BATCH_REPLIES: Final = 2048
_BATCH_BYTES: Final = 16 << 20
_EXAMPLES: Final = 20
_FAULT_TEXT: Final = 500  # characters, as in the landing store
_PASSED: Final = {state: Verdict(state) for state in (State.OK, State.EMPTY)}


@dataclass(frozen=True, slots=True)
class Normalized:
    """What a run came to once its answers were read and checked; planned = the sum of the four states.

    Attributes:
        attempts: ReportInstantStats requests sent.
        quarantined: calls among the failed whose answer was there, but did not pass.
        violations: answers per check that they did not pass.
        examples: the first violations.
    """

    manifest: Manifest
    planned: int
    ok: int
    empty: int
    failed: int
    not_attempted: int
    attempts: int
    quarantined: int
    violations: Mapping[str, int]
    examples: tuple[Violation, ...]

    @property
    def rows(self) -> int:
        """Rows of `instant_stats` that were published."""
        return self.manifest.rows(INSTANT_STATS.name)

    @property
    def files(self) -> int:
        """Parquet files that were published."""
        return len(self.manifest.files)


def normalize(
    landed: LandedRun,
    lake: Lake,
    checks: Mapping[str, str] | None = None,
    sizes: Sizes = DEFAULT_SIZES,
) -> Normalized:
    """Read, check and publish everything that a run landed.

    Args:
        checks: check -> `off`, `warn` or `quarantine`, where it is not the default.

    Raises:
        ValueError: an unknown check or level.
        LandingError: the landing store cannot be read.
        PublicationError: the lake cannot be written; what was published stays as it was.
    """
    levels = levels_of(checks or {})
    info = landed.info
    day = datetime.fromtimestamp(info.started_at_us // 1_000_000, UTC).date()
    with (
        Spool(landed.path.parent) as spool,
        lake.publication(info.run_id, day, sizes) as publication,
    ):
        work = _Work(info.run_id, publication, levels, landed, spool)
        for calls, outcomes, batches in _stretches(landed):
            work.take(calls, outcomes, batches)
        return work.finish(landed.logins)


class _Work:
    """A normalization under way."""

    def __init__(
        self,
        run_id: str,
        publication: Publication,
        levels: Mapping[str, Level],
        landed: LandedRun,
        spool: Spool,
    ) -> None:
        self._run_id, self._publication, self._levels = run_id, publication, levels
        self._spool, self._one_now = spool, True
        self._sessions = session_rows(run_id, list(landed.session_facts()))
        publication.append(SESSIONS.name, self._sessions)
        self._states: Counter[str] = Counter({state.value: 0 for state in State})
        self._attempts = self._quarantined = 0
        self._violations: Counter[str] = Counter()
        self._examples: list[Violation] = []

    def take(
        self,
        calls: Sequence[Call],
        outcomes: Sequence[Outcome],
        batches: Iterator[list[LandedReply]],
    ) -> None:
        """Publish a stretch of the plan: its replies first, then its part of the ledger."""
        outcome_of = {outcome.call_id: outcome for outcome in outcomes}
        verdicts: dict[CallId, Verdict] = {}
        for replies in batches:
            verdicts.update(self._take_replies(replies, outcome_of))
        for outcome in outcomes:
            if outcome.state in (State.OK, State.EMPTY) and outcome.call_id not in verdicts:
                lost = "the landing store does not hold the answer"
                verdicts[outcome.call_id] = Verdict(
                    State.FAILED, lost, (READABLE,), FaultClass.DAMAGED
                )
        ledger = ledger_rows(self._run_id, calls, outcomes, verdicts)
        self._publication.append(CALLS.name, ledger)
        self._states.update(str(state) for state in ledger["state"].to_pylist())
        self._attempts += sum(outcome.attempts for outcome in outcomes)
        self._quarantined += sum(
            verdict.state is State.FAILED and verdict.fault_class is FaultClass.QUARANTINED
            for verdict in verdicts.values()
        )

    def finish(self, logins: int) -> Normalized:
        """Commit the publication."""
        # only now is it known whether any answer of the run shows that its halves do not share one now
        for answers in self._spool.sessions():
            buckets = traffic_buckets(self._run_id, answers, one_now=self._one_now)
            self._publication.append(TRAFFIC_BUCKETS.name, buckets)
        counts = {"planned": self._states.total(), **self._states, "attempts": self._attempts}
        manifest = self._publication.commit({**counts, "logins": logins})
        return Normalized(
            manifest=manifest,
            quarantined=self._quarantined,
            violations=dict(self._violations),
            examples=tuple(self._examples),
            **counts,
        )

    def _take_replies(
        self, replies: Sequence[LandedReply], outcome_of: Mapping[CallId, Outcome]
    ) -> dict[CallId, Verdict]:
        digests = digests_of(replies)
        places = [place for place, reply in enumerate(replies) if _answers(reply, outcome_of)]
        self._publication.append(RAW.name, raw_rows(self._run_id, replies, digests, set(places)))
        answers = [replies[place] for place in places]
        calls = answer_rows(
            answers,
            [digests[place] for place in places],
            [outcome_of[answer.call_id] for answer in answers],
            self._sessions,
        )
        return self._take_answers(answers, calls)

    def _take_answers(
        self, answers: Sequence[LandedReply], calls: pa.Table
    ) -> dict[CallId, Verdict]:
        decoded = decode(answers)
        counts = counts_of(decoded.groups)
        violations = [
            *(
                Violation(
                    READABLE,
                    Level.QUARANTINE,
                    number,
                    answers[number].call_id,
                    answers[number].session,
                    text,
                )
                for number, text in decoded.unreadable.items()
            ),
            *judge(Batch(calls, decoded.groups, counts), self._levels),
        ]
        out = [one.answer for one in violations if one.level is Level.QUARANTINE]
        kept = ~np.isin(counts.answer, out)
        run_id, append = self._run_id, self._publication.append
        append(INSTANT_STATS.name, instant_stats(run_id, calls, counts, kept))
        self._spool.add(counted(calls, counts, kept))
        self._one_now &= not probes_disagree(calls, counts)
        extras = dataset_extras(run_id, calls, decoded.groups, counts, kept)
        append(DATASET_EXTRAS.name, extras)
        self._violations.update(one.check for one in violations)
        self._examples += violations[: _EXAMPLES - len(self._examples)]
        return _verdicts(answers, set(counts.answer.tolist()), violations)


def _verdicts(
    answers: Sequence[LandedReply], with_counts: Container[int], violations: Sequence[Violation]
) -> dict[CallId, Verdict]:
    against: dict[int, list[Violation]] = {}
    for violation in violations:
        against.setdefault(violation.answer, []).append(violation)
    verdicts = {}
    for number, answer in enumerate(answers):
        state = State.OK if number in with_counts else State.EMPTY
        found = against.get(number)
        if found is None:
            verdicts[answer.call_id] = _PASSED[state]
            continue
        reasons = [f"{one.check}: {one.message}" for one in found if one.level is Level.QUARANTINE]
        text = "; ".join(reasons)[:_FAULT_TEXT] or None
        verdicts[answer.call_id] = Verdict(
            State.FAILED if reasons else state, text, tuple(one.check for one in found)
        )
    return verdicts


def _answers(reply: LandedReply, outcome_of: Mapping[CallId, Outcome]) -> bool:
    outcome = outcome_of[reply.call_id]
    return outcome.state in (State.OK, State.EMPTY) and outcome.answer_attempt == reply.attempt


_Stretch = tuple[list[Call], list[Outcome], Iterator[list[LandedReply]]]


def _stretches(landed: LandedRun) -> Iterator[_Stretch]:
    """The run in plan order, so many calls at a time, each with batches of its replies."""
    calls, outcomes = landed.calls(), landed.outcomes()
    replies = _Replies(landed.replies())
    while some := list(islice(calls, _LEDGER_CALLS)):
        theirs = list(islice(outcomes, len(some)))
        yield some, theirs, replies.of({call.call_id for call in some})


@dataclass(slots=True)
class _Replies:
    """The landed replies in plan order, taken a stretch of the plan at a time."""

    _rest: Iterator[LandedReply]
    _ahead: list[LandedReply] = field(default_factory=list)

    def of(self, call_ids: Container[CallId]) -> Iterator[list[LandedReply]]:
        """The replies of the next stretch of calls, in batches that are bounded in number and bytes."""
        batch: list[LandedReply] = []
        size = 0
        while reply := self._next():
            if reply.call_id not in call_ids:
                self._ahead.append(reply)
                break
            batch.append(reply)
            size += len(reply.body)
            if len(batch) == _BATCH_REPLIES or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _next(self) -> LandedReply | None:
        return self._ahead.pop() if self._ahead else next(self._rest, None)
