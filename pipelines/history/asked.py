"""What runs asked for and what the service answered: from when on a session is wanted, and what not to ask again.

An answer without rows (`empty`) and one that did not pass its checks make no observation. To ask for the same time each
night until it is out of reach would bring the same; so what was answered twice is left alone, and stays unseen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pandas as pd

from collector.domain.calls import Call, Span
from collector.domain.outcomes import FaultClass, Outcome
from pipelines.contract import CALLS
from pipelines.history.observations import SECOND_US, instants
from pipelines.history.stretches import NOTHING, Stretches, stretches_of
from pipelines.lake import Lake
from pipelines.read import OpenLake

__all__ = ["Asked", "asked_of", "calls_for_spans"]

_ANSWERS: Final = 2
_ANSWERED: Final = ("ok", "empty")
_COLUMNS: Final = ["session", "run_id", "span_start", "span_end", "state", "fault_class"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a session.

    Attributes:
        first: the youngest edge that the first run asked for; microseconds since 1970.
        last: the youngest one that a published run planned to ask for, or another one did; 0 if none.
        answered: what the service answered, often enough not to ask again.
    """

    first: int
    last: int
    answered: Stretches = NOTHING


def calls_for_spans(
    lake: Lake, since_us: int, sessions: Sequence[str] | None = None
) -> pd.DataFrame:
    """The calls for spans that published runs made from the day of an instant on: some columns of `calls`.

    Args:
        sessions: of these alone; None for all.

    Raises:
        PublicationError: the ledger cannot be read.
    """
    day = datetime.fromtimestamp(since_us // SECOND_US, UTC).date()
    rows = OpenLake(lake).frame(CALLS.name, since=day, sessions=sessions, columns=_COLUMNS)
    return rows[rows["span_start"].notna()]


def asked_of(
    published: pd.DataFrame, landed: Iterable[tuple[str, Outcome]] = ()
) -> dict[str, Asked]:
    """What was asked of each session.

    Args:
        published: the columns of `calls_for_spans`.
        landed: how the calls of runs ended that are not published yet, with their run ids. What they brought is not
            asked for again: it is known as soon as it is published.
    """
    calls = pd.concat([_frame(published), _landed(landed)], ignore_index=True)
    # run ids begin with the time of their start
    first = calls.groupby(["session", "run"], sort=True)["end"].max().groupby("session").first()
    last = calls[calls["is_made"]].groupby("session")["end"].max().to_dict()
    spans = _with_seams(calls[calls["is_answered"]])
    by_span = spans.groupby(["session", "start", "end"], as_index=False).agg(
        answers=("run", "nunique"), is_published=("is_published", "all")
    )
    enough = by_span[(by_span["answers"] >= _ANSWERS) | ~by_span["is_published"]]
    answered = stretches_of(enough["session"], enough["start"].to_numpy(), enough["end"].to_numpy())
    return {
        str(session): Asked(
            int(edge), int(last.get(session, 0)), answered.get(str(session), NOTHING)
        )
        for session, edge in first.items()
    }


def _frame(published: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "session": published["session"].astype("object"),
            "run": published["run_id"].astype("object"),
            "start": instants(published["span_start"]),
            "end": instants(published["span_end"]),
            "is_answered": (
                published["state"].isin(_ANSWERED).to_numpy(np.bool_)
                | (published["fault_class"] == FaultClass.QUARANTINED.value).to_numpy(
                    np.bool_, na_value=False
                )
            ),
            "is_published": True,
            "is_made": True,
        }
    )


def _landed(outcomes: Iterable[tuple[str, Outcome]]) -> pd.DataFrame:
    """Outcomes of landed runs, with the columns of those that are published."""
    rows = []
    for run_id, outcome in outcomes:
        call = Call.of_id(outcome.call_id)
        span = call.arguments[-1]
        if isinstance(span, Span):
            ended = outcome.state in _ANSWERED, False, outcome.attempts > 0
            rows.append((call.session, run_id, span.start_us, span.end_us, *ended))
    types = {"session": object, "run": object, "start": np.int64, "end": np.int64}
    types |= dict.fromkeys(("is_answered", "is_published", "is_made"), np.bool_)
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _with_seams(answered: pd.DataFrame) -> pd.DataFrame:
    """Spans, and what lies between two neighbours of a run: their answers speak of it if it is no wider than they."""
    spans = answered.sort_values(["session", "run", "start"], ignore_index=True)
    following = spans.shift(-1)
    is_next = (spans["session"] == following["session"]) & (spans["run"] == following["run"])
    width = spans["end"] - spans["start"]
    widest = np.maximum(width, width.shift(-1))
    seam = following["start"] - spans["end"]
    is_seam = is_next & (seam > 0) & (seam <= widest)
    seams = spans[is_seam].assign(
        start=spans["end"][is_seam], end=following["start"][is_seam].astype(np.int64)
    )
    return pd.concat([spans, seams], ignore_index=True)
