"""Ends a process that was told to end and does not, because a thread hangs. Knows nothing of what the process did."""

import os
import threading
from types import TracebackType
from typing import Final, Self

from pipelines.job.exit_code import ExitCode

__all__ = ["LastResort", "end_now"]

_SAID: Final = (
    b"ecgrid-stats: something hangs, so the process ends without waiting for it; what was landed is safe,"
    b" `ecgrid-stats run` again goes on\n"
)


def end_now() -> None:
    """What was acknowledged is on disk, so nothing is waited for."""
    os._exit(ExitCode.STOPPED)


class LastResort:
    """Ends the process so many seconds after `arm`, unless its block is left before."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, _give_up)
        self._timer.daemon = True

    def arm(self) -> None:
        """The time begins; once in a block."""
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._timer.cancel()


def _give_up() -> None:
    os.write(2, _SAID)  # a thread that hangs may hold the lock of a log
    end_now()
