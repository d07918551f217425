"""What a report is: its operation, who is asked with it, and how a call's arguments become those of a request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from collector.config import SessionEntry
from collector.domain.calls import Call
from collector.wire.operations import Operation

__all__ = ["Asked", "Report"]


class Asked(NamedTuple):
    """What one request asks.

    Attributes:
        arguments: the operation's parameters by name, without the SessionID.
        minutes: Minutes1 and Minutes2 among them.
    """

    arguments: dict[str, int]
    minutes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Report:
    """One report of the service.

    Attributes:
        ask: what a request for this call asks if it is sent now; the instant is the service's clock in microseconds
            since 1970. Raises ValueError for arguments that the report does not have.
        scope_of: the arguments of a call of this session that come before the windows or the span; None where the
            session is not asked with this report.
    """

    operation: Operation
    scope_of: Callable[[SessionEntry], tuple[int, ...] | None]
    ask: Callable[[Call, int], Asked]
