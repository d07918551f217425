"""The page of the newest run and the nights before it, made of one state of the lake."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from collector.domain.durations import format_duration
from pipelines.errors import PublicationError, QueryError
from pipelines.read import OpenLake
from pipelines.read.sql import of_one_state
from pipelines.report import drawing, figures
from pipelines.report.advice import for_fault
from pipelines.report.text import plain, shown, took

__all__ = ["NO_RUN", "Content", "Figure", "Night", "Page", "index_of", "page_of"]

NO_RUN: Final = "no-run"  # the page of a lake without runs
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Page:
    """A page, ready to be written.

    Attributes:
        run_id: the newest run; None if there is none.
        runs: how many are on the page.
    """

    run_id: str | None
    runs: int
    html: str


@dataclass(frozen=True, slots=True)
class Figure:
    """What a query gave."""

    name: str
    sql: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]

    @classmethod
    def asked(cls, name: str, sql: str, ask: Callable[[str], pa.Table]) -> "Figure":
        """The figure of a query."""
        found = ask(sql)
        return cls(name, sql, tuple(found.schema.names), tuple(found.to_pylist()))


@dataclass(frozen=True, slots=True)
class Night:
    """A date, and the runs that began on it, by their rows of the figure `runs`.

    Attributes:
        quiet: runs that asked for nothing, or whose ledger was pruned.
    """

    day: date
    runs: tuple[int, ...] = ()
    quiet: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Nobody ran."""
        return not self.runs and not self.quiet


@dataclass(frozen=True, slots=True)
class Content:
    """What the template is given.

    Attributes:
        newest: the number of the newest run's row in `runs`; None if it has none there.
        state: how that run ended, in a word or two.
        level: 'good', 'look' or 'bad'.
        todo: what to do; empty if nothing is.
    """

    period: figures.Period
    started: datetime
    figures: Mapping[str, Figure]
    nights: Sequence[Night]
    newest: int | None
    deadline_seconds: float | None
    resume_seconds: float
    state: str = ""
    level: str = "good"
    todo: Sequence[str] = field(default_factory=tuple)

    @property
    def seconds(self) -> float:
        """How long the newest run asked, from its start to its last reply."""
        return max((self.period.now - self.started).total_seconds(), 0.0)

    @property
    def missing(self) -> list[date]:
        """Nights without a run."""
        return [night.day for night in self.nights if night.is_missing]

    @property
    def charts(self) -> list[drawing.Chart]:
        """Traffic by hour, a chart for each traffic and direction."""
        since, hours = self.period.until - figures.WEEK, 7 * 24
        rows = self.figures["hours"].rows
        kinds = groupby(rows, lambda row: (row["traffic"], row["direction"]))
        return [drawing.chart(list(some), since, hours) for _, some in kinds]


def page_of(
    lake: OpenLake,
    nights: int = 14,
    deadline_seconds: float | None = None,
    resume_seconds: float = 0.0,
) -> Page:
    """The page of what is published. Holds no clock: the same lake gives the same bytes.

    Args:
        nights: how many are shown.
        deadline_seconds: how long a run may ask; None if it may for ever.
        resume_seconds: for how long after its start a run is resumed.

    Raises:
        PublicationError: the lake cannot be read.
    """
    published = lake.lake.published()
    if not published.runs:
        return Page(None, 0, _template("empty.html.j2").render())
    run_id = published.runs[-1]
    counts = {each: manifest.counts for each, manifest in published.manifests.items()}
    try:
        content = of_one_state(
            lake,
            figures.TABLES,
            lambda ask: _content(
                ask, published.runs, run_id, nights, deadline_seconds, resume_seconds
            ),
        )
    except QueryError as error:  # the queries are ours, so it is the files
        damage = (lake.lake.damage(name) for name in figures.TABLES)
        raise PublicationError(next(filter(None, damage), str(error))) from error
    state, level = _state(content, counts.get(content.period.run_id, {}))
    todo = list(_todo(content))
    if todo and level == "good":
        level = "look"
    html = _template("page.html.j2").render(
        page=content,
        figures=content.figures,
        state=state,
        level=level,
        todo=todo,
        mailboxes=figures.MAILBOXES,
    )
    return Page(content.period.run_id, len(content.figures["runs"].rows), html)


def index_of(pages: Iterable[tuple[str, str]]) -> str:
    """The index of nights.

    Args:
        pages: run ids, newest first, each with the sentence of its page as HTML.
    """
    entries = [(run_id, _started(run_id), Markup(said)) for run_id, said in pages]  # noqa: S704  # escaped in the page
    return str(_template("index.html.j2").render(entries=entries))


