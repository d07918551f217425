"""The summary of a run for people: what failed and what to do about it; its last line says whether all is well."""

from dataclasses import replace
from pathlib import Path

import pytest

from collector.config import Settings, load
from pipelines.cli.working import night_said
from pipelines.job.exit_code import ExitCode
from pipelines.job.night import Night
from pipelines.warehouse.loading import Load

GOOD = Night("20260131T020000Z-abcdef", 12, 12, 0, 0, 0, 12, 0, 96, 6, 1.0, ExitCode.DONE)
NONE = replace(GOOD, ok=0, failed=12, rows=0, exit_code=ExitCode.FAILED)
BEHIND = Load(0, 0, 0, 0, 0, 0.1, False, "warehouse postgres: is the server running?")
CHECK, AGAIN = "`ecgrid-stats check`", "`ecgrid-stats run` again"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Some configuration."""
    (tmp_path / "x.toml").write_text(
        '[service]\nurl = "https://host.invalid/x.asmx"\n[windows]\nevery = "1h"\n'
        '[[sessions]]\nlabel = "acme"\napi_key = "env:KEY"\n'
    )
    return load(tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("night", "words"),
    [
        (GOOD, ["all good"]),
        (replace(GOOD, planned=0, ok=0), ["all good: there was nothing to ask for"]),
        (replace(GOOD, ok=0, empty=12, checks={"not_mostly_empty": 12}), ["not all is well"]),
        (replace(NONE, faults={"server": 12}), ["not one of the 12 planned calls", CHECK]),
        (
            replace(NONE, faults={"not_found": 6, "credential": 6}),
            ["are service.url and service.namespace right?", CHECK],
        ),
        (
            replace(NONE, faults={"transport": 12}, stopped="deadline", exit_code=ExitCode.STOPPED),
            ["(deadline), and not one of the 12 planned calls", CHECK, AGAIN],
        ),
        (
            replace(GOOD, ok=6, not_attempted=6, stopped="SIGTERM", exit_code=ExitCode.STOPPED),
            ["stopped early (SIGTERM); ", AGAIN],
        ),
        (
            replace(GOOD, behind=True, loads={"postgres": BEHIND}, exit_code=ExitCode.CALLS_FAILED),
            ["not all good: warehouse postgres is behind", "`ecgrid-stats load`"],
        ),
        (
            replace(GOOD, behind=True, exit_code=ExitCode.CALLS_FAILED),
            ["not all good: the history is behind", "the next run"],
        ),
    ],
)
def test_the_last_line(night: Night, words: list[str], settings: Settings) -> None:
    """What is not well, and the command that comes next."""
    last = night_said(night, settings).splitlines()[-1]
    for word in words:
        assert word in last
    assert last.startswith("all good") == (words[0].startswith("all good"))


def test_each_class_of_fault_has_its_advice(settings: Settings) -> None:
    """And a query that can be copied; where nothing was published there is no table to ask."""
    night = replace(NONE, faults={"authentication": 3, "transport": 9})
    said = night_said(night, settings)
    assert f"run_id = '{night.run_id}'" in said
    assert "\n  authentication: Mend the key or password" in said
    assert "\n  transport: See the network" in said
    assert "FROM calls" not in night_said(replace(night, files=0), settings)


def test_what_one_advice_is_for(settings: Settings) -> None:
    """Two classes that are mended in the same way have it once; a wrong address is no wrong password."""
    said = night_said(replace(NONE, faults={"authentication": 3, "credential": 9}), settings)
    assert "\n  authentication, credential: Mend the key or password" in said
    said = night_said(replace(NONE, faults={"credential": 6, "not_found": 6}), settings)
    assert "password" not in said


def test_a_warehouse_is_named_once(settings: Settings) -> None:
    """With what is wrong there."""
    night = replace(GOOD, behind=True, loads={"postgres": BEHIND})
    assert "warehouse postgres is behind: is the server running?\n" in night_said(night, settings)
