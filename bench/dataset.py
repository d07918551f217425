"""Bars 14 to 16: the DataSet reader beside lxml, pandas and zeep over the same bytes.

Every figure is the median of interleaved rounds, every bar a ratio within one round, so that a slow or busy machine
changes neither. lxml only parses and throws the tree away; it is the floor, not a rival.
"""

import gc
import io
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import pandas as pd
import zeep
from lxml import etree

from bench.figures import Found, Line, answer, medians
from bench.process import ROOT
from collector.domain.binding import Binding
from collector.simulator.dataset_writer import Column, DataSet, NetType, Row, Table
from collector.simulator.replies import Answer, answer_reply
from collector.simulator.wsdl import wsdl
from collector.wire.namespaces import ECGRID
from pipelines.dataset import read, read_many

ROUNDS: Final = 5
REPLIES: Final = 20_000
# What the slow peers are given of them: each reply costs them the same, and zeep each row.
SOME_REPLIES: Final = 400
ROWS: Final = 50_000
SOME_ROWS: Final = 5_000
MEMORY_MB: Final = 100
_HEADINGS: Final = ("ours", "lxml.fromstring", "pandas.read_xml", "zeep")
_STATS: Final = tuple(
    f"{what}{way}{window}"
    for window in (1, 2)
    for what in ("Parcels", "Interchanges")
    for way in ("In", "Out")
)


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


def measure(full: bool) -> Found:
    """Small replies by the thousand, one large reply of either kind, and what the largest takes."""
    parse = zeep_parser()
    found = Found("DataSets, read")
    rows = [["", *_HEADINGS]]
    for number, what, work in (
        (14, f"read {REPLIES:,} replies of one schema", small_replies(parse)),
        (15, f"read {ROWS:,} rows of counts", large_reply(stats_body, parse)),
        (15, f"read {ROWS:,} rows of many types", large_reply(typed_body, parse)),
    ):
        rates = [rated(work) for _ in range(3 * ROUNDS if full else ROUNDS)]
        middle = medians(rates)
        rows.append([f"{what}, {work.unit}", *(f"{middle[name]:,.4g}" for name in _HEADINGS)])
        ratios = medians([{name: one["ours"] / one[name] for name in work.bars} for one in rates])
        found.lines += [
            Line(number, f"{what} / {peer}", ratios[peer], "x", *work.bars[peer])
            for peer in work.bars
        ]
    found.rows = rows
    found.lines += memory()
    return found


@dataclass(frozen=True, slots=True)
class Work:
    """What is read, by whom.

    Attributes:
        amounts: reader -> what it is given, in the unit.
        readers: ours and the peers'.
        bars: peer -> bar and ambition of our rate over its.
    """

    unit: str
    amounts: Mapping[str, float]
    readers: Mapping[str, Callable[[], object]]
    bars: Mapping[str, tuple[float, float]]


def rated(work: Work) -> dict[str, float]:
    """One round: each one's rate."""
    return {name: work.amounts[name] / timed(read) for name, read in work.readers.items()}


def timed(work: Callable[[], object]) -> float:
    """Seconds of one run, the collector of cycles kept out of it."""
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    work()
    taken = time.perf_counter() - started
    gc.enable()
    return taken


def small_replies(zeep_parse: Callable[[Sequence[bytes]], None]) -> Work:
    """Replies of one schema into one set of columns."""
    bodies = [stats_body(1, first) for first in range(REPLIES)]
    some = bodies[:SOME_REPLIES]
    batch = read_many(bodies)
    assert [len(group.replies) for group in batch.groups] == [REPLIES]
    assert not batch.failures
    return Work(
        f"replies/s, each {len(bodies[0]):,} bytes",
        dict(zip(_HEADINGS, (REPLIES, REPLIES, SOME_REPLIES, SOME_REPLIES), strict=True)),
        {
            "ours": lambda: read_many(bodies),
            "lxml.fromstring": lambda: lxml_parse(bodies),
            "pandas.read_xml": lambda: pandas_parse(some),
            "zeep": lambda: zeep_parse(some),
        },
        {"lxml.fromstring": (0.9, 1.5), "pandas.read_xml": (40, 70), "zeep": (25, 40)},
    )


def large_reply(
    make: Callable[[int], bytes], zeep_parse: Callable[[Sequence[bytes]], None]
) -> Work:
    """One reply of many rows."""
    body, some = make(ROWS), make(SOME_ROWS)
    assert len(read(body).tables[0]) == ROWS
    size = len(body) / 1e6
    return Work(
        f"MB/s of {size:.0f} MB",
        dict.fromkeys(_HEADINGS, size) | {"zeep": len(some) / 1e6},
        {
            "ours": lambda: read(body),
            "lxml.fromstring": lambda: lxml_parse([body]),
            "pandas.read_xml": lambda: pandas_parse([body]),
            "zeep": lambda: zeep_parse([some]),
        },
        {"lxml.fromstring": (0.4, 0.6), "pandas.read_xml": (6, 10), "zeep": (25, 40)},
    )


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


def memory() -> list[Line]:
    """The highest use while a large reply is read, beyond the body and the tables."""
    lines = []
    beside = ROOT / ".cache"
    beside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix="bench-") as folder:
        warm_up, large = Path(folder) / "warm-up.xml", Path(folder) / "large.xml"
        for name, make in (("counts", stats_body), ("many types", typed_body)):
            small = make(2_000)
            warm_up.write_bytes(small)
            large.write_bytes(make(int(MEMORY_MB * 1e6 / len(small) * 2_000)))
            command = [sys.executable, "-c", _PROBE, str(large), str(warm_up)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            size, output, beyond = map(float, printed.split())
            what = f"memory beyond body and tables, {size:.0f} MiB of {name} as {output:.0f}"
            lines.append(Line(16, what, beyond, "MiB", 64, 16, at_least=False))
    return lines


if __name__ == "__main__":
    answer(measure)
