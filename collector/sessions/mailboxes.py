"""What MailboxList says of the mailboxes of a network. Pure."""

import re
from typing import Final, NamedTuple

from collector.domain.mailboxes import Mailbox
from collector.wire.operations import Operation
from collector.wire.replies import Payload

__all__ = ["Listed", "listed"]

_MAX_ID: Final = 2**31 - 1  # the contract says int; none is negative
_ID: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class Listed(NamedTuple):
    """The mailboxes of an answer.

    Attributes:
        mailboxes: each once, by their numbers.
        unread: how many entries have no number that could be a mailbox's, or name one that was named before.
    """

    mailboxes: tuple[Mailbox, ...]
    unread: int


def listed(operation: Operation, payload: Payload, network_id: int | None = None) -> Listed:
    """The mailboxes that an operation's answer holds, by the names that the contract gives their fields.

    Args:
        network_id: the network that was asked about, for entries that do not name theirs.
    """
    found: dict[tuple[int, int], Mailbox] = {}
    entries = 0
    for entries, fields in enumerate(payload.records(operation.record), 1):  # noqa: B007  # the number of all
        mailbox_id = _id(fields.get("MailboxID", ""))
        if mailbox_id is None:
            continue
        network = _id(fields.get("NetworkID", ""))
        mailbox = Mailbox(
            mailbox_id,
            network_id if network is None else network,
            fields.get("Name", ""),
            fields.get("Status", ""),
            _BOOLEANS.get(fields.get("Managed", "").lower()),
        )
        network = -1 if mailbox.network_id is None else mailbox.network_id
        found.setdefault((mailbox_id, network), mailbox)
    mailboxes = tuple(found[key] for key in sorted(found))
    return Listed(mailboxes, entries - len(mailboxes))


def _id(text: str) -> int | None:
    number = int(text) if _ID.fullmatch(text) else None
    return number if number is not None and number <= _MAX_ID else None
