"""A request out, a reply in, by aiohttp's ClientSession. The only place that names aiohttp as a client.

Its parts: `client` sends, `error_mapping` translates the library's errors into ours, `resolver` looks up host names.
"""

from collector.transport.client import Received, Transport

__all__ = ["Received", "Transport"]
