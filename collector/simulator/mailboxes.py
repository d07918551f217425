"""The mailboxes of a network as MailboxIDInfo, with plain or odd names. Knows nothing of who may see them."""

from collections.abc import Iterable
from typing import Final

from collector.simulator.accounts import User
from collector.simulator.replies import Record, Records
from collector.simulator.switches import MailboxNames, MailboxStates, Switches

__all__ = ["ODD_NAMES", "mailbox_records"]

_SINCE: Final = "2024-01-15T08:30:00Z"
# in turn, by the number of the mailbox; each comes again, so that two mailboxes have the same
ODD_NAMES: Final = (
    'Acme, "Orders"; Inc.',
    "Acme\nOrders",
    "\u202eredro \u0627\u0644\u0637\u0644\u0628\u0627\u062a",
    "",
    "=1+1",
    "# not a comment",
    "<Straße> & Söhne",
    "Acme " * 40,
    None,
    "../../etc/\x07passwd\ttab",
)
_SUSPENDED_EVERY: Final = 5
_UNMANAGED_EVERY: Final = 7


def mailbox_records(owners: Iterable[User], name: str, switches: Switches) -> Records:
    """The mailboxes of these users whose names contain `name`, in any case."""
    found = [(_name(owner, switches), owner) for owner in owners]
    wanted = name.lower()
    records = [
        _record(called, owner, switches)
        for called, owner in found
        if wanted in (called or "").lower()
    ]
    return Records("MailboxIDInfo", tuple(records))


def _name(owner: User, switches: Switches) -> str | None:
    if switches.mailbox_names is MailboxNames.ODD:
        return ODD_NAMES[owner.mailbox_id % len(ODD_NAMES)]
    return f"Mailbox of {owner.label}"


def _record(name: str | None, owner: User, switches: Switches) -> Record:
    is_mixed = switches.mailbox_states is MailboxStates.MIXED
    is_suspended = is_mixed and owner.mailbox_id % _SUSPENDED_EVERY == 0
    is_unmanaged = is_mixed and owner.mailbox_id % _UNMANAGED_EVERY == 0
    person = Record(
        "UserIDInfo",
        (
            ("UserID", str(owner.user_id)),
            ("LoginName", f"fake-owner-{owner.label}"),
            ("FirstName", "Simulated"),
            ("LastName", owner.label),
            ("NetworkID", "0"),
            ("MailboxID", "0"),
            ("Status", "Active"),
        ),
    )
    fields = (
        ("MailboxID", str(owner.mailbox_id)),
        ("NetworkID", str(owner.network_id)),
        ("Name", name),
        ("Created", _SINCE),
        ("Modified", _SINCE),
        ("Status", "Suspended" if is_suspended else "Active"),
        ("Description", None),
        ("OwnerUserID", person),
        ("Managed", "false" if is_unmanaged else "true"),
        ("UseType", "Production"),
        ("ECGridAccount", "true"),
        ("DefaultAS2ID", None),
    )
    return Record("MailboxIDInfo", fields)
