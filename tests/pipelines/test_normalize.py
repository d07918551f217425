"""A landed run, end to end: from the landing store to what a reader of the lake sees."""

import gzip
import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from collector.domain.calls import Call, Span
from collector.domain.outcomes import State
from collector.domain.replies import LandedReply
from collector.domain.whoami import WhoAmI
from pipelines.contract import RUN_TABLES
from pipelines.lake import Lake
from pipelines.normalize import Normalized, normalize
from tests.pipelines.night import (
    COLUMNS,
    NULL_ANSWER,
    RUN_ID,
    SENT_US,
    Night,
    answer,
    counts,
)

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that does not exist yet."""
    return Lake(tmp_path / "lake")


def published(lake: Lake) -> Rows:
    """All tables as a reader gets them."""
    return {name: pq.read_table(lake.folder / name).to_pylist() for name in RUN_TABLES}


def run(night: Night, lake: Lake, checks: dict[str, str] | None = None) -> tuple[Normalized, Rows]:
    """Land, normalize, read."""
    with night.land(lake.folder.parent / "landing") as landed:
        normalized = normalize(landed, lake, checks)
    assert normalized.planned == len(night.calls)
    states = [normalized.ok, normalized.empty, normalized.failed, normalized.not_attempted]
    assert sum(states) == normalized.planned
    return normalized, published(lake)


def states(rows: Rows) -> list[tuple[str, str | None, str | None]]:
    """State, class and checks of each call, by session and windows."""
    return [(row["state"], row["fault_class"], row["quality"]) for row in rows["calls"]]


def test_every_kind_of_call_ends_in_its_state(lake: Lake) -> None:
    """Planned = ok + empty + failed + not_attempted, and only ok has rows."""
    night = Night()
    night.answered(answer(counts()), window1=1)
    night.answered(answer(), window1=2)
    night.answered(NULL_ANSWER, window1=3, state=State.EMPTY)
    night.answered(b"<html></html>", window1=4)
    night.faulted(window1=5)
    night.plan(window1=6)
    normalized, rows = run(night, lake)
    assert states(rows) == [
        ("ok", None, None),
        ("empty", None, None),
        ("empty", None, None),
        ("failed", "quarantined", "readable"),
        ("failed", "server", None),
        ("not_attempted", None, None),
    ]
    assert normalized.manifest.counts == {
        "planned": 6,
        "ok": 1,
        "empty": 2,
        "failed": 2,
        "not_attempted": 1,
        "attempts": 6,
        "logins": 1,
    }
    assert (normalized.rows, normalized.files, normalized.attempts) == (8, 6, 6)
    assert normalized.quarantined == 1
    assert Counter(row["window_minutes"] for row in rows["instant_stats"]) == {1: 4, 120: 4}


def test_a_fact_carries_its_call_and_its_session(lake: Lake) -> None:
    """Clocks, digest, network and mailbox are those of the answer that it is from."""
    night, body = Night(), answer(counts(1, 11))
    call = night.answered(body)
    night.answered(answer(counts(21, 31)), "beta", observed_us=None)
    night.facts.append(WhoAmI("acme", SENT_US, 3, 4, 5, 60, 1))
    _, rows = run(night, lake)
    first, last = rows["instant_stats"][0], rows["instant_stats"][-1]
    end = datetime(2026, 1, 31, 2, 0, 2, tzinfo=UTC)
    assert first["call_id"] == call.call_id
    assert (first["count"], first["network_id"], first["mailbox_id"]) == (1, 3, 4)
    assert (first["window_end"], first["observed_at"]) == (end, end)
    assert first["requested_at"] == datetime(2026, 1, 31, 2, 0, 1, 500_000, tzinfo=UTC)
    assert first["raw_sha256"] == hashlib.sha256(body).hexdigest()
    assert (last["count"], last["network_id"], last["window_end"]) == (34, None, None)
    assert {(row["run_id"], row["run_date"]) for row in rows["instant_stats"]} == {
        (RUN_ID, "2026-01-31")
    }


def test_a_span_is_asked_for_by_other_minutes_every_time(lake: Lake) -> None:
    """The ledger has its edges and the minutes of the last attempt, counts have those of their own answer."""
    start = datetime(2026, 1, 31, 0, 0, tzinfo=UTC)
    end = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
    span = Span(*(int(edge.timestamp()) * 1_000_000 for edge in (start, end)))
    asked = Call.of("acme", "ReportInstantStats", (span,))
    never = Call.of("beta", "ReportInstantStatsEx", (3, 4, 0, span))
    night, sent = Night([asked, never]), [(60, 120), (61, 121)]
    made = Night()
    made.retried(answer(counts(1, 11)), answer(counts(21, 31)))
    night.replies = [
        reply._replace(call_id=asked.call_id, minutes=minutes)
        for reply, minutes in zip(made.replies, sent, strict=True)
    ]
    night.outcomes = [
        outcome._replace(call_id=asked.call_id, minutes=sent[-1]) for outcome in made.outcomes
    ]
    _, rows = run(night, lake)
    names = ("operation", "span_start", "span_end", "window1_minutes", "window2_minutes", "state")
    assert [tuple(row[name] for name in names) for row in rows["calls"]] == [
        ("ReportInstantStats", start, end, 61, 121, "ok"),
        ("ReportInstantStatsEx", start, end, None, None, "not_attempted"),
    ]
    windows = [(row["window1_minutes"], row["window2_minutes"]) for row in rows["raw"]]
    assert windows == sent
    counted = {(row["window_minutes"], row["count"]) for row in rows["instant_stats"]}
    assert counted == {(61, n) for n in range(21, 25)} | {(121, n) for n in range(31, 35)}
    assert {(row["from_minutes"], row["to_minutes"]) for row in rows["traffic_buckets"]} == {
        (0, 61),
        (61, 121),
    }


def test_the_ledger_says_what_collecting_said(lake: Lake) -> None:
    """Every field of an outcome is a column."""
    night = Night()
    call = night.faulted()
    _, rows = run(night, lake)
    assert rows["calls"] == [
        {
            "run_id": RUN_ID,
            "call_id": call.call_id,
            "session": "acme",
            "operation": "ReportInstantStats",
            "span_start": None,
            "span_end": None,
            "window1_minutes": 60,
            "window2_minutes": 120,
            "state": "failed",
            "attempts": 2,
            "http_status": 500,
            "fault_class": "server",
            "fault_text": "out of order",
            "requested_at": datetime(2026, 1, 31, 2, 0, 1, 500_000, tzinfo=UTC),
            "observed_at": None,
            "latency_ms": 7.0,
            "reply_bytes": 8,
            "quality": None,
            "run_date": "2026-01-31",
        }
    ]


def test_raw_holds_every_landed_reply(lake: Lake) -> None:
    """All attempts, faults too, with every field of the landed reply."""
    night = Night()
    night.faulted()
    night.answered(answer(counts()), "beta")
    _, rows = run(night, lake)
    assert [(row["attempt"], row["is_answer"]) for row in rows["raw"]] == [
        (1, False),
        (2, False),
        (1, True),
    ]
    for row, reply in zip(rows["raw"], night.replies, strict=True):
        assert row["body_sha256"] == hashlib.sha256(reply.body).hexdigest()
        sent = datetime.fromtimestamp(reply.sent_at_us / 1e6, UTC)
        assert (row["http_status"], row["sent_at"]) == (reply.status, sent)
        assert row["headers"] == json.dumps(reply.headers, sort_keys=True)
        same = set(LandedReply._fields) & set(row) - {"headers"}
        assert same >= {"call_id", "session", "binding", "request", "body", "masked", "cut"}
        assert {name: row[name] for name in same} == {name: getattr(reply, name) for name in same}


def test_only_the_attempt_that_is_the_answer_is_read(lake: Lake) -> None:
    """Another landed reply of the call is in raw only."""
    night = Night()
    night.retried(answer(counts(500, 600)), answer(counts(1, 10)))
    _, rows = run(night, lake)
    assert sorted(row["count"] for row in rows["instant_stats"]) == [1, 2, 3, 4, 10, 11, 12, 13]
    assert [(row["attempt"], row["is_answer"]) for row in rows["raw"]] == [(1, False), (2, True)]


def test_unreadable_answers_of_one_batch_have_their_own_reasons(lake: Lake) -> None:
    """Whatever the stage at which each of them failed."""
    night = Night()
    night.answered(b"x", "a", headers={"content-encoding": "br"})
    night.answered(answer(counts()), "b")
    night.answered(b"<no", "c")
    night.answered(b"<before", "d")
    night.answered(answer(counts()), "e")
    _, rows = run(night, lake)
    texts = [row["fault_text"] for row in rows["calls"]]
    assert texts[1] is texts[4] is None
    assert "content encoding" in texts[0]
    assert "well-formed" in texts[2]
    assert "well-formed" in texts[3]


def test_sessions_holds_what_whoami_said(lake: Lake) -> None:
    """One row per session that was asked."""
    night = Night()
    night.plan()
    night.facts += [
        WhoAmI("acme", SENT_US, 3, 4, 5, 60, 1),
        WhoAmI("beta", SENT_US, fault_text="refused"),
    ]
    _, rows = run(night, lake)
    acme, beta = rows["sessions"]
    assert (acme["session"], acme["network_id"], acme["mailbox_id"]) == ("acme", 3, 4)
    assert (acme["user_id"], acme["timeout_seconds"], acme["open_sessions"]) == (5, 60, 1)
    assert (beta["network_id"], beta["fault_text"]) == (None, "refused")


def test_a_quarantined_answer_is_failed_and_shown(lake: Lake) -> None:
    """Its counts are not facts; the ledger and the summary say why; the values are extras."""
    night = Night()
    night.answered(answer({**counts(), "ParcelsIn1": -4}))
    normalized, rows = run(night, lake)
    assert states(rows) == [("failed", "quarantined", "no_negative_counts")]
    assert rows["calls"][0]["fault_text"] == "no_negative_counts: ParcelsIn1 is -4"
    assert rows["instant_stats"] == []
    assert [row["column"] for row in rows["dataset_extras"]] == list(COLUMNS)
    assert normalized.violations == {"no_negative_counts": 1}


def test_a_warning_is_published_and_shown(lake: Lake) -> None:
    """The rows are there, and both the ledger and the summary say what was not right."""
    night = Night()
    night.answered(answer(counts(10, 1)))
    normalized, rows = run(night, lake)
    assert states(rows) == [("ok", None, "longer_window_not_less")]
    assert len(rows["instant_stats"]) == 8
    assert normalized.violations == {"longer_window_not_less": 1}
    assert normalized.quarantined == 0


@pytest.mark.parametrize(
    ("level", "state", "facts"), [("off", "ok", 8), ("warn", "ok", 8), ("quarantine", "failed", 0)]
)
def test_a_check_does_what_is_configured(lake: Lake, level: str, state: str, facts: int) -> None:
    """Off, warning or quarantine."""
    night = Night()
    night.answered(answer({**counts(10, 20), "ParcelsIn2": -5}))
    checks = {"no_negative_counts": level, "longer_window_not_less": "off"}
    _, rows = run(night, lake, checks)
    assert rows["calls"][0]["state"] == state
    assert len(rows["instant_stats"]) == facts
    assert rows["calls"][0]["quality"] == (None if level == "off" else "no_negative_counts")


def test_several_reasons_are_all_named(lake: Lake) -> None:
    """In the text those that led to the quarantine, in the column all."""
    night = Night()
    row = {**counts(5, 1), "ParcelsIn1": -1}
    del row["InterchangesOut2"]
    night.answered(answer(row, columns=COLUMNS[:-1]))
    _, rows = run(night, lake)
    (call,) = rows["calls"]
    assert call["quality"] == "expected_columns,no_negative_counts,longer_window_not_less"
    assert "expected_columns: no whole number for InterchangesOut2" in call["fault_text"]
    assert "no_negative_counts: ParcelsIn1 is -1" in call["fault_text"]
    assert "longer_window" not in call["fault_text"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"\x1f\x8b truncated", {"content-encoding": "gzip"}),
        (answer(counts()), {"content-encoding": "br"}),
        (answer(counts())[:-300], {}),
        (b"<!DOCTYPE x []>" + answer(counts())[38:], {}),
        (answer({**counts(), "ParcelsIn1": "many"}), {}),
    ],
    ids=["empty", "gzip", "brotli", "cut", "doctype", "value"],
)
def test_an_unreadable_answer_is_quarantined(
    lake: Lake, body: bytes, headers: dict[str, str]
) -> None:
    """It harms no other answer of its batch."""
    night = Night()
    night.answered(answer(counts()), "a")
    night.answered(body, "b", headers=headers)
    night.answered(answer(counts()), "c")
    _, rows = run(night, lake)
    assert [row["state"] for row in rows["calls"]] == ["ok", "failed", "ok"]
    assert states(rows)[1] == ("failed", "quarantined", "readable")
    assert rows["calls"][1]["fault_text"].startswith("readable: ")
    assert {row["session"] for row in rows["instant_stats"]} == {"a", "c"}


def test_a_compressed_answer_is_read_and_kept_as_received(lake: Lake) -> None:
    """The digest is that of the bytes on the wire."""
    night, body = Night(), gzip.compress(answer(counts()), mtime=0)
    night.answered(body, headers={"content-encoding": "gzip", "content-type": "text/xml"})
    _, rows = run(night, lake)
    assert len(rows["instant_stats"]) == 8
    assert rows["raw"][0]["body"] == body
    assert rows["instant_stats"][0]["raw_sha256"] == hashlib.sha256(body).hexdigest()


def test_an_answer_that_is_not_landed_is_not_lost(lake: Lake) -> None:
    """A ledger that says ok without a reply beside it is wrong, and says so."""
    night = Night()
    night.answered(answer(counts()))
    night.replies.clear()
    _, rows = run(night, lake)
    assert states(rows) == [("failed", "damaged", "readable")]
    assert rows["calls"][0]["fault_text"] == "the landing store does not hold the answer"


def test_a_run_without_calls_publishes_empty_tables(lake: Lake) -> None:
    """Readers find columns and types all the same."""
    normalized, rows = run(Night(), lake)
    assert (normalized.planned, normalized.rows, normalized.files) == (0, 0, 6)
    assert rows == {name: [] for name in RUN_TABLES}


SAMPLES = Path(__file__).parent.parent / "asmx-samples"


def sample(path: Path) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a recorded answer."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    return body, {name.decode().lower(): value.decode() for name, value in lines}


@pytest.mark.parametrize("binding", ["soap11", "soap12", "get", "post"])
def test_answers_of_a_real_asmx_stack(lake: Lake, binding: str) -> None:
    """The same facts and extras over all four bindings."""
    night = Night()
    cases = ("documented", "extra-columns", "direction-rows", "row-states", "zero-rows")
    for window, case in enumerate(cases, start=1):
        body, headers = sample(SAMPLES / case / f"{binding}.http")
        night.answered(body, window1=window, headers=headers)
    _, rows = run(night, lake)
    assert states(rows) == [
        ("ok", None, None),
        ("ok", None, None),
        ("failed", "quarantined", "expected_columns"),
        ("failed", "quarantined", "expected_columns"),
        ("empty", None, None),
    ]
    facts = [(row["window_minutes"], row["count"]) for row in rows["instant_stats"]]
    assert [count for window, count in facts if window == 1] == [104, 100, 129, 65]
    assert [count for window, count in facts if window == 2] == [1, 4, 7, 10]
    extras = [
        (r["state"], r["row"], r["column"], r["type"], r["value"]) for r in rows["dataset_extras"]
    ]
    assert ("current", 0, "NetworkID", "System.Int32", "314") in extras
    assert ("current", 0, "AsOf", "System.DateTime", "2024-01-15T08:30:00") in extras
    assert ("current", 3, "Interchanges", "System.Int32", "31") in extras
    assert ("before", 1, "Name", "System.String", "to modify") in extras
    assert ("deleted", 0, "Name", "System.String", "to delete") in extras
    assert len(extras) == 6 + 16 + 18 + 15


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_old_rows_of_an_answer_in_another_encoding(lake: Lake, encoding: str) -> None:
    """Old versions and deleted rows are extras, whatever the encoding."""
    body, headers = sample(SAMPLES / "row-states" / "soap11.http")
    text = body.decode().replace('encoding="utf-8"', f'encoding="{encoding}"')
    night = Night()
    night.answered(body, "a", headers=headers)
    night.answered(
        text.encode(encoding), "b", headers={"content-type": f"text/xml; charset={encoding}"}
    )
    _, rows = run(night, lake)
    extras: dict[str, list[tuple[object, ...]]] = {"a": [], "b": []}
    for row in rows["dataset_extras"]:
        extras[row["session"]].append((row["state"], row["row"], row["column"], row["value"]))
    assert {state for state, *_ in extras["a"]} == {"current", "before", "deleted"}
    assert extras["a"] == extras["b"]
