"""The gates before a request: the whole service's rate first, then its session's. Sends nothing itself."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from collector.errors import CollectorError
from collector.outcomes.policy import Pauses
from collector.scheduling.dispatch import Dispatch
from collector.scheduling.rate_gates import Permit, ServiceGate, SessionGate
from collector.scheduling.session_queue import WorkItem

__all__ = ["PostponedError", "QueueGates", "SessionGates"]


class PostponedError(CollectorError):
    """The request may not go out now: its session was paused, or the run is ending."""


@dataclass(frozen=True, slots=True)
class QueueGates:
    """Before the request of a work item: it goes out at once or not at all, since its worker has others to serve."""

    service: ServiceGate
    dispatch: Dispatch
    work: WorkItem

    async def admit(self) -> Permit:
        """Return when the request may be sent, at once.

        Raises:
            PostponedError: its session was paused meanwhile, or the run is ending.
        """
        own = self.work.queue.gate
        permit = await self.service.acquire_while(lambda: self.dispatch.wants(self.work))
        if permit is None:
            raise PostponedError
        try:
            if own.ready_at > time.monotonic():
                raise PostponedError
            await own.acquire()
            permit.session = own
        except BaseException:
            permit.ended()
            raise
        self.dispatch.sent(self.work)
        return permit

    def pause(self, pauses: Pauses, seconds: float) -> None:
        """Have the session, or everybody, send nothing for so long."""
        _pause(self.service, self.work.queue.gate, pauses, seconds)


@dataclass(frozen=True, slots=True)
class SessionGates:
    """Before a request that nothing is scheduled around: it waits until its session may send.

    Attributes:
        is_wanted: whether it is still to be sent, asked now and then while it waits.
    """

    service: ServiceGate
    own: SessionGate
    is_wanted: Callable[[], bool] = lambda: True

    async def admit(self) -> Permit:
        """Return when the request may be sent, at once.

        Raises:
            PostponedError: it is not wanted any more.
        """
        while (wait := self.own.ready_at - time.monotonic()) > 0:
            if not self.is_wanted():
                raise PostponedError
            await asyncio.sleep(min(wait, _LOOK_UP_SECONDS))
        permit = await self.service.acquire_while(self.is_wanted)
        if permit is None:
            raise PostponedError
        try:
            await self.own.acquire()
        except BaseException:
            permit.ended()
            raise
        return permit

    def pause(self, pauses: Pauses, seconds: float) -> None:
        """Have the session, or everybody, send nothing for so long."""
        _pause(self.service, self.own, pauses, seconds)


_LOOK_UP_SECONDS = 0.25  # a long wait looks this often whether it is still wanted


def _pause(service: ServiceGate, own: SessionGate, pauses: Pauses, seconds: float) -> None:
    until = time.monotonic() + seconds
    own.pause_until(until)
    if pauses is Pauses.EVERYBODY:
        service.pause_until(until)
