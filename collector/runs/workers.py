"""Serves work items: calls, logins, WhoAmI and logouts, each through the gates, each to a recorded end."""

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from collector.config import Settings
from collector.domain.values import Call, FaultClass
from collector.errors import (
    CertificateError,
    CollectorError,
    CredentialError,
    ServiceDownError,
    ThrottledError,
    TransportError,
    WireError,
)
from collector.landing import Landing
from collector.outcomes.policy import ACTIONS, Action, backoff_seconds
from collector.runs.attempt import Admit, Fetch
from collector.runs.attempt_result import AttemptResult
from collector.scheduling.dispatch import Dispatch, SessionQueue, SessionStep, WorkItem
from collector.scheduling.rate_gates import Permit, ServiceGate, SessionGate
from collector.sessions.credentials import Credentials, LoginDelayedError

__all__ = ["Progress", "WorkerPool"]

_LOG = structlog.get_logger("collector")
# when this many different sessions in a row are told to slow down, the service means everybody
_THROTTLED_TOGETHER: Final = 3
_WHO_AM_I_ATTEMPTS: Final = 2


class _PostponedError(CollectorError):
    """The request may not go out now: its session was paused, or the run is ending."""


@dataclass(slots=True)
class Progress:
    """How far a run is; read it while `collect` works."""

    planned: int = 0
    settled: int = 0
    failed: int = 0


