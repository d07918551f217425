"""Asks the service before a run does: which namespace answers, whose clock is where, who is let in and may see what.

Every request goes through the rate limit that a run on the same storage root uses. Every session that was opened is
logged out, on every way out.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from collector.config import Credential, SessionEntry, Settings, Unreadable
from collector.domain import clock
from collector.domain.calls import Call, Trailing
from collector.domain.outcomes import FaultClass
from collector.errors import CertificateError, CredentialError
from collector.events import EventStream
from collector.outcomes.meaning import Meaning
from collector.runs.attempt import Attempts, ServiceState, class_of
from collector.runs.gates import PostponedError, SessionGates
from collector.runs.reports import INSTANT_STATS_EX
from collector.runs.run import Stop, service_gate, transport_of
from collector.scheduling.rate_gates import ServiceGate, SessionGate
from collector.sessions.credentials import Credentials
from collector.transport import Transport
from collector.wire.namespaces import KNOWN
from collector.wire.operations import VERSION

__all__ = ["Finding", "preflight"]

_CLOCK_TOLERANCE_SECONDS: Final = 5.0
_UNHEARD: Final = (FaultClass.TRANSPORT, FaultClass.TIMEOUT, FaultClass.SERVER)
_MOST_UNHEARD: Final = (
    3  # sessions in a row that brought no reply, after which nobody else is asked
)
_MOST_MAILBOXES: Final = (
    500  # of one credential that are tried: some minutes, where a run takes hours
)
_LAST_MINUTE: Final = Trailing(1, 1)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: `service`, `namespace NAME`, `clock`, `session LABEL` (of the first label of each credential), or
            `mailbox of LABEL`.
        good: a run would not fail over it.
        said: what was seen, and what to change if it is not good.
    """

    about: str
    good: bool
    said: str


async def preflight(
    settings: Settings, credentials: Mapping[str, Credential], stop: Stop
) -> AsyncIterator[Finding]:
    """Credentials that cannot be read; every known namespace; the clock; Login, WhoAmI and Logout with each credential.

    With each, a minute of up to 500 mailboxes that its labels name is asked for. A refused credential is asked for
    once. When `stop` is asked nothing more is sent but Logout.
    """
    readable = {}
    for label, credential in credentials.items():
        if isinstance(credential, Unreadable):
            said = f"{FaultClass.CREDENTIAL.value}: {credential.reason}"
            yield Finding(f"session {label}", good=False, said=said)
        else:
            readable[label] = credential
    gate = service_gate(settings)
    with contextlib.closing(gate):
        async for finding in _preflight(settings, readable, stop, gate):
            yield finding


async def _preflight(
    settings: Settings, credentials: Mapping[str, Credential], stop: Stop, gate: ServiceGate
) -> AsyncIterator[Finding]:
    async with transport_of(settings) as transport:
        is_service = True
        async for finding in _service(settings, credentials, transport, gate, stop):
            is_service &= finding.good or finding.about != "service"
            yield finding
        if is_service:
            sessions = _Sessions(settings, credentials, transport, gate, stop)
            try:
                async for finding in sessions.look():
                    yield finding
            finally:
                await sessions.log_out_all()


async def _service(
    settings: Settings,
    credentials: Mapping[str, Credential],
    transport: Transport,
    gate: ServiceGate,
    stop: Stop,
) -> AsyncIterator[Finding]:
    """Which of the known namespaces the service answers in, and how far its clock is off."""
    url, configured = settings.service.url, settings.service.namespace
    answering: list[str] = []
    state, known, label = ServiceState(), Credentials(credentials), settings.sessions[0].label
    own = SessionGate(settings.limits.per_session_per_second)
    gates = SessionGates(gate, own, lambda: not stop.is_asked)
    for namespace in dict.fromkeys((configured, *KNOWN)):
        service = settings.service.model_copy(update={"namespace": namespace})
        asked = settings.model_copy(update={"service": service})
        attempts = Attempts(asked, transport, known, state, EventStream()).of(label, gates)
        try:
            meaning = await attempts.ask(VERSION, {})
        except CertificateError as error:
            yield Finding("service", good=False, said=f"{url}: {error}")
            return
        except PostponedError:
            return
        attempts.decide(VERSION, meaning, 0)  # whoever is to pause does
        if meaning.status is None:
            yield Finding("service", good=False, said=f"{url}: {meaning.text}")
            return
        if meaning.payload is None:
            what = "does not answer" if namespace == configured else "not used, and does not answer"
            said = f"{what} (HTTP {meaning.status}: {meaning.text})"
            yield Finding(f"namespace {namespace}", namespace != configured, said)
            continue
        answering.append(namespace)
        version = meaning.payload.text
        yield Finding(f"namespace {namespace}", good=True, said=f"answers, version {version}")
    if configured not in answering:
        hint = f"set service.namespace to {answering[0]!r}"
        if not answering:
            hint = f"does service.url = {url!r} name the service?"
        said = f"namespace {configured!r} does not answer; {hint}"
        yield Finding("service", good=False, said=said)
    elif (offset_us := state.clock.offset_us) is not None:
        yield _clock_finding(offset_us / 1_000_000)


