"""Buckets of landed runs: from the landing store to the lake."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from collector.domain.outcomes import State
from pipelines.lake import Lake
from pipelines.normalize import normalize
from tests.pipelines.night import NULL_ANSWER, RUN_ID, Night, answer, counts


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that does not exist yet."""
    return Lake(tmp_path / "lake")


def buckets(night: Night, lake: Lake, **checks: str) -> list[dict[str, Any]]:
    """Land, normalize, read."""
    with night.land(lake.folder.parent / "landing") as landed:
        normalize(landed, lake, checks)
    return pq.read_table(lake.folder / "traffic_buckets").to_pylist()


def test_answers_become_buckets_under_their_own_dates(lake: Lake) -> None:
    """02:00:02 on the 31st: two hours of that day, and those before belong to the 30th."""
    night = Night()
    first = night.answered(answer(counts(1, 11)), window1=60, window2=120)
    second = night.answered(answer(counts(21, 31)), window1=180, window2=240)
    rows = buckets(night, lake)
    dates = Counter((row["bucket_date"], row["to_minutes"]) for row in rows)
    assert dates == {
        ("2026-01-31", 60): 4,
        ("2026-01-31", 120): 4,
        ("2026-01-30", 180): 4,
        ("2026-01-30", 240): 4,
    }
    assert {row["run_id"] for row in rows} == {RUN_ID}
    across = next(row for row in rows if row["to_minutes"] == 180)
    assert (across["from_call_id"], across["call_id"]) == (first.call_id, second.call_id)
    assert {row["exact"] for row in rows if row["to_minutes"] != 180} == {True}
    manifest = lake.manifest(RUN_ID)
    assert manifest is not None
    assert manifest.rows("traffic_buckets") == len(rows) == 16


def test_only_published_answers_make_buckets(lake: Lake) -> None:
    """Not failed calls, empty ones, quarantined ones, nor those never asked."""
    night = Night()
    night.answered(answer(counts(1, 11)), "a")
    night.faulted("b")
    night.answered(NULL_ANSWER, "c", state=State.EMPTY)
    night.answered(answer(counts(-1, 11)), "d")
    night.plan("e")
    assert {row["session"] for row in buckets(night, lake)} == {"a"}


def test_one_probe_that_disagrees_speaks_for_the_whole_run(lake: Lake) -> None:
    """Sessions before and after it lose what rests on one now: all but the shortest window."""
    night = Night()
    night.answered(answer(counts(1, 11)), "a")
    night.answered(answer(counts(1, 11)), "b", 60, 60)
    night.answered(answer(counts(1, 11)), "c")
    rows = buckets(night, lake, longer_window_not_less="warn", probe_halves_agree="warn")
    assert {(row["session"], row["to_minutes"], row["exact"]) for row in rows} == {
        ("a", 60, True),
        ("a", 120, False),
        ("b", 60, True),
        ("c", 60, True),
        ("c", 120, False),
    }


def test_a_quarantined_answer_speaks_for_nobody(lake: Lake) -> None:
    """A probe whose halves disagree, but whose counts are no counts: the other sessions' buckets stay exact."""
    night = Night()
    night.answered(answer(counts(1, 11)), "a")
    night.answered(answer(counts(-1, 11)), "b", 60, 60)
    rows = buckets(night, lake)
    assert {(row["session"], row["to_minutes"], row["exact"]) for row in rows} == {
        ("a", 60, True),
        ("a", 120, True),
    }


def test_a_run_that_is_completed_replaces_its_buckets(lake: Lake) -> None:
    """What was bounded for want of an answer becomes what it is, in every partition."""
    night = Night()
    night.answered(answer(counts(1, 11)), window1=60, window2=120)
    later = night.plan("acme", 1440, 2880)
    with night.land(lake.folder.parent / "before") as landed:
        normalize(landed, lake)
    assert len(pq.read_table(lake.folder / "traffic_buckets")) == 8
    night.calls.remove(later)
    night.answered(answer(counts(21, 31)), window1=1440, window2=2880)
    assert len(buckets(night, lake)) == 16
    days = {path.name for path in (lake.folder / "traffic_buckets").iterdir()}
    assert days == {f"bucket_date=2026-01-{day}" for day in (29, 30, 31)}
