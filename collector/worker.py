"""Serves tickets: calls, logins, WhoAmI and logouts, each through the gates, each to a recorded end."""

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from collector.config import Settings
from collector.credentials import Credentials, LoginDelayedError
from collector.dispatch import Dispatch, Errand, Lane, Ticket
from collector.errors import (
    CertificateError,
    CollectorError,
    CredentialError,
    ServiceDownError,
    ThrottledError,
    TransportError,
    WireError,
)
from collector.fetch import Admit, Fetch
from collector.landing import Landing
from collector.limits import Permit, ServiceGate, SessionGate
from collector.model import Call, FaultClass
from collector.policy import ACTIONS, Action, backoff_seconds
from collector.verdict import Verdict

__all__ = ["Progress", "Worker"]

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
class Worker:
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
        """Serve tickets until there are none."""
        while (ticket := await self.dispatch.next()) is not None:
            if isinstance(ticket.item, Call):
                await self._call(ticket, ticket.item)
            elif ticket.item is Errand.LOGIN:
                await self._log_in(ticket)
            elif ticket.item is Errand.WHO_AM_I:
                await self._ask_who(ticket)
            else:
                await self._log_out(ticket)

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

    def _admit(self, ticket: Ticket) -> Admit:
        lane = ticket.lane

        async def admit() -> Permit:
            permit = await self.gate.acquire_while(lambda: self.dispatch.wants(ticket))
            if permit is None:
                raise _PostponedError
            try:
                if lane.gate.ready_at > time.monotonic():
                    raise _PostponedError
                await lane.gate.acquire()
                permit.session = lane.gate
            except BaseException:
                permit.ended()
                raise
            self.dispatch.sent(ticket)
            return permit

        return admit

    def _admit_logout(self, session: str) -> Admit:
        """The same gates for the last request of a session, without the dispatch, which is closed by then."""
        # a label whose calls were settled earlier has no lane; it is listed where it shares its login
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

    async def _call(self, ticket: Ticket, call: Call) -> None:
        lane, number = ticket.lane, ticket.attempts + 1
        if self.credentials.needs_login(lane.session):
            # another label with the same login lost the session
            lane.needs_login = True
            self.dispatch.put_back(ticket, lane.gate.ready_at, ticket.attempts)
            return
        try:
            verdict = await self.fetch.attempt(call, number, self._admit(ticket))
        except _PostponedError:
            self.dispatch.put_back(ticket, lane.gate.ready_at, ticket.attempts)
            return
        self.landing.settle(verdict.outcome, final=verdict.wait_seconds is None)
        self._heed(lane, verdict)
        lane.needs_login = self.credentials.needs_login(lane.session)
        if verdict.wait_seconds is not None:
            not_before = time.monotonic() + verdict.wait_seconds
            self.dispatch.put_back(ticket, not_before, verdict.outcome.attempts)
            return
        self._count(call, verdict)
        self.dispatch.done(ticket)

    def _count(self, call: Call, verdict: Verdict) -> None:
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

    def _heed(self, lane: Lane, verdict: Verdict) -> None:
        """Pause the gate that the service speaks of: one session's, or the whole service's."""
        outcome = verdict.outcome
        if outcome.fault_class is not FaultClass.THROTTLED:
            if outcome.http_status is not None:
                self._throttled.clear()
            return
        wait = verdict.throttled_seconds or verdict.wait_seconds or 0.0
        self._pause(lane, outcome.http_status, wait)

    def _pause(self, lane: Lane, status: int | None, wait_seconds: float) -> None:
        until = time.monotonic() + wait_seconds
        lane.gate.pause_until(until)
        self._throttled.add(lane.session)
        # 429: this client asks too often; 503: the service cannot serve anybody (RFC 6585, RFC 9110)
        if status == 503 or len(self._throttled) >= _THROTTLED_TOGETHER:
            _LOG.warning("the service asks for a pause", seconds=round(wait_seconds, 1))
            self.gate.pause_until(until)

    async def _log_in(self, ticket: Ticket) -> None:
        lane = ticket.lane
        if self.credentials.is_logging_in(lane.session):
            waiting = asyncio.create_task(self._wait_for_login(ticket))
            self._waiting.add(waiting)
            waiting.add_done_callback(self._waiting.discard)
            return
        ready_at = self.credentials.login_ready_at(lane.session)
        if ready_at > time.monotonic():  # that of another label of this credential has failed
            lane.gate.pause_until(ready_at)
            self.dispatch.done(ticket)
            return
        exchange = self.fetch.exchange(lane.session, self._admit(ticket))
        try:
            await self.credentials.log_in(lane.session, exchange)
        except CredentialError as error:
            _LOG.error("no Login for this session", session=lane.session, said=str(error))
        except LoginDelayedError as error:
            wait = max(self._backoff(error.attempt), error.retry_after or 0.0)
            until = time.monotonic() + wait
            lane.gate.pause_until(self.credentials.delay_login(lane.session, error.attempt, until))
        except ServiceDownError as error:  # a Retry-After holds for probes too
            self.gate.pause_until(time.monotonic() + (error.retry_after or 0.0))
        except _PostponedError:
            pass  # the lane still needs its login, and asks again when it may
        self._login_ended(ticket)

    async def _wait_for_login(self, ticket: Ticket) -> None:
        """Another label of this credential is logging in: that may take long, and no worker waits for it."""
        await self.credentials.login_ended(ticket.lane.session)
        self._login_ended(ticket)

    def _login_ended(self, ticket: Ticket) -> None:
        lane = ticket.lane
        lane.needs_login = self.credentials.needs_login(lane.session)
        lane.answered = False  # one request at a time until the new SessionID has proved itself
        self.dispatch.done(ticket)

    async def _ask_who(self, ticket: Ticket) -> None:
        lane, number = ticket.lane, ticket.attempts + 1
        try:
            facts = await self.fetch.ask_who(lane.session, self._admit(ticket))
        except _PostponedError:
            self.dispatch.put_back(ticket, lane.gate.ready_at, ticket.attempts)
            return
        except ThrottledError as error:
            wait = max(self._backoff(number), error.retry_after or 0.0)
            self._pause(lane, error.status, wait)
            self._put_back(ticket, wait, self.settings.retry.attempts)
            return
        self.landing.note(facts)
        lane.needs_login = self.credentials.needs_login(lane.session)
        fault = facts.fault_class
        may_help = fault is not None and ACTIONS[fault] is not Action.FAIL
        attempts = _WHO_AM_I_ATTEMPTS if may_help else 0
        self._put_back(ticket, self._backoff(number), attempts)

    async def _log_out(self, ticket: Ticket) -> None:
        lane, number = ticket.lane, ticket.attempts + 1
        try:
            exchange = self.fetch.exchange(lane.session, self._admit(ticket))
            await self.credentials.log_out(lane.session, exchange)
        except _PostponedError:
            self.dispatch.put_back(ticket, lane.gate.ready_at, ticket.attempts)
        except (TransportError, WireError) as error:
            _LOG.warning("Logout failed", session=lane.session, said=str(error))
            retry_after = error.retry_after if isinstance(error, ThrottledError) else None
            wait = max(self._backoff(number), retry_after or 0.0)
            if not self._put_back(ticket, wait, self.settings.retry.attempts):
                self.credentials.stays_open(lane.session)
        else:
            self.dispatch.done(ticket)

    def _put_back(self, ticket: Ticket, wait_seconds: float, attempts: int) -> bool:
        """Have an errand tried again, unless that was tried often enough; whether it will be."""
        number = ticket.attempts + 1
        will_be = number < attempts and not self.fetch.is_service_down
        if will_be:
            self.dispatch.put_back(ticket, time.monotonic() + wait_seconds, number)
        else:
            self.dispatch.done(ticket)
        return will_be

    def _backoff(self, attempt: int) -> float:
        retry = self.settings.retry
        jitter = random.random()  # noqa: S311  # it spreads retries in time: nothing to guess
        return backoff_seconds(attempt, retry.backoff_seconds, retry.max_backoff_seconds, jitter)
