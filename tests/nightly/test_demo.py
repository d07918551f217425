"""`demo --nights`: a fortnight in a minute, with its holes, and how they are healed."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    healed = re.search(r'<data value="(\d+)" data-from="healed/\d+/healed">', page)
    assert healed is not None
    assert int(healed[1]) == found["history"]["healed"]
    days = open_lake(tmp_path / "data").traffic_days()
    assert days.groupby("day")["complete"].all().tolist().count(True) == 3
    again, refused, _ = demo("--nights", "4", "--root", str(tmp_path / "data"))
    assert again == 2
    assert "has 3 runs already" in refused["error"]
