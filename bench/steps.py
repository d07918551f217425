"""Steps of the interpreter for each call of `collect` and `normalize`: no clock, so a busy machine hardly changes them.

`python -m bench.steps COUNT FILE COMMAND...` is the program that counts: it runs the command line in its own process
and writes to FILE how many bytecode instructions each package took. Python's own and C code are left out.
"""

import json
import runpy
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from bench.figures import Found, answer
from bench.process import PYTHON, ROOT, server
from bench.product import product

if TYPE_CHECKING:
    from _typeshed import TraceFunction

__all__ = ["measure"]

_SESSIONS: Final = 10
_PAIRS: Final = (20, 60)  # windows of a session: what both runs have in common is no cost of a call
_COMMANDS: Final = ("collect", "normalize")
_OURS: Final = ("collector", "pipelines")
_LEAST: Final = 0.5  # steps a call; below, a package is not worth a row


def measure(full: bool) -> Found:
    """The difference between a larger and a smaller night, by package."""
    smaller, larger = _PAIRS if not full else (20, 420)
    few, many = _counted(smaller), _counted(larger)
    calls = _SESSIONS * (larger - smaller)
    rows = [["of", "package", "steps a call"]]
    for command in _COMMANDS:
        steps = {name: (many[command][name] - few[command][name]) / calls for name in many[command]}
        rows.append([command, "all", f"{sum(steps.values()):,.0f}"])
        rows += [
            [command, name, f"{count:,.0f}"]
            for name, count in sorted(steps.items(), key=lambda item: -item[1])
            if count >= _LEAST
        ]
    return Found("Steps of the interpreter", [], rows)


def _counted(pairs: int) -> dict[str, Counter[str]]:
    """The steps of both commands with so many windows for each session."""
    with (
        tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="steps-") as folder,
        server() as url,
        product(url, sessions=_SESSIONS, pairs=pairs) as ours,
    ):
        found = {}
        for command in _COMMANDS:
            file = Path(folder) / f"{command}.json"
            ours.under(PYTHON, "-m", "bench.steps", "COUNT", str(file)).run(command, seconds=240)
            found[command] = Counter(json.loads(file.read_text()))
    return found


def _count(file: Path, command: list[str]) -> None:
    """Run `PYTHON -m MODULE ARGUMENT...` in this process and write the steps of each package that it imports."""
    steps: Counter[str] = Counter()
    sites = [path for path in sys.path if path.endswith("site-packages")]

    def package(frame: FrameType) -> str | None:
        path = frame.f_code.co_filename
        for root in (*sites, str(ROOT)):
            if path.startswith(f"{root}/"):
                name = path[len(root) + 1 :].partition("/")[0]
                return name if root in sites or name in _OURS else None
        return None

    def trace(frame: FrameType, event: str, _: object) -> "TraceFunction | None":
        if event != "call" or (name := package(frame)) is None:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False

        def step(_: FrameType, event: str, __: object) -> "TraceFunction":
            steps[name] += event == "opcode"
            return step

        return step

    sys.argv = command[2:]
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        sys.settrace(None)
        threading.settrace(None)
        file.write_text(json.dumps(steps), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["COUNT"]:
        _count(Path(sys.argv[2]), sys.argv[3:])
    else:
        answer(measure)
