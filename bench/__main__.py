"""`python -m bench [WORK...] [--full] [--write]`: measures, keeps the figures in .cache, writes docs/benchmarks.md.

Without a WORK, all of them. Each is bounded in time and needs nobody. docs/benchmarks.md is made of the latest figures
of every work, so one can be measured again alone.
"""

import argparse
import json
import sys
import time
from typing import Final

from bench import page
from bench.process import PYTHON, ROOT, finished

_WORKS: Final = (
    "collecting",
    "normalizing",
    "limits",
    "scaling",
    "hostile",
    "starting",
    "lake",
    "history",
    "report",
    "warehouse",
    "dataset",
    "profile",
    "steps",
)
_RESULTS: Final = ROOT / ".cache/bench-results"
_MOST_SECONDS: Final = 900
_MOST_SECONDS_FULL: Final = 7200


def main() -> int:
    """Measure, print, keep, and write the page where asked to; 1 if a work failed."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("works", nargs="*", metavar="WORK", help=", ".join(_WORKS))
    parser.add_argument("--full", action="store_true", help="larger sizes: an hour or so")
    parser.add_argument("--write", action="store_true", help="docs/benchmarks.md and its plots")
    asked = parser.parse_args()
    if unknown := set(asked.works) - set(_WORKS):
        parser.error(f"no such work: {', '.join(unknown)}; there are {', '.join(_WORKS)}")
    _RESULTS.mkdir(parents=True, exist_ok=True)
    failed = [name for name in asked.works or _WORKS if not _measured(name, asked.full)]
    if asked.write:
        kept = {name: _RESULTS / f"{name}.json" for name in _WORKS}
        page.write({n: json.loads(path.read_text()) for n, path in kept.items() if path.exists()})
    return 1 if failed else 0


def _measured(name: str, full: bool) -> bool:
    """One work, in a process of its own: what it imports is not in the memory of what it starts."""
    print(f"== {name}", flush=True)
    begun = time.monotonic()
    command = [PYTHON, "-m", f"bench.{name}", *(["--full"] if full else [])]
    try:
        found = finished(command, seconds=_MOST_SECONDS_FULL if full else _MOST_SECONDS).said
    except RuntimeError as error:
        print(f"failed: {error}", flush=True)
        return False
    document = {"found": found, "circumstances": page.circumstances(full=full)}
    (_RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1))
    print(page.section(document), f"({time.monotonic() - begun:.0f} s)\n", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
