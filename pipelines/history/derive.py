"""The buckets of all published runs -> `traffic_history` in the lake: what new observations touch is made anew.

Which buckets the history was made of is in its manifest, so a night reads and writes what its runs touch, and a run
that was published again is noticed. The rows are those that `reconcile` makes of all buckets at once. A history with
files of an older version is made anew: it says the same, in all columns.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from pipelines.contract import TRAFFIC_BUCKETS, TRAFFIC_HISTORY
from pipelines.contract.casting import to_contract
from pipelines.errors import LakeVersionError, PublicationError, StorageError
from pipelines.history.observations import BUCKET_COLUMNS, SECOND_US, instants
from pipelines.history.reconcile import CUT, reconcile
from pipelines.history.rewriting import (
    LONGEST,
    STATES,
    NewRows,
    Rewriting,
    by_row,
    counting,
    midnight,
)
from pipelines.lake import DERIVED, Days, Lake, Manifest, Published, is_whole
from pipelines.read import OpenLake

__all__ = ["STATES", "derive"]

_LOG: Final = structlog.get_logger("history")

_SESSIONS: Final = 100  # at a time, or fewer where much was observed of each
_SESSION_DAYS: Final = 8_000
_NEAR: Final = timedelta(days=3)  # before what is touched, where a cut is looked for
_CONTEXT: Final = timedelta(days=2)  # before that, so that a cut is seen to be one
_DAY: Final = timedelta(days=1)
_UNTOLD: Final = "2999-12-31"  # the last day of a run, where it is not known
_HISTORY: Final = TRAFFIC_HISTORY.name
_BUCKETS: Final = TRAFFIC_BUCKETS.name


def derive(lake: Lake, *, thorough: bool = False) -> Manifest | None:
    """Bring the history to what is published; None where there are neither buckets nor a history.

    Only for who holds the storage root.

    Args:
        thorough: read all files of the history, to find those whose bytes are not what was published.

    Returns:
        The history's manifest. Its counts are spans by day and state, `2026-01-31 exact` for instance: a span counts
        once, not for each traffic and direction.

    Raises:
        LakeVersionError: a newer program wrote the history.
        PublicationError: the lake cannot be read or written; the history stays as it was.
    """
    lake.settle()
    published = lake.published()
    if published.derived_damage:
        _LOG.error("the history's manifest is made anew", said=published.derived_damage)
        with lake.derived_publication() as publication:
            publication.commit((), {}, {})
        published = lake.published()
    for said in published.damaged.values():
        _LOG.error("a run is not in the history", said=said)
    before = published.derived
    if before is not None:
        _check_version(before)
    told = before.sources if before is not None else {}
    sources = {
        run_id: _source(each, told.get(run_id)) for run_id, each in published.manifests.items()
    }
    if before is None and not any(_days(each) for each in published.manifests.values()):
        return None
    damaged = [] if before is None else lake.wrong_files().get(DERIVED, [])
    if before is not None and thorough:
        damaged = _damaged(lake, before)
    is_current = before is not None and not _is_older(before)
    if is_current and not damaged and not _changed(published, sources, told):
        return before
    reader = OpenLake(lake, but=[*damaged, *published.damaged])
    work = _Derivation(lake, reader, published, sources, damaged)
    try:
        return work.perform()
    except StorageError:
        raise
    except PublicationError as error:
        damaged = [] if before is None else _damaged(lake, before)
        if not damaged:
            raise
        _LOG.error(
            "the days of damaged files are made anew", said=str(error), files=", ".join(damaged)
        )
        reader = OpenLake(lake, but=[*damaged, *published.damaged])
        return replace(work, reader=reader, damaged=damaged).perform()


def _check_version(before: Manifest) -> None:
    """Refuse a history that this program would overwrite without knowing all of it."""
    known = TRAFFIC_HISTORY.version
    newest = max(
        (file.schema_version for file in before.files if file.table == _HISTORY), default=known
    )
    if newest > known:
        raise LakeVersionError(
            f"{_HISTORY} has version {newest} and this program knows version {known}: use the newer program"
        )


def _is_older(before: Manifest) -> bool:
    """Whether an earlier version of this program wrote any of the history."""
    return any(
        file.table == _HISTORY and file.schema_version < TRAFFIC_HISTORY.version
        for file in before.files
    )


def _changed(
    published: Published, sources: Mapping[str, Sequence[str]], told: Mapping[str, Sequence[str]]
) -> list[str]:
    """The runs that are new, published again or gone since the history was made."""
    return sorted(
        run_id
        for run_id in {*sources, *told}
        if run_id not in published.damaged and sources.get(run_id) != told.get(run_id)
    )


def _damaged(lake: Lake, before: Manifest) -> list[str]:
    """The history's files that are not what was published. Reads all of them."""
    return [file.path for file in before.files if not is_whole(lake.storage, file)]


