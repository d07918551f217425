"""Asks the service which mailboxes a credential may list: MailboxList, or MailboxListEx for a network that is named.

Goes through the rate limit that a run on the same storage root uses, and logs out on every way out.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final, NoReturn

from collector.config import ApiKey, Login, Settings
from collector.domain.outcomes import FaultClass
from collector.domain.secret import Secret, mask
from collector.errors import CertificateError, CredentialError, RefusedError, TransportError
from collector.events import EventStream
from collector.outcomes.meaning import Meaning
from collector.runs.attempt import Attempts, ServiceState, SessionAttempts, class_of
from collector.runs.gates import PostponedError, SessionGates
from collector.runs.run import Stop, service_gate, transport_of
from collector.scheduling.rate_gates import SessionGate
from collector.sessions.credentials import Credentials
from collector.sessions.mailboxes import Listed, listed
from collector.wire.operations import MAILBOX_LIST, MAILBOX_LIST_EX

if TYPE_CHECKING:
    from collector.wire.requests import Argument

__all__ = ["mailbox_list"]

_MAY_PASS: Final = (
    FaultClass.TRANSPORT,
    FaultClass.TIMEOUT,
    FaultClass.SERVER,
    FaultClass.THROTTLED,
    FaultClass.NOT_SERVICE,
    FaultClass.MALFORMED,
    FaultClass.DAMAGED,
)


async def mailbox_list(
    settings: Settings, label: str, credential: ApiKey | Login, network_id: int | None, stop: Stop
) -> Listed | None:
    """The mailboxes of the credential's own network, or of the one that is named; None if `stop` was asked first.

    Args:
        label: the session whose credential it is; it begins the messages.

    Raises:
        RefusedError: the service refuses the credential or the list, or has no mailboxes to list.
        TransportError: it does not answer, as often as `retry.attempts` allows.
        CertificateError: its certificate is refused.
    """
    with contextlib.closing(service_gate(settings)) as gate:
        async with transport_of(settings) as transport:
            known = Credentials({label: credential})
            attempts = Attempts(settings, transport, known, ServiceState(), EventStream())
            limit = settings.limits.per_session_per_second
            own = SessionGate(limit)
            gates = SessionGates(gate, own, lambda: not stop.is_asked)
            asker = _Asker(label, network_id, known, own, attempts.of(label, gates), stop)
            try:
                return await asker.until_drained(asker.ask(), settings.run.drain_seconds)
            except PostponedError:
                return None
            finally:
                last = attempts.of(label, SessionGates(gate, SessionGate(limit)))
                await _log_out(known, label, last, settings.run.drain_seconds)


async def _log_out(
    known: Credentials, label: str, attempts: SessionAttempts, seconds: float
) -> None:
    """Logout of what is open, within so many seconds; one that fails changes nothing."""
    with contextlib.suppress(TimeoutError, CertificateError):
        async with asyncio.timeout(seconds):
            if label in known.open_logins():
                await known.end(label, attempts)


class _Asker:
    """Asks for one list."""

    def __init__(  # what one request is made of
        self,
        label: str,
        network_id: int | None,
        known: Credentials,
        gate: SessionGate,
        attempts: SessionAttempts,
        stop: Stop,
    ) -> None:
        self._label = label
        self._network_id = network_id
        self._operation = MAILBOX_LIST if network_id is None else MAILBOX_LIST_EX
        self._known = known
        self._gate = gate
        self._attempts = attempts
        self._stop = stop

    async def until_drained(
        self, asking: Coroutine[None, None, Listed], seconds: float
    ) -> Listed | None:
        """What it comes to; None where that takes longer than so many seconds after the stop was asked."""
        looking, asked = asyncio.create_task(asking), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((looking, asked), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((looking,), timeout=seconds)
        finally:
            looking.cancel()
            asked.cancel()
            await asyncio.wait((looking, asked))
        return None if looking.cancelled() else looking.result()

    async def ask(self) -> Listed:
        """Login where one is due, and the list, as often as the policy says."""
        charged = 0
        while True:
            try:
                meaning, may_log_in = await self._asked_once()
            except CredentialError as error:
                self._fail(class_of(error), str(error))
            if meaning.payload is not None:
                return self._read(meaning)
            decision = self._attempts.decide(
                self._operation, meaning, charged, may_log_in=may_log_in
            )
            if decision.wait_seconds is None:
                self._fail(meaning.fault_class or FaultClass.UNCLASSIFIED, meaning.text)
            charged = decision.charged
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(decision.wait_seconds):
                    await self._stop.wait()

    async def _asked_once(self) -> tuple[Meaning, bool]:
        """What one request comes to, and whether another Login may help.

        Raises:
            CredentialError: there is no SessionID to ask with.
            PostponedError: the stop was asked.
        """
        known, label = self._known, self._label
        while known.needs_login(label):
            if not await known.log_in(label, self._attempts):
                self._gate.pause_until(known.login_ready_at(label))
        session_id = known.session_id(label)
        if session_id is None:
            raise CredentialError("the session is not logged in")
        network = {} if self._network_id is None else {"NetworkID": self._network_id}
        arguments: dict[str, Argument] = {"SessionID": session_id, "Name": "", **network}
        meaning = await self._attempts.ask(self._operation, arguments)
        is_refused = meaning.fault_class is FaultClass.AUTHENTICATION
        return meaning, not is_refused or known.gone(label, session_id)

    def _read(self, meaning: Meaning) -> Listed:
        """The mailboxes of an answer, secrets masked in what it says of them."""
        if meaning.payload is None:
            raise LookupError("no answer: nothing to read")
        found = listed(self._operation, meaning.payload, self._network_id)
        if not found.mailboxes:
            entries = (
                f"{found.unread} entries without a MailboxID" if found.unread else "no mailbox"
            )
            raise RefusedError(
                f"{self._what}: the answer lists {entries}; name the mailboxes by hand, by network_id and mailbox_id"
            )
        secrets = self._known.secrets(self._label)
        masked = tuple(
            dataclasses.replace(
                each, name=_masked(each.name, secrets), status=_masked(each.status, secrets)
            )
            for each in found.mailboxes
        )
        return Listed(masked, found.unread)

    @property
    def _what(self) -> str:
        network = "" if self._network_id is None else f" of network {self._network_id}"
        return f"{self._operation.name}{network} with the credential of session {self._label!r}"

    def _fail(self, fault_class: FaultClass, text: str) -> NoReturn:
        """Say why there is no list, and what to do."""
        said = f"{self._what}: {fault_class.value}: {text}"
        if fault_class in _MAY_PASS:
            raise TransportError(f"{said}; `ecgrid-stats check` says more of the service")
        hint = _HINTS.get(fault_class, "")
        raise RefusedError(f"{said}{hint}")


_HINTS: Final = {
    FaultClass.AUTHENTICATION: "; is its credential right?",
    FaultClass.CREDENTIAL: "; is its credential right?",
    FaultClass.AUTHORISATION: (
        "; the service lists mailboxes to users of network level only: ask for that right, or name the mailboxes by"
        " hand, by network_id and mailbox_id"
    ),
    FaultClass.NOT_FOUND: "; is the number of the network right?",
    FaultClass.PARAMETER: "; is the number of the network right?",
    FaultClass.TOO_LARGE: "; set limits.max_reply_bytes higher, some 5,000 for each mailbox",
}


def _masked(text: str, secrets: tuple[Secret, ...]) -> str:
    found, _ = mask(text.encode(errors="replace"), secrets)
    return found.decode(errors="replace")
