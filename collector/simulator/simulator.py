"""The simulator as a whole: starts, stops, and gives its truth to whoever runs it. No protocol of its own."""

import asyncio
import gc
import ipaddress
import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from collector.simulator.accounts import Accounts, Population
from collector.simulator.clock import Clock, microseconds
from collector.simulator.control import Control
from collector.simulator.faults import PAGE
from collector.simulator.outage import Listener
from collector.simulator.record import Log
from collector.simulator.registry import Registry
from collector.simulator.server import Front
from collector.simulator.service import Service
from collector.simulator.switches import Switches
from collector.simulator.traffic import SeededTraffic, Traffic

__all__ = ["Simulator", "run_simulator", "serve"]

_LOCAL_NAMES: Final = ("localhost",)


def _checked_host(host: str, *, allow_remote: bool) -> str:
    """The host, if it is this machine only or remote clients are wanted."""
    if allow_remote or host in _LOCAL_NAMES:
        return host
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise ValueError(
        f"host {host!r}: must be a loopback address, unless remote clients are allowed explicitly"
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What lives while the simulator runs."""

    runner: web.ServerRunner
    front: Front
    listener: Listener


class Simulator:
    """An ECGridOS service on a port of its own, in the running event loop.

    Use as `async with Simulator(...) as simulator`.

    Args:
        overrides: switches of single sessions, by label.
        now: the instant the service's clock stands still at; None: it runs.
        anchor: where the traffic is laid out from; default: the service's now at start.
        traffic: events of your own instead of seeded ones.
        port: 0 takes a free one.
        log_cap: arrivals and answers kept, each.
    """

    def __init__(  # noqa: PLR0913  what a test may want to pin
        self,
        population: Population | None = None,
        switches: Switches | None = None,
        *,
        seed: int = 0,
        overrides: Mapping[str, Switches] | None = None,
        now: datetime | None = None,
        anchor: datetime | None = None,
        traffic: Traffic | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
        log_cap: int = 1_000_000,
    ) -> None:
        self.population = population or Population()
        self.host = _checked_host(host, allow_remote=allow_remote)
        self.clock = Clock(now)
        self.log = Log(log_cap)
        self.registry = Registry(switches or Switches(), overrides or {})
        anchor_us = self.clock.now_us() if anchor is None else microseconds(anchor)
        self.traffic: Traffic = traffic or SeededTraffic(seed, anchor_us)
        self.accounts = Accounts(self.population, seed)
        self.control = Control(self.log, self.registry, self.accounts, self.traffic)
        self.service = Service(self.accounts, self.traffic, self.clock, self.log)
        self._seed = seed
        self._wanted_port = port
        self._parts: _Parts | None = None

    async def start(self) -> None:
        """Listens."""
        front = Front(self.service, self.registry, self.log, self.control, self._seed, self._refuse)
        runner = web.ServerRunner(front.server(), shutdown_timeout=1.0)
        await runner.setup()
        listener = Listener(runner, self.host, self._wanted_port)
        await listener.open()
        self._parts = _Parts(runner, front, listener)

    async def stop(self) -> None:
        """Closes the port and every connection."""
        if self._parts is not None:
            self._parts.front.close()
            await self._parts.listener.close()
            await self._parts.runner.cleanup()
            self._parts = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _refuse(self, seconds: float) -> None:
        """Turns new connections away for that long."""
        if self._parts is not None:
            self._parts.listener.refuse(seconds)

    @property
    def origin(self) -> str:
        """Scheme, host and port.

        Raises:
            RuntimeError: the simulator is not running.
        """
        if self._parts is None:
            raise RuntimeError("the simulator is not running: use `async with`, or await start()")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._parts.listener.port}"

    @property
    def url(self) -> str:
        """The service's page, for `service.url` of a configuration."""
        return self.origin + PAGE

    @property
    def switches(self) -> Switches:
        """The switches that hold where no override does."""
        return self.registry.switches

    def change(self, texts: Mapping[str, object], label: str | None = None) -> None:
        """Sets switches by name, for all or for one label, from the next request on."""
        self.registry.change(texts, label)

    def truth(self, label: str, since: datetime, until: datetime) -> dict[str, object]:
        """The events of one mailbox in (since, until], by traffic and direction."""
        return self.control.span(label, microseconds(since), microseconds(until))


async def serve(
    simulator: Simulator, before_ready: Callable[[str], None] = lambda _url: None
) -> None:
    """Runs until SIGTERM or SIGINT, and prints one JSON line with the url when ready.

    Args:
        before_ready: called with the url when the port is open, before the line is printed.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # the log of arrivals is only as good as this process is prompt: a full collection would stop it for 20 ms
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
    async with simulator:
        before_ready(simulator.url)
        ready = {
            "url": simulator.url,
            "control": simulator.origin + "/_simulator/",
            "sessions": simulator.population.sessions,
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopping.wait()


def run_simulator(
    host: str,
    port: int,
    population: Population,
    switches: Switches,
    seed: int,
    *,
    now: datetime | None = None,
    anchor: datetime | None = None,
    allow_remote: bool = False,
) -> None:
    """Serves in this process until SIGTERM or SIGINT; prints one JSON line with the url when ready."""
    simulator = Simulator(
        population,
        switches,
        seed=seed,
        host=host,
        port=port,
        now=now,
        anchor=anchor,
        allow_remote=allow_remote,
    )
    asyncio.run(serve(simulator))
