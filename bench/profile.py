"""Where the time of `collect`, of the bare loop beside it, and of `normalize` goes, by a profiler that samples."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.figures import Found, answer
from bench.process import PEERS, ROOT, finished, server
from bench.product import Product, product

__all__ = ["measure"]

_SAMPLER: Final = str(ROOT / ".cache/bench/bin/py-spy")
_PER_SECOND: Final = 250
_FRAME: Final = re.compile(r"(?P<name>.*) \((?P<file>[^()]*?)(:\d+)?\)")
_CALLS: Final = 10_000
_SENDING: Final = ("_writelines",)
_LANDING: Final = {
    "_insert": "landing thread, SQLite and waiting for the interpreter's lock",
    "_insert_one": "landing thread, SQLite and waiting for the interpreter's lock",
    "_commit": "landing thread, commits to disk",
}
# the innermost frame that is in one of these files takes the sample
_PLACES: Final = {
    "collector/scheduling/dispatch.py": "dispatch",
    "collector/scheduling/session_queue.py": "dispatch",
    "collector/scheduling/": "rate gates",
    "collector/runs/gates.py": "rate gates",
    "asyncio_throttle/": "rate gates",
    "collector/runs/workers.py": "worker",
    "collector/runs/": "attempt",
    "collector/wire/": "request, and what the reply means",
    "collector/outcomes/": "request, and what the reply means",
    "collector/landing/redaction.py": "masking",
    "collector/domain/secret.py": "masking",
    "collector/events.py": "events",
    "collector/observers.py": "events",
    "collector/landing/writer.py": "landing, on the loop's thread",
    "collector/transport/": "the exchange, above aiohttp",
    "aiohttp/": "aiohttp",
    "bench/peers.py": "the bare loop itself",
    "collector/landing/": "reading the landing store",
    "pipelines/normalize/ledger.py": "calls and raw, as frames",
    "pipelines/dataset/": "reading DataSets",
    "pipelines/normalize/checks.py": "checks",
    "pipelines/lake/": "writing Parquet",
    "pipelines/normalize/": "facts, extras and buckets",
    "asyncio/": "event loop, receiving",
}


def measure(full: bool) -> Found:
    """One profile of each; the shares of a profile hardly move."""
    calls = _CALLS * (5 if full else 1)
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=ROOT / ".cache", prefix="profile-") as name,
        server() as url,
    ):
        folder = Path(name)
        with product(url, sessions=100, pairs=calls // 100) as ours:
            collect = _profiled(folder, lambda sampler: _run(ours, sampler, "collect"))
            normalize = _profiled(folder, lambda sampler: _run(ours, sampler, "normalize"))
        bare = _profiled(
            folder,
            lambda sampler: finished(
                [*sampler, PEERS, "bench/peers.py", "bare", url, str(calls)], seconds=120
            ),
        )
    rows = [["of", "what", "us a call", "share"]]
    for of, found in (("collect", collect), ("the bare loop", bare), ("normalize", normalize)):
        whole = found.total()
        rows += [
            [of, what, f"{1e6 * count / _PER_SECOND / calls:.0f}", f"{count / whole:.1%}"]
            for what, count in found.most_common()
            if count >= whole / 200
        ]
    return Found(f"Where the time goes, {calls:,} calls", [], rows)


def _run(ours: Product, sampler: Sequence[str], command: str) -> None:
    ours.under(*sampler).run(command, seconds=240)


def _profiled(folder: Path, work: Callable[[Sequence[str]], object]) -> Counter[str]:
    """The samples of a program that is started by the sampler, by what it was at."""
    out = folder / "stacks"
    options = ("--rate", str(_PER_SECOND), "--threads", "--format", "raw", "--output", str(out))
    work((_SAMPLER, "record", *options, "--"))
    found: Counter[str] = Counter()
    for line in out.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        if place := _place(stack.split(";")):
            found[place] += int(count)
    return found


def _place(stack: Sequence[str]) -> str | None:
    """What a stack is at, None for nothing at all; its first frame names the thread."""
    if any("importlib" in frame for frame in stack):
        return "starting: imports"
    frames = [match for frame in reversed(stack) if (match := _FRAME.fullmatch(frame))]
    innermost = frames[0]["name"].rpartition(".")[2] if frames else ""
    if innermost == "wait":
        return None
    if stack[0].endswith("landing"):
        return _LANDING.get(innermost, "landing thread, rows")
    if innermost in _SENDING:
        return "sending, the system call in it"
    for frame in frames:
        for part, place in _PLACES.items():
            if part in frame["file"]:
                return place
    return "all else"


if __name__ == "__main__":
    answer(measure)
