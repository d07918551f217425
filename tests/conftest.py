"""For every test: a clean environment, the machine alone if it asks, and no skip where everything must be there."""

import fcntl
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

REQUIRE_ALL = os.environ.get("ECGRID_STATS_REQUIRE_ALL") == "1"
TURN, MACHINE = Path(__file__), Path(__file__).parent  # what is locked; nothing is written

# How long one example takes says more about the machine than about the code.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches the product."""
    for name in list(os.environ):
        if name.startswith("ECGRID_") and not name.startswith(
            ("ECGRID_STATS_REQUIRE", "ECGRID_TEST_")
        ):
            monkeypatch.delenv(name)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a test marked `few(n)`, the first n are in every run; the others are `extended`."""
    cases: Counter[str] = Counter()
    for item in items:
        if mark := item.get_closest_marker("few"):
            test = item.nodeid.partition("[")[0]
            cases[test] += 1
            if cases[test] > mark.args[0]:
                item.add_marker("extended")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test marked `alone` runs while no other worker runs any; waiting for that is no part of its time limit.

    Each test waits for its turn first: one that wants the machine alone would never get it between others that share.
    """
    is_alone = item.get_closest_marker("alone") is not None
    turn, machine = (os.open(path, os.O_RDONLY) for path in (TURN, MACHINE))
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        return (yield)
    finally:
        fcntl.flock(machine, fcntl.LOCK_UN)  # a process that a test forked may hold a copy
        os.close(machine)
        os.close(turn)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but ECGRID_STATS_REQUIRE_ALL=1: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips itself for want of a component fails where all components are promised."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file."""
    report = yield
    _refuse_skip(report)
    return report
