"""A clock that jumps: hours of waiting pass at once, and a program that would wait for ever is an error."""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar

import pytest

__all__ = ["Clock", "run"]

T = TypeVar("T")
_MOST_LOOKS: Final = 200_000  # of the event loop; more are an endless loop


class Clock:
    """Seconds that pass only when everybody waits.

    Args:
        lags: how much later than asked each wait ends, as on a busy machine; none when exhausted.

    Attributes:
        looks: how often the event loop looked for something to do.
    """

    def __init__(self, lags: Iterable[float] = ()) -> None:
        self.now = 1_000.0
        self.looks = 0
        self._lags = iter(lags)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass, and a little more where the machine is busy."""
        if seconds > 0:
            self.now += seconds + next(self._lags, 0.0)


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        """Nothing comes from outside, so a wait without end is a deadlock."""
        if timeout is None:
            raise RuntimeError("everybody waits, and nobody will ever wake up")
        self._clock.looks += 1
        if self._clock.looks > _MOST_LOOKS:
            raise RuntimeError("somebody asks again and again")
        self._clock.advance(timeout)
        return super().select(0)


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        super().__init__(_JumpingSelector(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock()


def run(main: Callable[[Clock], Coroutine[Any, Any, T]], clock: Clock | None = None) -> T:
    """The result of `main`, with everything that asks for the monotonic time on one virtual clock."""
    clock = clock or Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", clock)
        with asyncio.Runner(loop_factory=lambda: _JumpingLoop(clock)) as runner:
            return runner.run(main(clock))
