"""Runs a check under a coverage-guided fuzzer, in a process of its own, and says what was found.

`python -m tests.fuzz.wire --seconds 20` and `python -m tests.fuzz.dataset` are the doors. The corpus starts from the
recorded replies; inputs are altered by bytes and by whole elements. A finding does not stop the run: each is kept once,
by where it was raised, with the input that showed it. A crash, a hang or too much memory does stop it.
"""

import argparse
import base64
import importlib
import json
import random
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["main"]

_ROOT: Final = Path(__file__).parents[2]
_HANG_SECONDS: Final = 20  # for one input, instrumented
_MEMORY_MB: Final = 2_048
_LONGEST: Final = 32_768  # bytes of one input
_TOKENS: Final = (
    "<!DOCTYPE", "<!ENTITY", "<![CDATA[", "]]>", "<?xml", 'encoding=\\"utf-16\\"', 'xsi:nil=\\"true\\"',
    "xsi:type=", "msdata:rowOrder=", "diffgr:id=", "diffgr:hasChanges=", "diffgr:before", "diffgr:errors",
    "diffgr:hasErrors=", "xs:element", "xs:complexType", "xs:attribute", "minOccurs=", "msdata:DataType=",
    "msdata:Ordinal=", 'type=\\"xs:decimal\\"', 'type=\\"xs:duration\\"', 'type=\\"xs:dateTime\\"',
    'type=\\"xs:base64Binary\\"', "&#x1;", "&#13;", "_x0041_", "NaN", "INF", "9999-12-31T23:59:59.9999999Z",
    "soap:Fault", "faultstring", "Invalid Session", "\\xEF\\xBB\\xBF", "\\xFF\\xFE", "\\x1F\\x8B",
)  # fmt: skip


def main(check: str) -> None:
    """The whole program: a process that fuzzes, then its report; exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(description=f"Fuzzes {check}.")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--inputs", type=int, default=100_000_000, help="at most so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the corpus and the findings")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        _fuzz(check, arguments.child, arguments)
        return
    with tempfile.TemporaryDirectory(prefix="fuzz-") as aside:
        folder = arguments.keep or Path(aside)
        report = _supervised(check, folder, arguments)
    sys.stdout.write(json.dumps(report) + "\n")
    sys.exit(1 if report["findings"] or report["stopped"] else 0)


def _supervised(check: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    (folder / "corpus").mkdir(exist_ok=True)
    bounds = ("seconds", "inputs", "seed")
    options = [f"--{name}={getattr(arguments, name)}" for name in bounds]
    command = [sys.executable, "-m", check.removesuffix("_check"), "--child", str(folder), *options]
    with (folder / "log").open("w+", encoding="utf-8", errors="replace") as log:
        child = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
        try:
            code = child.wait(arguments.seconds + 120)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        log.seek(0)
        said = log.read()
    done = re.search(r"Done (\d+) runs", said)
    numbers = [int(number) for number in re.findall(r"^#(\d+)\s", said, re.MULTILINE)]
    covered = [int(number) for number in re.findall(r" cov: (\d+) ", said)]
    findings = [path.read_text(encoding="utf-8") for path in _findings(folder)]
    return {
        "check": check,
        "seconds": arguments.seconds,
        "inputs": int(done[1]) if done else max(numbers, default=0),
        "coverage": [covered[0], covered[-1]] if covered else [],
        "findings": findings,
        "stopped": "" if code == 0 and done else f"exit code {code}: {said[-2_000:]}",
        "units": _units(folder),
    }


def _units(folder: Path) -> dict[str, str]:
    """The inputs that the fuzzer itself wrote down, in base64: what crashed, hung or was slow."""
    kept = [path for path in sorted((folder / "findings").iterdir()) if not path.suffix]
    return {path.name: base64.b64encode(path.read_bytes()).decode() for path in kept}


def _findings(folder: Path) -> list[Path]:
    return sorted((folder / "findings").glob("*.txt"))


def _fuzz(check: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Never returns: the fuzzer ends the process."""
    import atheris  # noqa: PLC0415  # in the child alone: it takes over the process

    with atheris.instrument_imports(include=["collector", "pipelines"]):
        module = importlib.import_module(check)
        from tests.dataset.mutations import MUTATIONS  # noqa: PLC0415  # reaches what is watched

    module.prepare()
    for number, seed in enumerate(module.seeds()):
        (folder / "corpus" / f"seed-{number:03d}").write_bytes(seed[:_LONGEST])
    words = folder / "words"
    words.write_text("".join(f'"{token}"\n' for token in _TOKENS), encoding="utf-8")

    def altered(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if len(data) < 8 or rng.random() < 0.6:
            mutant: bytes = atheris.Mutate(data, longest)
            return mutant
        return (rng.choice(MUTATIONS)(data, rng) or data)[:longest]

    options = {
        "max_total_time": arguments.seconds,
        "runs": arguments.inputs,
        "seed": arguments.seed,
        "timeout": _HANG_SECONDS,
        "rss_limit_mb": _MEMORY_MB,
        "max_len": _LONGEST,
        "len_control": 0,
        "dict": words,
        "artifact_prefix": f"{folder}/findings/",
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup(
        [check, *flags, str(folder / "corpus")],
        _kept(module.check, folder / "findings"),
        custom_mutator=altered,
    )
    atheris.Fuzz()


def _kept(check: Callable[[bytes], None], folder: Path) -> Callable[[bytes], None]:
    """The check, with what it raises written down once for each place that raises."""

    def run(data: bytes) -> None:
        try:
            check(data)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if str(_ROOT) in frame.filename][-1]
            name = f"{type(error).__name__}-{Path(ours.filename).stem}-{ours.lineno}"
            if not (folder / f"{name}.txt").exists():
                (folder / f"{name}.input").write_bytes(data)
                said = "".join(traceback.format_exception(error))[-4_000:]
                text = f"{name}\n{said}"
                (folder / f"{name}.txt").write_text(text, encoding="utf-8", errors="replace")

    return run
