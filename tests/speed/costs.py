"""What the hot paths cost, counted in steps of the interpreter: no clock, so a busy machine counts the same.

`python -m tests.speed.costs` prints the counts, `--write` makes them the baseline that `test_costs.py` compares with.
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, cast

from collector.config import ApiKey, Settings
from collector.credentials import Credentials
from collector.dispatch import Dispatch, Lane
from collector.fetch import Fetch
from collector.landing import LandedRun, Landing
from collector.landing.records import outcome_row, reply_row
from collector.limits import ServiceGate, SessionGate
from collector.model import Binding, Call, LandedReply, Outcome, Reply, RunInfo, State, Window
from collector.secret import Secret
from collector.transport import Received, Transport
from collector.wire.operations import REPORT_INSTANT_STATS
from collector.wire.requests import Argument, Request, encode, masked_text
from collector.worker import Progress, Worker
from pipelines.lake import Lake
from pipelines.normalize import normalize
from tests.collector.replies_by_hand import sample
from tests.collector.virtual_time import Clock, run

__all__ = ["BASELINE", "STEPS_ON", "Counts", "costs", "counted"]

BASELINE: Final = Path(__file__).with_name("baseline.json")
CALLS: Final = 64
REPLIES: Final = 1000
URL: Final = "http://127.0.0.1/ECGridOS.asmx"
KEY: Final = Secret("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")
STARTED_US: Final = 1_767_225_600_000_000  # of the run id 20260101T000000Z
RECORDED: Final = sample("documented", Binding.SOAP12)
# the event loop's own steps depend on when things happen
STEPS_ON: Final = (3, 11)  # every version has its own instructions, and 3.12 traces only some
_OWN: Final = ("__main__", "tests", "namedtuple_")  # the last is where named tuples are made
_NOT_OURS: Final = ("asyncio", "selectors.py", "virtual_time.py", "threading.py")


@dataclass(frozen=True, slots=True)
class Counts:
    """What one unit of work costs.

    Attributes:
        steps: bytecode instructions, 0 on another version than `STEPS_ON`.
        calls: functions called, those in C too.
        libraries: whose Python code runs for each unit; a JSON dump or a log line would bring a new one.
    """

    steps: float
    calls: float
    libraries: list[str]


def counted(work: Callable[[], object], units: int) -> Counts:
    """The counts of a piece of work that does so many units.

    The work is done once before, so that what is imported, compiled or cached only once does not count.
    """
    work()
    steps = calls = 0
    libraries: Counter[str] = Counter()

    def is_ours(frame: FrameType) -> bool:
        return not any(name in frame.f_code.co_filename for name in _NOT_OURS)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal steps
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return trace if is_ours(frame) else None
        steps += event == "opcode"
        return trace

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event in ("call", "c_call") and is_ours(frame):
            calls += 1
            libraries[str(frame.f_globals.get("__name__")).partition(".")[0]] += event == "call"

    traced, profiled = sys.gettrace(), sys.getprofile()
    try:
        if sys.version_info[:2] == STEPS_ON:
            sys.settrace(trace)
            work()
            sys.settrace(None)
        sys.setprofile(profile)
        work()
    finally:
        sys.setprofile(profiled)
        sys.settrace(traced)
    return Counts(
        steps=round(steps / units, 1),
        calls=round(calls / units, 1),
        libraries=sorted(
            name
            for name, count in libraries.items()
            if count >= units and not name.startswith(_OWN)
        ),
    )


class _CannedTransport:
    """Answers at once."""

    async def send(self, _: Request, on_sent: Callable[[], None] = lambda: None) -> Received:
        """The same answer to everything, from a wire that takes no time."""
        await asyncio.sleep(0)
        on_sent()
        return Received(Reply(200, dict(RECORDED.headers), RECORDED.body, 1, 2), cut=False)


class _Shelf:
    """A landing store that forgets; what a record costs is counted on its own."""

    async def land(self, reply: LandedReply) -> None:
        """Done."""

    def settle(self, outcome: Outcome, *, final: bool) -> None:
        """Done."""


def _settings() -> Settings:
    return Settings.model_validate(
        {
            "service": {"url": URL},
            "limits": {"requests_per_second": 10_000.0, "per_session_per_second": 10_000.0},
            "windows": {"minutes": [1, 2]},
            "sessions": [{"label": "s", "api_key": "env:NAME"}],
        }
    )


def _calls(count: int) -> list[Call]:
    return [Call.of(f"s{n}", Window(1), Window(2)) for n in range(count)]


def _perform_calls() -> None:
    """Dispatch, gates, attempt, verdict: everything of a call but the network and the disk."""

    async def main(_: Clock) -> None:
        settings, landing = _settings(), cast("Landing", _Shelf())
        planned = _calls(CALLS)
        credentials = Credentials({call.session: ApiKey(KEY) for call in planned}, attempts=1)
        lanes = [
            Lane(call.session, SessionGate(10_000), deque([(call, 0)]), deque()) for call in planned
        ]
        dispatch = Dispatch(lanes, concurrency=4, per_session=2)
        fetch = Fetch(settings, cast("Transport", _CannedTransport()), credentials, landing)
        progress, gate = Progress(planned=CALLS), ServiceGate(10_000)
        worker = Worker(settings, credentials, landing, fetch, dispatch, gate, {}, progress)
        await worker.work()
        assert (progress.settled, progress.failed) == (CALLS, 0)

    run(main)


def _make_requests() -> None:
    for binding in Binding:
        arguments: dict[str, Argument] = {"SessionID": KEY, "Minutes1": 60, "Minutes2": 120}
        encode(REPORT_INSTANT_STATS, arguments, binding, URL, "https://os.ecgrid.io/")
        masked_text(REPORT_INSTANT_STATS, arguments, binding, URL, "https://os.ecgrid.io/")


def _landed(call: Call) -> LandedReply:
    return LandedReply(
        call.call_id,
        1,
        call.session,
        1,
        2,
        Binding.SOAP12,
        "POST /",
        200,
        dict(RECORDED.headers),
        RECORDED.body,
        1_700_000_000_000_000,
        1_700_000_000_100_000,
    )


def _settled(call: Call) -> Outcome:
    return Outcome(call.call_id, State.OK, 1, 1, 200, reply_bytes=len(RECORDED.body))


def _make_records() -> None:
    for call in _calls(CALLS):
        reply_row(_landed(call))
        outcome_row(_settled(call), final=True)


def _store(folder: Path) -> Path:
    async def main() -> Path:
        calls = _calls(REPLIES)
        info = RunInfo(
            "20260101T000000Z-000000", "0" * 64, URL, "urn:x", Binding.SOAP12, STARTED_US
        )
        landing = Landing.create(folder, info, calls)
        for call in calls:
            landing.settle(_settled(call), final=True)
        await asyncio.gather(*(landing.land(_landed(call)) for call in calls))
        await landing.close()
        return landing.path

    return asyncio.run(main())


def _publish(path: Path, folder: Path) -> None:
    with LandedRun.open(path) as landed:
        assert normalize(landed, Lake(folder)).rows == REPLIES * 8


def costs() -> dict[str, Counts]:
    """The counts of every hot path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = _store(folder)
        return {
            "a request in four bindings, and its masked text": counted(_make_requests, 4),
            "a call, without network and disk": counted(_perform_calls, CALLS),
            "a reply and an outcome as rows": counted(_make_records, CALLS),
            "a landed reply, published": counted(lambda: _publish(path, folder / "lake"), REPLIES),
        }


def main() -> None:
    """Print the counts, and write them where asked to."""
    found = json.dumps({path: asdict(counts) for path, counts in costs().items()}, indent=1)
    sys.stdout.write(found + "\n")
    if "--write" in sys.argv:
        BASELINE.write_text(found + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
