"""Serves work items: calls, Login, WhoAmI and Logout, each through the gates, each to a recorded end."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from collector.config import Settings
from collector.domain.calls import Call, arguments_text
from collector.domain.outcomes import Outcome, Tries
from collector.errors import CertificateError, CredentialError
from collector.events import (
    AllDenied,
    EventStream,
    LoggedIn,
    LoggedOut,
    LoginFailed,
    LogoutFailed,
    Settled,
    StaysOpen,
)
from collector.landing import Landing
from collector.runs.attempt import AttemptResult, Attempts, SessionAttempts
from collector.runs.gates import PostponedError, QueueGates, SessionGates
from collector.scheduling.dispatch import Dispatch
from collector.scheduling.rate_gates import ServiceGate, SessionGate
from collector.scheduling.session_queue import SessionQueue, SessionStep, WorkItem
from collector.sessions.credentials import Credentials
from collector.wire.operations import LOGOUT, VERSION

__all__ = ["WorkerPool", "settled_event"]

_MOST_NAMED: Final = 5  # labels in one message


@dataclass(slots=True)
class WorkerPool:
    """What the workers of one run share. Each task that runs `work` has at most one request in flight.

    Attributes:
        session_gates: of the logins, by the label that stands for each; Logout may come after everything else.
        settled: calls that came to their end in this invocation.
    """

    settings: Settings
    credentials: Credentials
    landing: Landing
    attempts: Attempts
    dispatch: Dispatch
    gate: ServiceGate
    session_gates: Mapping[str, SessionGate]
    events: EventStream
    settled: int = 0

    async def work(self) -> None:
        """Serve work items until there are none."""
        while (work := await self.dispatch.next()) is not None:
            try:
                await self._serve(work)
            except PostponedError:
                self.dispatch.put_back(work, work.queue.gate.ready_at, work.tries)

    async def _serve(self, work: WorkItem) -> None:
        if isinstance(work.item, Call):
            await self._call(work, work.item)
        elif work.item is SessionStep.LOGIN:
            await self._log_in(work)
        elif work.item is SessionStep.WHO_AM_I:
            await self._who_am_i(work)
        else:
            await self._log_out(work)

    async def learn_clock(self, is_wanted: Callable[[], bool]) -> None:
        """Ask for the service's version, since its clock comes with the reply: spans are asked for by that clock.

        Where nothing comes, or no Date with it, this machine's clock is taken until a reply tells.
        """
        session = self.settings.sessions[0].label
        own = SessionGate(self.settings.limits.per_session_per_second)
        gates = SessionGates(self.gate, own, is_wanted)
        with contextlib.suppress(PostponedError):
            attempts = self.attempts.of(session, gates)
            attempts.decide(VERSION, await attempts.ask(VERSION, {}), 0)  # whoever is to pause does

    async def log_out_all(self) -> None:
        """Logout for every session that is still open, within `run.drain_seconds`."""
        left = iter(self.credentials.open_logins())

        async def work() -> None:
            for session in left:
                gate = self.session_gates.get(session) or SessionGate(
                    self.settings.limits.per_session_per_second
                )
                attempts = self.attempts.of(session, SessionGates(self.gate, gate))
                try:
                    is_over = await self.credentials.end(session, attempts)
                except CertificateError:
                    return
                if not is_over and self.attempts.service.is_down:
                    return  # nor would the next one be heard

        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(self.settings.run.drain_seconds),
                asyncio.TaskGroup() as group,
            ):
                for _ in range(self.settings.limits.concurrency):
                    group.create_task(work())
        for session in self.credentials.open_logins():
            self.events.emit(StaysOpen(session))

    def _attempts(self, work: WorkItem) -> SessionAttempts:
        return self.attempts.of(work.session, QueueGates(self.gate, self.dispatch, work))

    async def _call(self, work: WorkItem, call: Call) -> None:
        queue = work.queue
        was_denied = self.credentials.denial(work.session) is not None
        result = await self._attempts(work).call(call, work.tries)
        if not was_denied and self.credentials.denial(work.session) is not None:
            self._denied(queue)
        self.landing.settle(result.outcome, final=result.wait_seconds is None)
        queue.needs_login = self.credentials.needs_login(queue.session)
        if result.wait_seconds is not None:
            not_before = time.monotonic() + result.wait_seconds
            self.dispatch.put_back(work, not_before, result.tries)
        else:
            self._settle(call, result)
            self.dispatch.done(work)

    def _denied(self, queue: SessionQueue) -> None:
        """One more label may not see what it asks for; where all that share a session may not, it is said once."""
        queue.denied += 1
        if queue.denied == len(queue.labels) > 1:
            some = tuple(sorted(islice(queue.labels, _MOST_NAMED)))
            self.events.emit(AllDenied(some, len(queue.labels)))

    def _settle(self, call: Call, result: AttemptResult) -> None:
        self.settled += 1
        self.events.emit(settled_event(call, result.outcome))

    async def _log_in(self, work: WorkItem) -> None:
        queue = work.queue
        with contextlib.suppress(PostponedError):  # the queue asks for its Login again when it may
            try:
                if await self.credentials.log_in(work.session, self._attempts(work)):
                    self.events.emit(LoggedIn(work.session))
                else:
                    queue.gate.pause_until(self.credentials.login_ready_at(work.session))
            except CredentialError as error:
                self.events.emit(LoginFailed(work.session, str(error)))
        queue.needs_login = self.credentials.needs_login(queue.session)
        # one request at a time until the new SessionID has proved itself
        queue.has_answered = False
        self.dispatch.done(work)

    async def _who_am_i(self, work: WorkItem) -> None:
        queue = work.queue
        found, decision = await self._attempts(work).who_am_i(work.tries.charged)
        for label in queue.labels:  # it is said of their session, whoever asks
            self.landing.note(replace(found, session=label))
        queue.needs_login = self.credentials.needs_login(queue.session)
        self._again_or_done(work, decision.wait_seconds, decision.charged)

    async def _log_out(self, work: WorkItem) -> None:
        session, attempts = work.session, self._attempts(work)
        failed = await self.credentials.log_out(session, attempts)
        if failed is None:
            self.events.emit(LoggedOut(session))
            self.dispatch.done(work)
            return
        self.events.emit(LogoutFailed(session, failed.text))
        decision = attempts.decide(LOGOUT, failed, work.tries.charged)
        if not self._again_or_done(work, decision.wait_seconds, decision.charged):
            self.credentials.stays_open(session)

    def _again_or_done(self, work: WorkItem, wait_seconds: float | None, charged: int) -> bool:
        """Have a step tried again, unless that would not help; whether it will be.

        While the service is down it would not: WhoAmI and Logout come when the calls are settled, and nobody waits for
        them.
        """
        if wait_seconds is None or self.attempts.service.is_down:
            self.dispatch.done(work)
            return False
        tries = Tries(work.tries.sent + 1, charged)
        self.dispatch.put_back(work, time.monotonic() + wait_seconds, tries)
        return True


def settled_event(call: Call, outcome: Outcome) -> Settled:
    """That the call has come to this end."""
    return Settled(
        call.call_id,
        call.session,
        call.operation,
        arguments_text(call.arguments),
        outcome.state,
        outcome.attempts,
        outcome.fault_class,
        outcome.fault_text,
    )
