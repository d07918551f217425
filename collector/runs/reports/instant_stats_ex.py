"""ReportInstantStatsEx: parcels and interchanges, in and out, of a mailbox that the caller names.

A call's arguments are the network's, the mailbox's and the ECGridID's number, then the windows or the span.
"""

from typing import Final

from collector.config import SessionEntry
from collector.domain.calls import Call, Span, Trailing
from collector.runs.reports.report import Asked, Report
from collector.runs.reports.windows import minutes_of
from collector.wire.operations import SESSION_ID, Answer, Operation, Parameter, XsdType

__all__ = ["INSTANT_STATS_EX"]

_OPERATION: Final = Operation(
    "ReportInstantStatsEx",
    (
        SESSION_ID,
        Parameter("NetworkID", XsdType.INT),
        Parameter("MailboxID", XsdType.INT),
        Parameter("ECGridID", XsdType.INT),
        Parameter("Minutes1", XsdType.SHORT),
        Parameter("Minutes2", XsdType.SHORT),
    ),
    Answer.DATASET,
)


def _ask(call: Call, service_now_us: int) -> Asked:
    match call.arguments:
        case (int(network_id), int(mailbox_id), int(ecgrid_id), Trailing() | Span() as asked):
            minutes1, minutes2 = minutes_of(asked, service_now_us)
            arguments = {
                "NetworkID": network_id,
                "MailboxID": mailbox_id,
                "ECGridID": ecgrid_id,
                "Minutes1": minutes1,
                "Minutes2": minutes2,
            }
            return Asked(arguments, (minutes1, minutes2))
    raise ValueError(
        f"call {call.call_id}: its arguments must be NetworkID, MailboxID and ECGridID, then two windows or a span"
    )


def _scope_of(entry: SessionEntry) -> tuple[int, ...] | None:
    if entry.network_id is None:
        return None
    return entry.network_id, entry.mailbox_id or 0, entry.ecgrid_id or 0


INSTANT_STATS_EX: Final = Report(_OPERATION, _scope_of, _ask)
