"""A change of a lake that is ended after any of its steps, as by a kill."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from pipelines.lake import Lake, local

__all__ = ["EVERY", "EndedError", "ended", "without_exchange"]

# which of the steps the work is ended at
EVERY: Final = pytest.mark.parametrize(
    "every",
    [
        pytest.param(17, id="few"),
        pytest.param(4, id="some", marks=pytest.mark.extended),
        pytest.param(1, id="every", marks=[pytest.mark.extended, pytest.mark.soak]),
    ],
)
STEPS: Final = ("link", "rename", "replace", "unlink", "rmdir", "mkdir")


class EndedError(BaseException):
    """The process ends here: nothing that it would do afterwards happens."""


def end_after(steps: int, patched: pytest.MonkeyPatch) -> None:
    """From now on only so many changes of names are made."""
    left = steps

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: Any, **options: Any) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise EndedError
            return real(*arguments, **options)

        return call

    for name in STEPS:
        patched.setattr(os, name, counted(getattr(os, name)))
    patched.setattr(local, "_exchange", counted(local._exchange))


def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system where folders cannot be exchanged."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(local, "_exchange", refuse)


def ended(
    before: Lake,
    lake: Lake,
    work: Callable[[Lake], object],
    every: int,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[int]:
    """The lake is a copy in which the work was ended after no step, then after one more, at last not any more."""
    for steps in range(0, 500, every):
        shutil.rmtree(lake.folder, ignore_errors=True)
        if before.folder.exists():
            shutil.copytree(before.folder, lake.folder)
        with monkeypatch.context() as patched:
            end_after(steps, patched)
            try:
                work(lake)
            except EndedError:
                pass
            else:
                return
        yield steps
    raise AssertionError("the work has no end")
