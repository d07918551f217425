"""A simulator with two parcels, a clock that stands still, and switches by name."""

from datetime import UTC, datetime
from typing import Final

from collector.domain.binding import Binding
from collector.simulator import Direction, Event, ListedTraffic, Population, Simulator, Switches
from tests.simulator.wire import Reply, stats

__all__ = ["NOW", "NOW_US", "PEOPLE", "TRUE", "answer", "switched"]

NOW: Final = datetime(2024, 1, 15, 12, tzinfo=UTC)
NOW_US: Final = int(NOW.timestamp()) * 1_000_000
MINUTE_US: Final = 60_000_000
PEOPLE: Final = Population(3, login_every=0)


def traffic() -> ListedTraffic:
    """One parcel in at 30 minutes ago, one out at 90."""
    events = [
        Event(NOW_US - 30 * MINUTE_US, Direction.IN, 2),
        Event(NOW_US - 90 * MINUTE_US, Direction.OUT, 1),
    ]
    return ListedTraffic({"mailbox-0001": events})


def switched(**switches: object) -> Simulator:
    """A simulator with switches by name, a clock that stands still and two parcels."""
    return Simulator(PEOPLE, Switches.parse(switches), now=NOW, traffic=traffic())


# what it counts for 60 and 120 minutes, in the order of the columns
TRUE: Final = [1, 0, 2, 0, 1, 1, 2, 1]


async def answer(binding: Binding = Binding.SOAP12, /, **switches: object) -> Reply:
    """The reply to one call for 60 and 120 minutes."""
    async with switched(**switches) as simulator:
        return await stats(simulator, binding=binding)
