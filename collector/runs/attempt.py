"""One attempt of one call: send, land, look, judge. Whether and when there is another one is in the verdict.

The reply is on disk before anything parses it. Replies that carry credentials (Login, WhoAmI) are never landed.
"""

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from collector.config import Settings
from collector.domain.secret import Secret, mask
from collector.domain.values import (
    Call,
    CallId,
    FaultClass,
    LandedReply,
    Outcome,
    Reply,
    State,
    WhoAmI,
)
from collector.errors import (
    ConnectError,
    CredentialError,
    DroppedError,
    ServiceDownError,
    ThrottledError,
    TransportError,
    WireError,
)
from collector.landing import Landing
from collector.landing.redaction import redacted
from collector.outcomes.classify_reply import classified
from collector.outcomes.policy import (
    Action,
    action_for,
    backoff_seconds,
    classify_error,
    classify_fault_at,
    classify_status,
    classify_unopened,
    is_outage,
)
from collector.runs.attempt_result import AttemptResult, class_of, refused, unanswered
from collector.scheduling.breaker import Breaker
from collector.scheduling.rate_gates import Permit
from collector.sessions.credentials import Answered, Credentials, Exchange
from collector.sessions.whoami import facts, no_whoami
from collector.transport import Received, Transport
from collector.wire.body import decoded_body
from collector.wire.http_dates import date_us, retry_after_seconds
from collector.wire.operations import LOGIN, REPORT_INSTANT_STATS, WHO_AM_I, Operation
from collector.wire.replies import Fault, Payload, open_reply
from collector.wire.requests import Argument, encode, masked_text

__all__ = ["Admit", "Fetch"]

_REFUSALS: Final = (
    FaultClass.AUTHENTICATION,
    FaultClass.AUTHORISATION,
    FaultClass.PARAMETER,
    FaultClass.NOT_FOUND,
)
# returns when a request may be sent, at once; raised errors pass through
Admit = Callable[[], Awaitable[Permit]]


