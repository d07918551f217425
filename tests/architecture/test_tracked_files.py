"""What is in git would work elsewhere: no package hosts, no paths of one machine, no leftovers."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, tracked_files

# Written in pieces, so that this file does not hold what it looks for.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "crates" + ".io",
    "proxy.golang" + ".org",
    "debian" + ".org",
    "ubuntu" + ".com/ubuntu",
    "conda" + ".anaconda",
]
MACHINE_PATHS = re.compile(
    rb"(?<![\w./*-])/(?:work|root|home/\w+|Users/\w+|opt/(?:wheels|\w+-more))/"
)
CREDENTIAL = re.compile(
    rb"\b(?!(?:f{8}-(?:f{4}-){3}f{12}|0{8}-(?:0{4}-){3}0{12}|01234567-89ab-cdef-0123-456789abcdef)\b)"
    rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b",
    re.IGNORECASE,
)
LF = b"\n"
LEFTOVERS = {".pyc", ".db", ".parquet", ".log", ".orig", ".rej", ".swp", ".duckdb"}
LARGEST = 1_000_000  # bytes


@pytest.fixture(scope="module")
def contents() -> dict[Path, bytes]:
    """Every tracked file."""
    return {path: (ROOT / path).read_bytes() for path in tracked_files()}


def _found(contents: dict[Path, bytes], pattern: re.Pattern[bytes]) -> list[str]:
    return [
        f"{path}:{data.count(LF, 0, match.start()) + 1}: {match[0].decode(errors='replace')}"
        for path, data in contents.items()
        for match in pattern.finditer(data)
    ]


def test_no_package_hosts(contents: dict[Path, bytes]) -> None:
    """Packages come by name; where from is the business of the machine that installs them."""
    pattern = re.compile("|".join(map(re.escape, HOSTS)).encode())
    assert _found(contents, pattern) == []


def test_no_machine_paths(contents: dict[Path, bytes]) -> None:
    """No path that exists on one machine only."""
    assert _found(contents, MACHINE_PATHS) == []


def test_no_credential_shapes(contents: dict[Path, bytes]) -> None:
    """The service's keys are GUIDs; the ones here are all F, all zero or counting up."""
    assert _found(contents, CREDENTIAL) == []


def test_no_leftovers(contents: dict[Path, bytes]) -> None:
    """No data, no compiled files, nothing huge."""
    assert [str(path) for path in contents if path.suffix in LEFTOVERS] == []
    assert [str(path) for path, data in contents.items() if len(data) > LARGEST] == []


def test_top_level_is_the_house() -> None:
    """The doors have fixed names; a new one is a decision."""
    doors = {path.parts[0] for path in tracked_files() if len(path.parts) > 1}
    allowed = {
        "collector",
        "pipelines",
        "tests",
        "config",
        "data",
        "docs",
        "bench",
        "requirements",
        ".ci",
    }
    assert doors <= allowed
