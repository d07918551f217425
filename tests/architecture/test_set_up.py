"""The locks are whole and name no source; the Makefile explains itself."""

import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import ROOT

LOCKS = ["run", "dev"]
PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>\S+) \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def _pins(lock: str) -> dict[str, str]:
    lines = (ROOT / f"requirements/{lock}.txt").read_text().splitlines()
    return {match["name"]: match["version"] for line in lines if (match := PIN.match(line))}


def _declared() -> list[Requirement]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = document["project"]["dependencies"] + document["build-system"]["requires"]
    return [Requirement(line) for line in wanted]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_only_pins_and_hashes(lock: str) -> None:
    """Every line is a comment, a pin or a hash: no index, no local folder, no editable path."""
    lines = (ROOT / f"requirements/{lock}.txt").read_text().splitlines()
    odd = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert [line for line in odd if not PIN.match(line) and not HASH.match(line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_every_dependency(lock: str) -> None:
    """What pyproject.toml asks for is pinned, at a version that it allows."""
    pins = _pins(lock)
    for wanted in _declared():
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted


def test_tools_go_on_top_of_the_product() -> None:
    """dev.txt is run.txt and more, so tests run against what users get."""
    assert _pins("run").items() <= _pins("dev").items()


def test_pins_have_more_than_one_file() -> None:
    """A lock made from one machine's files would hold one hash a package."""
    text = (ROOT / "requirements/dev.txt").read_text()
    blocks = re.split(r"\n(?=[a-z0-9.-]+==)", text)[1:]
    single = {block.split("==")[0] for block in blocks if block.count("--hash=") < 2}
    assert single <= {"forbiddenfruit"}  # only its source was ever published


def test_make_help_lists_every_target() -> None:
    """`make` alone says what there is."""
    makefile = (ROOT / "Makefile").read_text()
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE)
    hidden = {"run-env", "dev-env"}
    assert set(re.findall(r"^  make (\S+)", listed, re.MULTILINE)) == set(targets) - hidden
