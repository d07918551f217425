"""Makes the planned calls that are not landed yet, with a bounded number of workers, and sums up the ledger.

Drains on a signal or a deadline; logs out on every way out.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from collector.config import Credential, Settings
from collector.domain import clock
from collector.domain.calls import Call
from collector.domain.outcomes import FaultClass
from collector.domain.run import RunInfo, RunSummary
from collector.errors import ConfigError
from collector.events import (
    BreakerClosed,
    BreakerOpened,
    BreakerStillOpen,
    EventStream,
    Observer,
    OutageGaveUp,
    RunBegan,
    RunStopping,
)
from collector.landing import LandedRun, Landing, landed_runs, sweep
from collector.runs.attempt import Attempts, ServiceState
from collector.runs.plan import calls, run_id
from collector.runs.recovery import classify_leftovers, is_usable, readable
from collector.runs.remaining import Remaining
from collector.runs.workers import WorkerPool, settled_event
from collector.scheduling.breaker import Breaker
from collector.scheduling.dispatch import Dispatch
from collector.scheduling.rate_gates import ServiceGate
from collector.sessions.credentials import Credentials
from collector.transport import Transport
from collector.version import VERSION

__all__ = [
    "OUTAGE",
    "WRONG_SERVICE",
    "Collected",
    "Stop",
    "collect",
    "is_resumable",
    "service_gate",
    "transport_of",
    "unfinished",
]

_LOG = structlog.get_logger("collector")
OUTAGE: Final = "outage"  # why a run ended whose service stayed down
WRONG_SERVICE: Final = "not_service"  # why a run ended that was answered by something else
_FAILURE: Final = "failure"  # why the others end when one worker failed
_OUTAGE_SECONDS: Final = 3_600.0
_TOGETHER: Final = 1_000  # outcomes that wait to be written
_AGENT: Final = f"ecgrid-stats/{VERSION}"


class Stop:
    """Tells a run to end early, from a signal handler or a deadline.

    Attributes:
        has_deadline: the run is sure to be told.
        on_ask: called when it is told.
    """

    def __init__(
        self, *, has_deadline: bool = False, on_ask: Callable[[], None] = lambda: None
    ) -> None:
        self.has_deadline = has_deadline
        self._on_ask = on_ask
        self._asked = asyncio.Event()
        self.reason: str | None = None

    def ask(self, reason: str) -> None:
        """End the run: what is in flight is awaited, nothing more is sent but Logout."""
        if not self._asked.is_set():
            self.reason = reason
            self._asked.set()
            self._on_ask()

    @property
    def is_asked(self) -> bool:
        """The run is to end."""
        return self._asked.is_set()

    async def wait(self) -> None:
        """Return when the run was asked to end."""
        await self._asked.wait()


@dataclass(frozen=True, slots=True)
class Collected:
    """A run as this invocation leaves it.

    Attributes:
        path: its landing store.
        faults: failed calls by the class of their fault.
        stopped: why it ended early; None if every planned call is settled.
        resumed: an earlier invocation had begun it.
    """

    path: Path
    summary: RunSummary
    faults: dict[FaultClass, int]
    stopped: str | None
    resumed: bool


def transport_of(settings: Settings) -> Transport:
    """The transport that these settings describe."""
    return Transport(
        timeout_seconds=settings.service.timeout_seconds,
        max_reply_bytes=settings.limits.max_reply_bytes,
        user_agent=" ".join(filter(None, (_AGENT, settings.service.contact))),
        ca_file=settings.service.ca_file,
        has_tls=urlsplit(settings.service.url).scheme == "https",
    )


def service_gate(settings: Settings) -> ServiceGate:
    """The rate gate of the service, shared by all processes that work on the storage root.

    Raises:
        ConfigError: the storage root cannot be written.
    """
    path = settings.storage.root / "sends"
    try:
        return ServiceGate(settings.limits.requests_per_second, path)
    except OSError as error:
        raise ConfigError(
            f"storage.root: {path} cannot be written ({error.strerror}); must be a file that this user may write"
        ) from error


def unfinished(settings: Settings) -> list[RunInfo]:
    """The runs under the storage root for which calls are missing, oldest first; a damaged store is recovered.

    Raises:
        LandingError: the folder cannot be written.
    """
    folder = settings.storage.root / "landing"
    sweep(folder)
    infos = [readable(path) for path in landed_runs(folder)]
    return [info for info in infos if info is not None and info.finished_at_us is None]


async def collect(
    settings: Settings,
    credentials: Mapping[str, Credential],
    stop: Stop,
    observers: Iterable[Observer] = (),
    *,
    finish: bool = True,
    planned: Callable[[], Iterable[Call]] | None = None,
) -> Collected:
    """Resume the unfinished run if there is one, else start one, and make the calls that are missing.

    Args:
        observers: are told what happens, each in a thread of its own.
        finish: once no call is missing, mark the run as one that is not resumed; otherwise the caller has more to do.
        planned: the calls of a run that is begun, session by session; by default, all trailing windows.

    Raises:
        LandingError: the landing store failed; what was landed before is safe.
    """
    # SQLite and disks are waited for in threads: the event loop goes on, and hears signals
    landing, resumed = await asyncio.to_thread(_open_run, settings, stop, planned)
    path, is_complete = landing.path, False
    accounts = Credentials(credentials)
    try:
        await asyncio.to_thread(_classify_leftovers, settings, landing, accounts)
        # what was just classified must be on disk before the missing calls are counted
        await landing.flush()
        remaining, was_answered = await asyncio.to_thread(_read, settings, accounts, path)
        with EventStream(observers) as events:
            events.emit(RunBegan(path.stem, remaining.planned, remaining.settled))
            run = _Run(settings, accounts, landing, remaining, stop, events)
            settled = await run.give_up() + await run.perform(was_answered=was_answered)
        is_complete = remaining.settled + settled == remaining.planned
        if is_complete and finish:
            landing.finish(clock.now_us())
    finally:
        await landing.close()
    stopped = None if is_complete else stop.reason or "not every call was settled"
    return await asyncio.to_thread(_collected, path, stopped, resumed=resumed)


def _classify_leftovers(settings: Settings, landing: Landing, accounts: Credentials) -> None:
    with LandedRun.open(landing.path) as landed:
        classify_leftovers(settings, landed, landing, accounts.masked)


def _read(settings: Settings, accounts: Credentials, path: Path) -> tuple[Remaining, bool]:
    """What remains to be asked, and whether the service has answered an earlier invocation."""
    with LandedRun.open(path) as landed:
        summary = landed.summary()
        return Remaining(settings, accounts, landed), summary.ok + summary.empty > 0


def _collected(path: Path, stopped: str | None, *, resumed: bool) -> Collected:
    with LandedRun.open(path) as landed:
        return Collected(path, landed.summary(), landed.faults(), stopped, resumed)


def is_resumable(settings: Settings, info: RunInfo) -> bool:
    """Whether an unfinished run began lately enough for the next run to go on with it."""
    oldest_us = clock.now_us() - int(settings.run.resume_within_seconds * 1_000_000)
    return info.started_at_us >= oldest_us


def _open_run(
    settings: Settings, stop: Stop, planned: Callable[[], Iterable[Call]] | None
) -> tuple[Landing, bool]:
    """The store of the youngest run that may be resumed, whatever the configuration says by now; else of a new one."""
    folder = settings.storage.root / "landing"
    for info in reversed(unfinished(settings)):
        path = folder / f"{info.run_id}.db"
        if is_resumable(settings, info):
            # nothing is built on a record that is not what was written: a damaged answer is asked for again
            if not is_usable(path):
                continue
            _LOG.info("an unfinished run is resumed", run_id=info.run_id)
            _warn_of_another_service(settings, info)
            return Landing.resume(path, lambda: stop.is_asked), True
    asked = calls(settings) if planned is None else planned()
    now_us = clock.now_us()
    info = RunInfo(
        run_id=run_id(now_us),
        service_url=settings.service.url,
        namespace=settings.service.namespace,
        binding=settings.service.binding,
        started_at_us=now_us,
    )
    return Landing.create(folder, info, asked), False


def _warn_of_another_service(settings: Settings, info: RunInfo) -> None:
    service = settings.service
    if (service.url, service.namespace) != (info.service_url, info.namespace):
        _LOG.warning(
            "the run that is resumed was begun with another service: its answers will come from both",
            run_id=info.run_id,
            begun_with=f"{info.service_url} {info.namespace}",
            now=f"{service.url} {service.namespace}",
        )


@dataclass(slots=True)
class _Run:
    """One invocation's work on a run: the parts, put together."""

    settings: Settings
    credentials: Credentials
    landing: Landing
    remaining: Remaining
    stop: Stop
    events: EventStream

    async def give_up(self) -> int:
        """Settle the calls that nobody can ask any more; how many there were."""
        count = 0
        for count, (call, outcome) in enumerate(self.remaining.given_up(), start=1):
            self.landing.settle(outcome, final=True)
            self.events.emit(settled_event(call, outcome))
            if (
                count % _TOGETHER == 0
            ):  # signals are heard meanwhile, and not all of a large plan waits in memory
                await self.landing.flush()
        return count

    async def perform(self, *, was_answered: bool) -> int:
        """Run the workers until nothing is left or the run is asked to end; then Logout, whatever happened.

        Args:
            was_answered: the service has answered an earlier invocation of the run.

        Returns:
            How many calls were settled.

        Raises:
            LandingError: the landing store failed.
        """
        settings, limits, events = self.settings, self.settings.limits, self.events
        dispatch = Dispatch(
            self.remaining.queues,
            concurrency=limits.concurrency,
            per_session=limits.per_session_concurrency,
        )
        service = ServiceState(
            Breaker(
                _OutageListener(dispatch, self.stop, events),
                sessions_left=lambda: dispatch.sessions_left,
                longest_seconds=self._longest_outage(),
            ),
            sessions_left=lambda: dispatch.sessions_left,
            on_wrong=lambda: self.stop.ask(WRONG_SERVICE),
        )
        service.wrong.is_known = was_answered
        async with transport_of(settings) as transport:
            attempts = Attempts(
                settings, transport, self.credentials, service, events, self.landing
            )
            gate = service_gate(settings)
            pool = WorkerPool(
                settings,
                self.credentials,
                self.landing,
                attempts,
                dispatch,
                gate,
                self.remaining.gates,
                events,
            )
            most = (len(self.remaining.queues) or 1) * limits.per_session_concurrency
            try:
                await self._work_until_done(pool, min(limits.concurrency, most))
            finally:
                await pool.log_out_all()
                gate.close()
        return pool.settled

    def _longest_outage(self) -> float:
        """How long a service that is down is waited for: as configured, else until the deadline, else an hour."""
        if self.settings.retry.max_outage_seconds is not None:
            return self.settings.retry.max_outage_seconds
        return float("inf") if self.stop.has_deadline else _OUTAGE_SECONDS

    async def _work_until_done(self, pool: WorkerPool, count: int) -> None:
        async with asyncio.TaskGroup() as group:
            failures: list[Exception] = []
            preparing = group.create_task(self._work(self._prepare(pool), failures))
            working = [
                group.create_task(self._work(self._serve(pool, preparing), failures))
                for _ in range(count)
            ]
            watch = group.create_task(self._drain_when_asked(pool.dispatch, [preparing, *working]))
            await asyncio.wait(working)
            watch.cancel()
        if failures:
            raise failures[0]

    async def _prepare(self, pool: WorkerPool) -> None:
        """What must be known before the first call."""
        if self.remaining.has_spans:
            await pool.learn_clock(lambda: not self.stop.is_asked)

    async def _serve(self, pool: WorkerPool, preparing: asyncio.Task[None]) -> None:
        await asyncio.wait((preparing,))
        await pool.work()

    async def _work(self, work: Coroutine[None, None, None], failures: list[Exception]) -> None:
        """A worker that fails ends the run as a signal does: a Login of another, cut off, would stay open unknown."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  # raised again when the others have ended
            failures.append(error)
            self.stop.ask(_FAILURE)

    async def _drain_when_asked(
        self, dispatch: Dispatch, working: list[asyncio.Task[None]]
    ) -> None:
        """When asked to end: hand out nothing more, and give what is in flight a bounded time."""
        await self.stop.wait()
        self.events.emit(RunStopping(self.stop.reason or ""))
        dispatch.close()
        await asyncio.wait(working, timeout=self.settings.run.drain_seconds)
        for task in working:
            task.cancel()


@dataclass(frozen=True, slots=True)
class _OutageListener:
    """What an outage means for a run: requests are held, everybody is told, and the run ends if it lasts too long."""

    dispatch: Dispatch
    stop: Stop
    events: EventStream

    def hold(self, until: float) -> None:
        self.dispatch.hold(until)

    def release(self) -> None:
        self.dispatch.release()

    def opened(self, said: str) -> None:
        self.events.emit(BreakerOpened(said))

    def still_down(self, said: str, next_in_seconds: float) -> None:
        self.events.emit(BreakerStillOpen(said, next_in_seconds))

    def closed(self, after_seconds: float) -> None:
        self.events.emit(BreakerClosed(after_seconds))

    def gave_up(self, after_seconds: float) -> None:
        self.events.emit(OutageGaveUp(after_seconds))
        self.stop.ask(OUTAGE)
