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
_NOT_SHOWN: Final = (
    "hostile",
    "starting",
    "profile",
    "steps",
)  # whose tables only the terminal has
_HEAD: Final = """# Benchmarks

Speed and memory, beside other programs and a floor, for those who size a machine or change the code. Every figure is
written by `python -m bench --write` (`make bench`; `make bench-full` measures larger sizes). Peers and floors run
beside the product, in rounds, against one neutral server on the same machine. Ratios are taken within a round; figures
are medians. `python -m bench WORK` prints one work with all its tables; `--help` has their names.

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
    """The figures of one work and how they came about, as Markdown."""
    around = document["circumstances"]
    return (
        f"{_figures(Found.from_json(document['found']))}\n\n`{around['command']}`, {around['when']},"
        f" {around['cores']} cores, Python {around['python']},"
        f" load of the machine {around['load']} at the end."
    )


def write(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """The page, and a plot for every work that has curves."""
    lines = [
        line for document in documents.values() for line in Found.from_json(document["found"]).lines
    ]
    table = "\n".join(_row(line) for line in sorted(lines, key=lambda line: line.number))
    text = _HEAD + table + "\n\n" + _REMARKS.read_text().strip() + "\n"
    for name, document in documents.items():
        found = Found.from_json(document["found"])
        if name not in _NOT_SHOWN:
            text += f"\n{_figures(found)}\n"
        if found.curves:
            _plot(found)
    text += f"\n## Machine and versions\n\n{_measured(documents)} {_versions(documents)}\n"
    _PAGE.write_text(text, encoding="utf-8")


def _figures(found: Found) -> str:
    """Title, table, notes and plot."""
    parts = [f"## {found.title}"]
    if found.rows:
        parts.append(_table(found.rows))
    parts += [f"Bar {line.number}, {line.work}: {line.note}." for line in found.lines if line.note]
    if found.curves:
        parts.append(f"![{found.title}]({_plot_name(found)})")
    return "\n\n".join(parts)


def _row(line: Line) -> str:
    measured = "-" if line.measured is None else f"{line.measured:.3g} {line.unit}".strip()
    sign = "≥" if line.at_least else "≤"
    limits = f"{sign} {line.bar:.3g} | {sign} {line.ambition:.3g}"
    return f"| {line.number} | {line.work} | {measured} | {limits} | {line.verdict} |"


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


def _measured(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """By which commands, when and where: all that is different from work to work is listed."""
    around = [document["circumstances"] for document in documents.values()]
    commands, cores, pythons = (
        " and ".join(sorted({str(one[name]) for one in around}))
        for name in ("command", "cores", "python")
    )
    first, last = min(one["when"] for one in around), max(one["when"] for one in around)
    most = max(one["load"] for one in around)
    return (
        f"`{commands}`, {first} to {last}, {cores} cores, Python {pythons};"
        f" load of the machine at the end of a work: {most} at most."
    )


def _versions(documents: Mapping[str, Mapping[str, Any]]) -> str:
    around = [document["circumstances"] for document in documents.values()]
    ours = ", ".join(f"{name} {version}" for name, version in around[-1]["versions"].items())
    command = [PEERS, "-c", _LIST % (_THEIRS,)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    theirs = ", ".join(f"{name} {version}" for name, version in json.loads(said).items())
    return f"Product: {ours}. Peers: {theirs}."
