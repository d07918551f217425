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
from pipelines.history.observations import BUCKET_COLUMNS, SECOND_US, Integers, instants
from pipelines.history.reconcile import CUT, reconcile
from pipelines.lake import DERIVED, Lake, Manifest
from pipelines.read import OpenLake

__all__ = ["STATES", "derive"]

_LOG: Final = structlog.get_logger("history")

STATES: Final = ("exact", "bounded", "unseen")
_SESSIONS: Final = 500  # at a time
_NEAR: Final = timedelta(days=3)  # before what is touched, where a cut is looked for
_CONTEXT: Final = timedelta(days=2)  # before that, so that a cut is seen to be one
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
    before = published.derived
    told = before.sources if before is not None else {}
    sources = {
        run_id: _source(each, told.get(run_id)) for run_id, each in published.manifests.items()
    }
    if before is None and not any(_days(each) for each in published.manifests.values()):
        return None
    is_whole = before is not None and DERIVED not in lake.wrong_files()
    known = told if is_whole else {}
    changed = [
        run_id
        for run_id in {*sources, *known}
        if run_id not in published.damaged and sources.get(run_id) != known.get(run_id)
    ]
    if before is not None and is_whole and not changed:
        return before
    is_pruned = any(_BUCKETS in each.pruned for each in published.manifests.values())
    work = _Derivation(lake, OpenLake(lake), sources, before if is_whole else None, is_pruned)
    if is_whole:
        try:
            unread = {run_id: known[run_id] for run_id in published.damaged if run_id in known}
            return work.perform(sorted(changed), {**unread, **sources})
        except PublicationError as error:
            _LOG.error("the history is made anew from all buckets", said=str(error))
    return replace(work, before=None).perform([], sources)


