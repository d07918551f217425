"""What a report is: the operation it asks with, and how a call's arguments become those of a request. Sends nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from collector.domain.calls import Call
from collector.wire.operations import Operation

__all__ = ["Asked", "Report"]


class Asked(NamedTuple):
    """What one request asks.

    Attributes:
        arguments: the operation's parameters by name, without the SessionID.
        minutes: Minutes1 and Minutes2 among them; None for an operation without windows.
    """

    arguments: dict[str, int]
    minutes: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Report:
    """One report of the service.

    Attributes:
        ask: what a request for this call asks if it is sent now; the instant is the service's clock in microseconds
            since 1970. Raises ValueError for arguments that the report does not have.
    """

    operation: Operation
    ask: Callable[[Call, int], Asked]
