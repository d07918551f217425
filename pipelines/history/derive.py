"""The buckets of all published runs -> `traffic_history` in the lake: what new observations touch is made anew.

Which buckets the history was made of is in its manifest, so a night reads and writes what its runs touch, and a run
that was published again is noticed. The rows are those that `reconcile` makes of all buckets at once.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from pipelines.contract import TRAFFIC_BUCKETS, TRAFFIC_HISTORY, arrow_schema
from pipelines.contract.casting import to_contract
from pipelines.errors import PublicationError
from pipelines.history.observations import BUCKET_COLUMNS
from pipelines.history.reconcile import reconcile
from pipelines.lake import DERIVED, Lake, Manifest, Published
from pipelines.read import OpenLake

__all__ = ["STATES", "derive"]

_LOG: Final = structlog.get_logger("history")

STATES: Final = ("exact", "bounded", "unseen")
_SESSIONS: Final = 500  # at a time
_CONTEXT: Final = timedelta(
    days=2
)  # before what is touched, so that what is made anew fits what stays
_LONGEST: Final = timedelta(days=24)  # no window, so no bucket, is longer
_DAY: Final = timedelta(days=1)
_SORT: Final = [(name, "ascending") for name in ("session", "span_start", "traffic", "direction")]
_HISTORY: Final = TRAFFIC_HISTORY.name
_BUCKETS: Final = TRAFFIC_BUCKETS.name


def derive(lake: Lake) -> Manifest | None:
    """Bring the history to what is published; None where there are neither buckets nor a history.

    Only for who holds the storage root.

    Returns:
        The history's manifest. Its counts are spans by day and state, `2026-01-31 exact` for instance: a span counts
        once, not for each traffic and direction.

    Raises:
        PublicationError: the lake cannot be read or written; the history stays as it was.
    """
    published = lake.published()
    for said in published.damaged.values():
        _LOG.error("a run is not in the history", said=said)
    sources = {run_id: _source(each) for run_id, each in published.manifests.items()}
    before = published.derived
    if before is None and not any(_days(each) for each in published.manifests.values()):
        return None
    is_whole = before is not None and DERIVED not in lake.wrong_files()
    known: Mapping[str, Sequence[str]] = before.sources if before is not None and is_whole else {}
    changed = [
        run_id
        for run_id in {*sources, *known}
        if run_id not in published.damaged and sources.get(run_id) != known.get(run_id)
    ]
    if before is not None and is_whole and not changed:
        return before
    work = _Derivation(lake, OpenLake(lake), published, before if is_whole else None)
    if is_whole:
        try:
            return work.perform(sorted(changed), {**known, **sources})
        except PublicationError as error:
            _LOG.error("the history is made anew from all buckets", said=str(error))
    return replace(work, before=None).perform([], sources)


@dataclass(frozen=True, slots=True)
class _Derivation:
    """A derivation under way.

    Attributes:
        before: the history's manifest, if what it names is there; without it all days are made anew.
    """

    lake: Lake
    reader: OpenLake
    published: Published
    before: Manifest | None

    def perform(self, changed: Sequence[str], sources: Mapping[str, Sequence[str]]) -> Manifest:
        """Make anew what the runs touch that are new, published again or gone."""
        since = self._since(changed)
        new: dict[date, list[pa.Table]] = defaultdict(list)
        is_replaced: dict[str, date] = {}
        for sessions, first in self._touched(changed, since):
            for day, rows in _by_day(self._history(sessions, first)):
                if first is None or day >= first:
                    new[day].append(rows)
            is_replaced |= dict.fromkeys(sessions, first or date.min)
        old_days = {each for each in self._old_days() if since is None or each >= since}
        days = sorted({*new, *old_days})
        counts = {} if self.before is None else dict(self.before.counts)
        with self.lake.derived_publication() as publication:
            for day in days:
                rows = pa.concat_tables([*new.pop(day, []), self._kept(day, is_replaced)])
                counts = {name: n for name, n in counts.items() if not name.startswith(str(day))}
                if rows.num_rows:
                    rows = rows.sort_by(_SORT)
                    publication.write(_HISTORY, day, rows)
                    counts |= _counted(day, rows)
            whole = {run_id: tuple(words) for run_id, words in sorted(sources.items())}
            replaced = None if self.before is None else days
            return publication.commit(replaced, dict(sorted(counts.items())), whole)

    def _since(self, changed: Sequence[str]) -> date | None:
        """The first day that the runs touch, and one before it; None for all days."""
        if self.before is None:
            return None
        firsts = [
            date.fromisoformat(words[1])
            for run_id in changed
            for words in (self.before.sources.get(run_id), self._words(run_id))
            if words and words[1]
        ]
        return min(firsts, default=date.max - _DAY) - _DAY

    def _words(self, run_id: str) -> Sequence[str] | None:
        manifest = self.published.manifests.get(run_id)
        return None if manifest is None else _source(manifest)

    def _touched(
        self, changed: Sequence[str], since: date | None
    ) -> Iterator[tuple[list[str], date | None]]:
        """Some sessions at a time, with the first day that is made anew of them; None for all days."""
        if since is None:
            yield from ((each, None) for each in _some(self._sessions(None)))
            return
        # runs that were published again or are gone may have touched any session
        is_new = all(self.before is None or run_id not in self.before.sources for run_id in changed)
        if not is_new:
            yield from ((each, since) for each in _some(self._sessions(None)))
            return
        table = self.reader.table(_BUCKETS, runs=changed, columns=["session", "bucket_start"])
        first = table.group_by("session").aggregate([("bucket_start", "min")]).to_pandas()
        firsts = first["bucket_start_min"].dt.date
        for day, sessions in first.groupby(firsts, sort=True)["session"]:
            yield from ((each, day - _DAY) for each in _some(sorted(sessions)))

    def _sessions(self, runs: Sequence[str] | None) -> list[str]:
        table = self.reader.table(_BUCKETS, runs=runs, columns=["session"])
        return sorted(str(each) for each in pc.unique(table["session"]).to_pylist())

    def _history(self, sessions: list[str], first: date | None) -> pa.Table:
        """The history of sessions, from some days before `first` on."""
        since, where = None, None
        if first is not None:
            from_ = datetime.combine(first - _CONTEXT, datetime.min.time(), UTC)
            since = from_ - _LONGEST
            where = pc.field("bucket_end") > pa.scalar(from_, pa.timestamp("us", "UTC"))
        buckets = self.reader.table(
            _BUCKETS,
            sessions=sessions,
            since=since,
            where=where,
            columns=list(BUCKET_COLUMNS),
        )
        frame = buckets.to_pandas(types_mapper=pd.ArrowDtype)
        return to_contract(reconcile(frame), TRAFFIC_HISTORY)

    def _old_days(self) -> list[date]:
        names = self.before.counts if self.before else ()
        return sorted({date.fromisoformat(name.split()[0]) for name in names})

    def _kept(self, day: date, replaced: Mapping[str, date]) -> pa.Table:
        """The rows of a day that stay: of sessions that are not made anew, or not of this day."""
        if self.before is None:
            return arrow_schema(TRAFFIC_HISTORY).empty_table()
        columns = [column.name for column in TRAFFIC_HISTORY.columns]
        start = datetime.combine(day, datetime.min.time(), UTC)
        rows = self.reader.table(_HISTORY, since=start, until=start + _DAY, columns=columns)
        gone = [session for session, first in replaced.items() if first <= day]
        rows = rows.filter(~pc.field("session").isin(pa.array(gone, pa.string())))
        return to_contract(rows.to_pandas(types_mapper=pd.ArrowDtype), TRAFFIC_HISTORY)


def _source(manifest: Manifest) -> tuple[str, ...]:
    """What a run brings to the history: a digest of its buckets, and the first and last day of these."""
    days = _days(manifest)
    lines = "\n".join(manifest.identity(_BUCKETS))
    digest = hashlib.sha256(lines.encode()).hexdigest()[:32]
    if not days:
        return digest, "", ""
    return digest, str(min(days)), str(max(days))


def _days(manifest: Manifest) -> list[date]:
    return [file.day for file in manifest.files if file.table == _BUCKETS and file.rows]


def _some(sessions: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(sessions), _SESSIONS):
        yield sessions[first : first + _SESSIONS]


def _by_day(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    days = pc.cast(rows["span_start"], pa.date32())
    for day in np.unique(days.to_numpy()).tolist():
        yield day, rows.filter(pc.equal(days, pa.scalar(day, pa.date32())))


def _counted(day: date, rows: pa.Table) -> dict[str, int]:
    """How many spans of a day are in which state; one is unseen only if no traffic and direction of it is known."""
    is_first = Counter[str]()
    frame = rows.select(["session", "span_start", "state"]).to_pandas()
    best = frame["state"].map({name: number for number, name in enumerate(STATES)})
    for state, count in (
        best.groupby([frame["session"], frame["span_start"]]).min().value_counts().items()
    ):
        is_first[STATES[int(str(state))]] = int(count)
    return {f"{day} {name}": is_first[name] for name in STATES if is_first[name]}
