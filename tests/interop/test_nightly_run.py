"""The whole nightly job against the real ASP.NET stack: what lands is what the service says it sent."""

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pandas as pd
import pytest

from tests.interop.bindings import BINDINGS
from tests.interop.job import Job, sent_counts, table_counts
from tests.interop.stack import RealStack

HOURS: Final = tuple(range(60, 1441, 60))
BY_KEY: Final = tuple(range(1, 11))
BY_LOGIN: Final = tuple(range(11, 21))
SESSIONS: Final = len(BY_KEY) + len(BY_LOGIN)


def operations(journal: list[dict]) -> Counter[str]:
    """How often each operation was asked for."""
    return Counter(entry["operation"] for entry in journal)


@pytest.mark.parametrize("binding", BINDINGS)
def test_what_lands_is_what_was_sent(real_stack: RealStack, tmp_path: Path, binding: str) -> None:
    """20 sessions with 24 windows: every count in Parquet is one that the service sent, and none is missing."""
    real_stack.reset()
    job = Job(tmp_path, real_stack.url, binding, HOURS, BY_KEY, BY_LOGIN)
    said = job.run()
    journal = real_stack.sent()

    calls = SESSIONS * len(HOURS) // 2
    assert {key: said[key] for key in ("planned", "ok", "empty", "failed", "not_attempted")} == {
        "planned": calls,
        "ok": calls,
        "empty": 0,
        "failed": 0,
        "not_attempted": 0,
    }
    assert said["exit_code"] == 0
    assert said["attempts"] == operations(journal)["ReportInstantStats"] == calls
    assert said["logins"] == operations(journal)["Login"] == len(BY_LOGIN)
    assert said["rows"] == SESSIONS * len(HOURS) * 4

    facts = job.table("instant_stats")
    assert len(facts) == said["rows"]
    assert table_counts(facts) == sent_counts(journal)
    assert {entry["binding"] for entry in journal} == {binding}


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.few(2)
def test_sessions_are_described_and_logged_out(
    real_stack: RealStack, tmp_path: Path, binding: str
) -> None:
    """The `sessions` table holds what WhoAmI said; the service has no session left open."""
    real_stack.reset()
    job = Job(tmp_path, real_stack.url, binding, (60, 120), by_key=(1,), by_login=(11, 12))
    job.run()

    known = job.table("sessions").set_index("session")
    assert {label: int(row["network_id"]) for label, row in known.iterrows()} == {
        "real-0001": 301,
        "real-0011": 311,
        "real-0012": 312,
    }
    assert {label: int(row["mailbox_id"]) for label, row in known.iterrows()} == {
        "real-0001": 9001,
        "real-0011": 9011,
        "real-0012": 9012,
    }
    assert real_stack.open_sessions() == 0
    assert operations(real_stack.sent())["Logout"] == 2


def test_a_chain_asks_for_neighbouring_windows(real_stack: RealStack, tmp_path: Path) -> None:
    """N windows make N-1 calls of neighbours, and inner windows are counted twice."""
    real_stack.reset()
    windows = (60, 120, 180, 32_767)
    job = Job(tmp_path, real_stack.url, "soap12", windows, by_key=(1, 2), pairing="chain")
    said = job.run()
    journal = real_stack.sent()

    assert said["planned"] == said["ok"] == 2 * 3
    asked = {tuple(entry["minutes"]) for entry in journal if "minutes" in entry}
    assert asked == {(60, 120), (120, 180), (180, 32_767)}
    assert table_counts(job.table("instant_stats")) == sent_counts(journal)


@pytest.mark.parametrize(
    ("binding", "shape"),
    [
        ("soap11", "word"),
        ("soap11", "flat"),
        ("soap12", "number"),
        ("soap12", "info"),
        ("soap12", "flat"),
        ("http-post", "word"),
        ("http-get", "info"),
    ],
)
@pytest.mark.few(2)
def test_an_expired_session_is_logged_in_again(
    real_stack: RealStack, tmp_path: Path, binding: str, shape: str
) -> None:
    """Sessions that end after six calls: each fault shape leads to another login, and nothing is lost."""
    real_stack.reset(expire_after=6, fault=shape)
    job = Job(tmp_path, real_stack.url, binding, HOURS, by_login=(11, 12))
    said = job.run()
    journal = real_stack.sent()

    assert (said["planned"], said["ok"], said["exit_code"]) == (24, 24, 0)
    assert table_counts(job.table("instant_stats")) == sent_counts(journal)
    assert said["logins"] == operations(journal)["Login"] > 2
    assert said["attempts"] == operations(journal)["ReportInstantStats"] > 24
    assert real_stack.open_sessions() == 0


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.few(2)
def test_every_call_ends_in_one_state(real_stack: RealStack, tmp_path: Path, binding: str) -> None:
    """No rows and a null DataSet are `empty`, a revoked key and a denied mailbox `failed`; the rest is published."""
    real_stack.reset()
    job = Job(tmp_path, real_stack.url, binding, (60, 120, 180, 240), by_key=(1, 21, 22, 23, 24))
    said = job.run()

    assert (said["planned"], said["ok"], said["empty"], said["failed"]) == (10, 2, 4, 4)
    assert said["exit_code"] == 1
    ledger = job.table("calls")
    states = {
        (str(session), str(state), fault if isinstance(fault, str) else None)
        for session, state, fault in ledger[["session", "state", "fault_class"]].itertuples(
            index=False
        )
    }
    assert states == {
        ("real-0001", "ok", None),
        ("real-0021", "empty", None),
        ("real-0022", "empty", None),
        ("real-0023", "failed", "authentication"),
        ("real-0024", "failed", "authorisation"),
    }
    assert len(ledger) == said["planned"]
    assert table_counts(job.table("instant_stats")) == sent_counts(real_stack.sent())


