"""One attempt: send, land, see what it means, decide. Whether and when there is another one is in its result.

Every request of a run goes through here, whatever its operation. A reply to a report is on disk before anything parses
it; replies that carry credentials (Login, WhoAmI) are never landed.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from collector.config import Service, Settings
from collector.domain import clock
from collector.domain.calls import Call, CallId
from collector.domain.outcomes import FaultClass, Outcome, State, Tries
from collector.domain.replies import LandedReply
from collector.domain.secret import Secret
from collector.domain.whoami import WhoAmI
from collector.errors import CredentialError, DroppedError, TransportError
from collector.events import (
    EventStream,
    KeyRefused,
    Paused,
    Replied,
    Retried,
    Sent,
    WrongServiceFound,
)
from collector.landing import Landing
from collector.landing.redaction import redacted
from collector.outcomes.classify_reply import classify_reply, unanswered_outcome, unsent_outcome
from collector.outcomes.meaning import Meaning, meaning_of_error, meaning_of_reply
from collector.outcomes.policy import (
    Backoff,
    Circumstances,
    Decision,
    Pauses,
    SlowDowns,
    WrongService,
    decide,
)
from collector.runs.reports import Asked, report_of
from collector.runs.service_clock import ServiceClock
from collector.scheduling.breaker import Breaker
from collector.scheduling.rate_gates import Permit
from collector.sessions.credentials import Credentials, LoginFailedError
from collector.sessions.whoami import no_whoami, whoami
from collector.transport import Received, Transport
from collector.wire.http_dates import date_us
from collector.wire.operations import LOGIN, LOGOUT, WHO_AM_I, Operation
from collector.wire.requests import Argument, encode, masked_text

__all__ = ["AttemptResult", "Attempts", "Gates", "ServiceState", "SessionAttempts", "class_of"]

# operations that settle nothing: they come when the calls are done, and never open the breaker
_CLOSING: Final = (WHO_AM_I.name, LOGOUT.name)


class Gates(Protocol):
    """What stands between a request and the network, for one session."""

    async def admit(self) -> Permit:
        """Return when a request may be sent, at once; errors of those who wait for it pass through."""

    def pause(self, pauses: Pauses, seconds: float) -> None:
        """Have this session, or everybody, send nothing for so long."""


class AttemptResult(NamedTuple):
    """How a call stands after an attempt.

    Attributes:
        tries: requests sent for it so far, and how many of them count.
        wait_seconds: try again after that long; None if the outcome is final.
    """

    outcome: Outcome
    tries: Tries
    wait_seconds: float | None = None


@dataclass(slots=True)
class ServiceState:
    """What one run has learned about the service as a whole.

    Attributes:
        breaker: None where nobody waits for a service that is down (`check`).
        sessions_left: how many sessions have something left to do.
        on_wrong: called when what answers is not the service.
        has_answered: somebody was answered in this invocation of the run.
        unproven: by call, the failures that may be those of an outage which nobody has noticed yet, since nothing was
            answered so far. They count in this invocation and are forgotten with it: a service that is down while a
            run is resumed again and again costs no call its attempts.
    """

    breaker: Breaker | None = None
    sessions_left: Callable[[], int] = lambda: 1
    on_wrong: Callable[[], None] = lambda: None
    clock: ServiceClock = field(default_factory=ServiceClock)
    slow_downs: SlowDowns = field(default_factory=SlowDowns)
    wrong: WrongService = field(default_factory=WrongService)
    is_wrong: bool = False
    has_answered: bool = False
    unproven: Counter[CallId] = field(default_factory=Counter)

    @property
    def is_down(self) -> bool:
        """Nobody is served: the run waits until the service answers again."""
        return self.breaker is not None and self.breaker.is_open


@dataclass(frozen=True, slots=True)
class Attempts:
    """What all attempts of one run share; `of` gives the attempts of one session.

    Attributes:
        landing: None where no report is asked for (`check`).
    """

    settings: Settings
    transport: Transport
    credentials: Credentials
    service: ServiceState
    events: EventStream
    landing: Landing | None = None

    def of(self, session: str, gates: Gates) -> "SessionAttempts":
        """The attempts of one session, through these gates."""
        return SessionAttempts(self, session, gates)


class SessionAttempts:
    """Performs attempts of one session: its calls, and the operations around them."""

    __slots__ = ("_gates", "_session", "_shared")

    def __init__(self, shared: Attempts, session: str, gates: Gates) -> None:
        self._shared = shared
        self._session = session
        self._gates = gates

    async def call(self, call: Call, tries: Tries) -> AttemptResult:
        """One more attempt of a call.

        Raises:
            LandingError: the reply could not be made durable.
        """
        credentials, landing = self._shared.credentials, self._shared.landing
        if (denial := credentials.denial(self._session)) is not None:
            outcome = unsent_outcome(call, tries, FaultClass.AUTHORISATION, denial)
            return _result(outcome, tries.charged)
        try:
            session_id = credentials.session_id(self._session)
        except CredentialError as error:
            outcome = unsent_outcome(call, tries, class_of(error), str(error))
            return _result(outcome, tries.charged)
        if session_id is None or landing is None:
            raise LookupError(f"session {self._session!r} has no SessionID: Login comes first")
        operation = report_of(call.operation).operation
        question = _Question(call, session_id, self._shared.service.clock)
        async with contextlib.AsyncExitStack() as held:
            outcome, meaning = await self._answered(question, tries, landing, held)
        if meaning.text:
            said = credentials.masked(self._session, meaning.text, session_id)
            meaning, outcome = meaning._replace(text=said), outcome._replace(fault_text=said)
        self._learn(operation, call.call_id, meaning, outcome.latency_us)
        if outcome.state is not State.FAILED:
            credentials.accepted(self._session)
            return _result(outcome, tries.charged + 1)
        if call.ids and meaning.is_denial:
            credentials.accepted(self._session)
            said = f"not asked, since another call of this session was denied: {meaning.text}"
            credentials.denied(self._session, said)
        is_free, may_log_in = False, True
        if meaning.fault_class is FaultClass.AUTHENTICATION:
            # a session that many calls share ends for all of them: one of them pays for that with an attempt
            is_free = credentials.is_known_gone(self._session, session_id)
            was_refused = credentials.key_refusal(self._session)
            may_log_in = credentials.gone(self._session, session_id)
            if not was_refused and (refusal := credentials.key_refusal(self._session)):
                self._shared.events.emit(KeyRefused(self._session, refusal))
        unproven, before = self._shared.service.unproven, tries.charged
        before += unproven[call.call_id]
        decision = self.decide(operation, meaning, before, is_free=is_free, may_log_in=may_log_in)
        if meaning.is_outage and not self._shared.service.has_answered:
            unproven[call.call_id] += decision.charged - before
        charged = decision.charged - unproven[call.call_id]
        return _result(outcome, charged, decision.wait_seconds)

    async def _answered(
        self,
        question: "_Question",
        tries: Tries,
        landing: Landing,
        held: contextlib.AsyncExitStack,
    ) -> tuple[Outcome, Meaning]:
        """Send, land what comes, and see what it means."""
        call, settings = question.call, self._shared.settings
        operation = report_of(call.operation).operation
        try:
            received = await self._send(operation, question.arguments, held)
        except TransportError as error:
            meaning, asked_at_us = meaning_of_error(error), question.asked_at_us
            outcome = unanswered_outcome(call, tries, meaning, question.minutes, asked_at_us)
            return outcome, meaning
        landed = self._landed(question, tries.sent + 1, received)
        await landing.land(landed)
        return classify_reply(
            operation,
            landed,
            settings.limits.max_reply_bytes,
            settings.retry.max_retry_after_seconds,
        )

    async def who_am_i(self, charged: int) -> tuple[WhoAmI, Decision]:
        """What WhoAmI says of the session, a fault being part of that; and what is done about it."""
        credentials, asked_at_us = self._shared.credentials, clock.now_us()
        nothing_more = Decision(None, charged)
        try:
            session_id = credentials.session_id(self._session)
            if session_id is None:
                raise CredentialError("the session is not logged in")
        except CredentialError as error:
            said = str(error)
            return no_whoami(self._session, asked_at_us, class_of(error), said), nothing_more
        meaning = await self.ask(WHO_AM_I, {"SessionID": session_id})
        if meaning.payload is not None:
            return whoami(self._session, asked_at_us, meaning.payload), nothing_more
        fault_class, may_log_in = meaning.fault_class or FaultClass.UNCLASSIFIED, True
        if fault_class is FaultClass.AUTHENTICATION:
            may_log_in = credentials.gone(self._session, session_id)
        decision = self.decide(WHO_AM_I, meaning, charged, may_log_in=may_log_in)
        return no_whoami(self._session, asked_at_us, fault_class, meaning.text), decision

    @property
    def is_service_down(self) -> bool:
        """Nobody is served: the run waits until the service answers again."""
        return self._shared.service.is_down

    async def ask(self, operation: Operation, arguments: Mapping[str, Argument]) -> Meaning:
        """Send one request whose reply is not kept; what it came to, secrets masked in its text."""
        settings, latency_us = self._shared.settings, None
        try:
            reply, is_cut = await self._send(operation, lambda: arguments)
        except TransportError as error:
            meaning = meaning_of_error(error)
        else:
            latency_us = reply.received_at_us - reply.sent_at_us
            meaning = meaning_of_reply(
                operation,
                reply.status,
                reply.headers,
                reply.body,
                received_at_us=reply.received_at_us,
                is_cut=is_cut,
                max_bytes=settings.limits.max_reply_bytes,
                max_wait_seconds=settings.retry.max_retry_after_seconds,
            )
        meaning = meaning._replace(
            text=self._shared.credentials.masked(self._session, meaning.text)
        )
        self._learn(operation, f"{operation.name} of {self._session}", meaning, latency_us)
        return meaning

    def decide(
        self,
        operation: Operation,
        meaning: Meaning,
        charged: int,
        *,
        failed_before: int | None = None,
        is_free: bool = False,
        may_log_in: bool = True,
    ) -> Decision:
        """Ask the policy, have whoever is to pause do so, and tell what will happen."""
        retry, service = self._shared.settings.retry, self._shared.service
        decision = decide(
            operation,
            meaning,
            charged,
            Backoff(retry.attempts, retry.backoff_seconds, retry.max_backoff_seconds),
            random.random(),  # noqa: S311  # it spreads retries in time: nothing to guess
            Circumstances(
                is_down=service.is_down,
                is_free=is_free,
                may_log_in=may_log_in,
                is_streak=service.slow_downs.means_everybody,
                failed_before=failed_before,
            ),
        )
        if decision.pauses is not Pauses.NOBODY:
            self._gates.pause(decision.pauses, decision.pause_seconds)
            who = self._session if decision.pauses is Pauses.SESSION else None
            self._shared.events.emit(Paused(who, decision.pause_seconds))
        if decision.wait_seconds is not None and meaning.fault_class is not None:
            wait = decision.wait_seconds
            self._shared.events.emit(
                Retried(self._session, operation.name, meaning.fault_class, wait)
            )
        return decision

    def _learn(
        self, operation: Operation, item: str, meaning: Meaning, latency_us: int | None
    ) -> None:
        """Draw from how a request ended what concerns everybody: is it the service, is it up, is it overloaded?"""
        service, events = self._shared.service, self._shared.events
        seconds = None if latency_us is None else latency_us / 1_000_000
        name, status, fault_class = operation.name, meaning.status, meaning.fault_class
        events.emit(Replied(self._session, name, status, fault_class, seconds))
        service.slow_downs.heard(meaning)
        service.has_answered |= meaning.status is not None and not meaning.is_outage
        if service.is_wrong:
            return
        if service.wrong.heard(self._session, meaning, service.sessions_left()):
            service.is_wrong = True
            events.emit(WrongServiceFound(self._shared.settings.service.url, meaning.text))
            service.on_wrong()
            return
        breaker = service.breaker
        if breaker is None or (meaning.is_web_page and not service.wrong.is_known):
            return
        is_closing = name in _CLOSING
        if meaning.is_outage:
            if breaker.is_open or not is_closing:
                breaker.failed(self._session, item, meaning.text)
        # a Login that works says nothing about the calls, but a service that was down is there again
        elif breaker.is_open or not (is_closing or operation is LOGIN):
            breaker.answered(self._session, item)

    async def _send(
        self,
        operation: Operation,
        arguments: Callable[[], Mapping[str, Argument]],
        held: contextlib.AsyncExitStack | None = None,
    ) -> Received:
        """The reply to one request, whose arguments are made once it may be sent.

        A kept connection that the other side closed as it was written to costs a permit, but no attempt: the request
        goes out once more. Login, which is not idempotent, goes out once, over a connection of its own.

        Raises:
            TransportError: there is none.
        """
        shared, service = self._shared, self._shared.settings.service
        sent, is_login = Sent(self._session, operation.name), operation is LOGIN
        for is_again in (False, True):
            permit = await self._gates.admit()

            def on_sent(permit: Permit = permit) -> None:
                permit.sent()
                shared.events.emit(sent)

            try:
                request = encode(
                    operation, arguments(), service.binding, service.url, service.namespace
                )
                if is_login and shared.landing is not None:
                    shared.landing.count_login()
                received = await shared.transport.send(request, on_sent, fresh=is_login, held=held)
            except DroppedError:
                if is_again or is_login:
                    raise
            else:
                reply = received.reply
                date = date_us(reply.headers.get("date"))
                shared.service.clock.learn(date, reply.sent_at_us, reply.received_at_us)
                return received
            finally:
                permit.ended()
        raise AssertionError("unreachable: the second send returns or raises")

    def _landed(self, question: "_Question", number: int, received: Received) -> LandedReply:
        service, reply = self._shared.settings.service, received.reply
        # the session may have been lost and logged in again meanwhile: the reply would repeat the former SessionID
        secrets = self._shared.credentials.secrets(self._session)
        if question.session_id not in secrets:
            secrets = (question.session_id, *secrets)
        limit = self._shared.settings.limits.max_reply_bytes
        kept = redacted(reply, secrets, limit, cut=received.cut)
        return LandedReply(
            call_id=question.call.call_id,
            attempt=number,
            session=self._session,
            operation=question.call.operation,
            minutes=question.asked.minutes,
            binding=service.binding,
            request=question.masked_text(service),
            status=reply.status,
            headers=kept.headers,
            body=kept.body,
            sent_at_us=reply.sent_at_us,
            received_at_us=reply.received_at_us,
            masked=kept.masked,
            cut=kept.cut,
        )


@dataclass(slots=True)
class _Question:
    """What an attempt of a call asks: its arguments are made when the request may be sent, and are kept."""

    call: Call
    session_id: Secret
    clock: ServiceClock
    asked_at_us: int | None = None  # the client's clock when the arguments were made
    _asked: Asked | None = None

    def arguments(self) -> Mapping[str, Argument]:
        """Those of a request that is sent now."""
        self.asked_at_us = clock.now_us()
        now_us = self.clock.now_us(self.asked_at_us)
        self._asked = report_of(self.call.operation).ask(self.call, now_us)
        return {"SessionID": self.session_id, **self._asked.arguments}

    @property
    def asked(self) -> Asked:
        """What the request asks that was sent."""
        if self._asked is None:
            raise LookupError(f"call {self.call.call_id}: nothing was asked yet")
        return self._asked

    @property
    def minutes(self) -> tuple[int, int] | None:
        """Those that were sent; None before that."""
        return None if self._asked is None else self._asked.minutes

    def masked_text(self, service: Service) -> str:
        """The request that was sent, its secret masked."""
        operation = report_of(self.call.operation).operation
        arguments = self.asked.arguments
        return masked_text(operation, arguments, service.binding, service.url, service.namespace)


def _result(outcome: Outcome, charged: int, wait_seconds: float | None = None) -> AttemptResult:
    """How a call stands; what its tries cost stands in the ledger too, so that a resumed run goes on with it."""
    tries = Tries(outcome.attempts, charged, outcome.minutes, outcome.requested_at_us)
    return AttemptResult(outcome._replace(charged=charged), tries, wait_seconds)


def class_of(error: CredentialError) -> FaultClass:
    """The class of a call that is not sent, since its session is not let in: refused, or failed like any other."""
    return error.fault_class if isinstance(error, LoginFailedError) else FaultClass.CREDENTIAL
