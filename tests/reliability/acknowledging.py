"""`python -m tests.reliability.acknowledging FILE ...`: ecgrid-stats, which notes in FILE what it was told is landed.

A line for each reply, written only once the store has said that it is on disk: call, attempt, SHA-256 of the body.
"""

import hashlib
import os
import sys
from pathlib import Path

from collector.domain.replies import LandedReply
from collector.landing import Landing
from pipelines.cli import main

_land = Landing.land


def note_acknowledgements(file: Path) -> None:
    """From now on, for every landing store of this process."""
    handle = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    async def noted(landing: Landing, reply: LandedReply) -> None:
        await _land(landing, reply)
        digest = hashlib.sha256(reply.body).hexdigest()
        os.write(handle, f"{reply.call_id} {reply.attempt} {digest}\n".encode())

    Landing.land = noted  # type: ignore[method-assign,assignment]  # that is what this program is for


if __name__ == "__main__":
    note_acknowledgements(Path(sys.argv[1]))
    sys.argv = ["ecgrid-stats", *sys.argv[2:]]
    main()