def _hint(fault_class: FaultClass | None, *, has_login: bool) -> str:
    """What to look at where the service refuses a session."""
    if fault_class not in (FaultClass.CREDENTIAL, FaultClass.AUTHENTICATION):
        return ""
    return "; are its login_name and password right?" if has_login else "; is its api_key right?"


def _mailbox_hint(entry: SessionEntry, fault_class: FaultClass) -> str:
    """What to look at where a mailbox is not answered."""
    scope = f"network {entry.network_id}, mailbox {entry.mailbox_id or 0}"
    if fault_class is FaultClass.AUTHORISATION:
        return f"ask for the right to see {scope}, or take the label out"
    return f"are the ids right: {scope}?"


def _clock_finding(offset: float) -> Finding:
    """Whether the two clocks agree; `offset` is how many seconds the service's is ahead."""
    if abs(offset) <= _CLOCK_TOLERANCE_SECONDS:
        said = f"the service's clock and this machine's are {abs(offset):.0f} s apart"
        return Finding("clock", good=True, said=said)
    ahead = "ahead of" if offset > 0 else "behind"
    said = (
        f"the service's clock is {abs(offset):.0f} s {ahead} this machine's; must be at most"
        f" {_CLOCK_TOLERANCE_SECONDS:.0f} s: is this machine's right (NTP)? If so, tell who runs the service"
    )
    return Finding("clock", good=False, said=said)


@dataclass(slots=True)
class _Mailboxes:
    """What was asked for with one credential.

    Attributes:
        labels: how many share it.
        named: how many of them name a network.
        tried: how many of those were asked for.
        refused: how many of those were not answered.
    """

    labels: int
    named: int
    tried: int = 0
    refused: int = 0

    @property
    def is_good(self) -> bool:
        """Something may be seen, as far as anything was tried."""
        return self.tried == 0 or self.refused < self.tried

    def __str__(self) -> str:
        said = f"; {self.labels} labels share this credential" if self.labels > 1 else ""
        if self.tried:
            said += f"; {self.tried - self.refused} of {self.tried} mailboxes that were asked for answer"
        if self.tried < self.named:
            said += f"; {self.named - self.tried} were not tried, a run will tell"
        if not self.is_good:
            said += ": ask for the right to see them, or take these labels out"
        return said


