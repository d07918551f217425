"""Windows that end at the service's now, out of the argument of a call: as they are, or from the edges of a span."""

from typing import Final

from collector.domain.calls import (
    MAX_WINDOW_MINUTES,
    MIN_WINDOW_MINUTES,
    Span,
    Trailing,
)

__all__ = ["minutes_of"]

_MINUTE_US: Final = 60_000_000


def minutes_of(asked: Trailing | Span, service_now_us: int) -> tuple[int, int]:
    """Minutes1 and Minutes2 for a request that is sent now; `service_now_us` is in microseconds since 1970.

    Trailing windows are asked for as they are. A span becomes the minutes from its younger edge until now (Minutes1)
    and from its older edge until now (Minutes2), each to the nearest whole minute, at least 1 and at most 32,767. Edges
    that lie ahead of now, or further back than the service can answer, become the same minutes: the answer's halves
    are equal then, and claim nothing of what was between the edges.
    """
    if isinstance(asked, Trailing):
        return asked.minutes1, asked.minutes2
    return (
        _minutes_since(asked.end_us, service_now_us),
        _minutes_since(asked.start_us, service_now_us),
    )


def _minutes_since(edge_us: int, now_us: int) -> int:
    nearest = (now_us - edge_us + _MINUTE_US // 2) // _MINUTE_US
    return min(max(nearest, MIN_WINDOW_MINUTES), MAX_WINDOW_MINUTES)
