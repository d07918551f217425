"""A request out, a reply in, by aiohttp's ClientSession. The only place that names aiohttp as a client.

Its parts: `client` is the door, `error_mapping` the client library's errors as ours, `resolver` the look-up of host
names.
"""

from collector.transport.client import Received, Transport

__all__ = ["Received", "Transport"]
