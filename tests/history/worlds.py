"""Random fortnights of one session: what runs of every kind would land, and what truly happened."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from collector.domain.calls import Pairing
from collector.runs.plan import pairs_of, spans_of
from pipelines.normalize.buckets import COUNTED, traffic_buckets
from pipelines.normalize.counts import COLUMNS

__all__ = [
    "HOUR_US",
    "MINUTE_US",
    "SECOND_US",
    "SERIES",
    "START_US",
    "Answer",
    "World",
    "buckets_of",
    "world",
]

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
START_US: Final = 1_769_817_600_000_000  # 2026-01-31T00:00:00Z
SERIES: Final = (("parcel", "in"), ("parcel", "out"), ("interchange", "in"), ("interchange", "out"))

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answer:
    """One answer of the service.

    Attributes:
        now_us: the service's now, to which it counted.
        before_us: so long before that the request was sent; the rest of the latency is behind it.
        dated_us: so long after that the reply got its Date.
        span: the edges that were asked for; None for trailing windows.
        restated: what the service adds to the counts of its second window.
    """

    now_us: int
    minutes: tuple[int, int]
    span: tuple[int, int] | None = None
    latency_us: int = 500_000
    before_us: int = 160_000
    dated_us: int = 0
    restated: int = 0


@dataclass(frozen=True)
class World:
    """Runs with their answers, and the events of each series, ascending."""

    runs: list[list[Answer]]
    events: list[Integers]

    def count(self, series: int, start_us: int, end_us: int) -> int:
        """How many events there were after one instant and not after another."""
        first, last = np.searchsorted(self.events[series], [start_us, end_us], "right")
        return int(last - first)

    def answer(self, run_id: object, call_id: object) -> Answer:
        """Of a call of a run, as buckets name them."""
        return self.runs[int(str(run_id)[3:])][int(str(call_id).partition("call")[2])]

    def instants(self, buckets: pd.DataFrame) -> dict[int, set[int]]:
        """By each edge of the buckets, to the second as tables have it, the true instants that it stands for."""
        found: dict[int, set[int]] = {}
        row: Any
        for row in buckets.itertuples():
            for edge, call, minutes in (
                (row.bucket_start, row.call_id, row.to_minutes),
                (row.bucket_end, row.from_call_id, row.from_minutes),
            ):
                now = self.answer(row.run_id, call).now_us
                found.setdefault(edge.value // 1000, set()).add(now - minutes * MINUTE_US)
        return found


def buckets_of(made: World, session: str = "acme") -> pd.DataFrame:
    """What all runs publish as `traffic_buckets`."""
    parts = []
    for number, answers in enumerate(made.runs):
        rows = [_row(made, session, place, each) for place, each in enumerate(answers)]
        counted = pa.Table.from_pylist(rows, COUNTED).to_pandas(types_mapper=pd.ArrowDtype)
        parts.append(traffic_buckets(counted).assign(run_id=f"run{number}"))
    return pd.concat([each for each in parts if len(each)] or parts, ignore_index=True)


def _row(made: World, session: str, place: int, answer: Answer) -> dict[str, Any]:
    counts = [
        made.count(series, answer.now_us - minutes * MINUTE_US, answer.now_us)
        + answer.restated * half
        for half, minutes in enumerate(answer.minutes)
        for series in range(4)
    ]
    sent = answer.now_us - answer.before_us
    return {
        "session": session,
        "network_id": 1,
        "mailbox_id": 2,
        "call_id": f"{session}:call{place}",
        "span_start": answer.span and answer.span[0],
        "span_end": answer.span and answer.span[1],
        "window1_minutes": answer.minutes[0],
        "window2_minutes": answer.minutes[1],
        "requested_at": sent,
        "received_at": sent + answer.latency_us,
        "observed_at": (answer.now_us + answer.dated_us) // SECOND_US * SECOND_US,
        **dict(zip(COLUMNS, counts, strict=True)),
    }


def world(seed: int, runs_at_most: int = 4, *, clock_off_us: int = 0) -> World:
    """Runs at night, by the hour, late, after days: grids of hours and quarters, trailing windows; some calls fail.

    Args:
        clock_off_us: by so much at most the service's clock is off, in each run by something else.
    """
    chance = np.random.default_rng(seed)
    now, runs = START_US, []
    for _ in range(chance.integers(1, runs_at_most + 1)):
        hours = int(chance.choice([1, 3, 24, 30, 100], p=[0.2, 0.2, 0.3, 0.2, 0.1]))
        now += hours * HOUR_US + int(chance.integers(40)) * MINUTE_US // 2
        off = int(chance.integers(-clock_off_us, clock_off_us)) if clock_off_us else 0
        runs.append(_run(chance, now, off))
    every = [each for answers in runs for each in answers]
    first = min((each.now_us - each.minutes[1] * MINUTE_US for each in every), default=now)
    last = max((each.now_us for each in every), default=now + 1)
    events = [np.sort(chance.integers(first, last, chance.integers(0, 300))) for _ in range(4)]
    return World(runs, events)


def _run(chance: np.random.Generator, now: int, off: int) -> list[Answer]:
    grid = int(chance.choice([0, HOUR_US // 4, HOUR_US]))
    pairing, back = Pairing(chance.choice(list(Pairing))), int(chance.choice([6, 24]))
    asked: list[tuple[tuple[int, int] | None, tuple[int, int]]]
    if grid:
        edges = [now // grid * grid - grid * number for number in range(back + 1)]
        asked = [((each.start_us, each.end_us), (0, 0)) for each in spans_of(edges, pairing)]
    else:
        pairs = pairs_of([60 * number for number in range(1, back + 1)], pairing)
        asked = [(None, (each.minutes1, each.minutes2)) for each in pairs]
    answers = []
    for span, minutes in asked:
        now += int(
            chance.integers(SECOND_US // 3, SECOND_US * int(chance.choice([3, 300], p=[0.8, 0.2])))
        )
        slowest = int(chance.choice([2, 40], p=[0.9, 0.1])) * SECOND_US
        latency = int(chance.integers(50_000, slowest))
        # the minutes are computed when the request is sent, and the count may be older than the reply's Date
        before, dated = (int(each) for each in latency * np.diff([0, *np.sort(chance.random(2))]))
        sent = now - before + off
        since = minutes if span is None else (_minutes(sent, span[1]), _minutes(sent, span[0]))
        if chance.random() > 0.15:
            answers.append(Answer(now, since, span, latency, before, dated + off))
    return answers


def _minutes(now: int, edge: int) -> int:
    return max(1, (now - edge + MINUTE_US // 2) // MINUTE_US)
