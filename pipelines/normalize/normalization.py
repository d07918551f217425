"""One landed run -> the published tables. No network; memory depends on the batch, not on the run.

The same landed run, checks and program make the same bytes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress
from typing import Final

import pandas as pd

from collector.domain.outcomes import FaultClass, State
from collector.landing import CallColumns, LandedRun, ReplyColumns
from pipelines.contract import CALLS, RAW, SESSIONS, TABLES, TRAFFIC_BUCKETS
from pipelines.contract.casting import to_contract
from pipelines.contract.scopes import NETWORK, scope_of
from pipelines.lake import DEFAULT_SIZES, Lake, Manifest, Publication, Sizes
from pipelines.normalize.answers import answers_of
from pipelines.normalize.batch import TABLES_OF_ANSWERS, AnswerBatch
from pipelines.normalize.buckets import counted_of, probes_disagree, traffic_buckets
from pipelines.normalize.checks import Level, frames_of, levels_of, violations_of
from pipelines.normalize.counts import Counts, counts_of
from pipelines.normalize.decode import Decoded, decode
from pipelines.normalize.ledger import (
    calls_of,
    known_of,
    raw_of,
    results_of,
    sessions_of,
    with_quality,
    with_results,
)
from pipelines.normalize.networks import compared, exact_of, networks_of
from pipelines.normalize.pairs import pairs_of
from pipelines.normalize.spool import Spool

__all__ = ["Normalized", "normalize"]

_CALLS: Final = 4096  # of the plan, at a time
_LIMITS: Final = {"clock_seconds": 300.0, "empty_share": 0.5}


@dataclass(frozen=True, slots=True)
class Normalized:
    """What a run came to once its answers were read and checked; planned = the sum of the four states.

    Attributes:
        attempts: requests of reports sent.
        quarantined: calls among the failed whose answer was there, but did not pass.
        violations: answers per check that they did not pass.
        networks: by label that asks for a whole network, what it seems to be beside its mailboxes.
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
    networks: Mapping[str, str]

    @property
    def rows(self) -> int:
        """Rows of `instant_stats` that were published."""
        return self.manifest.rows("instant_stats")

    @property
    def files(self) -> int:
        """Parquet files that were published."""
        return len(self.manifest.files)


