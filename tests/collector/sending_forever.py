"""`python -m tests.collector.sending_forever FILE LOG RATE SECONDS`: takes permits and writes down when it sent."""

import asyncio
import sys
import time
from pathlib import Path

from collector.scheduling.rate_gates import ServiceGate


async def main(shared: str, log: str, rate: str, seconds: str) -> None:
    """Send as fast as the gate allows; each send is one line of the log, in monotonic seconds."""
    gate, end = ServiceGate(float(rate), Path(shared)), time.monotonic() + float(seconds)
    with Path(log).open("w", buffering=1) as file:  # noqa: ASYNC230  # a line takes microseconds
        while time.monotonic() < end:
            permit = await gate.acquire()
            permit.sent()
            file.write(f"{time.monotonic()}\n")
    gate.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
