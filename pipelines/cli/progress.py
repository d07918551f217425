"""How far a run is: a bar on a terminal, a log line now and then elsewhere."""

import contextlib
import math
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

import structlog

from collector.observers import Progress

__all__ = ["numbers_said", "shown"]

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
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    columns = (  # the numbers have their room, the bar has the rest
        TextColumn("{task.fields[said]}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
    )
    with Bar(*columns, console=Console(stderr=True), expand=True) as bar:
        task = bar.add_task("calls", total=None, said="")
        started, first = time.monotonic(), progress.settled
        while True:
            ended = done.wait(_BAR_SECONDS)
            rate = (progress.settled - first) / max(1e-9, time.monotonic() - started)
            bar.update(
                task,
                total=progress.planned or None,
                completed=progress.settled,
                said=numbers_said(progress, rate),
            )
            if ended:
                return


def numbers_said(progress: Progress, rate: float) -> str:
    """The numbers of the bar, in at most 40 columns up to 99,999 calls.

    Args:
        rate: calls settled in a second.
    """
    said = f"{progress.settled}/{progress.planned} {rate:.1f}/s {progress.failed} failed"
    if progress.is_waiting:
        return f"{said} waiting"
    left = (progress.planned - progress.settled) / rate if rate else 0
    minutes, seconds = divmod(math.ceil(left), 60)
    return f"{said} {minutes}:{seconds:02}" if progress.planned else said


def _lines(progress: Progress, done: threading.Event) -> None:
    while not done.wait(_LINE_SECONDS):
        waiting = {"waiting": "for the service"} if progress.is_waiting else {}
        _LOG.info(
            "progress",
            done=progress.settled,
            planned=progress.planned,
            failed=progress.failed,
            **waiting,
        )