class Fetch:
    """Performs attempts for one run."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        credentials: Credentials,
        landing: Landing | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._credentials = credentials
        self._landing = landing
        self._breaker = breaker
        # attempts that are not taken from `retry.attempts`: probes in an outage, and sessions that others had used up
        self._free: Counter[CallId] = Counter()

    async def attempt(self, call: Call, number: int, admit: Admit) -> AttemptResult:
        """Attempt `number` of a call.

        Raises:
            LandingError: the reply could not be made durable.
        """
        try:
            session_id = self._credentials.session_id(call.session)
        except CredentialError as error:
            return refused(call, number - 1, error)
        if session_id is None or self._landing is None:
            raise LookupError(f"session {call.session!r} has no SessionID: Login comes first")
        arguments: dict[str, Argument] = {
            "SessionID": session_id,
            "Minutes1": call.window1.minutes,
            "Minutes2": call.window2.minutes,
        }
        started_at_us = time.time_ns() // 1_000
        try:
            received = await self._send(REPORT_INSTANT_STATS, arguments, admit)
        except TransportError as error:
            outcome = unanswered(call, number, error, started_at_us)
            outcome = self._masked(call, outcome, session_id)
            is_down = self._is_down(
                call.session, call.call_id, outage=outcome.fault_text or "", is_call=True
            )
            if is_down and isinstance(error, ConnectError):  # nothing was sent: no attempt
                return AttemptResult(outcome._replace(attempts=number - 1), 0.0)
            waits = is_down and self._waiting(call, outcome, None)
            return waits or self._verdict(call, outcome, None, session_id)
        landed = self._landed(call, number, arguments, received, session_id)
        await self._landing.land(landed)
        judged, is_lost = classified(landed, self._settings.limits.max_reply_bytes)
        outcome = self._masked(call, judged, session_id)
        outage = (outcome.fault_text or "") if is_lost else None
        is_down = self._is_down(call.session, call.call_id, outage=outage, is_call=True)
        if outcome.state is not State.FAILED:
            self._credentials.answered(call.session)
            return AttemptResult(outcome)
        retry_after = self._retry_after(received.reply)
        if is_down and is_lost:
            return self._waiting(call, outcome, retry_after)
        return self._verdict(call, outcome, retry_after, session_id)

    async def ask_who(self, session: str, admit: Admit) -> WhoAmI:
        """What WhoAmI says of a session; a fault is among the facts.

        Raises:
            ThrottledError: asked to slow down.
        """
        asked_at_us = time.time_ns() // 1_000
        try:
            session_id = self._credentials.session_id(session)
            if session_id is None:
                raise CredentialError("the session is not logged in")
            answered = await self.exchange(session, admit)(WHO_AM_I, {"SessionID": session_id})
        except CredentialError as error:
            return no_whoami(session, asked_at_us, class_of(error), str(error))
        except ThrottledError:
            raise
        except (TransportError, WireError) as error:
            return no_whoami(session, asked_at_us, classify_error(error), str(error))
        if isinstance(answered.content, Payload):
            return facts(session, asked_at_us, answered.content)
        fault_class = classify_fault_at(answered.status, answered.content, has_retry_after=False)
        if fault_class is FaultClass.AUTHENTICATION:
            self._credentials.gone(session, session_id)
        return no_whoami(session, asked_at_us, fault_class, str(answered.content))

    def exchange(self, session: str, admit: Admit) -> Exchange:
        """How `credentials` sends: through the gates, with secrets masked in what is said about a failure.

        A Login that fails while the service is down for everybody raises ServiceDownError.
        """

        async def send(operation: Operation, arguments: Mapping[str, Argument]) -> Answered:
            status, retry_after = None, None
            # WhoAmI and Logout come when the calls are settled: nothing is left to be saved by waiting
            item = f"Login of {session}" if operation is LOGIN else None
            try:
                reply = (await self._send(operation, arguments, admit)).reply
                status, retry_after = reply.status, self._retry_after(reply)
                answered = opened(operation, reply, retry_after)
            except (TransportError, WireError) as error:
                outage = str(error) if is_outage(error, status) else None
                is_down = self._is_down(session, item, outage=outage)
                if is_down and operation is LOGIN:
                    raise ServiceDownError(str(error), retry_after) from None
                raise
            outage = f"HTTP {status}" if is_outage(None, status) else None
            self._is_down(session, item, outage=outage)
            return answered

        def opened(operation: Operation, reply: Reply, retry_after: float | None) -> Answered:
            has_retry_after = "retry-after" in reply.headers
            by_status = classify_status(reply.status, has_retry_after=has_retry_after)
            if by_status is FaultClass.THROTTLED:  # whatever the body is
                raise ThrottledError(reply.status, retry_after)
            content_type = reply.headers.get("content-type", "")
            try:
                content = open_reply(operation, reply.status, content_type, self._plain(reply))
            except WireError as error:
                said = self._masked_text(session, str(error))
                told = classify_unopened(error, reply.status, has_retry_after=has_retry_after)
                # a Login that is refused by a page is refused: it is not sent again to see whether it was meant
                if operation is LOGIN and told in _REFUSALS:
                    return Answered(Fault("", said), reply.status, retry_after, told)
                raise type(error)(said) from None
            if isinstance(content, Fault):
                content = Fault(
                    content.code,
                    self._masked_text(session, content.text),
                    content.detail_code,
                    self._masked_text(session, content.detail_text),
                )
            return Answered(content, reply.status, retry_after)

        return send

    @property
    def is_service_down(self) -> bool:
        """The run waits until the service answers again."""
        return self._breaker is not None and self._breaker.is_open

    def _is_down(
        self, session: str, item: str | None, *, outage: str | None, is_call: bool = False
    ) -> bool:
        """Tell the breaker how a request ended, if in an outage with what was said; whether the service is down now."""
        if self._breaker is None:
            return False
        if outage is not None and (item is not None or self._breaker.is_open):
            self._breaker.failed(session, item or "", outage)
        # a Login that works says nothing about the calls, but a service that was down is there again
        elif outage is None and (is_call or self._breaker.is_open):
            self._breaker.answered(session, item)
        return self._breaker.is_open

    async def _send(
        self, operation: Operation, arguments: Mapping[str, Argument], admit: Admit
    ) -> Received:
        service = self._settings.service
        request = encode(operation, arguments, service.binding, service.url, service.namespace)
        for is_again in (False, True):
            permit = await admit()
            try:
                if operation is LOGIN and self._landing is not None:
                    self._landing.count_login()
                received = await self._transport.send(request, permit.sent)
            except DroppedError:
                # the other side closed an idle connection as we wrote to it: no attempt, but a send to pay for
                if is_again:
                    raise
            else:
                permit.replied()
                return received
            finally:
                permit.ended()
        raise AssertionError("unreachable: the second send returns or raises")

    def _landed(
        self,
        call: Call,
        number: int,
        arguments: Mapping[str, Argument],
        received: Received,
        sent_as: Secret,
    ) -> LandedReply:
        service, reply = self._settings.service, received.reply
        # the session may have been lost and logged in again meanwhile: the reply would repeat the former SessionID
        secrets = self._credentials.secrets(call.session)
        if sent_as not in secrets:
            secrets = (sent_as, *secrets)
        limit = self._settings.limits.max_reply_bytes
        kept = redacted(reply, secrets, limit, cut=received.cut)
        return LandedReply(
            call_id=call.call_id,
            attempt=number,
            session=call.session,
            window1_minutes=call.window1.minutes,
            window2_minutes=call.window2.minutes,
            binding=service.binding,
            request=masked_text(
                REPORT_INSTANT_STATS, arguments, service.binding, service.url, service.namespace
            ),
            status=reply.status,
            headers=kept.headers,
            body=kept.body,
            sent_at_us=reply.sent_at_us,
            received_at_us=reply.received_at_us,
            masked=kept.masked,
            cut=kept.cut,
        )

    def _masked(self, call: Call, outcome: Outcome, sent_as: Secret) -> Outcome:
        """What was said may have been unescaped, or quote the bytes of a reply: masked once more as text."""
        if not outcome.fault_text:
            return outcome
        text = self._masked_text(call.session, outcome.fault_text, sent_as)
        return outcome._replace(fault_text=text)

    def _masked_text(self, session: str, text: str, *more: Secret) -> str:
        secrets = (*more, *self._credentials.unspoken(session))
        masked, _ = mask(text.encode(errors="replace"), secrets)
        return masked.decode(errors="replace")

    def _plain(self, reply: Reply) -> bytes:
        limit = self._settings.limits.max_reply_bytes
        return decoded_body(reply.body, reply.headers.get("content-encoding"), limit)

    def _retry_after(self, reply: Reply) -> float | None:
        now = date_us(reply.headers.get("date")) or reply.received_at_us
        cap = self._settings.retry.max_retry_after_seconds
        return retry_after_seconds(reply.headers.get("retry-after"), now / 1_000_000, cap)

    def _waiting(self, call: Call, outcome: Outcome, retry_after: float | None) -> AttemptResult:
        """While the service is down no failure is final: the attempt was a probe, and says nothing about the call."""
        self._free[call.call_id] += 1
        throttled = retry_after if outcome.fault_class is FaultClass.THROTTLED else None
        return AttemptResult(outcome, throttled or 0.0, throttled)

    def _verdict(
        self, call: Call, outcome: Outcome, retry_after: float | None, sent_as: Secret
    ) -> AttemptResult:
        retry = self._settings.retry
        fault_class = outcome.fault_class or FaultClass.UNCLASSIFIED
        if fault_class is FaultClass.AUTHENTICATION:
            # a session that many calls share ends for all of them: one of them pays for that with an attempt
            self._free[call.call_id] += self._credentials.is_known_gone(call.session, sent_as)
        spent = outcome.attempts - self._free[call.call_id]
        action = action_for(fault_class, spent, retry.attempts)
        if fault_class is FaultClass.AUTHENTICATION:
            may_help = self._credentials.gone(call.session, sent_as)
            return AttemptResult(outcome, 0.0 if may_help and action is not Action.FAIL else None)
        throttled = retry_after if fault_class is FaultClass.THROTTLED else None
        if action is Action.FAIL:
            return AttemptResult(outcome, throttled_seconds=throttled)
        jitter = random.random()  # noqa: S311  # it spreads retries in time
        wait = backoff_seconds(spent, retry.backoff_seconds, retry.max_backoff_seconds, jitter)
        return AttemptResult(outcome, wait, throttled)
