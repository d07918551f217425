"""From decoded tables to rows of `instant_stats` and `dataset_extras`."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.contract import DATASET_EXTRAS, INSTANT_STATS
from pipelines.contract.casting import to_contract
from pipelines.normalize.answers import AnswerGroup, TableRows
from pipelines.normalize.counts import METRICS, counts_of, folded
from pipelines.normalize.extras import extras_of
from pipelines.normalize.facts import facts_of
from pipelines.normalize.pairs import pairs_of
from pipelines.normalize.text import text_of
from tests.pipelines.answer_tables import (
    NAMES,
    OBSERVED_US,
    SENT_US,
    calls,
    eight,
    group,
    rows,
)

ZONED = pa.struct([("timestamp", pa.timestamp("us", "UTC")), ("offset_minutes", pa.int16())])
OBJECT = pa.struct([("type", pa.string()), ("value", pa.string())])


def facts(answers: pd.DataFrame, *groups: AnswerGroup, out: tuple[int, ...] = ()) -> list[dict]:
    """The rows of `instant_stats`; `out` are the quarantined answers."""
    pairs = pairs_of(answers, counts_of(groups).without(pd.Index(out)))
    table = to_contract(facts_of(pairs).assign(run_id="run-a"), INSTANT_STATS)
    table.validate(full=True)
    return table.to_pylist()


def extras(answers: pd.DataFrame, *groups: AnswerGroup, out: tuple[int, ...] = ()) -> list[dict]:
    """The rows of `dataset_extras`."""
    rows = extras_of(answers, groups, counts_of(groups).without(pd.Index(out)))
    table = to_contract(rows.assign(run_id="run-a"), DATASET_EXTRAS)
    table.validate(full=True)
    return table.to_pylist()


def test_the_documented_columns() -> None:
    """The names of the service's documentation, in the order of the rows."""
    first = "ParcelsIn1 ParcelsOut1 InterchangesIn1 InterchangesOut1"
    assert " ".join(NAMES) == f"{first} {first.replace('1', '2')}"


def test_an_answer_becomes_eight_rows() -> None:
    """Each count with its window, traffic, direction and both clocks."""
    found = facts(calls((60, 120)), group(rows(eight(1, 2, 3, 4, 5, 6, 7, 8))))
    assert [(r["window_slot"], r["traffic"], r["direction"], r["count"]) for r in found] == [
        (1, "parcel", "in", 1),
        (1, "parcel", "out", 2),
        (1, "interchange", "in", 3),
        (1, "interchange", "out", 4),
        (2, "parcel", "in", 5),
        (2, "parcel", "out", 6),
        (2, "interchange", "in", 7),
        (2, "interchange", "out", 8),
    ]
    end = datetime(2026, 1, 31, 2, 0, 2, tzinfo=UTC)
    assert found[7] == {
        "run_id": "run-a",
        "call_id": "call-0",
        "session": "s0",
        "network_id": 7,
        "mailbox_id": None,
        "window_minutes": 120,
        "window_start": end - timedelta(minutes=120),
        "window_end": end,
        "traffic": "interchange",
        "direction": "out",
        "count": 8,
        "window_slot": 2,
        "requested_at": datetime.fromtimestamp(SENT_US / 1e6, UTC),
        "observed_at": datetime.fromtimestamp(OBSERVED_US / 1e6, UTC),
        "raw_sha256": "0" * 64,
    }


def test_without_the_servers_clock_there_is_no_window() -> None:
    """The client's clock does not stand in for it."""
    found = facts(calls((1, 32_767), observed_us=None), group(rows(eight(*range(8)))))
    assert {(r["window_start"], r["window_end"], r["observed_at"]) for r in found} == {
        (None, None, None)
    }


def test_the_longest_window_does_not_overflow() -> None:
    """32,767 minutes are more microseconds than 32 bits hold."""
    found = facts(calls((1, 32_767)), group(rows(eight(*range(8)))))
    end = datetime(2026, 1, 31, 2, 0, 2, tzinfo=UTC)
    assert found[4]["window_start"] == end - timedelta(minutes=32_767)


def test_null_is_a_row_without_a_count() -> None:
    """Null is not zero, and not an absent row."""
    found = facts(calls((60, 120)), group(rows(eight(None, 0, 3, 4, 5, 6, 7, None))))
    assert [r["count"] for r in found] == [None, 0, 3, 4, 5, 6, 7, None]


SPACED = "Parcels In 1|Parcels_Out_1|interchanges in1|INTERCHANGES_OUT1|parcels_in_2|ParcelsOut 2"


@pytest.mark.parametrize(
    "spelled",
    [
        [name.lower() for name in NAMES],
        [name.upper() for name in NAMES],
        [*SPACED.split("|"), "Interchanges_In 2", " InterchangesOut2 "],
        [name.replace("s", "", 1) for name in NAMES],
    ],
    ids=["lower", "upper", "spaced", "singular"],
)
def test_names_may_vary_in_case_spaces_underscores_and_plural(spelled: list[str]) -> None:
    """What the real service writes is not known to the letter."""
    columns = {name: [number] for number, name in enumerate(spelled)}
    assert [r["count"] for r in facts(calls((60, 120)), group(rows(columns)))] == list(range(8))
    assert extras(calls((60, 120)), group(rows(columns))) == []


