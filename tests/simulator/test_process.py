"""The simulator as a process of its own."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "collector.simulator"]


def test_it_says_where_it_is_and_ends_on_sigterm(tmp_path: Path) -> None:
    """One JSON line when ready; credentials in a file; exit code 0."""
    file = tmp_path / "credentials.csv"
    arguments = ["--sessions", "7", "--login-every", "3", "--credentials-file", str(file)]
    arguments += ["--switch", "null_dataset=always", "--now", "2024-01-15T12:00:00+00:00"]
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["sessions"] == 7
        url = f"{ready['url']}/ReportInstantStats?SessionID=fake-key-0001&Minutes1=1&Minutes2=2"
        with urlopen(url, timeout=10) as reply:  # noqa: S310  the address is our own
            assert b'xsi:nil="true"' in reply.read()
            assert reply.headers["Date"] == "Mon, 15 Jan 2024 12:00:00 GMT"
        with urlopen(ready["control"] + "state", timeout=10) as reply:  # noqa: S310
            assert json.loads(reply.read())["users"] == 7
        process.terminate()
        output, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, output, errors) == (0, "", "")
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["label"] for row in rows] == [f"mailbox-{number:04d}" for number in range(1, 8)]
    assert [bool(row["login_name"]) for row in rows].count(True) == 2


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (["--switch", "html_5O3=always"], "did you mean html_503"),
        (["--switch", "html_503"], "NAME=VALUE"),
        (["--sessions", "0"], "must be 1 to 1,000,000"),
        (["--host", "192.0.2.1"], "must be a loopback address"),
    ],
)
def test_wrong_arguments_are_refused(argument: list[str], said: str) -> None:
    """A message and an exit code, no traceback."""
    done = subprocess.run(
        [*COMMAND, *argument], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
