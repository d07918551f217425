"""Wanted minus known, as spans."""

from collections import Counter

import pandas as pd
import pyarrow as pa
import pytest

from collector.config import SessionEntry, Settings, Windows
from collector.domain.calls import MAX_WINDOW_MINUTES, Call, Span
from collector.domain.outcomes import Outcome, State
from pipelines.contract import CALLS, arrow_schema
from pipelines.history import Asked, Grid, Known, Stretches, Wanted, asked_of, wanted_of
from pipelines.history.stretches import common
from pipelines.job.planning import Plan

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NOW_US = 1_769_824_800_000_000 + 15 * MINUTE_US  # 2026-01-31T02:15:00Z
LAST = NOW_US - 15 * MINUTE_US


def grid(**changes: int) -> Grid:
    """Every hour, a new session from a day ago."""
    return Grid(**{"now_us": NOW_US, "every": HOUR_US, "since": DAY_US, **changes})


def back(wanted: Wanted) -> tuple[list[int], list[int]]:
    """How many hours before the youngest edge new and missed spans end."""
    new, missed = (
        [(LAST - each.end_us) // HOUR_US for each in some] for some in (wanted.new, wanted.missed)
    )
    return new, missed


def known(*stretches: tuple[int, int], first: int | None = None) -> Known:
    """Stretches in hours before the youngest edge, the oldest first."""
    starts = [LAST - start * HOUR_US for start, _ in stretches]
    ends = [LAST - end * HOUR_US for _, end in stretches]
    return Known(starts[0] if first is None else LAST - first * HOUR_US, Stretches(starts, ends))


def one(known: Known | None, frontier: int = 0, **changes: int) -> tuple[list[int], list[int]]:
    """What is wanted of a session beside another one that is known up to so many hours ago."""
    every = {
        "other": Known(
            LAST - 900 * HOUR_US, Stretches([LAST - 900 * HOUR_US], [LAST - frontier * HOUR_US])
        )
    }
    if known is not None:
        every["acme"] = known
    return back(wanted_of(grid(**changes), ["acme"], every)[0])


def test_a_new_session_begins_where_it_is_told() -> None:
    """A day ago by default; at most as far back as the service can answer."""
    assert one(None) == ([*reversed(range(24))], [])
    new, _ = one(None, since=22 * DAY_US)
    assert new[0] == 22 * 24 - 1
    new, _ = one(None, since=60 * DAY_US)
    assert (new[0] + 1) * 60 + 15 <= MAX_WINDOW_MINUTES < (new[0] + 3) * 60 + 15


def test_what_is_known_is_not_wanted() -> None:
    """Neither a whole history, nor what a later run of the same hour would ask."""
    assert one(known((100, 0))) == ([], [])
    assert one(known((100, 1)), frontier=1) == ([0], [])


def test_a_missed_night_is_healed() -> None:
    """Nobody ran for two days: the youngest day is new, the rest was missed."""
    new, missed = one(known((200, 48)), frontier=48)
    assert (new, missed) == ([*reversed(range(24))], [*reversed(range(24, 48))])


def test_what_others_have_and_a_session_lacks_was_missed() -> None:
    """Its calls failed last night, or one in the middle did."""
    assert one(known((200, 5)), frontier=1) == ([0], [4, 3, 2, 1])
    assert one(known((200, 9), (8, 0))) == ([], [8])


def test_what_is_out_of_reach_is_not_asked_for() -> None:
    """A session that failed for a month."""
    new, missed = one(Known(0), frontier=0)
    assert new == []
    assert (missed[0] + 1) * 60 + 15 <= MAX_WINDOW_MINUTES
    assert missed == [*reversed(range(len(missed)))]


def test_the_youngest_edge_waits_for_the_service() -> None:
    """A minute that has not passed by half cannot be asked for; `settle` leaves more."""
    assert grid(now_us=LAST + MINUTE_US // 2).last == LAST
    assert grid(now_us=LAST + MINUTE_US // 2 - 1).last == LAST - HOUR_US
    assert grid(settle=20 * MINUTE_US).last == LAST - HOUR_US
    assert one(None, settle=20 * MINUTE_US)[0][-1] == 1


@pytest.mark.parametrize("minutes", [15, 30, 60, 360])
def test_a_finer_or_coarser_grid_asks_for_what_is_not_covered(minutes: int) -> None:
    """What was counted by the hour needs no counting by the quarter; a grid of six hours begins at its own edges."""
    found = wanted_of(grid(every=minutes * MINUTE_US), ["acme"], {"acme": known((30, 6))})[0]
    spans = [*found.missed, *found.new]
    assert all(span.start_us % (minutes * MINUTE_US) == 0 for span in spans)
    assert spans[0].start_us <= LAST - 6 * HOUR_US
    assert spans[-1].end_us <= LAST
    assert len(spans) == len({*spans})


def test_what_all_series_know_is_known() -> None:
    """Some stretches, in hours, of each; what is common to them."""
    some = [known((10, 4), (3, 0)), known((12, 6), (5, 1)), known((9, 2))]
    found = common([each.stretches for each in some])
    assert found == known((9, 6), (5, 4), (3, 2)).stretches
    assert common([some[0].stretches] * 3) == some[0].stretches
    assert common([some[0].stretches, Stretches()]) == Stretches()


def test_a_run_with_little_room_starves_nobody() -> None:
    """Fewer calls than sessions: those of which the least is known lately come first."""
    entries = [SessionEntry(label=f"s{number}", api_key="env:KEY") for number in range(4)]
    windows = Windows(every="1h", max_calls=3)
    settings = Settings(service={"url": "http://127.0.0.1/x"}, windows=windows, sessions=entries)  # type: ignore[arg-type]
    every = {entry.label: known((100, 2)) for entry in entries}
    asked = Counter[str]()
    for hour in range(24):
        found = wanted_of(grid(now_us=NOW_US + hour * HOUR_US), list(every), every)
        made = list(Plan(settings, grid(now_us=NOW_US + hour * HOUR_US), {}, every, found).calls())
        assert len(made) <= 3
        asked.update(call.session for call in made)
        for session in {call.session for call in made}:
            last = NOW_US - 15 * MINUTE_US + hour * HOUR_US
            every[session] = Known(0, Stretches([0], [last]))
    assert min(asked.values()) >= 12  # a call asks for two hours


def test_known_stretches_cover_spans() -> None:
    """Edges included."""
    some = known((10, 8), (5, 2))
    assert some.covers(LAST - 10 * HOUR_US, LAST - 8 * HOUR_US)
    assert some.covers(LAST - 4 * HOUR_US, LAST - 3 * HOUR_US)
    assert not some.covers(LAST - 9 * HOUR_US, LAST - 7 * HOUR_US)
    assert not some.covers(LAST - 11 * HOUR_US, LAST - 10 * HOUR_US)
    assert not some.covers(LAST - 2 * HOUR_US, LAST - HOUR_US)
    assert not Known(0).covers(0, 1)


RUN, LATER = "20260131T021500Z-000000", "20260131T031500Z-000000"


def published(*calls: tuple[str, int, int, str]) -> dict[str, Asked]:
    """What was asked of acme by runs, for spans in hours before the youngest edge, and how each call ended."""
    rows = [
        {
            "session": "acme",
            "run_id": run_id,
            "span_start": LAST - start * HOUR_US,
            "span_end": LAST - end * HOUR_US,
            "state": state,
        }
        for run_id, start, end, state in calls
    ]
    return asked_of(frame(rows))


def frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows of `calls`, as they are read."""
    schema = arrow_schema(CALLS)
    names = ["session", "run_id", "span_start", "span_end", "state", "fault_class"]
    types = pa.schema([schema.field(name) for name in names])
    return pa.Table.from_pylist(rows, types).to_pandas(types_mapper=pd.ArrowDtype)


def test_a_new_session_whose_oldest_calls_failed_is_asked_for_them_again() -> None:
    """So is one of which a run had no room for more: what its first run was to ask is wanted until it is known."""
    asked = published((RUN, 25, 24, "failed"), (RUN, 23, 22, "failed"), (RUN, 2, 1, "ok"))
    (found,) = wanted_of(grid(), ["acme"], {"acme": known((2, 1))}, asked)
    hours = sorted(each for some in back(found) for each in some)
    assert hours == [0, *range(2, 25)]


def test_a_session_that_nobody_could_ask_at_first_loses_nothing() -> None:
    """All calls of three nights failed; its history begins where the first of them was to begin."""
    asked = published((RUN, 72, 71, "failed"), (LATER, 48, 47, "not_attempted"))
    (found,) = wanted_of(grid(), ["acme"], {}, asked)
    hours = sorted(each for some in back(found) for each in some)
    assert hours == [*range(24 + 71)]


def test_what_was_answered_twice_without_a_count_is_left_alone() -> None:
    """Once may have been a moment's trouble. What lies between two neighbouring answers was answered with them."""
    once = [(RUN, 8, 7, "empty"), (RUN, 6, 5, "ok"), (RUN, 2, 1, "empty"), (RUN, 4, 3, "failed")]
    again = [(LATER, 8, 7, "empty"), (LATER, 6, 5, "empty"), (LATER, 4, 3, "empty")]
    (found,) = wanted_of(grid(since=7 * HOUR_US), ["acme"], {}, published(*once))
    assert sorted(each for some in back(found) for each in some) == [*range(8)]
    (found,) = wanted_of(grid(since=7 * HOUR_US), ["acme"], {}, published(*once, *again))
    assert sorted(each for some in back(found) for each in some) == [0, 1, 2, 3, 4]
    assert [(LAST - each.end_us) // HOUR_US for each in found.answered] == [7, 6, 5]


def test_what_is_landed_and_not_published_is_not_asked_for_twice() -> None:
    """Only what failed is."""
    spans = [(each, Span(LAST - (each + 1) * HOUR_US, LAST - each * HOUR_US)) for each in range(5)]
    states = [State.OK, State.FAILED, State.FAILED, State.OK, State.EMPTY]
    landed = [
        (RUN, Outcome(Call.of("acme", "ReportInstantStats", (span,)).call_id, states[number], 1))
        for number, span in spans
    ]
    asked = asked_of(frame([]), landed)
    (found,) = wanted_of(grid(since=5 * HOUR_US), ["acme"], {}, asked)
    assert back(found) == ([], [2, 1])
