"""Answers that wait for the end of their run."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.errors import PublicationError
from pipelines.normalize import spool
from pipelines.normalize.buckets import COUNTED
from pipelines.normalize.counts import COLUMNS
from pipelines.normalize.spool import Spool


def answers(session: str, count: int) -> pd.DataFrame:
    """So many answers of a session."""
    row = {
        "session": session,
        "window1_minutes": 60,
        "window2_minutes": 120,
        "requested_at": 0,
        "received_at": 1,
        "observed_at": None,
        **dict(zip(COLUMNS, [1, None, 3, 4, 5, 6, 7, 8], strict=True)),
    }
    rows = pa.Table.from_pylist([{**row, "call_id": str(n)} for n in range(count)], COUNTED)
    return rows.to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize("in_memory", [64 << 20, 1])
@pytest.mark.parametrize("part_rows", [1, 7, 100, 1000])
def test_sessions_come_out_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int, part_rows: int
) -> None:
    """However they were cut going in, and whether in memory or on disk."""
    monkeypatch.setattr(spool, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(spool, "_PART_ROWS", part_rows)
    every = pd.concat([answers(f"s{n}", n % 13 + 1) for n in range(40)], ignore_index=True)
    with Spool(tmp_path) as waiting:
        for start in range(0, len(every), 17):
            waiting.add(every[start : start + 17])
        parts = list(waiting.sessions())
        assert list(tmp_path.iterdir()) == []  # the file has no name
    assert pd.concat(parts, ignore_index=True).equals(every)
    seen = [set(part["session"]) for part in parts]
    assert sum(map(len, seen)) == 40
    if part_rows == 1000:
        assert len(parts) == 1
    if part_rows == 1:
        assert len(parts) > 10


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    """One part without rows, so that the table gets its columns."""
    with Spool(tmp_path) as waiting:
        assert [len(part) for part in waiting.sessions()] == [0]


def test_a_disk_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that the file would be in does not exist."""
    monkeypatch.setattr(spool, "_IN_MEMORY", 1)
    with Spool(tmp_path / "gone") as waiting, pytest.raises(PublicationError, match="gone"):
        waiting.add(answers("s", 10))
