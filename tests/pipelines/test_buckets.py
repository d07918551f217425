"""Buckets by hand: what is exact, what is bounded, what is left out, and why."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.contract import TRAFFIC_BUCKETS
from pipelines.contract.casting import to_contract
from pipelines.normalize.buckets import COUNTED, traffic_buckets
from pipelines.normalize.counts import COLUMNS

START_US = 1_769_824_800_000_000  # 2026-01-31T02:00:00Z
SECOND_US = 1_000_000
HOUR_S = 3600

KINDS = [("parcel", "in"), ("parcel", "out"), ("interchange", "in"), ("interchange", "out")]

Count = int | None


def answer(
    windows: tuple[int, int],
    counts: tuple[Count, Count],
    after_seconds: float = 0,
    *,
    session: str = "acme",
    date: bool = True,
    server_ahead_seconds: int = 0,
) -> Mapping[str, Any]:
    """An answer whose four series all say the same, half a second after it was asked for."""
    sent = START_US + int(after_seconds * SECOND_US)
    observed = sent // SECOND_US * SECOND_US + server_ahead_seconds * SECOND_US
    return {
        "session": session,
        "call_id": f"{windows[0]}-{windows[1]}",
        "window1_minutes": windows[0],
        "window2_minutes": windows[1],
        "requested_at": sent,
        "received_at": sent + SECOND_US // 2,
        "observed_at": observed if date else None,
        **dict(zip(COLUMNS, [counts[0]] * 4 + [counts[1]] * 4, strict=True)),
    }


def made(*answers: Mapping[str, Any], one_now: bool = True) -> list[dict[str, Any]]:
    """The buckets of incoming parcels; those of the other series are the same."""
    counted = pa.Table.from_pylist(list(answers), COUNTED).to_pandas(types_mapper=pd.ArrowDtype)
    buckets = traffic_buckets(counted, one_now=one_now)
    table = to_contract(buckets.assign(run_id="run-a"), TRAFFIC_BUCKETS)
    table.validate(full=True)
    by_kind: dict[tuple[str, str], list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for row in table.to_pylist():
        by_kind[row.pop("traffic"), row.pop("direction")].append(row)
    first, *others = by_kind.values()
    assert all(other == first for other in others)
    return first


def spans(rows: list[dict[str, Any]]) -> list[tuple[int, int, Count, bool, int, Count]]:
    """From, to, count, exact, low, high."""
    names = ("from_minutes", "to_minutes", "count", "exact", "low", "high")
    return [tuple(row[name] for name in names) for row in rows]


def test_one_answer_makes_two_exact_buckets() -> None:
    """The shorter window itself, and what the longer one has more."""
    rows = made(answer((60, 120), (5, 12)))
    assert spans(rows) == [(0, 60, 5, True, 5, 5), (60, 120, 7, True, 7, 7)]
    hours = [datetime(2026, 1, 31, 2 - back, tzinfo=UTC) for back in (0, 1, 2)]
    assert [(row["bucket_start"], row["bucket_end"]) for row in rows] == [
        (hours[1], hours[0]),
        (hours[2], hours[1]),
    ]
    assert {
        (row["run_id"], row["session"], row["call_id"], row["from_call_id"]) for row in rows
    } == {("run-a", "acme", "60-120", "60-120")}


def test_between_two_answers_there_are_bounds_only() -> None:
    """What came in between is in the second answer's counts and not in the bucket; nobody knows how many."""
    rows = made(answer((60, 120), (5, 12)), answer((180, 240), (20, 23), 2))
    assert spans(rows)[2:] == [(120, 180, None, False, 0, 8), (180, 240, 3, True, 3, 3)]
    across = rows[2]
    assert (across["from_call_id"], across["call_id"]) == ("60-120", "180-240")
    assert across["estimate"] == 8
    # each edge is where the window of its own answer began, so the buckets join without a seam
    assert across["bucket_end"] == rows[1]["bucket_start"]
    assert across["bucket_start"] == rows[3]["bucket_end"]


def test_asked_the_other_way_round_the_difference_is_the_least() -> None:
    """The longer windows were counted first: what came since is missing in them, at most what the shortest holds."""
    rows = made(answer((60, 120), (5, 12), 2), answer((180, 240), (20, 23)))
    assert spans(rows)[2] == (120, 180, None, False, 8, 8 + 5)
    assert rows[2]["estimate"] == 8


