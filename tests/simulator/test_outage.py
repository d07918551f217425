"""A service that is down from one request on, for a while, and comes back at the same address."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from urllib.parse import SplitResult, urlsplit

import pytest

from collector.domain.binding import Binding
from collector.simulator import Simulator
from tests.simulator.switched import switched
from tests.simulator.wire import LIMIT_S, call, call_bytes, control, stats

CALL: dict[str, object] = {"SessionID": "fake-key-0001", "Minutes1": 60, "Minutes2": 120}


async def status(simulator: Simulator) -> int:
    """The status of one call; 0 for none, -1 where nobody listens."""
    try:
        return (await stats(simulator)).status
    except ConnectionRefusedError:
        return -1
    except (ConnectionResetError, IndexError):
        return 0


async def until_back(simulator: Simulator) -> set[int]:
    """Calls until one is answered; what came before."""
    seen = set()
    async with asyncio.timeout(LIMIT_S):
        while (found := await status(simulator)) != 200:
            seen.add(found)
            await asyncio.sleep(0.02)
    return seen


@contextlib.asynccontextmanager
async def connected(
    parts: SplitResult,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """An open connection."""
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_port_that_refuses() -> None:
    """The third request is dropped, later ones find nobody, then all is as before; it happens once."""
    async with switched(down_from=3, down_seconds=0.3) as simulator:
        assert [await status(simulator) for _ in range(4)] == [200, 200, 0, -1]
        began = simulator.log.arrivals[2].monotonic
        assert await until_back(simulator) == {-1}
        assert time.monotonic() - began >= 0.3
        assert [await status(simulator) for _ in range(3)] == [200, 200, 200]
        faults = [(each.status, each.fault) for each in simulator.log.arrivals]
        assert faults == [(200, ""), (200, ""), (0, "down"), *[(200, "")] * 4]


async def test_connections_that_were_there_before() -> None:
    """They stay open until they ask for something, and the simulator's own pages still answer them."""
    async with switched(down_from=1, down_seconds=30) as simulator:
        parts = urlsplit(simulator.origin)
        async with connected(parts) as own, connected(parts) as other:
            assert [await status(simulator) for _ in range(2)] == [0, -1]
            own[1].write(b"GET /_simulator/state HTTP/1.1\r\nHost: x\r\n\r\n")
            first = await asyncio.wait_for(own[0].readline(), LIMIT_S)
            assert first.endswith(b" 200 OK\r\n")
            other[1].write(call_bytes("ReportInstantStats", CALL, Binding.SOAP12))
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(other[0].read(), LIMIT_S) == b""


async def test_pages_of_somebody_in_front() -> None:
    """503 for every operation; the port stays open, and so do the simulator's own pages."""
    async with switched(down_from=2, down_seconds=0.3, down_by="503") as simulator:
        assert [await status(simulator) for _ in range(3)] == [200, 503, 503]
        assert (await call(simulator, "Version", {})).status == 503
        assert (await control(simulator, "state")).status == 200
        assert await until_back(simulator) <= {503}
        assert {each.fault for each in simulator.log.arrivals} == {"", "down"}


async def test_another_outage_while_running() -> None:
    """Another number begins another outage, at the next request if that many have come already."""
    async with switched() as simulator:
        assert [await status(simulator) for _ in range(3)] == [200, 200, 200]
        simulator.change({"down_from": 2, "down_by": "503", "down_seconds": 60})
        assert await status(simulator) == 503
        simulator.change({"down_from": 0})
        assert await status(simulator) == 200


async def test_the_end_comes_before_the_outage_is_over() -> None:
    """Stopping does not wait for it, and nobody listens afterwards."""
    async with asyncio.timeout(LIMIT_S):
        async with switched(down_from=1, down_seconds=3_600) as simulator:
            assert await status(simulator) == 0
            parts = urlsplit(simulator.origin)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(parts.hostname, parts.port)