@dataclass(frozen=True, slots=True)
class _Derivation:
    """A derivation under way.

    Attributes:
        reader: reads what is not damaged.
        sources: what the runs bring, by run; see `_source`.
        damaged: files of the history that cannot be read: their days are made anew.
    """

    lake: Lake
    reader: OpenLake
    published: Published
    sources: Mapping[str, tuple[str, ...]]
    damaged: Sequence[str]

    @property
    def before(self) -> Manifest | None:
        """The history as it is."""
        return self.published.derived

    @property
    def is_from_scratch(self) -> bool:
        """All days are made anew."""
        return self.before is None or _is_older(self.before)

    @property
    def told(self) -> Mapping[str, tuple[str, ...]]:
        """What the runs brought when the history was made as it is."""
        return self.before.sources if self.before else {}

    @property
    def without_buckets(self) -> list[str]:
        """The runs whose buckets are not there any more, or cannot be read."""
        pruned = [
            name for name, each in self.published.manifests.items() if _BUCKETS in each.pruned
        ]
        return sorted([*self.published.damaged, *pruned])

    def perform(self) -> Manifest:
        """Make anew what the runs touch that are new, published again or gone, and the days of damaged files."""
        with self.lake.derived_publication() as publication:
            renewed, every = NewRows(publication.scratch()), [pd.Series(dtype="int64")]
            for sessions, touched in self._touched():
                for rows, cuts in self._renewed(sessions, touched):
                    renewed.add(to_contract(rows, TRAFFIC_HISTORY))
                    every.append(cuts)
            rewriting = Rewriting(self.reader, self._old, renewed, pd.concat(every))
            counts = self._counts()
            written, replaced = rewriting.days()
            for name in [*counts]:
                if any(days.touches(Days.parse(name.split()[0])) for days in replaced):
                    del counts[name]
            for days in written:
                publication.write(_HISTORY, days, counting(rewriting.rows(days), counts))
            unread = {
                run_id: self.told[run_id]
                for run_id in self.published.damaged
                if run_id in self.told
            }
            whole = {
                run_id: tuple(words) for run_id, words in sorted({**unread, **self.sources}.items())
            }
            return publication.commit(
                None if self.before is None else replaced, dict(sorted(counts.items())), whole
            )

    def _touched(self) -> Iterator[tuple[list[str], date]]:
        """Some sessions at a time, with the first day that is made anew of them."""
        changed = _changed(self.published, self.sources, self.told)
        if self.is_from_scratch:
            yield from ((each, date.min) for each in self._some(self._sessions(None), None))
            return
        if self.damaged or any(run_id in self.told for run_id in changed):
            # runs that were published again or are gone may have touched any session
            days = [Days.of_file(path).first for path in self.damaged]
            days += [
                date.fromisoformat(words[1])
                for run_id in changed
                for words in (self.told.get(run_id), self.sources.get(run_id))
                if words and words[1]
            ]
            if days:
                yield from (
                    (each, min(days)) for each in self._some(self._sessions(min(days)), min(days))
                )
            return
        table = self.reader.table(_BUCKETS, runs=changed, columns=["session", "bucket_start"])
        first = table.group_by("session").aggregate([("bucket_start", "min")]).to_pandas()
        for day, sessions in first.groupby(first["bucket_start_min"].dt.date)["session"]:
            yield from ((each, day) for each in self._some(sorted(sessions), day))

    def _sessions(self, first: date | None) -> list[str]:
        """Those of which anything was observed, or is in the history, from a day on; None for all."""
        since = None if first is None else midnight(first)
        of_buckets = None if since is None else since - LONGEST
        names = [self.reader.table(_BUCKETS, since=of_buckets, columns=["session"])["session"]]
        if self.before is not None:
            names.append(self.reader.table(_HISTORY, since=since, columns=["session"])["session"])
        return sorted({str(each) for column in names for each in pc.unique(column).to_pylist()})

    def _renewed(
        self, sessions: list[str], touched: date
    ) -> Iterator[tuple[pd.DataFrame, pd.Series]]:
        """The rows that take the place of what is there, and for each session the instant from which on they do.

        They begin at a cut before the day that is touched, if the session has one in the days before; what lies before
        it stays as it is. Else all of the session is made anew.
        """
        near, cuts = sorted(self._known_before(sessions, touched)), pd.Series(dtype="int64")
        if near:
            history = self._history(near, touched - _NEAR - _CONTEXT)
            cuts = _cuts(history, touched)
            yield history[instants(history["span_start"]) >= by_row(history, cuts)], cuts
        for some in self._some(sorted(set(sessions) - set(cuts.index)), None):
            yield self._history(some, None), pd.Series(0, some)

    def _known_before(self, sessions: list[str], touched: date) -> set[str]:
        """Those that have known rows in the last days before the one that is touched."""
        if self.is_from_scratch:
            return set()
        found = self.reader.table(
            _HISTORY,
            since=midnight(touched - _NEAR),
            until=midnight(touched),
            sessions=sessions,
            where=pc.field("state") != "unseen",
            columns=["session"],
        )
        return {str(each) for each in pc.unique(found["session"]).to_pylist()}

    def _history(self, sessions: list[str], first: date | None) -> pd.DataFrame:
        """The history of sessions, by what was observed from a day on; None for all.

        What was made of buckets that are not there any more is an observation as it is.
        """
        since, of_buckets, of_rows = None, None, pc.field("state") != "unseen"
        if first is not None:
            since = midnight(first) - LONGEST
            begin = pa.scalar(midnight(first), pa.timestamp("us", "UTC"))
            of_buckets = pc.field("bucket_end") > begin
            of_rows &= pc.field("edge_end") > begin
        buckets = self.reader.table(
            _BUCKETS, sessions=sessions, since=since, where=of_buckets, columns=list(BUCKET_COLUMNS)
        )
        kept = None
        if (gone := self.without_buckets) and self.before is not None:
            # what lies between two observations is of the first one's run, and may rest on any other
            last = max(self.told.get(run_id, ("", "", _UNTOLD))[2] for run_id in gone) or str(
                date.min
            )
            is_between = (pc.field("state") == "bounded") & (
                pc.field("span_start") < midnight(date.fromisoformat(last) + _DAY)
            )
            changed = _changed(self.published, self.sources, self.told)
            is_between &= ~pc.field("run_id").isin(pa.array(changed, pa.string()))
            of_rows &= pc.field("run_id").isin(gone) | is_between
            kept = self.reader.frame(_HISTORY, sessions=sessions, since=since, where=of_rows)
        return reconcile(buckets.to_pandas(types_mapper=pd.ArrowDtype), kept)

    @property
    def _old(self) -> list[Days]:
        """The days of the history's files as they are."""
        files = self.before.files if self.before else ()
        return sorted({Days.of_file(file.path) for file in files})

    def _counts(self) -> dict[str, int]:
        """The spans by day and state; counted again where the manifest that told them was lost."""
        counts = dict(self.before.counts) if self.before else {}
        known = {Days.parse(name.split()[0]) for name in counts}
        there = Rewriting(self.reader, self._old, NewRows(Path()), pd.Series(dtype="int64"))
        for days in self._old:
            if not any(each.touches(days) for each in known):
                for _ in counting(there.rows(days), counts):
                    pass
        return counts

    def _some(self, sessions: list[str], first: date | None) -> Iterator[list[str]]:
        """Some sessions at a time, so that what was observed of them from a day on fits into memory."""
        days = [day for each in self.published.manifests.values() for day in _days(each)]
        if self.before is not None:
            days += [day for old in self._old for day in (old.first, old.last)]
        if not sessions or not days:
            return
        begin = min(days) if first is None else max(first - LONGEST, min(days))
        of_each = max(1, (max(days) - begin).days)
        step = max(1, min(_SESSIONS, _SESSION_DAYS // of_each))
        for number in range(0, len(sessions), step):
            yield sessions[number : number + step]


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
    is_before = instants(history["span_end"]) <= int(midnight(touched).timestamp()) * SECOND_US
    found = rows[history[CUT] & is_before].groupby(["session", "start"]).size()
    whole = found[found.to_numpy() == count[found.index.get_level_values(0)].to_numpy()]
    # not the first one: what was observed before it was not looked at
    starts = (
        whole.reset_index()[["session", "start"]].groupby("session")["start"].agg(["max", "count"])
    )
    return pd.Series(starts[starts["count"] > 1]["max"])


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