def test_a_clock_that_was_moved_says_nothing_about_the_order() -> None:
    """By the service's clock both are of one second, by ours an hour apart: nothing is known of what came between."""
    first, second = answer((60, 120), (5, 12)), answer((180, 240), (20, 23), 1)
    moved = {**second, "observed_at": first["observed_at"]}
    moved |= {name: second[name] + HOUR_S * SECOND_US for name in ("requested_at", "received_at")}
    rows = made(first, moved)
    assert spans(rows)[2] == (120, 180, None, False, 0, None)


def test_twins_far_apart_leave_no_hole() -> None:
    """A silent chain whose later link was counted an hour before: the bucket reaches over the hour."""
    rows = made(answer((60, 120), (0, 0), HOUR_S), answer((120, 180), (0, 0)))
    assert rows[2]["bucket_end"] == rows[1]["bucket_start"]
    assert rows[2]["exact"] is False


def test_a_later_answer_of_a_short_window_tightens_the_bounds() -> None:
    """All that came between the others came in the last minute, in which the third saw one."""
    rows = made(
        answer((60, 120), (5, 12)), answer((180, 240), (20, 23), 2), answer((1, 2), (1, 1), 4)
    )
    assert spans(rows)[-2] == (120, 180, None, False, 7, 8)


def test_bounds_that_meet_are_a_count_though_not_exact() -> None:
    """A silent mailbox is known to be silent."""
    rows = made(answer((60, 120), (0, 0)), answer((180, 240), (0, 0), 2))
    assert spans(rows)[2] == (120, 180, 0, False, 0, 0)


def test_a_chain_is_exact_and_adds_up_to_the_widest_window() -> None:
    """Neighbouring answers agree on the window that they share."""
    rows = made(
        answer((60, 120), (5, 12)), answer((120, 180), (12, 20), 2), answer((180, 240), (20, 23), 4)
    )
    assert [row["exact"] for row in rows] == [True] * 4
    assert sum(row["count"] for row in rows) == 23
    assert [row["call_id"] for row in rows] == ["60-120", "60-120", "120-180", "180-240"]


def test_a_chain_whose_answers_disagree_is_bounded_there() -> None:
    """One came in or fell out between the answers: the sum would not be the widest window."""
    rows = made(
        answer((60, 120), (5, 12)), answer((120, 180), (13, 21), 2), answer((180, 240), (21, 24), 4)
    )
    assert [row["exact"] for row in rows] == [True, True, False, True]
    # at least one came, and at most the seven of the hour before fell out of the 120 minutes
    assert spans(rows)[2] == (120, 180, None, False, 1, 8)


def test_a_chain_with_a_hole_is_bounded_over_the_hole() -> None:
    """The call (120, 180) failed."""
    rows = made(answer((60, 120), (5, 12)), answer((180, 240), (20, 23), 2))
    assert [(row["from_minutes"], row["to_minutes"]) for row in rows][2] == (120, 180)
    rows = made(answer((60, 120), (5, 12)), answer((240, 300), (23, 23), 2))
    assert spans(rows)[2:] == [(120, 240, None, False, 0, 11), (240, 300, 0, True, 0, 0)]


def test_a_null_count_is_passed_over() -> None:
    """The next window that has a count takes its place."""
    assert spans(made(answer((60, 120), (None, 12)))) == [(0, 120, 12, True, 12, 12)]
    rows = made(answer((60, 120), (5, None)), answer((180, 240), (20, 23), 2))
    assert spans(rows)[1] == (60, 180, None, False, 0, 15)
    assert made(answer((60, 120), (None, None))) == []


@pytest.mark.parametrize("counts", [(12, 5), (-1, 5), (5, -1), (5, 2**60)])
def test_counts_that_cannot_be_true_make_no_bucket(counts: tuple[int, int]) -> None:
    """A longer window with fewer, a negative count, a monstrous one: the neighbours span the place."""
    found = spans(
        made(
            answer((60, 120), (5, 12)),
            answer((180, 240), counts, 2),
            answer((300, 360), (30, 33), 4),
        )
    )
    assert found[:2] == [(0, 60, 5, True, 5, 5), (60, 120, 7, True, 7, 7)]
    assert found[-1] == (300, 360, 3, True, 3, 3)
    assert all(row[3] is False for row in found[2:-1])
    assert (120, 300, None, False, 0, 18) in found or counts[0] == 5 or counts[1] == 5


