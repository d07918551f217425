"""`ecgrid-stats` on another date: `python -m tests.recipes.on_date 2026-01-12T02:00:00+00:00 run -c FILE`.

The clock is moved, nothing else: it runs on from there.
"""

import sys
import time
from datetime import datetime

from pipelines.cli import main

_wall = time.time
_wall_ns = time.time_ns


def move_clock(to: datetime) -> None:
    """From now on, the wall clock says that it is `to` and goes on."""
    ahead_ns = int(to.timestamp() * 1_000_000_000) - _wall_ns()
    time.time = lambda: _wall() + ahead_ns / 1_000_000_000
    time.time_ns = lambda: _wall_ns() + ahead_ns


if __name__ == "__main__":
    move_clock(datetime.fromisoformat(sys.argv.pop(1)))
    main()