def test_folding_does_not_make_different_names_alike() -> None:
    """Only the eight, and nothing that merely contains one of them."""
    columns = {"ParcelsIn": [1], "ParcelsIn12": [2], "ParcelsInBytes1": [3], "XParcelsIn1": [4]}
    assert facts(calls((60, 120)), group(rows(columns))) == []
    assert folded("Parcels In_1") == "parcelsin1"


def test_the_first_table_that_has_counts_is_the_one() -> None:
    """A table before it without, and a table after it with such columns, go to the extras."""
    answer = group(
        rows({"Note": [5]}, name="Info"),
        rows(eight(*range(8))),
        rows(eight(*range(8, 16)), name="Again"),
    )
    assert [r["count"] for r in facts(calls((60, 120)), answer)] == list(range(8))
    left = extras(calls((60, 120)), answer)
    assert [(r["table"], r["column"], r["value"]) for r in left] == [
        ("Info", "Note", "5"),
        *(("Again", name, str(8 + number)) for number, name in enumerate(NAMES)),
    ]


def test_rows_beyond_the_first_and_other_columns_are_extras() -> None:
    """In the order of rows, then columns, with text for the values."""
    columns = {name: [number, number + 10] for number, name in enumerate(NAMES)}
    answer = group(rows({"Before": [1, 2], **columns, "After": [None, 3]}, (0, 0)))
    assert [r["count"] for r in facts(calls((60, 120)), answer)] == list(range(8))
    assert [(r["row"], r["column"], r["value"]) for r in extras(calls((60, 120)), answer)] == [
        (0, "Before", "1"),
        (0, "After", None),
        (1, "Before", "2"),
        *((1, name, str(number + 10)) for number, name in enumerate(NAMES)),
        (1, "After", "3"),
    ]


def test_an_extra_says_where_it_is_from() -> None:
    """Every column of the table."""
    (row,) = extras(calls((60, 120)), group(rows({"Note": [5]}, name="Info")))
    assert row == {
        "run_id": "run-a",
        "call_id": "call-0",
        "session": "s0",
        "table": "Info",
        "state": "current",
        "row": 0,
        "column": "Note",
        "type": "System.Int32",
        "value": "5",
    }


@pytest.mark.parametrize("state", ["before", "deleted"])
def test_old_versions_of_rows_are_extras_and_never_counts(state: str) -> None:
    """A deleted row is said to be gone, so its counts are no answer."""
    answer = group(rows(eight(*range(8)), state=state))
    assert facts(calls((60, 120)), answer) == []
    assert {r["state"] for r in extras(calls((60, 120)), answer)} == {state}
    assert answer.with_rows().tolist() == []


def test_of_two_columns_for_one_count_the_first_wins() -> None:
    """The other one is kept as an extra."""
    answer = group(rows({**eight(*range(8)), "parcelsin1": [99]}))
    assert facts(calls((60, 120)), answer)[0]["count"] == 0
    assert [(r["column"], r["value"]) for r in extras(calls((60, 120)), answer)] == [
        ("parcelsin1", "99")
    ]


def test_a_quarantined_answer_is_in_the_extras_whole() -> None:
    """Nothing that the service said is lost, and none of it is taken for a fact."""
    columns = {name: [number, number + 10] for number, name in enumerate(NAMES)}
    answers, answer = calls((60, 120), (60, 120)), group(rows(columns, (0, 1)), answers=2)
    assert {r["call_id"] for r in facts(answers, answer, out=(0,))} == {"call-1"}
    left = extras(answers, answer, out=(0,))
    assert [(r["call_id"], r["column"], r["value"]) for r in left] == [
        ("call-0", name, str(number)) for number, name in enumerate(NAMES)
    ]


def test_answers_of_several_schemas_keep_their_calls() -> None:
    """The groups of a batch are taken together, in any order."""
    answers = calls((60, 120), (1, 2), (3, 4))
    first = rows({name: [1, 3] for name in NAMES}, (0, 2))
    second = rows({name: [2] for name in reversed(NAMES)}, (1,))
    groups = (AnswerGroup(np.array([1]), (second,)), AnswerGroup(np.array([0, 2]), (first,)))
    found = {(r["session"], r["count"]) for r in facts(answers, *groups)}
    assert found == {("s0", 1), ("s1", 2), ("s2", 3)}
    assert counts_of(groups).wide.index.tolist() == [0, 1, 2]


def test_an_answer_without_rows_has_no_counts() -> None:
    """It is not in the counts at all, so it is empty and not wrong."""
    answer = group(rows({name: [] for name in NAMES}, ()))
    assert counts_of([answer]).wide.index.tolist() == []
    assert counts_of([group()]).wide.index.tolist() == []
    assert counts_of([]).wide.index.tolist() == []


