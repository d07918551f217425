"""What a pair of windows means, and the counts in it: the parts nobody documents are switches.

Knows traffic and switches, nothing of sessions or replies.
"""

from dataclasses import dataclass
from typing import Final

from collector.simulator.stats import EightCounts
from collector.simulator.switches import Edges, Switches
from collector.simulator.traffic import Counts, Traffic

__all__ = ["Measured", "measured"]

_MINUTE_US: Final = 60_000_000
_NOTHING: Final = Counts(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts of both windows, and where each ended.

    Attributes:
        counts: in the order of the answer's columns.
    """

    now1_us: int
    now2_us: int
    counts: EightCounts


def measured(
    traffic: Traffic, label: str, minutes: tuple[int, int], now_us: int, switches: Switches
) -> Measured:
    """The counts of one mailbox as the service sees them.

    Args:
        minutes: both windows, in the order of the call.
        now_us: the service's clock.
    """
    # A statistic that lags knows nothing of the time after it was made.
    now1_us = now_us - int(switches.statistics_lag_seconds * 1_000_000)
    if switches.truncate_minutes:
        now1_us -= now1_us % _MINUTE_US
    now2_us = now1_us + int(switches.second_now_seconds * 1_000_000)
    first = _counts(traffic, label, minutes[0], now1_us, switches.window_edges)
    second = _counts(traffic, label, minutes[1], now2_us, switches.window_edges)
    return Measured(now1_us, now2_us, (*_columns(first), *_columns(second)))


def _columns(counts: Counts) -> tuple[int, int, int, int]:
    return (
        counts.parcels_in,
        counts.parcels_out,
        counts.interchanges_in,
        counts.interchanges_out,
    )


def _counts(traffic: Traffic, label: str, minutes: int, now_us: int, edges: Edges) -> Counts:
    """One window under the chosen edges."""
    if minutes <= 0:
        return _NOTHING
    # Instants are whole microseconds, so one less is just before.
    after_us = now_us - minutes * _MINUTE_US - (edges is not Edges.AFTER_START)
    until_us = now_us - (edges is Edges.BEFORE_NOW)
    return traffic.counts(label, after_us, until_us)