def test_what_instant_stats_has_no_place_for_is_kept(real_stack: RealStack, tmp_path: Path) -> None:
    """Columns and tables that nobody expects go to `dataset_extras`, the counts where they belong."""
    real_stack.reset()
    job = Job(tmp_path, real_stack.url, "soap12", (60, 120), by_key=(25,))
    said = job.run()

    assert (said["ok"], said["exit_code"]) == (1, 0)
    assert table_counts(job.table("instant_stats")) == sent_counts(real_stack.sent())
    extras = job.table("dataset_extras")
    columns = [extras[name] for name in ("table", "row", "column", "type", "value")]
    found = [
        tuple(None if pd.isna(part) else part for part in row) for row in zip(*columns, strict=True)
    ]
    assert sorted(found, key=str) == [
        ("Partners", 0, "Bytes", "System.Int64", "5000000000"),
        ("Partners", 0, "Name", "System.String", "one"),
        ("Partners", 1, "Bytes", "System.Int64", None),
        ("Partners", 1, "Name", "System.String", "two"),
        ("Table", 0, "As Of", "System.DateTime", "2024-01-15T08:30:00Z"),
        ("Table", 0, "Note", "System.String", "not counted <yet>"),
    ]


def test_check_is_content_with_the_real_stack(real_stack: RealStack, tmp_path: Path) -> None:
    """`check` reaches the service, reads its clock, lets every session in and out again."""
    real_stack.reset()
    job = Job(tmp_path, real_stack.url, "soap12", (60,), by_key=(1,), by_login=(11,))
    said = job.finished(job.started("check"))

    assert said["exit_code"] == 0, said
    assert real_stack.open_sessions() == 0
    assert "ReportInstantStats" not in operations(real_stack.sent())


@pytest.mark.extended
def test_a_stopped_run_is_resumed(real_stack: RealStack, tmp_path: Path) -> None:
    """SIGTERM in the middle, then `run` again: the rest is asked for, no row twice, nobody left logged in."""
    real_stack.reset()
    job = Job(tmp_path, real_stack.url, "soap12", HOURS, BY_KEY, BY_LOGIN, per_second=60)
    process = job.started("run")
    deadline = time.monotonic() + 30
    while operations(real_stack.sent())["ReportInstantStats"] < 40:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another process: there is nothing to wait on
    process.send_signal(signal.SIGTERM)
    stopped = job.finished(process)
    assert stopped["exit_code"] == 4
    assert stopped["not_attempted"] > 0
    assert real_stack.open_sessions() == 0

    resumed = job.run()
    journal = real_stack.sent()
    assert (resumed["exit_code"], resumed["run_id"]) == (0, stopped["run_id"])
    assert resumed["ok"] == resumed["planned"] == 240
    assert operations(journal)["ReportInstantStats"] == 240
    assert table_counts(job.table("instant_stats")) == sent_counts(journal)
    assert real_stack.open_sessions() == 0


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.few(1)
def test_one_key_sees_many_mailboxes(real_stack: RealStack, tmp_path: Path, binding: str) -> None:
    """Behind a key and a login that ends every 25 calls: all counts of all mailboxes, and one denied request."""
    real_stack.reset(expire_after=25)
    behind_key, behind_login = (*range(1, 10), 24), tuple(range(11, 21))
    job = Job(
        tmp_path,
        real_stack.url,
        binding,
        HOURS[:12],
        behind_key=behind_key,
        behind_login=behind_login,
    )
    said = job.run()
    journal = real_stack.sent()

    assert (said["planned"], said["ok"], said["faults"]) == (120, 114, {"authorisation": 6})
    assert table_counts(job.table("instant_stats")) == sent_counts(journal)
    denied = [each for each in journal if each["account"] == "real-0024"]
    assert [each["fault"] for each in denied] == [True]
    assert said["logins"] == operations(journal)["Login"] >= 3
    assert operations(journal)["WhoAmI"] == 2
    assert set(job.table("calls").operation) == {"ReportInstantStatsEx"}
    assert real_stack.open_sessions() == 0
