"""The state of a storage root: its runs, by the lake and the landing stores; who is at work; what the history lacks."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from collector.config import Settings
from collector.domain.clock import now_us
from collector.errors import LandingError
from collector.landing import LandedRun, damaged_stores, landed_runs
from collector.runs.run import is_resumable
from pipelines.errors import PublicationError
from pipelines.job.lock import Holder, held_by
from pipelines.job.planning import Plan, plan_now
from pipelines.job.publishing import lake_of

if TYPE_CHECKING:
    from pipelines.history import Coverage
    from pipelines.lake import Manifest

__all__ = ["AtWork", "History", "Run", "Standing", "standing_of"]

_UNFINISHED: Final = {
    True: "unfinished, to be resumed by run",
    False: "unfinished, too old to be resumed",
}
_STAMP: Final = "%Y%m%dT%H%M%SZ"  # a run id begins with it
_COLLECTING: Final = ("run", "collect")


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as its ledger has it: the published one knows which answers were quarantined.

    Attributes:
        started_at: by the client's clock; None where neither the landing store nor the run id tells.
        finished_at: None for a run that is not finished, or whose landing store is gone.
        wrong_files: published ones that are not what was published.
        pruned: its tables that left the lake.
        standing: the same in words.
        counts: the sums of its ledger; empty where they cannot be read.
    """

    run_id: str
    started_at: datetime | None
    finished_at: datetime | None
    finished: bool
    published: bool
    wrong_files: tuple[str, ...]
    pruned: tuple[str, ...]
    standing: str
    counts: Mapping[str, int]

    @property
    def is_success(self) -> bool:
        """Whether it ended, and something was answered or nothing asked: a night of which there is something."""
        answered = self.counts.get("ok", 0) + self.counts.get("empty", 0)
        return (
            self.finished and self.published and (answered > 0 or self.counts.get("planned") == 0)
        )

    @property
    def lacks(self) -> int:
        """Calls that brought nothing."""
        return self.counts.get("failed", 0) + self.counts.get("not_attempted", 0)


@dataclass(frozen=True, slots=True)
class AtWork:
    """Who holds the storage root, and how far its calls are.

    Attributes:
        run_id: None for a command that makes no calls, or before its first one.
    """

    holder: Holder
    run_id: str | None = None
    done: int = 0
    planned: int = 0

    def __str__(self) -> str:
        calls = f"; {self.done} of {self.planned} calls done" if self.run_id else ""
        return f"at work: {self.holder}{calls}"


