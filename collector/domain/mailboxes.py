"""A mailbox as the service lists it."""

from dataclasses import dataclass

__all__ = ["Mailbox"]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox of a network.

    Attributes:
        mailbox_id: unique throughout the service, except that each network has a Root mailbox, 0.
        network_id: None where the service does not say it.
        name: as its owner wrote it: anything, also nothing.
        status: the service's word, such as Active or Suspended; "" where it does not say one.
        is_managed: False if its data travel through the Root mailbox of its network; None where the service says
            nothing.
    """

    mailbox_id: int
    network_id: int | None = None
    name: str = ""
    status: str = ""
    is_managed: bool | None = None
