"""What WhoAmI says of a session, as a value. Never a credential, never the SessionID."""

from dataclasses import dataclass

from collector.domain.outcomes import FaultClass

__all__ = ["WhoAmI"]


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """What WhoAmI said of a session; never a credential, never the SessionID.

    Attributes:
        asked_at_us: the client's clock, in microseconds since 1970.
        timeout_seconds: SessionInfo.TimeOut, the longest pause between two calls of a session.
        open_sessions: SessionInfo.OpenSessions, sessions of this user open at that moment.
    """

    session: str
    asked_at_us: int
    network_id: int | None = None
    mailbox_id: int | None = None
    user_id: int | None = None
    timeout_seconds: int | None = None
    open_sessions: int | None = None
    fault_class: FaultClass | None = None
    fault_text: str | None = None