@dataclass(frozen=True, slots=True)
class History:
    """How the history stands, and what the next run asks for.

    Attributes:
        new: spans that no earlier run could ask for.
        missed: spans that earlier runs could have asked for.
        missed_sessions: of how many sessions.
        missed_since: where the oldest of them begins.
        expires_at: until when the service can answer for that one; None if nothing is missed.
    """

    coverage: "Coverage"
    new: int
    missed: int
    missed_sessions: int
    missed_since: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a storage root stands now.

    Attributes:
        runs: the oldest first.
        damaged: landing stores that were set aside.
        history: None for trailing windows, or if it cannot be read.
        unread: why it cannot be.
    """

    now: datetime
    runs: tuple[Run, ...]
    at_work: AtWork | None
    damaged: tuple[Path, ...] = ()
    history: History | None = None
    unread: str | None = None

    @property
    def last_success(self) -> Run | None:
        """The newest run of which there is something."""
        return next((run for run in reversed(self.runs) if run.is_success), None)

    @property
    def age_seconds(self) -> int | None:
        """How long ago that was."""
        last = self.last_success
        ended = (last.finished_at or last.started_at) if last else None
        return int((self.now - ended).total_seconds()) if ended else None

    def problems(self) -> list[str]:
        """What is not complete, each with what to do."""
        said = []
        for run in self.runs:
            if run.wrong_files:
                said.append(
                    f"{len(run.wrong_files)} files of run {run.run_id} are not what was published: see above"
                )
            if run.finished and not run.published:
                said.append(f"run {run.run_id} is not published: `ecgrid-stats normalize`")
            is_at_work = self.at_work is not None and self.at_work.run_id == run.run_id
            if not (run.finished or run.published or is_at_work):
                said.append(f"run {run.run_id} is {run.standing}: `ecgrid-stats run`")
        said += [
            f"{path} is damaged and set aside; put a good copy back or remove it"
            for path in self.damaged
        ]
        if self.unread:
            said.append(f"the history cannot be read: {self.unread}")
        if self.history is not None and self.history.missed:
            said.append(
                f"{self.history.missed} spans of {self.history.missed_sessions} sessions were missed;"
                f" `ecgrid-stats run` asks for them, the oldest until {_time(self.history.expires_at)}"
            )
        if self.history is None and self.runs and self.runs[-1].lacks:
            last = self.runs[-1]
            said.append(
                f"{last.lacks} of {last.counts['planned']} calls of run {last.run_id} brought nothing;"
                " `ecgrid-stats report` says why"
            )
        return said


def standing_of(settings: Settings) -> Standing:
    """How the storage root of a configuration stands. Changes nothing and sends nothing.

    Raises:
        PublicationError: the lake cannot be read.
        LakeVersionError: another version wrote it.
    """
    lake = lake_of(settings)
    lake.check_version()
    holder = held_by(settings.storage.root)
    wrong, published = lake.wrong_files(), lake.published()
    folder = settings.storage.root / "landing"
    landed = {path.stem: path for path in landed_runs(folder)}
    runs = [
        _landed_run(
            settings,
            path,
            published.manifests.get(run_id),
            is_published=run_id in published.runs,
            wrong=wrong.get(run_id, ()),
        )
        for run_id, path in landed.items()
    ]
    runs += [
        _published_run(run_id, published.manifests.get(run_id), wrong.get(run_id, ()))
        for run_id in published.runs
        if run_id not in landed
    ]
    runs.sort(key=lambda run: run.run_id)
    at_work = _at_work(holder, runs) if holder else None
    if at_work is not None:
        runs = [
            replace(run, standing="at work") if run.run_id == at_work.run_id else run
            for run in runs
        ]
    standing = Standing(
        datetime.fromtimestamp(now_us() / 1_000_000, UTC),
        tuple(runs),
        at_work,
        tuple(damaged_stores(folder)),
    )
    try:
        return replace(standing, history=_history(plan_now(settings)))
    except PublicationError as error:
        return replace(standing, unread=str(error))


def _landed_run(
    settings: Settings,
    path: Path,
    manifest: "Manifest | None",
    *,
    is_published: bool,
    wrong: Iterable[str],
) -> Run:
    run = Run(path.stem, _started(path.stem), None, False, is_published, tuple(wrong), (), "", {})
    try:
        with LandedRun.open(path) as landed:
            info, counts = landed.info, asdict(landed.summary())
    except LandingError as error:  # one bad store hides no other run
        return replace(run, standing=str(error))
    counts.pop("run_id")
    is_finished = info.finished_at_us is not None
    said = "finished" if is_finished else _UNFINISHED[is_resumable(settings, info)]
    said += ", published" if is_published else ", not published"
    pruned: tuple[str, ...] = ()
    if is_finished and manifest:
        counts |= manifest.counts
        pruned = tuple(sorted(manifest.pruned))
    return replace(
        run,
        started_at=_instant(info.started_at_us),
        finished_at=_instant(info.finished_at_us),
        finished=is_finished,
        standing=said + _pruned(pruned),
        pruned=pruned,
        counts=counts,
    )


def _published_run(run_id: str, manifest: "Manifest | None", wrong: Iterable[str]) -> Run:
    """One whose landing store is gone, or was never here: its manifest tells."""
    pruned = tuple(sorted(manifest.pruned)) if manifest else ()
    said = (
        "published, landing store dropped" if manifest else "published, its manifest cannot be read"
    )
    return Run(
        run_id,
        _started(run_id),
        None,
        manifest is not None,
        True,
        tuple(wrong),
        pruned,
        said + _pruned(pruned),
        dict(manifest.counts) if manifest else {},
    )


def _at_work(holder: Holder, runs: Sequence[Run]) -> AtWork:
    """The newest unfinished run is that of a command that makes calls, once it has begun."""
    if holder.command in _COLLECTING and runs and not runs[-1].finished and runs[-1].counts:
        counts = runs[-1].counts
        return AtWork(
            holder, runs[-1].run_id, counts["planned"] - counts["not_attempted"], counts["planned"]
        )
    return AtWork(holder)


def _history(plan: Plan) -> History | None:
    coverage, missed = plan.coverage(), plan.missed
    if coverage is None or plan.grid is None:
        return None
    first = min(missed).start_us if missed else None
    expires = plan.grid.expires(first) if first is not None else None
    return History(
        coverage, plan.new, len(missed), plan.sessions_missed, _instant(first), _instant(expires)
    )


def _pruned(tables: Sequence[str]) -> str:
    return f", pruned: {' '.join(tables)}" if tables else ""


def _started(run_id: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        return datetime.strptime(run_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)
    return None


def _instant(instant_us: int | None) -> datetime | None:
    return None if instant_us is None else datetime.fromtimestamp(instant_us / 1_000_000, UTC)


def _time(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}" if instant else "never"
