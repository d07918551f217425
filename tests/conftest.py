"""For every test: a clean environment, and no skipped test where everything must be there."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

REQUIRE_ALL = os.environ.get("ECGRID_STATS_REQUIRE_ALL") == "1"

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
