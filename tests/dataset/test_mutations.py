"""Damaged replies give a typed error or all of their rows: no crash, no hang, no silent loss."""

import random
import time

import pytest

from pipelines.dataset import DataSet, read
from pipelines.dataset.errors import DataSetError
from tests.dataset.mutations import missing, mutated

_PER_SEED = 2_000


@pytest.mark.parametrize("seed", range(5))
def test_a_typed_error_or_all_rows(seed: int) -> None:
    """10,000 damaged replies in all; no cell and no value that a plain parser finds is missing."""
    rng = random.Random(seed)
    slowest, readable = 0.0, 0
    for number in range(_PER_SEED):
        body = mutated(rng)
        started = time.perf_counter()
        dataset = _read(body)
        slowest = max(slowest, time.perf_counter() - started)
        if dataset is not None:
            readable += 1
            lost = missing(body, dataset)
            assert not lost, (seed, number, lost, body)
    assert slowest < 5
    # Both ways out are taken, or this would show nothing.
    assert _PER_SEED / 10 < readable < _PER_SEED * 9 / 10


def _read(body: bytes) -> DataSet | None:
    try:
        return read(body)
    except DataSetError:
        return None


def test_lenient_mode_keeps_what_strict_mode_refuses() -> None:
    """Lenient reading never raises for a value, and says where each one was."""
    rng = random.Random(99)
    for _ in range(500):
        body = mutated(rng)
        try:
            lenient = read(body, strict=False)
        except DataSetError:
            with pytest.raises(DataSetError):
                read(body)
            continue
        if not lenient.rejects:
            read(body)
            continue
        with pytest.raises(DataSetError):
            read(body)
