"""ReportInstantStats: parcels and interchanges, in and out, of the caller's own mailbox in two trailing windows."""

from typing import Final

from collector.config import SessionEntry
from collector.domain.calls import Call, Span, Trailing
from collector.runs.reports.report import Asked, Report
from collector.runs.reports.windows import minutes_of
from collector.wire.operations import SESSION_ID, Answer, Operation, Parameter, XsdType

__all__ = ["INSTANT_STATS"]

_OPERATION: Final = Operation(
    "ReportInstantStats",
    (SESSION_ID, Parameter("Minutes1", XsdType.SHORT), Parameter("Minutes2", XsdType.SHORT)),
    Answer.DATASET,
)


def _ask(call: Call, service_now_us: int) -> Asked:
    match call.arguments:
        case (Trailing() | Span() as asked,):
            minutes1, minutes2 = minutes_of(asked, service_now_us)
            return Asked({"Minutes1": minutes1, "Minutes2": minutes2}, (minutes1, minutes2))
    raise ValueError(f"call {call.call_id}: its arguments must be two windows or a span")


def _scope_of(entry: SessionEntry) -> tuple[int, ...] | None:
    return () if entry.network_id is None else None


INSTANT_STATS: Final = Report(_OPERATION, _scope_of, _ask)
