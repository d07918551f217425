"""`python -m tests.reliability.recording FILE simulate ...`: a simulator that notes its replies in FILE.

A line for each reply of ReportInstantStats, before it is sent: session, first window, SHA-256 of the body.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from collector.simulator.asked import Asked
from collector.simulator.record import Arrival
from collector.simulator.replies import WireReply
from collector.simulator.server import Front
from pipelines.cli import main

_answered = Front._answered


def note_replies(file: Path) -> None:
    """From now on, for every simulator of this process."""
    handle = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    async def noted(
        front: Front, request: web.BaseRequest, wanted: Asked, arrival: Arrival
    ) -> tuple[WireReply | None, Any, Any]:
        reply, *rest = await _answered(front, request, wanted, arrival)
        if reply is not None and arrival.operation == "ReportInstantStats":
            digest = hashlib.sha256(reply.body).hexdigest()
            os.write(handle, f"{arrival.session} {arrival.minutes1} {digest}\n".encode())
        return reply, rest[0], rest[1]

    Front._answered = noted  # type: ignore[method-assign,assignment]  # that is what this program is for


if __name__ == "__main__":
    note_replies(Path(sys.argv[1]))
    sys.argv = ["ecgrid-stats", *sys.argv[2:]]
    main()