@dataclass(slots=True)
class WorkerPool:
    """What the workers of one run share. Each runs `work` and has at most one request in flight."""

    settings: Settings
    credentials: Credentials
    landing: Landing
    fetch: Fetch
    dispatch: Dispatch
    gate: ServiceGate
    session_gates: Mapping[str, SessionGate]
    progress: Progress
    _throttled: set[str] = field(default_factory=set)
    _waiting: set[asyncio.Task[None]] = field(default_factory=set)
    _told: set[tuple[str, FaultClass]] = field(default_factory=set)

    async def work(self) -> None:
        """Serve work items until there are none."""
        while (work := await self.dispatch.next()) is not None:
            if isinstance(work.item, Call):
                await self._call(work, work.item)
            elif work.item is SessionStep.LOGIN:
                await self._log_in(work)
            elif work.item is SessionStep.WHO_AM_I:
                await self._ask_who(work)
            else:
                await self._log_out(work)

    async def log_out_all(self) -> None:
        """Logout for every session that is still open, within `run.drain_seconds`."""
        left = iter(self.credentials.open_logins())

        async def work() -> None:
            for session in left:
                exchange = self.fetch.exchange(session, self._admit_logout(session))
                try:
                    await self.credentials.log_out(session, exchange)
                except CertificateError:
                    return
                except (TransportError, WireError):
                    if self.fetch.is_service_down:  # nor would the next one be heard
                        return

        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(self.settings.run.drain_seconds),
                asyncio.TaskGroup() as group,
            ):
                for _ in range(self.settings.limits.concurrency):
                    group.create_task(work())
        for session in self.credentials.open_logins():
            _LOG.error("not logged out: the session stays open at the service", session=session)

    def _admit(self, work: WorkItem) -> Admit:
        queue = work.queue

        async def admit() -> Permit:
            permit = await self.gate.acquire_while(lambda: self.dispatch.wants(work))
            if permit is None:
                raise _PostponedError
            try:
                if queue.gate.ready_at > time.monotonic():
                    raise _PostponedError
                await queue.gate.acquire()
                permit.session = queue.gate
            except BaseException:
                permit.ended()
                raise
            self.dispatch.sent(work)
            return permit

        return admit

    def _admit_logout(self, session: str) -> Admit:
        """The same gates for the last request of a session, without the dispatch, which is closed by then."""
        # a label whose calls were settled earlier has no queue; it is listed where it shares its login
        limit = self.settings.limits.per_session_per_second
        gate = self.session_gates.get(session) or SessionGate(limit)

        async def admit() -> Permit:
            await asyncio.sleep(gate.ready_at - time.monotonic())
            permit = await self.gate.acquire()
            try:
                await gate.acquire()
            except BaseException:
                permit.ended()
                raise
            return permit

        return admit

    async def _call(self, work: WorkItem, call: Call) -> None:
        queue, number = work.queue, work.attempts + 1
        if self.credentials.needs_login(queue.session):
            # another label with the same login lost the session
            queue.needs_login = True
            self.dispatch.put_back(work, queue.gate.ready_at, work.attempts)
            return
        try:
            verdict = await self.fetch.attempt(call, number, self._admit(work))
        except _PostponedError:
            self.dispatch.put_back(work, queue.gate.ready_at, work.attempts)
            return
        self.landing.settle(verdict.outcome, final=verdict.wait_seconds is None)
        self._heed(queue, verdict)
        queue.needs_login = self.credentials.needs_login(queue.session)
        if verdict.wait_seconds is not None:
            not_before = time.monotonic() + verdict.wait_seconds
            self.dispatch.put_back(work, not_before, verdict.outcome.attempts)
            return
        self._count(call, verdict)
        self.dispatch.done(work)

    def _count(self, call: Call, verdict: AttemptResult) -> None:
        self.progress.settled += 1
        outcome = verdict.outcome
        if outcome.fault_class is not None:
            self.progress.failed += 1
            kind = (call.session, outcome.fault_class)
            log = _LOG.debug if kind in self._told else _LOG.warning
            self._told.add(kind)  # the ledger has them all; a log needs one of each
            log(
                "call failed",
                session=call.session,
                windows=[call.window1.minutes, call.window2.minutes],
                fault=outcome.fault_class.value,
                attempts=outcome.attempts,
                said=outcome.fault_text,
            )

    def _heed(self, queue: SessionQueue, verdict: AttemptResult) -> None:
        """Pause the gate that the service speaks of: one session's, or the whole service's."""
        outcome = verdict.outcome
        if outcome.fault_class is not FaultClass.THROTTLED:
            if outcome.http_status is not None:
                self._throttled.clear()
            return
        wait = verdict.throttled_seconds or verdict.wait_seconds or 0.0
        self._pause(queue, outcome.http_status, wait)

    def _pause(self, queue: SessionQueue, status: int | None, wait_seconds: float) -> None:
        until = time.monotonic() + wait_seconds
        queue.gate.pause_until(until)
        self._throttled.add(queue.session)
        # 429: this client asks too often; 503: the service cannot serve anybody (RFC 6585, RFC 9110)
        if status == 503 or len(self._throttled) >= _THROTTLED_TOGETHER:
            _LOG.warning("the service asks for a pause", seconds=round(wait_seconds, 1))
            self.gate.pause_until(until)

    async def _log_in(self, work: WorkItem) -> None:
        queue = work.queue
        if self.credentials.is_logging_in(queue.session):
            waiting = asyncio.create_task(self._wait_for_login(work))
            self._waiting.add(waiting)
            waiting.add_done_callback(self._waiting.discard)
            return
        ready_at = self.credentials.login_ready_at(queue.session)
        if ready_at > time.monotonic():  # that of another label of this credential has failed
            queue.gate.pause_until(ready_at)
            self.dispatch.done(work)
            return
        exchange = self.fetch.exchange(queue.session, self._admit(work))
        try:
            await self.credentials.log_in(queue.session, exchange)
        except CredentialError as error:
            _LOG.error("no Login for this session", session=queue.session, said=str(error))
        except LoginDelayedError as error:
            wait = max(self._backoff(error.attempt), error.retry_after or 0.0)
            until = time.monotonic() + wait
            queue.gate.pause_until(
                self.credentials.delay_login(queue.session, error.attempt, until)
            )
        except ServiceDownError as error:  # a Retry-After holds for probes too
            self.gate.pause_until(time.monotonic() + (error.retry_after or 0.0))
        except _PostponedError:
            pass  # the queue still needs its login, and asks again when it may
        self._login_ended(work)

    async def _wait_for_login(self, work: WorkItem) -> None:
        """Another label of this credential is logging in: that may take long, and no worker waits for it."""
        await self.credentials.login_ended(work.queue.session)
        self._login_ended(work)

    def _login_ended(self, work: WorkItem) -> None:
        queue = work.queue
        queue.needs_login = self.credentials.needs_login(queue.session)
        queue.answered = False  # one request at a time until the new SessionID has proved itself
        self.dispatch.done(work)

    async def _ask_who(self, work: WorkItem) -> None:
        queue, number = work.queue, work.attempts + 1
        try:
            facts = await self.fetch.ask_who(queue.session, self._admit(work))
        except _PostponedError:
            self.dispatch.put_back(work, queue.gate.ready_at, work.attempts)
            return
        except ThrottledError as error:
            wait = max(self._backoff(number), error.retry_after or 0.0)
            self._pause(queue, error.status, wait)
            self._put_back(work, wait, self.settings.retry.attempts)
            return
        self.landing.note(facts)
        queue.needs_login = self.credentials.needs_login(queue.session)
        fault = facts.fault_class
        may_help = fault is not None and ACTIONS[fault] is not Action.FAIL
        attempts = _WHO_AM_I_ATTEMPTS if may_help else 0
        self._put_back(work, self._backoff(number), attempts)

    async def _log_out(self, work: WorkItem) -> None:
        queue, number = work.queue, work.attempts + 1
        try:
            exchange = self.fetch.exchange(queue.session, self._admit(work))
            await self.credentials.log_out(queue.session, exchange)
        except _PostponedError:
            self.dispatch.put_back(work, queue.gate.ready_at, work.attempts)
        except (TransportError, WireError) as error:
            _LOG.warning("Logout failed", session=queue.session, said=str(error))
            retry_after = error.retry_after if isinstance(error, ThrottledError) else None
            wait = max(self._backoff(number), retry_after or 0.0)
            if not self._put_back(work, wait, self.settings.retry.attempts):
                self.credentials.stays_open(queue.session)
        else:
            self.dispatch.done(work)

    def _put_back(self, work: WorkItem, wait_seconds: float, attempts: int) -> bool:
        """Have an step tried again, unless that was tried often enough; whether it will be."""
        number = work.attempts + 1
        will_be = number < attempts and not self.fetch.is_service_down
        if will_be:
            self.dispatch.put_back(work, time.monotonic() + wait_seconds, number)
        else:
            self.dispatch.done(work)
        return will_be

    def _backoff(self, attempt: int) -> float:
        retry = self.settings.retry
        jitter = random.random()  # noqa: S311  # it spreads retries in time: nothing to guess
        return backoff_seconds(attempt, retry.backoff_seconds, retry.max_backoff_seconds, jitter)
