"""What can be asked of the service: one module for each report, and the registry that finds it by its operation's name.

A report is added by writing its module and one line of the registry. No other part of the program names one.
"""

from typing import Final

from collector.runs.reports.instant_stats import INSTANT_STATS
from collector.runs.reports.instant_stats_ex import INSTANT_STATS_EX
from collector.runs.reports.report import Asked, Report

__all__ = ["INSTANT_STATS", "INSTANT_STATS_EX", "REPORTS", "Asked", "Report", "report_of"]

REPORTS: Final = (INSTANT_STATS, INSTANT_STATS_EX)
_BY_NAME: Final = {report.operation.name: report for report in REPORTS}


def report_of(operation_name: str) -> Report:
    """The report that asks with the operation of this name.

    Raises:
        LookupError: no report does.
    """
    try:
        return _BY_NAME[operation_name]
    except KeyError:
        known = ", ".join(_BY_NAME)
        raise LookupError(
            f"no report asks with operation {operation_name!r}: must be one of {known}"
        ) from None
