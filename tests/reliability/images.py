"""A kill at any step without a process to kill: an image of a folder as it is when the program takes that step.

What the program does after the step, its cleaning up included, happens to the folder that nobody looks at any more. A
step is a file or SQLite database that Python code opens, names, links or removes.
"""

import contextlib
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["Images", "Kill", "Killed"]

_STEPS: Final = {
    "open",
    "os.rename",
    "os.remove",
    "os.link",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "sqlite3.connect",
}


Kill = tuple[str, int]  # at the nth step of this kind; "" for any


class Killed(BaseException):
    """No code of the program catches this."""


@dataclass
class Images:
    """A folder, replaced by its image whenever a kill struck. Only one can be made in a process.

    Attributes:
        root: where it is now.
    """

    base: Path
    number: int = 0
    taken: int = 0  # steps of the last block
    _kill: Kill | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def root(self) -> Path:
        """The folder as the next program finds it."""
        return self.base / str(self.number)

    def take(self) -> None:
        """Go on with the folder as it is at this moment, and never mind what becomes of the other."""
        target = self.base / str(self.number + 1)
        shutil.copytree(self.root, target, ignore_dangling_symlinks=True)
        self.number += 1

    @contextlib.contextmanager
    def killing(self, kill: Kill | None) -> Iterator[None]:
        """A block that is killed at this step of its own; None only counts the steps. Raises Killed."""
        _watch(self)
        self.taken, self._kill = 0, kill
        try:
            yield
        finally:
            _watch(None)

    def forget(self) -> None:
        """Remove the folders that were replaced."""
        for number in range(self.number):
            shutil.rmtree(self.base / str(number), ignore_errors=True)

    def step(self, kind: str, path: str) -> None:
        """Count a step, and be killed if it is the one."""
        wanted, number = self._kill or ("", 0)
        with self._lock:
            if not path.startswith(f"{self.root}/") or wanted not in {"", kind}:
                return
            self.taken += 1
            if self.taken != number:
                return
            _watch(None)
            self.take()
        raise Killed


_watched: Images | None = None
_is_hooked = False


def _watch(images: Images | None) -> None:
    global _watched, _is_hooked  # noqa: PLW0603  # an audit hook is the process's own, and stays
    _watched = images
    if not _is_hooked:
        sys.addaudithook(_on_event)
        _is_hooked = True


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    watched = _watched
    # the writer's own thread is killed by what it has left undone, not by an exception
    if watched is None or event not in _STEPS or threading.current_thread().name == "landing":
        return
    watched.step(event, str(arguments[0]).removeprefix("file://"))
