"""Runs, replies and outcomes with made-up contents, to be landed."""

from collections.abc import Iterable
from pathlib import Path

from collector.domain.binding import Binding
from collector.domain.calls import Call, CallId, Trailing
from collector.domain.outcomes import Outcome, State
from collector.domain.replies import LandedReply
from collector.domain.run import RunInfo
from collector.landing import Landing

__all__ = ["CALLS", "INFO", "created", "minutes_of", "outcome", "reply", "stats_call"]


def stats_call(session: str, minutes1: int, minutes2: int) -> Call:
    """A call for two trailing windows of the session's own mailbox."""
    return Call.of(session, "ReportInstantStats", (Trailing(minutes1, minutes2),))


def minutes_of(call: Call) -> tuple[int, int]:
    """The minutes of a call for trailing windows; some for a span."""
    asked = call.arguments[-1]
    return (asked.minutes1, asked.minutes2) if isinstance(asked, Trailing) else (61, 121)


INFO = RunInfo(
    run_id="20260131T020000Z-1f2e3d",
    service_url="https://host.invalid/ECGridOS.asmx",
    namespace="https://os.ecgrid.io/",
    binding=Binding.SOAP12,
    started_at_us=1_769_824_800_000_000,
)
LABELS = ("acme", "../x", "'; DROP TABLE calls; --", "ñ 漢字 😀")
CALLS = tuple(stats_call(label, n, n + 60) for label in LABELS for n in (60, 180))


def created(folder: Path, calls: Iterable[Call] = CALLS, info: RunInfo = INFO) -> Landing:
    """The store of a new run."""
    return Landing.create(folder, info, calls)


def reply(
    call: Call = CALLS[0], attempt: int = 1, body: bytes = b"\x00\xff<a/>\r\n"
) -> LandedReply:
    """A reply to a call."""
    return LandedReply(
        call_id=call.call_id,
        attempt=attempt,
        session=call.session,
        operation=call.operation,
        minutes=minutes_of(call),
        binding=Binding.HTTP_POST,
        request="POST /x\n\nSessionID=********",
        status=500,
        headers={"content-type": "text/xml", "server": "\udcff é"},
        body=body,
        sent_at_us=1_769_824_801_000_001,
        received_at_us=1_769_824_802_000_002,
        masked=attempt % 2 == 0,
        cut=attempt % 3 == 0,
    )


def outcome(call_id: CallId, state: State = State.OK, attempts: int = 1) -> Outcome:
    """How a call stands."""
    return Outcome(
        call_id,
        state,
        attempts,
        charged=attempts,
        answer_attempt=attempts if state is State.OK else None,
    )