def test_answers_that_contradict_each_other_bound_nothing() -> None:
    """The later answer has fewer in a longer window: at least 0 is all that can be said."""
    rows = made(answer((60, 120), (50, 60)), answer((180, 240), (20, 23), 2))
    assert spans(rows)[2] == (120, 180, None, False, 0, None)
    assert rows[2]["estimate"] is None
    assert [row["exact"] for row in rows] == [True, True, False, True]


def test_a_probe_makes_one_bucket() -> None:
    """Both halves say the same of the same window; if they differ, neither is believed."""
    assert spans(made(answer((60, 60), (5, 5)))) == [(0, 60, 5, True, 5, 5)]
    assert made(answer((60, 60), (5, 6))) == []


def test_without_one_now_only_the_shortest_window_is_exact() -> None:
    """Each half is of a moment of its own, up to a minute apart, in any order."""
    rows = made(answer((60, 120), (5, 12)), one_now=False)
    assert spans(rows) == [(0, 60, 5, True, 5, 5), (60, 120, None, False, 0, 12)]
    rows = made(answer((60, 60), (5, 6)), answer((120, 180), (12, 20), 2), one_now=False)
    assert [row["exact"] for row in rows] == [True, False, False]


@pytest.mark.parametrize(
    "wrong", [{"date": False}, {"server_ahead_seconds": -86_400}, {"server_ahead_seconds": 900_000}]
)
def test_an_answer_without_a_credible_date_is_passed_over(wrong: Mapping[str, Any]) -> None:
    """Its buckets would have no date, or any."""
    rows = made(answer((60, 120), (5, 12), **wrong), answer((180, 240), (20, 23), 2))
    assert spans(rows) == [(0, 180, 20, True, 20, 20), (180, 240, 3, True, 3, 3)]


def test_a_resumed_run_covers_no_hour_twice() -> None:
    """Six hours later a window reaches less far back: only what lies before the earlier answers is taken."""
    rows = made(
        answer((60, 720), (5, 50)),
        answer((780, 840), (60, 70), 6 * HOUR_S),
        answer((1080, 1140), (90, 99), 6 * HOUR_S),
    )
    assert [(row["from_minutes"], row["to_minutes"]) for row in rows] == [
        (0, 60),
        (60, 720),
        (720, 1140),
    ]
    assert (rows[2]["bucket_end"] - rows[2]["bucket_start"]).total_seconds() == HOUR_S
    for later, earlier in pairwise(rows):
        assert earlier["bucket_end"] <= later["bucket_start"]


def test_sessions_keep_to_themselves_in_any_order() -> None:
    """Rows of one session need not stand together."""
    one = [answer((60, 120), (5, 12)), answer((180, 240), (20, 23), 2)]
    two = [answer((60, 120), (1, 2), session="beta"), answer((180, 240), (3, 4), 2, session="beta")]
    mixed = made(one[0], two[0], one[1], two[1])
    assert mixed == [*made(*one), *made(*two)]


def test_of_many_answers_two_at_a_time_are_looked_at() -> None:
    """Beyond so many answers a session the bounds are those of the neighbours alone, and still right."""
    answers = [answer((2 * n + 1, 2 * n + 2), (4 * n, 4 * n + 2), n) for n in range(60)]
    rows = made(*answers)
    assert len(rows) == 120
    assert [row["exact"] for row in rows[1:]] == [True, False] * 59 + [True]
    assert {(row["low"], row["high"]) for row in rows[2::2]} == {(0, 2)}


def test_no_answers_make_no_rows() -> None:
    """The table has its columns all the same."""
    assert made() == []


def test_bounds_depend_on_the_session_alone() -> None:
    """A session of many answers beside it, whose bounds are found in another way, changes nothing."""
    own = [
        answer((5, 107), (4, 5)),
        answer((57, 219), (16, 30), 2),
        answer((42, 157), (16, 29), 70),
    ]
    crowd = [
        answer((2 * n + 1, 2 * n + 2), (4 * n, 4 * n + 2), n, session="crowd") for n in range(60)
    ]
    alone = made(*own)
    assert (42, 57, None, False, 0, 1) in spans(alone)  # by its two answers alone it would be 13
    assert [row for row in made(*crowd, *own) if row["session"] == "acme"] == alone
    assert [row for row in made(*own, *crowd) if row["session"] == "acme"] == alone
