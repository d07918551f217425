"""Answers that wait for the end of their run."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines import spool
from pipelines.errors import PublicationError
from pipelines.spool import Spool
from pipelines.tidy import COUNTED


def answers(session: str, count: int) -> pa.Table:
    """So many answers of a session."""
    row = {
        "session": session,
        "window1_minutes": 60,
        "window2_minutes": 120,
        "requested_at": 0,
        "received_at": 1,
        "observed_at": None,
        "counts": [1, None, 3, 4, 5, 6, 7, 8],
    }
    return pa.Table.from_pylist([{**row, "call_id": str(n)} for n in range(count)], COUNTED)


@pytest.mark.parametrize("in_memory", [64 << 20, 1])
@pytest.mark.parametrize("part_rows", [1, 7, 100, 1000])
def test_sessions_come_out_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int, part_rows: int
) -> None:
    """However they were cut going in, and whether in memory or on disk."""
    monkeypatch.setattr(spool, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(spool, "_PART_ROWS", part_rows)
    every = pa.concat_tables([answers(f"s{n}", n % 13 + 1) for n in range(40)])
    with Spool(tmp_path) as waiting:
        for start in range(0, every.num_rows, 17):
            waiting.add(every.slice(start, 17))
        parts = list(waiting.sessions())
        assert list(tmp_path.iterdir()) == []  # the file has no name
    assert pa.concat_tables(parts).equals(every)
    seen = [set(part["session"].to_pylist()) for part in parts]
    assert sum(map(len, seen)) == 40
    if part_rows == 1000:
        assert len(parts) == 1
    if part_rows == 1:
        assert len(parts) > 10


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    """One part without rows, so that the table gets its columns."""
    with Spool(tmp_path) as waiting:
        assert [part.num_rows for part in waiting.sessions()] == [0]


def test_a_disk_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that the file would be in does not exist."""
    monkeypatch.setattr(spool, "_IN_MEMORY", 1)
    with Spool(tmp_path / "gone") as waiting, pytest.raises(PublicationError, match="gone"):
        waiting.add(answers("s", 10))