def _content(
    ask: Callable[[str], pa.Table],
    run_ids: Sequence[str],
    run_id: str,
    nights: int,
    deadline_seconds: float | None,
    resume_seconds: float,
) -> Content:
    first = _started(run_id).date() - (nights - 1) * _DAY
    runs = Figure.asked("runs", figures.of_runs(first), ask)
    numbers = {row["run_id"]: number for number, row in enumerate(runs.rows)}
    run_id = max((run_id, *numbers))  # one may have been published since
    newest = numbers.get(run_id)
    ended = runs.rows[newest]["ended"] if newest is not None else None
    period = figures.Period(run_id, ended or _started(run_id), first)
    found = {name: Figure.asked(name, sql, ask) for name, sql in figures.queries(period).items()}
    return Content(
        period,
        _started(run_id),
        {"runs": runs, **found},
        _nights({*run_ids, *numbers}, numbers, first, _started(run_id).date()),
        newest,
        deadline_seconds,
        resume_seconds,
    )


def _nights(
    run_ids: Iterable[str], numbers: Mapping[str, int], first: date, last: date
) -> list[Night]:
    """Each date, from the first run on that there was."""
    of_day: dict[date, list[str]] = {}
    for run_id in sorted(run_ids):
        of_day.setdefault(_started(run_id).date(), []).append(run_id)
    first = max(first, min(of_day))
    found = []
    for number in range((last - first).days + 1):
        ids = of_day.get(first + number * _DAY, [])
        runs = tuple(numbers[each] for each in ids if each in numbers)
        found.append(
            Night(first + number * _DAY, runs, tuple(each for each in ids if each not in numbers))
        )
    return found


def _state(content: Content, counts: Mapping[str, int]) -> tuple[str, str]:
    """How the newest run ended, and how bad that is."""
    if content.newest is None:
        if counts.get("planned"):
            return "published; its ledger was pruned", "good"
        return "nothing was missing, so nothing was asked", "good"
    row = content.figures["runs"].rows[content.newest]
    if not row["ok"] + row["empty"]:
        return "not one call was answered", "bad"
    if row["not_attempted"]:
        return "stopped early: not all calls were made", "bad"
    if row["failed"]:
        return "some calls failed", "look"
    return "every call was answered", "good"


def _todo(content: Content) -> Iterable[str]:
    """What to do, the most pressing first; each sentence once."""
    sums = content.figures["coverage"].rows[-1]
    faults = content.figures["faults"].rows
    for fault_class in dict.fromkeys(
        row["fault_class"] for row in faults if row["state"] == "failed"
    ):
        yield f"{plain(fault_class)}: {for_fault(fault_class)}"
    if any(row["state"] == "not_attempted" for row in faults):
        until = content.started + timedelta(seconds=content.resume_seconds)
        yield (
            f"Calls that were not made: `ecgrid-stats run` again. It resumes this run until {shown(until)} UTC; later"
            " it begins a new one, which asks for them too where windows.every is set."
        )
    known = content.figures["mailboxes"].rows[0]
    is_unseen = sums["unseen"] > sums["lost"] or known["behind"]
    if content.missing and (is_unseen or content.nights[-2].is_missing):
        yield "Nights without a run: see whether cron or the timer starts it; `ecgrid-stats status` says who works."
    is_on_grid = any(row["on_grid"] for row in content.figures["runs"].rows)
    if is_unseen:
        if is_on_grid:
            oldest = [each["answerable_until"] for each in (sums, known)]
            yield (
                "Unseen hours: the next `ecgrid-stats run` asks for them again; the service can answer for the oldest"
                f" until {shown(min(filter(None, oldest)))} UTC. Those that it answered twice without a count stay so."
            )
        else:
            yield "Unseen hours: with windows.minutes no run asks for them again; windows.every does."
    if sums["lost"]:
        yield "Lost hours: the service cannot answer for them any more; ask its operator if you need them."
    if sums["conflicts"]:
        yield "Contradicted counts: the service restated what it had said; see `conflict` in docs/history.md."
    if content.figures["checks"].rows:
        yield "Answers that did not pass a check: see calls.quality, and [quality] for what is done about it."
    if any(row["what"] == "newly silent" for row in content.figures["moved"].rows):
        yield "Newly silent mailboxes: ask the partner whether that is meant."


def _started(run_id: str) -> datetime:
    """When a run began, by its id."""
    return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _template(name: str) -> Any:  # noqa: ANN401  # jinja2's template
    environment = Environment(
        loader=PackageLoader("pipelines.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": plain,
        "shown": shown,
        "took": took,
        "raw": _raw,
        "bare": _bare,
        "coded": _coded,
    }
    environment.filters["duration"] = format_duration
    environment.globals |= {
        "bars": drawing.bars,
        "stretches": drawing.stretches,
        "step": drawing.STEP,
        "height": drawing.HEIGHT,
        "hour": timedelta(hours=1),
    }
    return environment.get_template(name)


def _raw(value: Any) -> str:  # noqa: ANN401  # whatever a query gives
    """A value as a machine reads it."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def _bare(value: Any) -> str:  # noqa: ANN401  # whatever a query gives
    """A value as the page shows it, without the commas of thousands; nothing for null."""
    return "" if value is None else shown(value).replace(",", "")


def _coded(text: str) -> Markup:
    """Text in which words between backticks are code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )
