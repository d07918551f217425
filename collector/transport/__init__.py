"""A request out, a reply in, over aiohttp's connections. The only place that names aiohttp as a client.

Its parts: `transport` is the door, `exchange` one request and its reply on one connection, `trouble` the client
library's errors as ours, `resolver` the look-up of host names.
"""

from collector.transport.exchange import Received
from collector.transport.transport import Transport

__all__ = ["Received", "Transport"]
