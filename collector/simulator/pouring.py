"""Sends a reply that is too large for memory while it is being made. Knows nothing of what it says."""

import asyncio
import contextlib
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from collector.simulator.replies import WireReply

__all__ = ["poured"]

_BLOCK: Final = b" " * 262_144


async def poured(
    request: web.BaseRequest,
    reply: WireReply,
    headers: CIMultiDict[str],
    closing: asyncio.Event,
) -> web.StreamResponse:
    """The body, then its spaces in chunks, as long as the client listens and the simulator runs."""
    headers.popall("Content-Length", None)
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.enable_chunked_encoding()
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(reply.body)
        for at in range(0, reply.spaces, len(_BLOCK)):
            if closing.is_set():
                break
            await response.write(_BLOCK[: reply.spaces - at])
        await response.write_eof()
    return response
