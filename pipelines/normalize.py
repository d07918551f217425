"""One landed run -> the published tables. No network; memory depends on the batch, not on the run.

The same landed run, checks and program make the same bytes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress, islice
from typing import Final

import numpy as np
import pyarrow as pa

from collector.domain.outcomes import FaultClass, State
from collector.domain.whoami import WhoAmI
from collector.landing import CallColumns, LandedRun, ReplyColumns
from pipelines.contract import CALLS, DATASET_EXTRAS, INSTANT_STATS, RAW, SESSIONS, TRAFFIC_BUCKETS
from pipelines.decode import decode
from pipelines.lake import DEFAULT_SIZES, Lake, Manifest, Publication, Sizes
from pipelines.landed import AttemptResult, Ledger, answer_rows, raw_rows, session_rows
from pipelines.quality import READABLE, Batch, Level, Violation, judge, levels_of, violations_of
from pipelines.spool import Spool
from pipelines.tidy import (
    AnswerGroup,
    Counts,
    counted,
    counts_of,
    dataset_extras,
    instant_stats,
    probes_disagree,
    traffic_buckets,
)
from pipelines.tidy.answers import Flags

__all__ = ["Normalized", "normalize"]

_LEDGER_CALLS: Final = 4096
_EXAMPLES: Final = 20
_FAULT_TEXT: Final = 500  # characters, as in the landing store
_LOST: Final = AttemptResult(
    State.FAILED,
    "the landing store does not hold the answer",
    (READABLE,),
    FaultClass.DAMAGED,
)


@dataclass(frozen=True, slots=True)
class Normalized:
    """What a run came to once its answers were read and checked; planned = the sum of the four states.

    Attributes:
        attempts: requests of reports sent.
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
        for calls in landed.call_columns(_LEDGER_CALLS):
            work.take(calls, landed.reply_columns(calls))
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
        self._sessions = _session_rows(run_id, landed.whoami())
        publication.append(SESSIONS.name, self._sessions)
        self._states: Counter[str] = Counter({state.value: 0 for state in State})
        self._attempts = self._quarantined = 0
        self._violations: Counter[str] = Counter()
        self._examples: list[Violation] = []

    def take(self, calls: CallColumns, batches: Iterable[ReplyColumns]) -> None:
        """Publish a stretch of the plan: its replies first, then its part of the ledger."""
        ledger = Ledger(calls)
        for replies in batches:
            self._take_replies(replies, ledger)
        for place in ledger.lost():
            ledger.judge(place, _LOST)
        self._publication.append(CALLS.name, ledger.rows(self._run_id))
        self._states.update(ledger.states)
        self._attempts += sum(calls.attempts)

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

    def _take_replies(self, replies: ReplyColumns, ledger: Ledger) -> None:
        places = ledger.places(replies)
        chosen = ledger.are_answers(replies, places)
        raw = raw_rows(self._run_id, replies, chosen)
        self._publication.append(RAW.name, raw)
        bodies, headers = replies.body, replies.headers
        if not chosen.all():
            raw, places = raw.filter(pa.array(chosen)), places[chosen]
            bodies, headers = list(compress(bodies, chosen)), list(compress(headers, chosen))
        calls = answer_rows(raw, ledger.observed_at.take(places), self._sessions)
        decoded = decode(bodies, headers)
        counts = counts_of(decoded.groups)
        violations = [
            *violations_of(READABLE, Level.QUARANTINE, decoded.unreadable, calls),
            *judge(Batch(calls, decoded.groups, counts), self._levels),
        ]
        self._append(calls, decoded.groups, counts, violations)
        self._violations.update(one.check for one in violations)
        self._examples += violations[: _EXAMPLES - len(self._examples)]
        with_counts = np.zeros(len(places), np.bool_)
        with_counts[counts.answer] = True
        ledger.passed(places, with_counts)
        for number, verdict in _verdicts(with_counts, violations):
            ledger.judge(int(places[number]), verdict)
            self._quarantined += verdict.state is State.FAILED

    def _append(
        self,
        calls: pa.Table,
        groups: Sequence[AnswerGroup],
        counts: Counts,
        violations: Sequence[Violation],
    ) -> None:
        """The rows of the answers, but for the counts of those that are out."""
        out = [one.answer for one in violations if one.level is Level.QUARANTINE]
        kept = ~np.isin(counts.answer, out)
        run_id, append = self._run_id, self._publication.append
        append(INSTANT_STATS.name, instant_stats(run_id, calls, counts, kept))
        self._spool.add(counted(calls, counts, kept))
        self._one_now &= not probes_disagree(calls, counts)
        append(DATASET_EXTRAS.name, dataset_extras(run_id, calls, groups, counts, kept))


def _session_rows(run_id: str, whoami: Iterator[WhoAmI]) -> pa.Table:
    """All rows of `sessions`, which are small; the values that they are made of are not."""
    parts = [session_rows(run_id, [])]
    while some := list(islice(whoami, _LEDGER_CALLS)):
        parts.append(session_rows(run_id, some))
    return pa.concat_tables(parts).combine_chunks()


def _verdicts(
    with_counts: Flags, violations: Sequence[Violation]
) -> Iterator[tuple[int, AttemptResult]]:
    """What becomes of each answer that did not pass everything."""
    against: dict[int, list[Violation]] = {}
    for violation in violations:
        against.setdefault(violation.answer, []).append(violation)
    for number, found in against.items():
        state = State.OK if with_counts[number] else State.EMPTY
        reasons = [f"{one.check}: {one.message}" for one in found if one.level is Level.QUARANTINE]
        text = "; ".join(reasons)[:_FAULT_TEXT] or None
        checks = tuple(one.check for one in found)
        yield number, AttemptResult(State.FAILED if reasons else state, text, checks)
