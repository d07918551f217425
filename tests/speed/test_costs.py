import json
import sys

import pytest

from tests.speed.costs import BASELINE, STEPS_ON, Counts, costs, counted

MOST = 1.10  # of the baseline, which `python -m tests.speed.costs --write` changes on purpose


@pytest.fixture(scope="module")
def now() -> dict[str, Counts]:
    """What the hot paths cost as they are."""
    return costs()


def test_the_hot_paths_have_not_grown(now: dict[str, Counts]) -> None:
    """No path takes a tenth more steps or calls than it did, or runs code of a library that it did not need."""
    baseline = {path: Counts(**each) for path, each in json.loads(BASELINE.read_text()).items()}
    assert set(now) == set(baseline)
    if sys.version_info[:2] != STEPS_ON:  # its standard library calls more or less, too
        assert all(each.calls > 0 for each in now.values())
        return
    grown = {
        path: (before, now[path])
        for path, before in baseline.items()
        if now[path].steps > before.steps * MOST
        or now[path].calls > before.calls * MOST
        or not set(now[path].libraries) <= set(before.libraries)
    }
    assert grown == {}


def test_counts_are_the_same_each_time() -> None:
    """Steps in Python and calls into C are both seen, and a JSON dump is seen among other work."""

    def work() -> None:
        for number in range(50):
            sorted(str(number + each) for each in range(40))

    def more() -> None:
        work()
        for number in range(50):
            json.dumps({"number": number}, sort_keys=True)

    alone = counted(work, 50)
    assert counted(work, 50) == alone
    assert "json" not in alone.libraries
    assert "json" in counted(more, 50).libraries
