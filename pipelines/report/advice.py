"""What to do: a sentence for each class of fault, as docs/operations.md has them, and for each kind of hole."""

from collections.abc import Mapping
from typing import Final

from collector.domain.outcomes import FaultClass

__all__ = ["FOR_FAULT", "for_fault"]

_CREDENTIAL: Final = (
    "Mend the key or password of these mailboxes; `ecgrid-stats check` asks for each once."
)
FOR_FAULT: Final[Mapping[FaultClass, str]] = {
    FaultClass.CREDENTIAL: _CREDENTIAL,
    FaultClass.AUTHENTICATION: _CREDENTIAL,
    FaultClass.AUTHORISATION: "Ask for the right to see these mailboxes, or take them out of the configuration.",
    FaultClass.PARAMETER: "The service refuses an argument: read what it said, and the ids of these sessions.",
    FaultClass.NOT_FOUND: "See service.url and service.namespace; `ecgrid-stats check` says which namespace answers.",
    FaultClass.THROTTLED: "The service asks for less: lower the rates in [limits].",
    FaultClass.SERVER: "Run `ecgrid-stats run` again; if it stays, ask the service.",
    FaultClass.NOT_SERVICE: "Something else answers: a proxy, maintenance, or a wrong service.url.",
    FaultClass.MALFORMED: "Look at the replies in the table raw, and run `ecgrid-stats run` again.",
    FaultClass.TRANSPORT: "See the network, the name, the firewall and service.url; then `ecgrid-stats run` again.",
    FaultClass.TIMEOUT: "Raise service.timeout_seconds, or ask for fewer at once: limits.concurrency.",
    FaultClass.TOO_LARGE: "Look at the beginning in the table raw; raise limits.max_reply_bytes if it is an answer.",
    FaultClass.UNCLASSIFIED: "A fault of an unknown shape: read what was said.",
    FaultClass.DAMAGED: "Bring back a good copy of the landing store, then `ecgrid-stats normalize`.",
    FaultClass.QUARANTINED: "Answers failed a check: calls.quality names it; its level is in [quality].",
}


def for_fault(fault_class: str) -> str:
    """What to do about a class of fault; one that a later version wrote has no better sentence than to read on."""
    try:
        return FOR_FAULT[FaultClass(fault_class)]
    except ValueError:
        return "Read what was said in the table calls."
