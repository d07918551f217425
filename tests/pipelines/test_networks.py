"""What asks for a whole network, and what it seems to be beside its mailboxes."""

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.contract.scopes import named_ids, scope_of
from pipelines.normalize.checks import levels_of
from pipelines.normalize.networks import compared, exact_of, networks_of

SERIES = [(each, way) for each in ("interchange", "parcel") for way in ("in", "out")]
SPAN = "20260131T0000Z-20260131T0100Z"
START = pd.Timestamp("2026-01-31T00:00Z")


def frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """With Arrow's types."""
    return pa.Table.from_pylist(rows).to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize(
    ("call_id", "scope", "ids"),
    [
        ("acme:ReportInstantStats:60-120", "mailbox", None),
        (f"acme:ReportInstantStats:{SPAN}", "mailbox", None),
        ("acme:ReportInstantStatsEx:314,2718,0,60-120", "mailbox", (314, 2718, 0)),
        ("acme:ReportInstantStatsEx:314,0,9,60-120", "mailbox", (314, 0, 9)),
        (f"acme:ReportInstantStatsEx:314,0,0,{SPAN}", "network", (314, 0, 0)),
        ("acme:ReportInstantStatsEx:314,0,0,60-120", "network", (314, 0, 0)),
        ("a:314,0,0,60-120:ReportInstantStats:60-120", "mailbox", None),
        ("a,1:ReportInstantStatsEx:314,10,0,60-120", "mailbox", (314, 10, 0)),
    ],
)
def test_a_call_says_whose_traffic_it_asks_for(
    call_id: str, scope: str, ids: tuple[int, int, int] | None
) -> None:
    """By its id, whatever the label."""
    texts = pd.Series([call_id])
    assert scope_of(texts).tolist() == [scope]
    (found,) = named_ids(texts).itertuples(index=False)
    assert (None if pd.isna(found[0]) else tuple(found)) == ids


def said(
    counts: dict[str, int | None], more: tuple[str, ...] = (), own: int | None = None
) -> dict[str, str]:
    """What is said of networks where each session counts so many of everything in an hour.

    Args:
        counts: by what is asked for; None for a call that brought nothing.
        more: labels beside those, of the same ids as the first one.
        own: the mailbox of a session that asks for its own.
    """
    asked = {ids: f"{ids}:ReportInstantStatsEx:{ids},{SPAN}" for ids in counts if ids != "own"}
    asked |= {"own": f"own:ReportInstantStats:{SPAN}"} if "own" in counts else {}
    asked |= {label: f"{label}:ReportInstantStatsEx:{next(iter(counts))},{SPAN}" for label in more}
    calls = frame([{"session": label, "call_id": each} for label, each in asked.items()])
    known = frame([{"session": "own", "network_id": 300 if own else None, "mailbox_id": own}])
    known = known.astype({"network_id": "int64[pyarrow]", "mailbox_id": "int64[pyarrow]"})
    networks = networks_of(calls, known.set_index("session"))
    every = counts | dict.fromkeys(more, next(iter(counts.values())))
    rows = [
        {
            "session": label,
            "span_start": START,
            "span_end": START + pd.Timedelta(hours=1),
            "traffic": traffic,
            "direction": direction,
            "exact": count is not None,
            "count": count or 0,
        }
        for label, count in every.items()
        for traffic, direction in SERIES
    ]
    found = compared([exact_of(frame([row]), networks) for row in rows], networks)
    return {str(label): row.partition(": ")[2] for label, row in found["said"].items()}


IS_SUM = "it seems to be the sum of its mailboxes"
IS_ROOT = "it seems to be its Root mailbox alone, which sums leave out"
IS_NEITHER = "it seems to be neither: are all of its mailboxes asked for?"


@pytest.mark.parametrize(
    ("total", "wanted"),
    [(100, IS_SUM), (91, IS_SUM), (110, IS_SUM), (89, IS_ROOT), (0, IS_ROOT), (111, IS_NEITHER)],
)
def test_it_is_told_by_the_counts(total: int, wanted: str) -> None:
    """Of two mailboxes with a hundred of everything: within a tenth it is their sum."""
    assert said({"300,1,0": 40, "300,2,0": 60, "300,0,0": total}) == {"300,0,0": wanted}


def test_nothing_is_said_of_what_cannot_be_known() -> None:
    """A mailbox without an answer, a network that nobody asks for, mailboxes of another one, and too few counts."""
    assert said({"300,1,0": 40, "300,2,0": None, "300,0,0": 3}) == {}
    assert said({"300,1,0": 40, "300,2,0": 60}) == {}
    assert said({"301,1,0": 40, "300,0,0": 3}) == {}
    assert said({"300,1,0": 19, "300,0,0": 3}) == {}
    assert said({"300,1,0": 20, "300,0,0": 3}) == {"300,0,0": IS_ROOT}


def test_each_mailbox_counts_once() -> None:
    """Not those of a second label for it, nor an ECGridID; a session that asks for its own mailbox does."""
    assert said({"300,1,0": 50, "300,0,0": 50}, more=("again",)) == {"300,0,0": IS_SUM}
    assert said({"300,1,0": 50, "300,1,7": 50, "300,0,0": 50}) == {"300,0,0": IS_SUM}
    assert said({"300,1,0": 50, "own": 50, "300,0,0": 100}, own=9) == {"300,0,0": IS_SUM}


def test_it_cannot_keep_rows_out() -> None:
    """They are published when it is made."""
    assert levels_of({"network_is_its_mailboxes": "off"})["network_is_its_mailboxes"] == "off"
    with pytest.raises(ValueError, match="can only be off or warn"):
        levels_of({"network_is_its_mailboxes": "quarantine"})
