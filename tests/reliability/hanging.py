"""`python -m tests.reliability.hanging WHAT ...`: ecgrid-stats, in which a thread hangs for ten minutes.

What is to end in order has two seconds instead of ten before it is ended anyhow.

WHAT is `lookups` (every look-up of a name) or `landing` (the commit of the first replies, as on a disk that is stuck).
"""

import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from collector.domain.replies import LandedReply
from collector.landing import Landing
from pipelines.cli import main
from pipelines.job import collecting

_HANG_SECONDS: Final = 600


def _hang(*_: Any, **__: Any) -> Any:
    time.sleep(_HANG_SECONDS)


def _with_stuck_disk(commit: Callable[..., None]) -> Callable[..., None]:
    def committed(landing: Landing, store: sqlite3.Connection, group: list[Any]) -> None:
        if any(isinstance(row, LandedReply) for _, row, _ in group):
            _hang()
        commit(landing, store, group)

    return committed


if __name__ == "__main__":
    collecting._LEAST_GRACE_SECONDS = 2.0  # type: ignore[misc]
    if sys.argv[1] == "lookups":
        socket.getaddrinfo = _hang
    else:
        Landing._commit = _with_stuck_disk(Landing._commit)  # type: ignore[method-assign]
    sys.argv = ["ecgrid-stats", *sys.argv[2:]]
    main()