def test_a_missing_column_makes_no_row() -> None:
    """The other seven are there; whether they are published is for the checks."""
    columns = eight(*range(8))
    del columns["ParcelsOut2"]
    counts = counts_of([group(rows(columns))])
    assert counts.missing.to_numpy().tolist() == [[name == "ParcelsOut2" for name in NAMES]]
    found = facts(calls((60, 120)), group(rows(columns)))
    assert [r["count"] for r in found] == [0, 1, 2, 3, 4, 6, 7]


@pytest.mark.parametrize(
    ("type_", "value", "count"),
    [
        (pa.int64(), 2**63 - 1, 2**63 - 1),
        (pa.uint8(), 255, 255),
        (pa.uint64(), 2**63 - 1, 2**63 - 1),
        (pa.uint64(), 2**63, None),
        (pa.string(), " 12 ", 12),
        (pa.string(), "-12", -12),
        (pa.string(), "1.5", None),
        (pa.string(), "١٢", None),
        (pa.string(), "9" * 30, None),
        (pa.string(), "", None),
        (pa.float64(), 12.0, 12),
        (pa.float64(), 1.5, None),
        (pa.float64(), float("nan"), None),
        (pa.float64(), float("inf"), None),
        (pa.float64(), 1e300, None),
        (pa.decimal128(20, 2), Decimal("12.00"), 12),
        (pa.decimal128(20, 2), Decimal("12.50"), None),
        (pa.bool_(), True, None),
        (pa.timestamp("us"), datetime(2026, 1, 31), None),  # noqa: DTZ001
    ],
)
def test_a_count_of_another_type_is_taken_if_it_is_a_whole_number(
    type_: pa.DataType, value: object, count: int | None
) -> None:
    """Nothing is rounded; what is no whole number is missing and goes to the extras."""
    answer = group(rows({name: [value] for name in NAMES}, type_=type_))
    found = facts(calls((60, 120)), answer)
    assert [r["count"] for r in found] == ([] if count is None else [count] * len(METRICS))
    assert len(extras(calls((60, 120)), answer)) == (len(METRICS) if count is None else 0)


def test_a_null_of_another_type_is_a_null_count() -> None:
    """Null is what the service said, whatever the type."""
    answer = group(rows({name: [None] for name in NAMES}, type_=pa.string()))
    assert [r["count"] for r in facts(calls((60, 120)), answer)] == [None] * len(METRICS)


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (pa.string(), "a & b", "a & b"),
        (pa.string(), "", ""),
        (pa.int64(), -5, "-5"),
        (pa.uint64(), 2**64 - 1, "18446744073709551615"),
        (pa.bool_(), True, "true"),
        (pa.float64(), 0.1, "0.1"),
        (pa.float32(), 0.1, "0.1"),
        (pa.float64(), float("nan"), "NaN"),
        (pa.float64(), float("-inf"), "-INF"),
        (pa.decimal128(38, 2), Decimal("1.10"), "1.10"),
        (pa.binary(), b"\x01\x02\x03", "AQID"),
        (pa.date32(), date(2026, 1, 31), "2026-01-31"),
        (pa.timestamp("us"), 1_769_824_800_000_000, "2026-01-31T02:00:00"),
        (pa.timestamp("us", "UTC"), 1_769_824_800_000_050, "2026-01-31T02:00:00.00005Z"),
        (pa.timestamp("ns"), 1_769_824_800_000_000_100, "2026-01-31T02:00:00.0000001"),
        (pa.timestamp("us"), -62_135_596_800_000_000, "0001-01-01T00:00:00"),
        (pa.time64("ns"), 3_600_000_000_100, "01:00:00.0000001"),
        (pa.time64("ns"), 3_600_000_000_000, "01:00:00"),
        (pa.duration("us"), 93_784_005_000, "P1DT7384.005S"),
        (pa.duration("ns"), -100, "-P0DT0.0000001S"),
        (
            ZONED,
            {"timestamp": 1_769_824_800_000_000, "offset_minutes": -330},
            "2026-01-30T20:30:00-05:30",
        ),
        (
            ZONED,
            {"timestamp": 1_769_824_800_100_000, "offset_minutes": 0},
            "2026-01-31T02:00:00.1+00:00",
        ),
        (OBJECT, {"type": "System.Int32", "value": "5"}, "5"),
        (pa.dictionary(pa.int32(), pa.string()), "x", "x"),
    ],
)
def test_values_are_spelled_as_in_xml(type_: pa.DataType, value: object, text: str) -> None:
    """So that one table can hold values of every type."""
    column = pa.chunked_array([pa.array([value, None], type_), pa.array([], type_)])
    assert text_of(column).to_pylist() == [text, None]


def test_table_rows_are_the_only_thing_needed() -> None:
    """A decoded table may have two columns of one name."""
    both = TableRows(
        "Table",
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
        ("System.Int32", "System.Int32"),
        np.array([0]),
        np.array([0]),
    )
    assert [r["value"] for r in extras(calls((60, 120)), group(both))] == ["1", "2"]
