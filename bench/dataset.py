"""The DataSet reader beside lxml, pandas and zeep over the same bytes.

`python -m bench.dataset`; every figure is the median of interleaved rounds, every bar a ratio within one round, so that
a slow or busy machine changes neither. lxml only parses and throws the tree away; it is the floor, not a rival.
"""

import gc
import io
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import pandas as pd
import zeep
from lxml import etree

from collector.model import Binding
from collector.simulator.dataset_writer import Column, DataSet, NetType, Row, Table
from collector.simulator.replies import Answer, answer_reply
from collector.simulator.wsdl import wsdl
from collector.wire.namespaces import ECGRID
from pipelines.dataset import read, read_many

ROUNDS: Final = 5
REPLIES: Final = 20_000
# What the slow peers are given of them: each reply costs them the same.
SOME_REPLIES: Final = 400
ROWS: Final = 50_000
MEMORY_MB: Final = 100
_STATS: Final = tuple(
    f"{what}{way}{window}"
    for window in (1, 2)
    for what in ("Parcels", "Interchanges")
    for way in ("In", "Out")
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the table: our rate over the peer's."""

    peer: str
    bar: float
    ambition: float


def stats_body(rows: int, first: int = 0) -> bytes:
    """A reply with the documented eight counts."""
    columns = tuple(Column(name, NetType.INT32) for name in _STATS)
    made = tuple(Row(tuple((first + n) * 7 % 100_003 + c for c in range(8))) for n in range(rows))
    return _body(Table("Table", columns, made))


def typed_body(rows: int) -> bytes:
    """A reply with text, decimals, doubles and times, and a null now and then."""
    columns = (
        Column("Flag", NetType.BOOLEAN),
        Column("Count", NetType.INT64),
        Column("Name", NetType.STRING),
        Column("Ratio", NetType.DOUBLE),
        Column("Price", NetType.DECIMAL),
        Column("When", NetType.DATETIME),
    )
    made = (
        (
            n % 2 == 0,
            n * 7919,
            f"name & {n}",
            n / 7,
            Decimal(n).scaleb(-2),
            638_000_000_000_000_000 + n * 10**7,
        )
        for n in range(rows)
    )
    return _body(Table("Table", columns, tuple(Row(values) for values in made)))


def _body(table: Table) -> bytes:
    answer = Answer("ReportInstantStats", DataSet((table,)))
    return answer_reply(answer, Binding.SOAP11).body


# --- the peers ----------------------------------------------------------------------------------


def lxml_parse(bodies: Sequence[bytes]) -> None:
    """The floor: a tree of each, thrown away."""
    for body in bodies:
        etree.fromstring(body)


def pandas_parse(bodies: Sequence[bytes]) -> None:
    """A frame of each, with guessed types."""
    for body in bodies:
        pd.read_xml(io.BytesIO(body), xpath=".//Table")


class _Response:
    status_code = 200
    encoding = "utf-8"

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.headers = {"Content-Type": "text/xml; charset=utf-8"}


def zeep_parser() -> Callable[[Sequence[bytes]], None]:
    """Returns zeep with the service's own WSDL, given replies that have already arrived."""
    logging.getLogger("zeep").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "service.wsdl"
        path.write_bytes(wsdl("http://127.0.0.1/", ECGRID))
        client = zeep.Client(str(path))
    (service,) = client.wsdl.services.values()
    binding = service.ports["ECGridOSSoap"].binding
    operation = binding.get("ReportInstantStats")

    def parse(bodies: Sequence[bytes]) -> None:
        for body in bodies:
            binding.process_reply(client, operation, _Response(body))

    return parse


# --- measuring ----------------------------------------------------------------------------------


def timed(work: Callable[[], object]) -> float:
    """Seconds of one run, the collector of cycles kept out of it."""
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    work()
    taken = time.perf_counter() - started
    gc.enable()
    return taken


def ratios(
    ours: Callable[[], object], amount: float, peers: dict[str, tuple[Callable[[], object], float]]
) -> tuple[float, dict[str, float]]:
    """Our rate, and the medians of our rate over each peer's in the same round."""
    own: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(ROUNDS):
        rate = amount / timed(ours)
        own.append(rate)
        for name, (peer, share) in peers.items():
            found[name].append(rate / (share / timed(peer)))
    return statistics.median(own), {name: statistics.median(all_) for name, all_ in found.items()}


def show(work: str, unit: str, rate: float, found: dict[str, float], bars: Sequence[Bar]) -> bool:
    """Print one piece of work against its bars."""
    print(f"\n{work}: {rate:,.0f} {unit}")
    held = True
    for bar in bars:
        ratio = found[bar.peer]
        held &= ratio >= bar.bar
        verdict = "ambition" if ratio >= bar.ambition else "bar" if ratio >= bar.bar else "MISSED"
        print(
            f"  {ratio:7.2f} x {bar.peer:18} bar {bar.bar:g}, ambition {bar.ambition:g}: {verdict}"
        )
    return held


def small_replies(zeep_parse: Callable[[Sequence[bytes]], None]) -> bool:
    """20,000 replies of one schema into one set of columns."""
    bodies = [stats_body(1, first) for first in range(REPLIES)]
    some = bodies[:SOME_REPLIES]
    batch = read_many(bodies)
    assert [len(group.replies) for group in batch.groups] == [REPLIES]
    assert not batch.failures
    rate, found = ratios(
        lambda: read_many(bodies),
        REPLIES,
        {
            "lxml.fromstring": (lambda: lxml_parse(bodies), REPLIES),
            "pandas.read_xml": (lambda: pandas_parse(some), SOME_REPLIES),
            "zeep": (lambda: zeep_parse(some), SOME_REPLIES),
        },
    )
    bars = (
        Bar("lxml.fromstring", 0.9, 1.5),
        Bar("pandas.read_xml", 40, 70),
        Bar("zeep", 25, 40),
    )
    work = f"{REPLIES} replies of {len(bodies[0])} bytes -> one set of columns"
    return show(work, "replies/s", rate, found, bars)


def large_reply(
    name: str, make: Callable[[int], bytes], zeep_parse: Callable[[Sequence[bytes]], None]
) -> bool:
    """One reply with 50,000 rows."""
    body = make(ROWS)
    assert len(read(body).tables[0]) == ROWS
    size = len(body) / 1e6
    rate, found = ratios(
        lambda: read(body),
        size,
        {
            "lxml.fromstring": (lambda: lxml_parse([body]), size),
            "pandas.read_xml": (lambda: pandas_parse([body]), size),
            "zeep": (lambda: zeep_parse([body]), size),
        },
    )
    bars = (
        Bar("lxml.fromstring", 0.4, 0.6),
        Bar("pandas.read_xml", 6, 10),
        Bar("zeep", 25, 40),
    )
    return show(f"one reply, {ROWS} rows of {name}, {size:.1f} MB", "MB/s", rate, found, bars)


# --- memory -------------------------------------------------------------------------------------

_PROBE: Final = """
import sys
from pathlib import Path
from pipelines.dataset import read
def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024
read(Path(sys.argv[2]).read_bytes())
body = Path(sys.argv[1]).read_bytes()
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
arrow = read(body).tables[0].arrow
print(len(body) / 2**20, arrow.nbytes / 2**20, memory("VmHWM") - before - arrow.nbytes / 2**20)
"""


def memory() -> bool:
    """The highest use while a large reply is read, beyond the body and the tables."""
    held = True
    with tempfile.TemporaryDirectory() as folder:
        warm_up, large = Path(folder) / "warm-up.xml", Path(folder) / "large.xml"
        for name, make in (("counts", stats_body), ("many types", typed_body)):
            small = make(2_000)
            warm_up.write_bytes(small)
            large.write_bytes(make(int(MEMORY_MB * 1e6 / len(small) * 2_000)))
            command = [sys.executable, "-c", _PROBE, str(large), str(warm_up)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            size, output, beyond = map(float, printed.split())
            held &= beyond <= 64
            print(
                f"\n{size:.0f} MiB of {name}: {output:.0f} MiB of tables and {beyond:.0f} MiB "
                "beyond body and tables; bar 64, ambition 16"
            )
    return held


def main() -> int:
    """Print all figures; 1 if a bar is missed."""
    zeep_parse = zeep_parser()
    held = [
        small_replies(zeep_parse),
        large_reply("counts", stats_body, zeep_parse),
        large_reply("many types", typed_body, zeep_parse),
        memory(),
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
