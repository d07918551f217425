"""An ASMX service of our own over real sockets, with an event log as ground truth.

It behaves like ECGridOS v4.1 as far as that is documented or recorded; whatever is not can be switched.
It uses aiohttp as a server only and shares no code with the collector's side of the wire but namespaces.
"""

from collector.simulator.accounts import Credentials, Population
from collector.simulator.record import Answered, Arrival, Log
from collector.simulator.selector import Selector
from collector.simulator.simulator import Simulator, run_simulator, serve
from collector.simulator.switches import Switches
from collector.simulator.traffic import Counts, Direction, Event, ListedTraffic, SeededTraffic

__all__ = [
    "Answered",
    "Arrival",
    "Counts",
    "Credentials",
    "Direction",
    "Event",
    "ListedTraffic",
    "Log",
    "Population",
    "SeededTraffic",
    "Selector",
    "Simulator",
    "Switches",
    "run_simulator",
    "serve",
]
