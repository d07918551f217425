"""Any bytes over the wire, and any DataSet: an answer or one typed error. By chance, and guided by coverage."""

import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.dataset import shortcut
from tests.dataset.mutations import MUTATIONS
from tests.fuzz import dataset_check, wire_check

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `prepare` does, undone after the test."""
    for name, value in dataset_check.SMALL.items():
        monkeypatch.setattr(shortcut, name, value)


DOORS = ("wire", "dataset")
CHECKS = (wire_check, dataset_check)


def damaged(check: ModuleType) -> st.SearchStrategy[bytes]:
    """One of the inputs it starts from, altered by elements and by bytes a few times."""

    def alter(seed: bytes, number: int, extra: bytes) -> bytes:
        rng = random.Random(number)
        for _ in range(rng.choice((0, 1, 1, 2, 4))):
            seed = rng.choice(MUTATIONS)(seed, rng) or seed
        at = rng.randrange(len(seed) + 1)
        return seed[:at] + extra + seed[at + rng.choice((0, len(extra))) :]

    known, numbers = st.sampled_from(check.seeds()), st.integers(0, 2**32)
    return st.binary(max_size=300) | st.builds(alter, known, numbers, st.binary(max_size=8))


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=damaged(wire_check))
def test_the_wire(data: bytes) -> None:
    """Opening, judging, masking, decoding: nothing but the errors that are promised."""
    wire_check.check(data)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=damaged(dataset_check))
def test_the_dataset_reader(data: bytes) -> None:
    """One by one, in a batch, by the shortcut, strictly or not: all of them agree."""
    dataset_check.check(data)


@pytest.mark.parametrize("check", CHECKS)
def test_the_checks_accept_what_was_recorded(check: ModuleType) -> None:
    """The inputs that fuzzing starts from."""
    for seed in check.seeds():
        check.check(seed)


def fuzzed(door: str, seconds: int) -> dict[str, Any]:
    """The report of a fuzzer in a process of its own."""
    command = [sys.executable, "-m", f"tests.fuzz.{door}", f"--seconds={seconds}"]
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    report: dict[str, Any] = json.loads(ended.stdout)
    assert ended.returncode == bool(report["findings"] or report["stopped"])
    return report


def assert_nothing_found(seconds: int, inputs: int) -> None:
    """Both at once; each got at least so far, and its guide saw more code than at its start."""
    with ThreadPoolExecutor(len(DOORS)) as pool:
        reports = list(pool.map(lambda door: fuzzed(door, seconds), DOORS))
    for report in reports:
        assert not report["findings"], "\n".join(report["findings"])
        assert not report["stopped"], report["stopped"]
        assert report["inputs"] > inputs, report
        assert report["coverage"][-1] > report["coverage"][0] > 0, report
    sys.stdout.write(f"{reports}\n")


@pytest.mark.timeout(240)
@pytest.mark.extended
def test_guided_by_coverage() -> None:
    """Seconds of it."""
    assert_nothing_found(5, 100)


@pytest.mark.extended
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("seconds", [45, pytest.param(600, marks=pytest.mark.soak)])
def test_guided_by_coverage_for_minutes(seconds: int) -> None:
    """One minute of it, or ten."""
    assert_nothing_found(seconds, 30 * seconds)


@pytest.mark.extended
def test_a_finding_is_found(tmp_path: Path) -> None:
    """The guard of the tests above: a check that fails for some inputs is reported, with the input."""
    (tmp_path / "broken_check.py").write_text(
        "def prepare():\n    pass\n"
        "def seeds():\n    return [b'good']\n"
        "def check(data):\n    if b'oo' not in data:\n        raise LookupError('it is gone')\n"
    )
    (tmp_path / "broken.py").write_text(
        "from tests.fuzz.driver import main\nif __name__ == '__main__':\n    main('broken_check')\n"
    )
    command = [sys.executable, "-m", "broken", "--seconds=3", f"--keep={tmp_path}"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    report = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert len(report["findings"]) == 1
    assert report["findings"][0].startswith("LookupError-")
    (kept,) = (tmp_path / "findings").glob("*.input")
    assert b"oo" not in kept.read_bytes()
