"""docs/benchmarks.md out of the latest figures. Measures nothing."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, Final

from bench.figures import Found, Line
from bench.process import PEERS, ROOT

__all__ = ["circumstances", "section", "write"]

_PAGE: Final = ROOT / "docs/benchmarks.md"
_REMARKS: Final = ROOT / "bench/remarks.md"
_OURS: Final = ("aiohttp", "lxml", "pyarrow", "pandas", "duckdb", "uvloop")
_LIST: Final = (
    "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in %r}))"
)
_THEIRS: Final = ("aiohttp", "httpx", "requests", "zeep", "uvloop")
_HEAD: Final = """# Benchmarks

Speed and memory, beside other programs and a floor, for those who size a machine or change the code. Every figure is
written by `python -m bench --write` (`make bench`; `make bench-full` measures larger sizes). Peers and floors run
beside the product, in rounds, against one neutral server on the same machine (`bench/server.py`). Ratios are taken
within a round; figures are medians. Peers have an environment of their own (`bench/environment`).

| # | work | measured | bar | ambition | |
|---|---|---|---|---|---|
"""


def circumstances(*, full: bool) -> dict[str, Any]:
    """When, where, how and with which versions."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "command": f"python -m bench{' --full' if full else ''}",
        "versions": {name: metadata.version(name) for name in _OURS},
    }


def section(document: Mapping[str, Any]) -> str:
    """The figures of one work, as Markdown."""
    found, around = Found.from_json(document["found"]), document["circumstances"]
    parts = [f"## {found.title}", _table(found.rows)] if found.rows else [f"## {found.title}"]
    notes = [f"Bar {line.number}, {line.work}: {line.note}." for line in found.lines if line.note]
    parts += notes
    parts.append(
        f"`{around['command']}`, {around['when']}, {around['cores']} cores, Python {around['python']},"
        f" load of the machine {around['load']} at the end."
    )
    if found.curves:
        parts.append(f"![{found.title}]({_plot_name(found)})")
    return "\n\n".join(parts)


def write(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """The page, and a plot for every work that has curves."""
    lines = [
        line for document in documents.values() for line in Found.from_json(document["found"]).lines
    ]
    table = "\n".join(_row(line) for line in sorted(lines, key=lambda line: line.number))
    text = _HEAD + table + "\n\n" + _REMARKS.read_text().strip() + "\n"
    for document in documents.values():
        text += f"\n{section(document)}\n"
        found = Found.from_json(document["found"])
        if found.curves:
            _plot(found)
    text += "\n## Versions\n\n" + _versions(documents) + "\n"
    _PAGE.write_text(text, encoding="utf-8")


def _row(line: Line) -> str:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.3g} {line.unit}".strip()

    sign = "≥" if line.at_least else "≤"
    limits = f"{sign} {shown(line.bar)} | {sign} {shown(line.ambition)}"
    return f"| {line.number} | {line.work} | {shown(line.measured)} | {limits} | {line.verdict} |"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *rest])


def _plot_name(found: Found) -> str:
    return found.title.lower().replace(" ", "-") + ".svg"


def _plot(found: Found) -> None:
    """Drawn by the peers' environment, which has matplotlib."""
    program = ROOT / "bench/plot.py"
    target = _PAGE.with_name(_plot_name(found))
    text = json.dumps(found.to_json())
    command = [PEERS, str(program), str(target)]
    subprocess.run(command, input=text, text=True, check=True, timeout=120)


def _versions(documents: Mapping[str, Mapping[str, Any]]) -> str:
    around = [document["circumstances"] for document in documents.values()]
    ours = ", ".join(f"{name} {version}" for name, version in around[-1]["versions"].items())
    command = [PEERS, "-c", _LIST % (_THEIRS,)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    theirs = ", ".join(f"{name} {version}" for name, version in json.loads(said).items())
    return f"Product: {ours}. Peers: {theirs}."
