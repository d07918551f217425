"""Asks the service before a run does: which namespace answers, whose clock is where, which sessions are let in."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from collector.config import Credential, Settings
from collector.errors import CertificateError, CredentialError, TransportError, WireError
from collector.runs.attempt import Fetch
from collector.runs.run import transport_of
from collector.scheduling.rate_gates import Permit, ServiceGate
from collector.sessions.credentials import Credentials, LoginDelayedError
from collector.transport import Transport
from collector.wire.body import decoded_body
from collector.wire.http_dates import date_us
from collector.wire.namespaces import KNOWN
from collector.wire.operations import VERSION
from collector.wire.replies import Fault, open_reply
from collector.wire.requests import encode

__all__ = ["Finding", "preflight"]

_CLOCK_TOLERANCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: `namespace`, `clock`, or `session LABEL`.
        good: a run would not fail over it.
        said: what was seen, and what to change if it is not good.
    """

    about: str
    good: bool
    said: str


async def preflight(
    settings: Settings, credentials: Mapping[str, Credential]
) -> AsyncIterator[Finding]:
    """Version in every known namespace, the clock, then Login, WhoAmI and Logout of every session.

    Everything goes through the rate limit; a refused credential is asked for once.
    """
    gate = ServiceGate(settings.limits.requests_per_second)
    accounts = Credentials(credentials, attempts=1)
    async with transport_of(settings) as transport:
        async for finding in _service(settings, transport, gate):
            yield finding
            if not finding.good and finding.about == "service":
                return
        fetch = Fetch(settings, transport, accounts)
        for label in credentials:
            yield await _session(label, fetch, accounts, gate)


async def _service(
    settings: Settings, transport: Transport, gate: ServiceGate
) -> AsyncIterator[Finding]:
    configured = settings.service.namespace
    answering = []
    offset: float | None = None
    for namespace in dict.fromkeys((configured, *KNOWN)):
        permit = await gate.acquire()
        try:
            version, clock = await _version(settings, transport, namespace)
        except (TransportError, CertificateError) as error:
            yield Finding("service", good=False, said=f"{settings.service.url}: {error}")
            return
        except WireError as error:
            what = "no answer" if namespace == configured else "not used, and no answer"
            yield Finding(f"namespace {namespace}", namespace != configured, f"{what}: {error}")
            continue
        finally:
            permit.ended()
        answering.append(namespace)
        offset = clock if offset is None else offset
        yield Finding(f"namespace {namespace}", good=True, said=f"answers, version {version}")
    if configured not in answering:
        hint = f"set service.namespace to {answering[0]!r}" if answering else "is this the service?"
        yield Finding(
            "service", good=False, said=f"namespace {configured!r} does not answer; {hint}"
        )
    elif offset is not None:
        said = f"the service's clock is {offset:+.0f} s from this machine's"
        yield Finding("clock", good=abs(offset) <= _CLOCK_TOLERANCE_SECONDS, said=said)


async def _version(
    settings: Settings, transport: Transport, namespace: str
) -> tuple[str, float | None]:
    """The version the service says it has, and how far its clock is ahead, in seconds.

    Raises:
        WireError: a fault, or something else than an answer.
    """
    service = settings.service
    reply = (
        await transport.send(encode(VERSION, {}, service.binding, service.url, namespace))
    ).reply
    encoding = reply.headers.get("content-encoding")
    body = decoded_body(reply.body, encoding, settings.limits.max_reply_bytes)
    content = open_reply(VERSION, reply.status, reply.headers.get("content-type", ""), body)
    if isinstance(content, Fault):
        raise WireError(f"HTTP {reply.status}: {content}")
    date = date_us(reply.headers.get("date"))
    clock = None if date is None else date / 1_000_000 - reply.received_at_us // 1_000_000
    return content.text, clock


async def _session(label: str, fetch: Fetch, accounts: Credentials, gate: ServiceGate) -> Finding:
    async def admit() -> Permit:
        return await gate.acquire()

    about = f"session {label}"
    exchange = fetch.exchange(label, admit)
    try:
        if accounts.has_login(label):
            await accounts.log_in(label, exchange)
        facts = await fetch.ask_who(label, admit)
        if accounts.has_login(label):
            await accounts.log_out(label, exchange)
    except (CredentialError, LoginDelayedError, TransportError, WireError) as error:
        return Finding(about, good=False, said=str(error))
    if facts.fault_class is not None:
        return Finding(about, good=False, said=f"{facts.fault_class.value}: {facts.fault_text}")
    return Finding(about, good=True, said=f"network {facts.network_id}, mailbox {facts.mailbox_id}")
