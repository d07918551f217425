"""How far a run is: a bar on a terminal, a log line now and then elsewhere."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

import structlog

from collector.observers import Progress

__all__ = ["shown"]

_LOG = structlog.get_logger("progress")
_BAR_SECONDS: Final = 0.2
_LINE_SECONDS: Final = 15.0


@contextlib.contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Show `progress` on stderr while the block runs."""
    done = threading.Event()
    follow = _bar if sys.stderr.isatty() else _lines
    thread = threading.Thread(target=follow, args=(progress, done), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=2)


def _bar(progress: Progress, done: threading.Event) -> None:
    from rich.console import Console  # noqa: PLC0415  # 60 ms that a pipe need not pay
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("calls"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("calls", total=None, rate=0.0, failed=0)
        started, first = time.monotonic(), progress.settled
        while True:
            ended = done.wait(_BAR_SECONDS)
            rate = (progress.settled - first) / max(1e-9, time.monotonic() - started)
            bar.update(
                task,
                total=progress.planned or None,
                completed=progress.settled,
                rate=rate,
                failed=progress.failed,
            )
            if ended:
                return


def _lines(progress: Progress, done: threading.Event) -> None:
    while not done.wait(_LINE_SECONDS):
        _LOG.info(
            "progress", done=progress.settled, planned=progress.planned, failed=progress.failed
        )
