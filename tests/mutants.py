"""Random mutations of a room, each held against the tests of that room: one that no test sees is printed.

`python -m tests.mutants --room landing --count 10 --seed 1` works in a temporary copy of the sources. The same seed
draws the same mutations from the same sources. A mutation may change nothing that matters: a survivor is a question.
"""

import argparse
import ast
import contextlib
import difflib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
OWN: Final = "tests/collector"
ROOMS: Final = {  # folder or file below collector/ -> its own tests
    "domain": [f"{OWN}/test_{name}.py" for name in "calls durations secret tls".split()],
    "config": [
        *(f"{OWN}/test_{name}.py" for name in "config mailboxes_file references secret".split()),
    ],
    "wire": [
        *(
            f"{OWN}/test_{name}.py"
            for name in "body http_dates mailbox_list replies requests xml".split()
        ),
        f"{OWN}/test_hostile_replies.py",
    ],
    "scheduling": [
        *(f"{OWN}/test_{name}.py" for name in "breaker dispatch rate_gates send_log".split()),
    ],
    "transport": [
        *(f"{OWN}/test_{name}.py" for name in "framing tls transport transport_errors".split()),
    ],
    "landing": [
        f"{OWN}/test_landing.py",
        f"{OWN}/test_landing_failures.py",
        f"{OWN}/test_redaction.py",
        "tests/reliability/test_damaged_store.py",
        "tests/collector/test_landing_columns.py",
    ],
    "outcomes": [
        *(
            f"{OWN}/test_{name}.py"
            for name in "classification classify_reply faults meaning policy".split()
        ),
        f"{OWN}/test_hostile_replies.py",
    ],
    "sessions": [
        *(f"{OWN}/test_{name}.py" for name in "credentials mailbox_list pauses whoami".split()),
    ],
    "runs": [
        *(f"{OWN}/test_{name}.py" for name in "attempts pauses plan reports service_clock".split()),
        "tests/nightly",
        "tests/reliability/test_model.py",
    ],
    "events.py": [f"{OWN}/test_events.py"],
}
SWAPS: Final[
    dict[type[ast.AST], tuple[str, str]]
] = {  # node -> how it is written, and what it becomes
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
MOST_SECONDS: Final = 1_800.0  # for the tests as they are; then thrice what they took
NEVER_RUN: Final = ("TYPE_CHECKING", "__name__ == '__main__'")


@dataclass(frozen=True, slots=True)
class Mutation:
    """Other bytes at one place of a file."""

    path: Path  # below the root
    start: int
    end: int
    new: bytes

    def applied(self, source: bytes) -> bytes:
        """The file with it."""
        return source[: self.start] + self.new + source[self.end :]

    def described(self, source: bytes) -> str:
        """Where it is, and its lines before and after."""
        line = source.count(b"\n", 0, self.start) + 1
        before, after = (each.decode().splitlines() for each in (source, self.applied(source)))
        changed = list(difflib.unified_diff(before, after, n=0, lineterm=""))[3:]
        return "\n".join([f"{self.path}:{line}", *(f"    {each}" for each in changed)])


class Places:
    """Where in a file something can be changed."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = path, source
        lengths = [0, *(len(line) for line in source.splitlines(keepends=True))]
        self._lines = [sum(lengths[: number + 1]) for number in range(len(lengths))]

    def mutations(self) -> Iterator[Mutation]:
        """All of them, in the order of the syntax tree."""
        tree = ast.parse(self._source)
        decorators = [
            each
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for decorator in node.decorator_list  # whether a class is frozen is seen by mypy
            for each in ast.walk(decorator)
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                for number, operator in enumerate(node.ops):
                    yield from self._swapped(operator, sides[number], sides[number + 1])
            elif isinstance(node, ast.BinOp):
                yield from self._swapped(node.op, node.left, node.right)
            elif isinstance(node, ast.BoolOp):
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield from self._swapped(node.op, left, right)
            elif isinstance(node, ast.Constant) and node not in decorators:
                yield from self._other(node)
            if isinstance(node, ast.If | ast.IfExp | ast.While):
                yield from self._negated(node.test)

    def _swapped(self, operator: ast.AST, left: ast.expr, right: ast.expr) -> Iterator[Mutation]:
        written, other = SWAPS.get(type(operator), ("", ""))
        start, end = self._span(left)[1], self._span(right)[0]
        between = self._source[start:end]
        if written and between.strip(b"() \t\r\n\\") == written.encode():
            start += between.index(written.encode())
            yield Mutation(self._path, start, start + len(written), other.encode())

    def _other(self, constant: ast.Constant) -> Iterator[Mutation]:
        value = constant.value
        if isinstance(value, bool):
            yield Mutation(self._path, *self._span(constant), str(not value).encode())
        elif isinstance(value, int | float):
            yield Mutation(self._path, *self._span(constant), repr(value + 1).encode())

    def _negated(self, condition: ast.expr) -> Iterator[Mutation]:
        start, end = self._span(condition)
        if ast.unparse(condition) not in NEVER_RUN:
            new = b"(not (" + self._source[start:end] + b"))"
            yield Mutation(self._path, start, end, new)

    def _span(self, node: ast.expr) -> tuple[int, int]:
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self._lines[node.lineno - 1] + node.col_offset, self._lines[end_line - 1] + end


def drawn(sources: list[Path], count: int, seed: int) -> list[Mutation]:
    """Some mutations of these files, each of which still is Python."""
    every = [
        found for path in sources for found in Places(path, (ROOT / path).read_bytes()).mutations()
    ]
    return random.Random(seed).sample(every, min(count, len(every)))


def copied(folder: Path) -> None:
    """What is or would be in git, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def outcome(folder: Path, tests: list[str], seconds: float) -> str:
    """What the tests say of a tree: "passed", "failed" or "took too long"."""
    options = ["-x", "-q", "-m", "not extended", "-p", "no:cacheprovider"]
    # a mutation keeps the size of its file, and its time of change to the second: no compiled files
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            return "failed" if process.wait(seconds) else "passed"
        except subprocess.TimeoutExpired:
            return "took too long"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # programs that a test had started, too
            process.wait()


def tried(chosen: list[Mutation], tests: list[str]) -> Iterator[tuple[Mutation, str]]:
    """Each mutation in turn, with what the tests say of the tree that has it.

    Raises:
        SystemExit: the tests fail without any.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        copied(folder)
        begun = time.monotonic()
        if outcome(folder, tests, MOST_SECONDS) != "passed":
            said = (folder / "said.txt").read_text(encoding="utf-8")
            sys.exit(f"{said[-3000:]}\nThe tests fail without any mutation, as above.")
        seconds = 3 * (time.monotonic() - begun) + 10
        for mutation in chosen:
            source = (ROOT / mutation.path).read_bytes()
            (folder / mutation.path).write_bytes(mutation.applied(source))
            yield mutation, outcome(folder, tests, seconds)
            (folder / mutation.path).write_bytes(source)


def main() -> None:
    """Draw, try and report; surviving mutations are no failure of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--room", choices=ROOMS, required=True)
    parser.add_argument("--count", type=int, default=10, help="of mutations (default: 10)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    place, tests = ROOT / "collector" / asked.room, ROOMS[asked.room]
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    chosen = drawn([path.relative_to(ROOT) for path in files], asked.count, asked.seed)
    say(f"{asked.room}, seed {asked.seed}, {len(chosen)} mutations, against {' '.join(tests)}")
    survivors = 0
    for mutation, found in tried(chosen, tests):
        survivors += found == "passed"
        word = "SURVIVED" if found == "passed" else f"caught, the tests {found}:"
        say(f"{word} {mutation.described((ROOT / mutation.path).read_bytes())}")
    say(f"{len(chosen) - survivors} of {len(chosen)} caught")


def say(text: str) -> None:
    """One more part of the report, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
