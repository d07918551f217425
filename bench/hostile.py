"""Bar 9: the memory of a night in which every reply is hostile and as large as it may be, one night for each kind."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.figures import Found, Line, answer
from bench.process import PYTHON, ROOT, finished

__all__ = ["measure"]

_SESSIONS: Final = 16
_MANY_SESSIONS: Final = 64
_LIMIT: Final = 16 << 20  # limits.max_reply_bytes as it is without a configuration
_KINDS: Final = {  # kind of the simulator -> bytes it sends: just below the limit, or far above it
    "deep-nesting": _LIMIT - (1 << 20),
    "quadratic": _LIMIT - (1 << 20),
    "many-columns": _LIMIT - (1 << 20),
    "many-attributes": _LIMIT - (1 << 20),
    "whitespace": 4 * _LIMIT,
    "endless": 64 * _LIMIT,
    "gzip-bomb": 100 * _LIMIT,
}
_CONFIG: Final = """sessions_file = "sim.sessions.csv"
[service]
url = "{url}"
timeout_seconds = 60
[limits]
requests_per_second = 200
per_session_per_second = 50
[retry]
attempts = 1
[windows]
minutes = [60, 120]
[storage]
root = "{folder}/data"
"""


def measure(full: bool) -> Found:
    """Each kind alone, all sessions struck at once, with the limits that hold unless somebody sets others."""
    rows = [["every reply is", "bytes sent of each", "peak MB of collect", "peak MB of normalize"]]
    peaks: list[list[float]] = []
    sessions = _MANY_SESSIONS if full else _SESSIONS
    for kind, size in [("an answer", 0), *_KINDS.items()]:
        switches = (
            [] if not size else ["hostile=always", f"hostile_kind={kind}", f"hostile_bytes={size}"]
        )
        with _night(sessions, switches) as config:
            peaks.append([_peak(command, config) for command in ("collect", "normalize")])
        rows.append([kind, f"{size:,}", *(f"{peak:.0f}" for peak in peaks[-1])])
    collect, normalize = (max(each) for each in zip(*peaks, strict=True))
    lines = [
        Line(9, "peak memory, worst hostile collect", collect, "MB", 300, 300, at_least=False),
        Line(9, "peak memory, worst hostile normalize", normalize, "MB", 300, 300, at_least=False),
    ]
    return Found(f"Hostile nights of {sessions} sessions", lines, rows)


def _peak(command: str, config: Path) -> float:
    words = [PYTHON, "-m", "pipelines.cli", command, "-c", str(config), "--json"]
    return finished(words, seconds=300, codes=(0, 1, 5)).peak_mb


@contextlib.contextmanager
def _night(sessions: int, switches: list[str]) -> Iterator[Path]:
    """A simulator with these switches; the configuration that fits it."""
    beside = ROOT / ".cache"
    beside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix="bench-") as name:
        folder = Path(name)
        command = [PYTHON, "-m", "pipelines.cli", "simulate", "--login-every", "0"]
        command += ["--sessions", str(sessions), "--write-config", str(folder / "sim.toml")]
        command += [word for switch in switches for word in ("--switch", switch)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            url = json.loads(process.stdout.readline() if process.stdout else "")["url"]
            config = folder / "ecgrid.toml"
            config.write_text(_CONFIG.format(url=url, folder=folder))
            yield config
        finally:
            process.terminate()
            process.wait(20)
            if process.stdout:
                process.stdout.close()


if __name__ == "__main__":
    answer(measure)
