"""Fixtures of the nightly job's tests."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from collector.simulator import Simulator
from tests.nightly.ground import Ground

HOURS = "[windows]\nminutes = [" + ", ".join(str(60 * hour) for hour in range(1, 25)) + "]\n"

MakeGround = Callable[..., Awaitable[Ground]]


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[MakeGround]:
    """Makes grounds out of a population, a configuration and options of the simulator."""
    async with AsyncExitStack() as stack:
        # the simulator keeps the time of arrivals in this process: no long look at everything that tests imported
        gc.collect()
        gc.freeze()

        numbers = count(1)

        async def make(population: Any, config: str, **options: Any) -> Ground:
            simulator = await stack.enter_async_context(Simulator(population, **options))
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            return Ground(folder, simulator, config)

        yield make
