"""What WhoAmI says of a session, or why it said nothing. Pure."""

import re
from typing import Final

from collector.domain.outcomes import FaultClass
from collector.domain.whoami import WhoAmI
from collector.outcomes.meaning import FAULT_TEXT_LIMIT
from collector.wire.replies import Payload

__all__ = ["no_whoami", "whoami"]

_BEYOND: Final = 2**31  # the contract says int and short; anything else is not one of its numbers
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")


def no_whoami(session: str, asked_at_us: int, fault_class: FaultClass, text: str) -> WhoAmI:
    """Why nothing is known of a session."""
    return WhoAmI(session, asked_at_us, fault_class=fault_class, fault_text=text[:FAULT_TEXT_LIMIT])


def whoami(session: str, asked_at_us: int, payload: Payload) -> WhoAmI:
    """The fields of SessionInfo, by the names the contract gives them."""

    def number(name: str) -> int | None:
        text = payload.field(name) or ""
        value = int(text) if _INTEGER.fullmatch(text) else _BEYOND
        return value if -_BEYOND <= value < _BEYOND else None

    return WhoAmI(
        session=session,
        asked_at_us=asked_at_us,
        network_id=number("NetworkID"),
        mailbox_id=number("MailboxID"),
        user_id=number("UserID"),
        timeout_seconds=number("TimeOut"),
        open_sessions=number("OpenSessions"),
    )
