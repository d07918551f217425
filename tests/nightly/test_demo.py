"""`demo`: nights in a minute, with their holes, how they are healed, and lines to copy that show numbers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines import open_lake
from tests.architecture.sources import ROOT


def demo(*options: str) -> tuple[int, dict[str, Any], str]:
    """The command as its users give it: its exit code, its JSON, and what it says."""
    line = [sys.executable, "-m", "pipelines.cli", "demo", "--json", *options]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_missed_night_and_a_mailbox_that_is_out_are_healed(tmp_path: Path) -> None:
    """Four nights: nobody runs in the third, and in the first two a mailbox is refused."""
    code, found, said = demo("--nights", "4", "--root", str(tmp_path / "data"))
    assert code == 0, said
    first, second, third, last = found["nights"]
    assert [each["started"][11:16] for each in found["nights"]] == ["02:15"] * 4
    assert 0 < first["run"]["failed"] < second["run"]["failed"]  # which asks for both days
    assert (third["run"], third["before"]) == (None, None)
    assert last["run"]["run_id"] == found["run_id"]
    unseen = 24 + 2 * 24  # of the mailbox: the day before its first night, and two days
    assert last["before"]["unseen"] == (50 - 1) * 48 + unseen + 24
    assert found["history"] == last["run"]["history"]
    assert (found["history"]["unseen"], found["history"]["spans"]) == (0, 50 * 24 * 4)
    assert found["history"]["healed"] == (50 - 1) * 24 + unseen
    assert "nobody ran" in said
    assert f"{found['history']['healed']} of them healed" in said
    page = (tmp_path / "data" / "reports" / f"{found['run_id']}.html").read_text(encoding="utf-8")
    healed = re.search(r'<data value="([\d.]+)" data-from="healed/\d+/healed">', page)
    assert healed is not None
    assert float(healed[1]) == found["history"]["healed"]
    days = open_lake(tmp_path / "data").traffic_days()
    assert days.groupby("day")["complete"].all().tolist().count(True) == 3


@pytest.mark.extended
def test_its_lines_can_be_copied(tmp_path: Path) -> None:
    """Each line below "Look at it" is one for a shell; the sums of SQL and of pandas are the same."""
    line = [sys.executable, "-m", "pipelines.cli", "demo", "--nights", "1", "--root", "its data"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=55, check=True
    )
    status, days, frame, page = (
        each.strip() for each in done.stdout.partition("Look at it:\n")[2].splitlines()
    )

    def copied(text: str) -> str:
        return subprocess.run(  # noqa: S602  # what a user would paste
            text,
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=55,
            check=True,
        ).stdout

    assert "650 planned, 650 ok" in copied(status)
    assert (tmp_path / page.removesuffix(" in a browser")).is_file()
    by_day = [row.split() for row in copied(days).splitlines()[1:]]
    by_sql = {(day, direction): float(parcels) for day, direction, parcels, _ in by_day}
    by_pandas = {
        (day, direction): float(value)
        for day, *values in (row.split() for row in copied(frame).splitlines()[2:])
        for direction, value in zip(("in", "out"), values, strict=True)
    }
    assert by_sql == by_pandas
    assert len(by_sql) >= 2
    assert min(by_sql.values()) > 0


def test_a_lake_that_no_demo_left_is_not_touched(tmp_path: Path) -> None:
    """The demo would remove it, or mix its own into it."""
    (tmp_path / "lake" / "calls").mkdir(parents=True)
    code, refused, _ = demo("--root", str(tmp_path))
    assert code == 2
    assert "has a lake that no demo left there" in refused["error"]
    assert (tmp_path / "lake" / "calls").is_dir()


@pytest.mark.extended
def test_an_earlier_demo_is_played_again(tmp_path: Path) -> None:
    """What it left is removed, and nothing else."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for _ in range(2):
        code, found, said = demo("--nights", "1", "--root", str(tmp_path))
        assert code == 0, said
        assert found["history"]["spans"] == 50 * 24
    assert len(list((tmp_path / "landing").glob("*.db"))) == 1
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
