"""The peers, run in an environment of their own: `.cache/bench/bin/python bench/peers.py NAME URL CALLS`.

Each asks for the same report so many times, 64 at a time, and prints one JSON line: calls, and seconds from the first
request to the last reply. What it does with the replies is in its name's line below.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

WORKERS: Final = 64
BODY: Final = (
    b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">'
    b'<soap:Body><ReportInstantStats xmlns="https://os.ecgrid.io/"><SessionID>FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'
    b"</SessionID><Minutes1>60</Minutes1><Minutes2>120</Minutes2></ReportInstantStats></soap:Body></soap:Envelope>"
)
HEADERS: Final = {"Content-Type": "application/soap+xml; charset=utf-8"}


def bare(url: str, calls: int) -> float:
    """Aiohttp on uvloop, 64 workers, replies read and thrown away: the floor."""
    import aiohttp  # noqa: PLC0415  # each peer loads its own library only
    import uvloop  # noqa: PLC0415

    async def main() -> float:
        connector = aiohttp.TCPConnector(limit=WORKERS)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
            left = iter(range(calls))

            async def work() -> None:
                for _ in left:
                    async with session.post(url, data=BODY, headers=HEADERS) as response:
                        await response.read()

            return await _timed(work)

    return float(uvloop.run(main()))


def httpx_async(url: str, calls: int) -> float:
    """One AsyncClient, replies read and thrown away."""
    import httpx  # noqa: PLC0415

    async def main() -> float:
        limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            left = iter(range(calls))

            async def work() -> None:
                for _ in left:
                    await client.post(url, content=BODY, headers=HEADERS)

            return await _timed(work)

    return asyncio.run(main())


async def _timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
    return time.perf_counter() - begun


def requests_threads(url: str, calls: int) -> float:
    """One Session in 64 threads, replies read and thrown away."""
    import requests  # noqa: PLC0415

    with requests.Session() as session:
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=WORKERS)
        session.mount("http://", adapter)
        return _in_threads(lambda: session.post(url, data=BODY, headers=HEADERS, timeout=60), calls)


def zeep_threads(url: str, calls: int) -> float:
    """One client in 64 threads, results parsed as zeep does."""
    import requests  # noqa: PLC0415
    import zeep  # noqa: PLC0415

    logging.getLogger("zeep").setLevel(logging.ERROR)
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=WORKERS))
    wsdl = Path(".cache/service.wsdl")
    client = zeep.Client(str(wsdl), transport=zeep.Transport(session=session))
    service = client.create_service("{https://os.ecgrid.io/}ECGridOSSoap12", url)
    key = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"
    return _in_threads(lambda: service.ReportInstantStats(key, 60, 120), calls)


def _in_threads(call: Callable[[], object], calls: int) -> float:
    with ThreadPoolExecutor(WORKERS) as pool:
        begun = time.perf_counter()
        for done in [pool.submit(call) for _ in range(calls)]:
            done.result()
        return time.perf_counter() - begun


PEERS: Final = {
    "bare": bare,
    "httpx": httpx_async,
    "requests": requests_threads,
    "zeep": zeep_threads,
}


def main() -> None:
    """Run one peer."""
    name, url, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(json.dumps({"calls": calls, "seconds": PEERS[name](url, calls)}))


if __name__ == "__main__":
    main()
