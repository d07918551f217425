"""When requests were sent, by all processes that work on one storage root: what lets them share one limit.

A small file of instants on the system's monotonic clock, which all processes of a machine read alike. It is locked for
the moment that reading and writing it takes. Decides nothing but whether there is room for one more.
"""

import contextlib
import fcntl
import math
import os
from array import array
from bisect import bisect_right, insort
from pathlib import Path
from typing import Final

__all__ = ["MOST_SENDS", "UNSENT_SECONDS", "SendLog"]

MOST_SENDS: Final = 500  # that are kept: processes of one root may have different limits, and windows of other lengths
# a request that was granted and is still to be written is in every window until then, or until so long after its
# grant: a process that was killed in between leaves it behind
UNSENT_SECONDS: Final = 60.0
_MOST_BYTES: Final = 1 << 16  # of the file; it never holds more than an eighth of that
_SOON_SECONDS: Final = 0.02
_LEAST_SECONDS: Final = 1e-6  # a wait is more than nothing, whatever is rounded
_LOCKED_SECONDS: Final = 0.001  # the file is locked for much less; then it is tried again
_PATIENCE: Final = (
    1_000  # tries in a row, after which the lock is not waited for: its holder was stopped
)


class SendLog:
    """The latest sends, of which a period may hold `count`; in a file if there is one, else in memory.

    Args:
        count: how many sends a period may hold, at most MOST_SENDS.
        period: in seconds.
        path: the file that all processes of a storage root share; made with mode 0600 where it is absent.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, count: int, period: float, path: Path | None = None) -> None:
        self._count = count
        self._period = period
        self._sends = array("d")  # ascending
        self._moves: list[tuple[float, float]] = []  # to be made with the next look at the file
        self._tries = 0
        self._written = b""  # by this process, at last
        self._length = 0  # of the file
        self._reserved_at = -math.inf
        self._is_busy = False  # sends follow each other closely
        self._file: int | None = None
        if path is not None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)

    def close(self) -> None:
        """Write down what is still to be written, and let go of the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._write_down()
            os.close(self._file)
            self._file = None

    def reserve(self, now: float) -> tuple[float, float]:
        """Room for one more send: 0.0 and its mark, or the seconds after which to ask again.

        The mark is in every window until `sent` says when the request was written.
        """
        if not self._lock():
            return _LOCKED_SECONDS, 0.0
        self._is_busy = now - self._reserved_at < _SOON_SECONDS
        self._reserved_at = now
        try:
            self._read(now)
            sends = self._sends
            inside = len(sends) - bisect_right(sends, now - self._period)
            if inside >= self._count:
                self._write()
                return max(_LEAST_SECONDS, sends[-self._count] + self._period - now), 0.0
            mark = now + UNSENT_SECONDS
            insort(sends, mark)
            self._write()
            return 0.0, mark
        finally:
            self._unlock()

    def sent(self, mark: float, instant: float) -> None:
        """The request of a mark counts from `instant`, and no longer from its mark."""
        self._moves.append((mark, instant))
        # where sends follow each other closely the next one writes it down; until then, and where the file is locked,
        # it is taken for unsent, which is on the safe side
        if not self._is_busy:
            self._write_down()

    def _write_down(self) -> None:
        if self._moves and self._lock():
            try:
                self._read(self._moves[-1][1])
                self._write()
            finally:
                self._unlock()

    def _move(self, mark: float, instant: float) -> None:
        place = bisect_right(self._sends, mark) - 1
        if place >= 0 and self._sends[place] == mark:
            del self._sends[place]  # else it was forgotten
        insort(self._sends, instant)

    def _lock(self) -> bool:
        """Whether the file may be read and written now; another process takes microseconds for that."""
        if self._file is None:
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._tries += 1
            return self._tries >= _PATIENCE
        self._tries = 0
        return True

    def _unlock(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _read(self, now: float) -> None:
        """What all processes have sent, in `_sends`: the newest sends, as many as any limit may look at."""
        if self._file is not None:
            content = os.pread(self._file, _MOST_BYTES, 0)
            self._length = len(content)
            if content != self._written:  # somebody else has sent meanwhile
                self._written = content
                known = array("d", content[: len(content) // 8 * 8])
                # what cannot be is dropped: instants of another boot
                self._sends = array(
                    "d", sorted(each for each in known if each <= now + UNSENT_SECONDS)
                )
        for mark, instant in self._moves:
            self._move(mark, instant)
        self._moves.clear()
        del self._sends[:-MOST_SENDS]

    def _write(self) -> None:
        if self._file is not None and (content := self._sends.tobytes()) != self._written:
            self._written = content
            os.pwrite(self._file, self._written, 0)
            if len(self._written) < self._length:
                os.ftruncate(self._file, len(self._written))
