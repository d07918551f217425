import subprocess
from pathlib import Path

import pytest

from tests.alert.prometheus import RULES, Case, check_rules, program

HOUR = 3_600
DAY = 24 * HOUR
CALLS = "ecgrid_stats_last_run_calls"
START = "ecgrid_stats_last_run_start_timestamp_seconds"
END = "ecgrid_stats_last_run_end_timestamp_seconds"
EXPIRY = "ecgrid_stats_history_next_expiry_timestamp_seconds"
WELL = {  # a run that ended at second 0
    'ecgrid_stats_build_info{version="1"}': 1,
    START: -60,
    END: 0,
    "ecgrid_stats_last_run_success": 1,
    EXPIRY: 22 * DAY,
    f'{CALLS}{{state="ok"}}': 89,
    f'{CALLS}{{state="empty"}}': 1,
    f'{CALLS}{{state="failed"}}': 9,
    f'{CALLS}{{state="not_attempted"}}': 1,
}
WITHOUT_END = {name: value for name, value in WELL.items() if name != END}
CASES = {
    "all is well": Case(WELL, 26 * HOUR, ()),
    "nothing ran": Case(WELL, 26 * HOUR + 60, ("EcgridStatsNothingRan",)),
    "the first was killed": Case(WITHOUT_END, 26 * HOUR, ("EcgridStatsNothingRan",)),
    "the first is at work": Case(WITHOUT_END, 25 * HOUR, ()),
    "a hole that expires": Case(
        {**WELL, EXPIRY: 3 * DAY + HOUR}, HOUR + 60, ("EcgridStatsHolesExpire",)
    ),
    "a hole that does not yet": Case({**WELL, EXPIRY: 3 * DAY + HOUR}, HOUR, ()),
    "a tenth failed": Case(
        {**WELL, f'{CALLS}{{state="ok"}}': 88, f'{CALLS}{{state="failed"}}': 10},
        60,
        ("EcgridStatsCallsFailed",),
    ),
    "nothing was wanted": Case(WELL | {name: 0 for name in WELL if name.startswith(CALLS)}, 60, ()),
    "no success": Case({**WELL, "ecgrid_stats_last_run_success": 0}, 60, ("EcgridStatsRunFailed",)),
    "no metrics": Case({"up": 1}, 15 * 60, ("EcgridStatsNoMetrics",)),
    "none for a moment": Case({"up": 1}, 15 * 60 - 60, ()),
}


def test_the_rules_are_right() -> None:
    """By Prometheus's own word, with a summary and a description of what to do for each."""
    done = subprocess.run(
        [program("promtool"), "check", "rules", RULES], capture_output=True, text=True, check=False
    )
    assert "SUCCESS: 5 rules found" in done.stdout, done.stdout + done.stderr
    text = RULES.read_text()
    assert text.count("summary:") == text.count("description:") == text.count("alert:") == 5


def test_each_rule_fires_and_does_not_fire(tmp_path: Path) -> None:
    """A minute or one call makes the difference."""
    fired = {name for case in CASES.values() for name in case.fires}
    assert len(fired) == 5
    check_rules(tmp_path, CASES.values())


def test_the_test_of_rules_can_fail(tmp_path: Path) -> None:
    """The guard of the test above: an alert that is expected and does not fire is noticed."""
    with pytest.raises(AssertionError, match="EcgridStatsRunFailed"):
        check_rules(tmp_path, [Case(WELL, 60, ("EcgridStatsRunFailed",))])
