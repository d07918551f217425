"""A lake of a month with everything that a page has to say, and its page."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.sources import ROOT
from tests.report.lakes import HOSTILE, Call, Span, lay, written_config

NIGHTS = tuple(night for night in range(30) if night != 26)
SESSIONS = ("acme", "beta", "gone", "hurt", "late", HOSTILE)
LAST = 29

Program = Callable[..., tuple[int, dict[str, Any], str]]


def called(*line: str) -> tuple[int, dict[str, Any], str]:
    """`ecgrid-stats ... --json` as its users call it: exit code, JSON, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *line, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


# each query in a process of its own, of one that has imported what all of them need
_FORKS = """
import json, os, sys
import pipelines.cli, pipelines.cli.asking, pipelines.read.sql
config, *queries = json.load(sys.stdin)
for query in queries:
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
    else:
        sys.argv = ["ecgrid-stats", "sql", "-c", config, "--json", query]
        pipelines.cli.main()
"""


def answers(config: Path, queries: list[str]) -> list[list[dict[str, Any]]]:
    """The rows that `ecgrid-stats sql` gives for each query."""
    done = subprocess.run(
        [sys.executable, "-c", _FORKS],
        cwd=ROOT,
        input=json.dumps([str(config), *queries]),
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["rows"] for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def program() -> Program:
    """The command."""
    return called


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration, and below `data` the lake of thirty nights, of which one is without a run.

    `gone` went silent in the last night, `hurt` is refused in it, `late` is new, and the label of the sixth is hostile.
    """
    folder = tmp_path_factory.mktemp("month")

    refused = Call("failed", "authentication", HOSTILE, attempts=4)
    calls = {
        ("hurt", LAST): refused,
        ("beta", LAST): Call("not_attempted", None, "the deadline had passed"),
    }
    calls |= {
        (HOSTILE, night): Call("failed", "server", "out of order", attempts=4)
        for night in (27, 28, LAST)
    }
    # the last of `acme` is too long ago: lost
    unseen = {("hurt", LAST), (HOSTILE, LAST), (HOSTILE, LAST - 1), ("acme", 2)}

    def call(night: int, session: str) -> Call | None:
        if session == "late" and night < LAST:
            return None
        checks = "service_clock,usable_date" if session == "acme" else None
        return calls.get((session, night), Call(quality=checks))

    def span(night: int, session: str, hour: int) -> Span | None:
        if session == "late" and night < LAST:
            return None
        if (session, night) in unseen:
            return Span(None)
        if session == "gone":
            return Span(0 if night == LAST else 3)
        late = 27 if night == 26 else None  # nobody ran; the next one brought it
        return (
            Span(hour * night, hour * night + 2, by=late)
            if hour % 2
            else Span(hour + night, by=late)
        )

    lay(folder / "data", NIGHTS, SESSIONS, call, span)
    return written_config(folder)


@pytest.fixture(scope="session")
def page(month: Path, program: Program) -> Path:
    """The page of that lake, made by the command."""
    code, found, said = program("report", "-c", str(month))
    assert code == 0, said
    return Path(found["page"])