@dataclass(frozen=True, slots=True)
class _Derivation:
    """A derivation under way.

    Attributes:
        sources: what the runs bring, by run; see `_source`.
        before: the history's manifest, if what it names is there; without it all days are made anew.
        is_pruned: buckets of some runs left the lake: what was made of them stays.
    """

    lake: Lake
    reader: OpenLake
    sources: Mapping[str, Sequence[str]]
    before: Manifest | None
    is_pruned: bool

    def perform(self, changed: Sequence[str], sources: Mapping[str, Sequence[str]]) -> Manifest:
        """Make anew what the runs touch that are new, published again or gone."""
        new: dict[date, list[pa.Table]] = defaultdict(list)
        every = [pd.Series(dtype="int64")]
        for sessions, touched in self._touched(changed):
            renewed, cuts = self._renewed(sessions, touched)
            every.append(cuts)
            for day, some in _by_day(to_contract(renewed, TRAFFIC_HISTORY)):
                new[day].append(some)
        cuts = pd.concat(every)
        since = datetime.fromtimestamp(int(cuts.min()) // SECOND_US, UTC) if len(cuts) else None
        old = [each for each in self._old_days() if since is not None and each >= since.date()]
        days = sorted({*new, *old})
        counts = {} if self.before is None else dict(self.before.counts)
        with self.lake.derived_publication() as publication:
            for day in days:
                rows = pa.concat_tables([*new.pop(day, []), self._kept(day, cuts)])
                counts = {name: n for name, n in counts.items() if not name.startswith(str(day))}
                if rows.num_rows:
                    rows = rows.sort_by(_SORT)
                    publication.write(_HISTORY, day, rows)
                    counts |= _counted(day, rows)
            whole = {run_id: tuple(words) for run_id, words in sorted(sources.items())}
            replaced = None if self.before is None else days
            return publication.commit(replaced, dict(sorted(counts.items())), whole)

    def _touched(self, changed: Sequence[str]) -> Iterator[tuple[list[str], date]]:
        """Some sessions at a time, with the first day that the runs touch of them."""
        known = self.before.sources if self.before else {}
        if self.before is None or any(run_id in known for run_id in changed):
            # runs that were published again or are gone may have touched any session
            days = [
                date.fromisoformat(words[1])
                for run_id in changed
                for words in (known.get(run_id), self.sources.get(run_id))
                if words and words[1]
            ]
            day = date.min if self.before is None else min(days, default=date.min)
            yield from ((each, day) for each in _some(self._sessions()))
            return
        table = self.reader.table(_BUCKETS, runs=changed, columns=["session", "bucket_start"])
        first = table.group_by("session").aggregate([("bucket_start", "min")]).to_pandas()
        for day, sessions in first.groupby(first["bucket_start_min"].dt.date)["session"]:
            yield from ((each, day) for each in _some(sorted(sessions)))

    def _sessions(self) -> list[str]:
        names = [self.reader.table(_BUCKETS, columns=["session"])["session"]]
        if self.before is not None:
            names.append(self.reader.table(_HISTORY, columns=["session"])["session"])
        return sorted({str(each) for column in names for each in pc.unique(column).to_pylist()})

    def _renewed(self, sessions: list[str], touched: date) -> tuple[pd.DataFrame, pd.Series]:
        """The rows that take the place of what is there, and for each session the instant from which on they do.

        They begin at a cut before the day that is touched, if the session has one in the days before; what lies before
        it stays as it is. Else all of the session is made anew.
        """
        near, cuts = sorted(self._known_before(sessions, touched)), pd.Series(dtype="int64")
        parts = []
        if near:
            history = self._history(near, touched - _NEAR - _CONTEXT)
            cuts = _cuts(history, touched)
            parts.append(history[instants(history["span_start"]) >= _by_row(history, cuts)])
        rest = sorted(set(sessions) - set(cuts.index))
        if rest:
            history = self._history(rest, None)
            parts.append(history)
            starts = pd.Series(instants(history["span_start"]))
            first = starts.groupby(history["session"].astype("object").to_numpy()).min()
            cuts = pd.concat([cuts, first if self.is_pruned else pd.Series(0, rest)])
        return pd.concat(parts), cuts

    def _known_before(self, sessions: list[str], touched: date) -> set[str]:
        """Those that have known rows in the last days before the one that is touched."""
        if self.before is None:
            return set()
        found = self.reader.table(
            _HISTORY,
            since=_midnight(touched - _NEAR),
            until=_midnight(touched),
            sessions=sessions,
            where=pc.field("state") != "unseen",
            columns=["session"],
        )
        return {str(each) for each in pc.unique(found["session"]).to_pylist()}

    def _history(self, sessions: list[str], first: date | None) -> pd.DataFrame:
        """The history of sessions, by what was observed from a day on; None for all."""
        since, where = None, None
        if first is not None:
            since = _midnight(first) - _LONGEST
            where = pc.field("bucket_end") > pa.scalar(_midnight(first), pa.timestamp("us", "UTC"))
        buckets = self.reader.table(
            _BUCKETS, sessions=sessions, since=since, where=where, columns=list(BUCKET_COLUMNS)
        )
        return reconcile(buckets.to_pandas(types_mapper=pd.ArrowDtype))

    def _old_days(self) -> list[date]:
        names = self.before.counts if self.before else ()
        return sorted({date.fromisoformat(name.split()[0]) for name in names})

    def _kept(self, day: date, cuts: pd.Series) -> pa.Table:
        """The rows of a day that stay: of sessions that are not made anew, or from before they are."""
        if self.before is None:
            return arrow_schema(TRAFFIC_HISTORY).empty_table()
        columns = [column.name for column in TRAFFIC_HISTORY.columns]
        start = _midnight(day)
        rows = self.reader.frame(_HISTORY, since=start, until=start + _DAY, columns=columns)
        stays = instants(rows["span_start"]) < _by_row(rows, cuts)
        return to_contract(rows[stays], TRAFFIC_HISTORY)


def _by_row(rows: pd.DataFrame, cuts: pd.Series) -> Integers:
    """The cut of each row's session, microseconds since 1970; later than anything where it has none."""
    found = rows["session"].astype("object").map(cuts).fillna(np.iinfo(np.int64).max // 2)
    return found.to_numpy(np.int64)


def _cuts(history: pd.DataFrame, touched: date) -> pd.Series:
    """By session, the last instant before a day at which all its series have a cut; microseconds since 1970."""
    rows = pd.DataFrame(
        {
            "session": history["session"].astype("object"),
            "series": history["traffic"].astype("object") + history["direction"].astype("object"),
            "start": instants(history["span_start"]),
        }
    )
    count = rows.groupby("session")["series"].nunique()
    is_before = instants(history["span_end"]) <= int(_midnight(touched).timestamp()) * SECOND_US
    found = rows[history[CUT] & is_before].groupby(["session", "start"]).size()
    whole = found[found.to_numpy() == count[found.index.get_level_values(0)].to_numpy()]
    # not the first one: what was observed before it was not looked at
    starts = (
        whole.reset_index()[["session", "start"]].groupby("session")["start"].agg(["max", "count"])
    )
    return pd.Series(starts[starts["count"] > 1]["max"])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def _source(manifest: Manifest, before: tuple[str, ...] | None) -> tuple[str, ...]:
    """What a run brings to the history: a digest of its buckets, and the first and last day of these.

    Args:
        before: what it brought when the history was made; pruning changes nothing of it.
    """
    days = _days(manifest)
    lines = "\n".join(manifest.identity(_BUCKETS))
    digest = hashlib.sha256(lines.encode()).hexdigest()[:32]
    if before is not None and before[0] == digest:
        return before
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
