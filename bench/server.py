"""A neutral service to measure against: fixed replies over kept-alive connections, after a set latency.

`python -m bench.server [--latency SECONDS]` prints one JSON line with its url and serves until SIGTERM. It shares no
code with the product. `GET /arrivals?limit=N` says what it has seen and forgets it.
"""

import argparse
import asyncio
import json
import signal
import time
from array import array
from email.utils import formatdate
from functools import partial
from typing import Final

try:
    import uvloop
except ImportError:
    _LOOP_FACTORY = asyncio.new_event_loop
else:
    _LOOP_FACTORY = uvloop.new_event_loop

_SOAP: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<soap:Envelope xmlns:soap="{soap}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>'
    '<{name}Response xmlns="https://os.ecgrid.io/"><{name}Result>{result}</{name}Result></{name}Response>'
    "</soap:Body></soap:Envelope>"
)
COLUMNS: Final = [
    f"{what}{way}{slot}"
    for slot in (1, 2)
    for what in ("Parcels", "Interchanges")
    for way in ("In", "Out")
]
_DATASET: Final = (
    '<xs:schema id="NewDataSet" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:msdata="urn:schemas-microsoft-com:xml-msdata">'
    '<xs:element name="NewDataSet" msdata:IsDataSet="true" msdata:UseCurrentLocale="true"><xs:complexType>'
    '<xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="Table"><xs:complexType><xs:sequence>'
    "{declared}</xs:sequence></xs:complexType></xs:element></xs:choice></xs:complexType></xs:element></xs:schema>"
    '<diffgr:diffgram xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"'
    ' xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1">'
    '<NewDataSet xmlns=""><Table diffgr:id="Table1" msdata:rowOrder="0" diffgr:hasChanges="inserted">'
    "{values}</Table></NewDataSet></diffgr:diffgram>"
)
_WHO: Final = (
    "<SessionID>00000000-0000-0000-0000-000000000000</SessionID><UserID>1</UserID>"
    "<NetworkID>2</NetworkID><MailboxID>3</MailboxID>"
)


def stats_body(counts: list[int], soap: str = "http://www.w3.org/2003/05/soap-envelope") -> bytes:
    """A reply to ReportInstantStats as ASP.NET writes it, about 1,900 bytes; `counts` has eight numbers."""
    declared = "".join(
        f'<xs:element name="{name}" type="xs:int" minOccurs="0" />' for name in COLUMNS
    )
    values = "".join(f"<{n}>{c}</{n}>" for n, c in zip(COLUMNS, counts, strict=True))
    result = _DATASET.format(declared=declared, values=values)
    return _SOAP.format(soap=soap, name="ReportInstantStats", result=result).encode()


def _replies() -> tuple[bytes, bytes]:
    soap = "http://www.w3.org/2003/05/soap-envelope"
    who = _SOAP.format(soap=soap, name="WhoAmI", result=_WHO).encode()
    return stats_body([3, 1, 4, 1, 5, 9, 26, 5]), who


class _Log:
    """When requests arrived, in seconds; the newest million."""

    def __init__(self) -> None:
        self.instants = array("d")

    def said(self, limit: int) -> bytes:
        """What was seen, as JSON, and forget it."""
        seen, self.instants = self.instants, array("d")
        first, most = 0, 0
        for last, instant in enumerate(seen):
            while seen[first] <= instant - 1.0:
                first += 1
            most = max(most, last - first + 1)
        span = seen[-1] - seen[0] if len(seen) > 1 else 0.0
        used = (len(seen) - 1) / span / limit if span else 0.0
        return json.dumps({"arrivals": len(seen), "most_in_a_second": most, "used": used}).encode()


class _Connection(asyncio.Protocol):
    """Requests of one connection, one after the other, as a client with kept-alive connections sends them."""

    def __init__(self, log: _Log, latency: float) -> None:
        self._log, self._latency = log, latency
        self._stats, self._who = _replies()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            place = head.lower().find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r", 1)[0]) if place >= 0 else 0
            if len(self._received) < end + 4 + length:
                return
            content = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            self._answer(head, content)

    def _answer(self, head: bytes, content: bytes) -> None:
        if head.startswith(b"GET /arrivals"):
            limit = int(head.split(b"limit=", 1)[1].split(b" ", 1)[0])
            self._send(self._log.said(limit), b"application/json")
            return
        self._log.instants.append(time.monotonic())
        body = self._who if b"<WhoAmI" in content else self._stats
        kind = b"application/soap+xml; charset=utf-8"
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._send, body, kind)
        else:
            self._send(body, kind)

    def _send(self, body: bytes, kind: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: %b\r\nContent-Type: %b\r\n"
            b"Cache-Control: private, max-age=0\r\nContent-Length: %d\r\n\r\n%b"
            % (_date(int(time.time())), kind, len(body), body)
        )


_dates: dict[int, bytes] = {}


def _date(second: int) -> bytes:
    if second not in _dates:
        _dates.clear()
        _dates[second] = formatdate(second, usegmt=True).encode()
    return _dates[second]


async def _serve(latency: float) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(partial(_Connection, _Log(), latency), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}/v4.1/prod/ECGridOS.asmx"}), flush=True)
    await ended.wait()
    server.close()


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
        runner.run(_serve(parser.parse_args().latency))


if __name__ == "__main__":
    main()
