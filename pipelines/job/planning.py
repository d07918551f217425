"""What a new run asks for: the configured trailing windows, or the spans that are wanted and not known."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from collector.config import Settings
from collector.domain.calls import Call, Span
from collector.domain.clock import now_us
from collector.domain.durations import parse_duration
from collector.domain.outcomes import Outcome
from collector.errors import LandingError
from collector.landing import LandedRun, landed_runs
from collector.runs.plan import calls, calls_of_spans, spans_of
from pipelines.errors import LakeVersionError, PublicationError
from pipelines.job.publishing import lake_of

if TYPE_CHECKING:
    from pipelines.history import Asked, Coverage, Grid, Known, Wanted

__all__ = ["Plan", "plan_now"]

_LOG: Final = structlog.get_logger("nightly")
_SECOND_US: Final = 1_000_000
_MANY: Final = (
    1_000  # of so many sessions, reading all of a ledger is sooner done than picking theirs
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks that is begun now, and why.

    Attributes:
        grid: None where trailing windows are asked for; the rest is empty then.
        asked: what earlier runs asked of the sessions, by label.
        known: what the history knows of them.
        wanted: what is wanted and not known, of each session of the configuration in its order.
        left: calls that are left to the next run.
    """

    settings: Settings
    grid: "Grid | None" = None
    asked: "Mapping[str, Asked]" = field(default_factory=dict)
    known: "Mapping[str, Known]" = field(default_factory=dict)
    wanted: "Sequence[Wanted]" = ()
    left: int = 0

    @property
    def new(self) -> int:
        """Spans that no earlier run could ask for."""
        return sum(len(each.new) for each in self.wanted)

    @property
    def missed(self) -> list[Span]:
        """Spans that are healed once they are answered, of all sessions."""
        return [span for each in self.wanted for span in each.missed]

    @property
    def answered(self) -> int:
        """Spans that are not asked for again, since the service answered twice without a count."""
        return sum(len(each.answered) for each in self.wanted)

    @property
    def sessions_missed(self) -> int:
        """Of how many sessions something is missing."""
        return sum(bool(each.missed) for each in self.wanted)

    def calls(self) -> Iterator[Call]:
        """The calls, session by session."""
        if self.grid is None:
            yield from calls(self.settings)
            return
        most = self.settings.windows.max_calls
        turns = sorted(turn for turn, _ in self._in_turn()) if most else []
        latest = (
            turns[most] if len(turns) > most else None
        )  # the first turn that has no room for all
        room = most - sum(turn < latest for turn in turns) if latest is not None else 0
        for turn, call in self._in_turn():
            if latest is None or turn < latest:
                yield call
            elif turn == latest and room:
                room -= 1
                yield call

    def count(self) -> int:
        """How many calls there would be without `max_calls`."""
        return sum(1 for _ in self._in_turn()) if self.grid else 0

    def _in_turn(self) -> Iterator[tuple[tuple[int, int], Call]]:
        """The calls, session by session, with whose turn it is among all.

        The youngest day first, then what expires first; and first those sessions of which the least is known lately.
        """
        for entry, each in zip(self.settings.sessions, self.wanted, strict=True):
            spans = [
                span
                for stretch in _stretches(sorted((*each.new, *each.missed)))
                for span in spans_of(stretch, self.settings.windows.pairing)
            ]
            day = self.grid.day if self.grid else 0
            last = self.known[each.session].stretches.last if each.session in self.known else 0
            turns = [(span.start_us if span.end_us <= day else 0, last) for span in spans]
            for turn, span in sorted(zip(turns, spans, strict=True)):
                for call in calls_of_spans(entry, (span,)):
                    yield turn, call

    def coverage(self) -> "Coverage | None":
        """How the history stands by now; None for trailing windows.

        Raises:
            PublicationError: the history cannot be read.
        """
        if self.grid is None:
            return None
        from pipelines.history import Asked, coverage_of, known_of, wanted_of  # noqa: PLC0415  # beside lake_of

        lake, labels = lake_of(self.settings), [entry.label for entry in self.settings.sessions]
        known = known_of(lake, self.grid, labels)
        healed = sum(
            each.session in known and known[each.session].covers(span.start_us, span.end_us)
            for each in self.wanted
            for span in each.missed
        )
        # who was neither known nor asked before is asked for the first time by now
        first = {
            label: Asked(*2 * (self.grid.last,)) for label in labels if label not in self.known
        }
        wanted = wanted_of(self.grid, labels, known, {**first, **self.asked})
        return coverage_of(lake, self.grid, wanted, known, healed)


def plan_now(settings: Settings) -> Plan:
    """What a run asks for that is begun now.

    A history that cannot be read costs no night: every session is asked for as if it were new.

    Raises:
        LakeVersionError: another version wrote the lake.
    """
    windows = settings.windows
    if windows.every is None:
        return Plan(settings)
    from pipelines.history import Grid, known_of, wanted_of  # noqa: PLC0415  # beside lake_of

    every, since, settle = (
        parse_duration(each) * _SECOND_US for each in (windows.every, windows.since, windows.settle)
    )
    grid = Grid(now_us(), every, since, settle)
    labels = [entry.label for entry in settings.sessions]
    known: Mapping[str, Known] = {}
    asked: Mapping[str, Asked] = {}
    try:
        known = known_of(lake_of(settings), grid, labels)
        asked = _asked(settings, grid, known, labels)
    except LakeVersionError:
        raise
    except PublicationError as error:
        _LOG.error(
            "what is known cannot be read: every session is asked as a new one", said=str(error)
        )
    plan = Plan(settings, grid, asked, known, wanted_of(grid, labels, known, asked))
    most = windows.max_calls
    return replace(plan, left=max(0, plan.count() - most)) if most else plan


def _asked(
    settings: Settings, grid: "Grid", known: "Mapping[str, Known]", labels: Sequence[str]
) -> "Mapping[str, Asked]":
    """What was asked of the sessions that lack something, by the lake and by what is landed only."""
    from pipelines.history import asked_of, calls_for_spans, wanted_of  # noqa: PLC0415  # beside lake_of

    is_young = {label for label in labels if label not in known or known[label].first > grid.first}
    wanted = wanted_of(grid, labels, known)
    lacking = [each for each in wanted if each.session in is_young or each.new or each.missed]
    if not lacking:
        return {}
    since = (
        grid.first if is_young else min(min((*each.new, *each.missed)).start_us for each in lacking)
    )
    some = [each.session for each in lacking] if len(lacking) < _MANY else None
    lake = lake_of(settings)
    published = calls_for_spans(lake, since, some)
    return asked_of(published, _landed(settings, {*lake.run_ids()}))


def _landed(settings: Settings, published: Collection[str]) -> Iterator[tuple[str, Outcome]]:
    """The run ids and outcomes of runs that are landed and not published: what they have need not be asked for."""
    for path in landed_runs(settings.storage.root / "landing"):
        if path.stem in published:
            continue
        try:
            with LandedRun.open(path) as landed:
                for outcome in landed.outcomes():
                    yield landed.info.run_id, outcome
        except LandingError as error:
            _LOG.error("a landed run is passed over", path=str(path), said=str(error))


def _stretches(spans: Iterable[Span]) -> Iterator[list[int]]:
    """The edges of each stretch of spans that follow each other."""
    edges: list[int] = []
    for span in spans:
        if edges and edges[-1] != span.start_us:
            yield edges
            edges = []
        edges = edges or [span.start_us]
        edges.append(span.end_us)
    if edges:
        yield edges
