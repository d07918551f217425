"""`ecgrid-stats` on other dates, one after the other: `python -m tests.recipes.nights run --json -c`.

Each line of stdin is a moment and the last argument: the clock is moved to it and runs on from there, nothing else is
changed, and the command is given. A process of its own for each night would spend most of its time on imports.
"""

import contextlib
import sys
import time
from datetime import datetime

from pipelines.cli import cli

_wall = time.time
_wall_ns = time.time_ns


def move_clock(to: datetime) -> None:
    """From now on, the wall clock says that it is `to` and goes on."""
    ahead_ns = int(to.timestamp() * 1_000_000_000) - _wall_ns()
    time.time = lambda: _wall() + ahead_ns / 1_000_000_000
    time.time_ns = lambda: _wall_ns() + ahead_ns


if __name__ == "__main__":
    for line in sys.stdin:
        moment, last = line.split(maxsplit=1)
        move_clock(datetime.fromisoformat(moment))
        with contextlib.suppress(SystemExit):  # the code is in the answer
            cli.main([*sys.argv[1:], last.strip()], standalone_mode=False)