def normalize(
    landed: LandedRun,
    lake: Lake,
    checks: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None,
    sizes: Sizes = DEFAULT_SIZES,
) -> Normalized:
    """Read, check and publish everything that a run landed.

    Args:
        checks: check -> `off`, `warn` or `quarantine`, where it is not the default.
        limits: the numbers that checks need, where they are not the defaults.

    Raises:
        ValueError: an unknown check or level.
        LandingError: the landing store cannot be read.
        TableSchemaError: rows do not fit their table.
        PublicationError: the lake cannot be written; what was published stays as it was.
    """
    levels = levels_of(checks or {})
    info, summary = landed.info, landed.summary()
    answered = summary.ok + summary.empty
    day = datetime.fromtimestamp(info.started_at_us // 1_000_000, UTC).date()
    with (
        Spool(landed.path.parent) as spool,
        lake.publication(info.run_id, day, sizes) as publication,
    ):
        work = _Normalization(
            info.run_id, publication, levels, {**_LIMITS, **(limits or {})}, spool
        )
        work.empty_share = summary.empty / answered if answered else 0.0
        named = landed.named()
        sessions = sessions_of(landed.whoami(), named)
        work.publish(SESSIONS.name, sessions)
        work.known = known_of(sessions, named)
        for calls in landed.call_columns(_CALLS):
            work.take(calls, landed.reply_columns(calls))
        return work.finish(landed.logins)


@dataclass(slots=True)
class _Normalization:
    """A normalization under way.

    Attributes:
        known: what is known of the sessions, by label.
        empty_share: of the run's answers, how many have no rows.
        asked: `session, call_id` of a call of each session, by stretch of the plan.
        held: rows of the ledger that wait for the end of the run: of calls that ask for a whole network.
    """

    run_id: str
    publication: Publication
    levels: Mapping[str, Level]
    limits: Mapping[str, float]
    spool: Spool
    known: pd.DataFrame = field(default_factory=pd.DataFrame)
    empty_share: float = 0.0
    one_now: bool = True
    attempts: int = 0
    states: Counter[str] = field(default_factory=lambda: Counter({each.value: 0 for each in State}))
    faults: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    asked: list[pd.DataFrame] = field(default_factory=list)
    held: list[pd.DataFrame] = field(default_factory=list)

    def publish(self, table: str, rows: pd.DataFrame) -> None:
        """Add rows, which lack the run alone, to a table."""
        whole = rows.assign(run_id=self.run_id)
        self.publication.append(table, to_contract(whole, TABLES[table]))

    def take(self, columns: CallColumns, batches: Iterable[ReplyColumns]) -> None:
        """Publish a stretch of the plan: its replies first, then its part of the ledger."""
        calls = calls_of(columns)
        results = [self._take_replies(replies, calls) for replies in batches]
        settled = with_results(calls, results)
        is_of_network = scope_of(settled["call_id"]) == NETWORK
        self.publish(CALLS.name, settled[~is_of_network])
        self.held.append(settled[is_of_network])
        self.asked.append(settled[["session", "call_id"]].drop_duplicates("session"))
        self.states.update(settled["state"].dropna().tolist())
        self.faults.update(settled["fault_class"].dropna().tolist())
        self.attempts += int(settled["attempts"].sum())

    def _take_replies(self, replies: ReplyColumns, calls: pd.DataFrame) -> pd.DataFrame:
        """Publish replies and what their answers say; what became of the calls, by ordinal."""
        raw = raw_of(replies, calls)
        self.publish(RAW.name, raw)
        is_answer = raw["is_answer"]
        answers = answers_of(raw[is_answer], calls, self.known)
        decoded = decode(
            list(compress(replies.body, is_answer)), list(compress(replies.headers, is_answer))
        )
        counts = counts_of(decoded.groups)
        pairs = pairs_of(answers, counts)
        violations = self._violations(answers, decoded, counts, pairs)
        out = violations.index[violations["level"] == Level.QUARANTINE]
        batch = AnswerBatch(
            answers, decoded.groups, counts.without(out), pairs[~pairs.index.isin(out)]
        )
        for table, rows_of in TABLES_OF_ANSWERS.items():
            self.publish(table, rows_of(batch))
        counted = counted_of(answers, batch.counts)
        self.spool.add(counted)
        self.one_now &= not probes_disagree(counted)
        results = results_of(answers, counts.wide.index, violations)
        return results.set_index(raw.index[is_answer])

    def _violations(
        self, answers: pd.DataFrame, decoded: Decoded, counts: Counts, pairs: pd.DataFrame
    ) -> pd.DataFrame:
        """What of a batch does not pass the checks: `check, level, message`, by answer."""
        frames = frames_of(answers, decoded.groups, counts, pairs, self.empty_share)
        found = violations_of(frames, decoded.unreadable, self.levels, self.limits)
        self.violations.update(found["check"].tolist())
        return found

    def _publish_held(self, networks: pd.DataFrame | None) -> None:
        """The rest of the ledger.

        Args:
            networks: what is compared of the run, as `networks.compared` gives it.
        """
        frames = {} if networks is None else {"networks": networks}
        found = violations_of(frames, {}, self.levels, self.limits)
        for calls in self.held:
            told = with_quality(calls, found)
            self.publish(CALLS.name, told)
            answers = told[told["state"] == State.OK.value]["session"].value_counts()
            for label, check in found["check"].items():
                self.violations[check] += int(answers.get(label, 0))

    def finish(self, logins: int) -> Normalized:
        """Commit the publication."""
        # only now is it known whether any answer of the run shows that its halves do not share one now
        networks = None
        if any(map(len, self.held)):
            networks = networks_of(pd.concat(self.asked), self.known)
        exact = []
        for counted in self.spool.sessions():
            buckets = traffic_buckets(counted, one_now=self.one_now)
            self.publish(TRAFFIC_BUCKETS.name, buckets)
            if networks is not None and len(buckets):
                exact.append(exact_of(buckets, networks))
        found = None if networks is None or not exact else compared(exact, networks)
        self._publish_held(found)
        counts = {"planned": self.states.total(), **self.states, "attempts": self.attempts}
        manifest = self.publication.commit({**counts, "logins": logins})
        return Normalized(
            manifest=manifest,
            quarantined=self.faults[FaultClass.QUARANTINED.value],
            violations=dict(self.violations),
            networks={}
            if found is None
            else dict(zip(map(str, found.index), found["said"], strict=True)),
            **counts,
        )