class _Sessions:
    """Lets each credential in and out once, and asks in between for the mailboxes that its labels name."""

    def __init__(
        self,
        settings: Settings,
        credentials: Mapping[str, Credential],
        transport: Transport,
        gate: ServiceGate,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._credentials = Credentials(credentials)
        self._sharing: dict[
            str, list[SessionEntry]
        ] = {}  # by the label that stands for all of them
        for entry in settings.sessions:
            if entry.label in credentials:
                session = self._credentials.session_of(entry.label)
                self._sharing.setdefault(session, []).append(entry)
        self._gate = gate
        self._stop = stop
        self._attempts = Attempts(
            settings, transport, self._credentials, ServiceState(), EventStream()
        )

    async def look(self) -> AsyncIterator[Finding]:
        """What is found with each credential, until the check is to end or the service does not answer any more."""
        unheard = 0
        for label, entries in self._sharing.items():
            if self._stop.is_asked:
                return
            own = SessionGate(self._settings.limits.per_session_per_second)
            gates = SessionGates(self._gate, own, lambda: not self._stop.is_asked)
            try:
                found = await self._until_drained(self._let_in(label, gates))
                if found is None:
                    return
                finding, fault_class = found
                if fault_class is None:
                    named = [each for each in entries if each.network_id is not None]
                    mailboxes = _Mailboxes(len(entries), len(named))
                    async for refused in self._refused(named, mailboxes, gates):
                        yield refused
                    said = f"{finding.said}{mailboxes}"
                    finding = Finding(finding.about, mailboxes.is_good, said)
                await self._until_drained(self._let_out(label, gates))
            except CertificateError as error:
                yield Finding("service", good=False, said=str(error))
                return
            except PostponedError:
                return
            yield finding
            unheard = unheard + 1 if fault_class in _UNHEARD else 0
            if unheard == _MOST_UNHEARD:
                said = f"no reply for {unheard} sessions in a row; the others were not asked"
                yield Finding("service", good=False, said=said)
                return

    async def _until_drained(self, asking: Coroutine[None, None, _T]) -> _T | None:
        """What came of it; None if the check was asked to end and `run.drain_seconds` were not enough for it."""
        looking = asyncio.create_task(asking)
        asked = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((looking, asked), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((looking,), timeout=self._settings.run.drain_seconds)
        finally:
            looking.cancel()
            asked.cancel()
            await asyncio.wait((looking, asked))
        return None if looking.cancelled() else looking.result()

    async def _let_in(self, label: str, gates: SessionGates) -> tuple[Finding, FaultClass | None]:
        """Login and WhoAmI: what came of them, and why they failed if they did.

        Raises:
            PostponedError: the check was asked to end before there was anything to say.
        """
        about = f"session {label}"
        attempts, has_login = self._attempts.of(label, gates), self._credentials.has_login(label)
        try:
            await self._log_in(label, gates)
            found, decision = await attempts.who_am_i(0)
            while decision.wait_seconds is not None:
                await self._wait(decision.wait_seconds)
                found, decision = await attempts.who_am_i(decision.charged)
        except CredentialError as error:
            fault_class = class_of(error)
            said = f"{error}{_hint(fault_class, has_login=has_login)}"
            return Finding(about, good=False, said=said), fault_class
        if found.fault_class is not None:
            hint = _hint(found.fault_class, has_login=has_login)
            said = f"{found.fault_class.value}: {found.fault_text}{hint}"
            return Finding(about, good=False, said=said), found.fault_class
        said = f"network {found.network_id}, mailbox {found.mailbox_id}"
        return Finding(about, good=True, said=said), None

    async def _log_in(self, label: str, gates: SessionGates) -> None:
        """Login where one is due.

        Raises:
            CredentialError: the credential is refused.
            PostponedError: the check was asked to end.
        """
        while self._credentials.needs_login(label):
            if not await self._credentials.log_in(label, self._attempts.of(label, gates)):
                gates.own.pause_until(self._credentials.login_ready_at(label))

    async def _refused(
        self, named: Sequence[SessionEntry], mailboxes: _Mailboxes, gates: SessionGates
    ) -> AsyncIterator[Finding]:
        """The mailboxes of one credential that are not answered; it ends where the check is to end, or nobody hears."""
        unheard = 0
        for entry in named[:_MOST_MAILBOXES]:
            try:
                meaning = await self._until_drained(self._mailbox(entry, gates))
            except PostponedError:
                return
            if meaning is None:
                return
            mailboxes.tried += 1
            if meaning.fault_class is None:
                unheard = 0
                continue
            mailboxes.refused += 1
            said = f"{meaning.fault_class.value}: {meaning.text}; {_mailbox_hint(entry, meaning.fault_class)}"
            yield Finding(f"mailbox of {entry.label}", good=False, said=said)
            unheard = unheard + 1 if meaning.fault_class in _UNHEARD else 0
            if unheard == _MOST_UNHEARD:
                return

    async def _mailbox(self, entry: SessionEntry, gates: SessionGates) -> Meaning:
        """What asking for the last minute of a mailbox came to.

        Raises:
            PostponedError: the check was asked to end.
        """
        label, report, charged = entry.label, INSTANT_STATS_EX, 0
        attempts = self._attempts.of(label, gates)
        call = Call.of(
            label, report.operation.name, (*(report.scope_of(entry) or ()), _LAST_MINUTE)
        )
        arguments = report.ask(call, clock.now_us()).arguments
        while True:
            may_log_in = True
            try:
                await self._log_in(label, gates)
                session_id = self._credentials.session_id(label)
            except CredentialError as error:
                return Meaning(None, class_of(error), str(error))
            if session_id is None:
                raise LookupError(f"session {label!r} has no SessionID: Login comes first")
            meaning = await attempts.ask(report.operation, {"SessionID": session_id, **arguments})
            if meaning.fault_class is FaultClass.AUTHENTICATION:
                may_log_in = self._credentials.gone(label, session_id)
            elif meaning.fault_class is None:
                self._credentials.accepted(label)
            decision = attempts.decide(report.operation, meaning, charged, may_log_in=may_log_in)
            if decision.wait_seconds is None:
                return meaning
            charged = decision.charged
            await self._wait(decision.wait_seconds)

    async def _let_out(self, label: str, gates: SessionGates) -> None:
        """Logout, if the check may go on; `log_out_all` has time of its own."""
        if self._credentials.has_login(label):
            with contextlib.suppress(PostponedError):
                await self._log_out(label, gates, self._wait)

    async def _log_out(
        self, label: str, gates: SessionGates, wait: Callable[[float], Awaitable[None]]
    ) -> None:
        """Logout, as often as the policy says."""
        if not await self._credentials.end(label, self._attempts.of(label, gates), wait):
            self._credentials.stays_open(label)

    async def log_out_all(self) -> None:
        """Logout for what is still open, within `run.drain_seconds`."""
        with contextlib.suppress(TimeoutError, CertificateError):
            async with asyncio.timeout(self._settings.run.drain_seconds):
                for label in self._credentials.open_logins():
                    limit = self._settings.limits.per_session_per_second
                    gates = SessionGates(self._gate, SessionGate(limit))
                    await self._log_out(label, gates, asyncio.sleep)

    async def _wait(self, seconds: float) -> None:
        """Let so many seconds pass, or fewer where the check is asked to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
