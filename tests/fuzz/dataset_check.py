"""What must hold of any bytes given to the DataSet reader: tables or one typed error, whichever way they are read."""

from typing import Final

from pipelines.dataset import DataSet, Limits, read, read_many, shortcut
from pipelines.dataset.batch_result import Batch
from pipelines.dataset.errors import DataSetError
from tests.dataset.agreement import full_reading, same_tables
from tests.dataset.samples import BINDINGS, CASES, body_of

__all__ = ["SMALL", "check", "prepare", "seeds"]

GOOD: Final = body_of("documented", "soap11")[0]
LIMITS: Final = Limits(
    body_bytes=1 << 20, tables=64, columns=256, rows=10_000, text_chars=1 << 20, nodes=50_000
)

# with these of the shortcut's bounds, small documents take it too, in pieces of a few rows
SMALL: Final = {"_WORTHWHILE": 1, "_MOSTLY": 10**9, "_CHUNK": 700}


def prepare() -> None:
    """To be called once in a process that does nothing else."""
    for name, value in SMALL.items():
        setattr(shortcut, name, value)


def seeds() -> list[bytes]:
    """The recorded replies, and some that are large or hostile in a small way."""
    bodies = [body_of(case, binding)[0] for case in CASES for binding in BINDINGS]
    return [*bodies, GOOD.decode().encode("utf-16"), GOOD.replace(b">104<", b">&#x1;\r<")]


def check(data: bytes) -> None:
    """Raises an AssertionError, or whatever else should not be raised."""
    full = full_reading(data, LIMITS)
    _check_quick(data, full)
    _check_lenient(data, full)
    batch = read_many([data, GOOD, data], limits=LIMITS)
    failed = [number for number, _ in batch.failures]
    assert failed == ([0, 2] if isinstance(full, DataSetError) else [])
    places = sorted([*(int(n) for group in batch.groups for n in group.replies), *batch.nulls])
    assert places == ([1] if failed else [0, 1, 2]), places
    if isinstance(full, DataSet):
        _check_batch(full, batch)


def _check_quick(data: bytes, full: DataSet | DataSetError) -> None:
    try:
        quick: DataSet | DataSetError = read(data, limits=LIMITS)
    except DataSetError as error:
        str(error).encode()
        quick = error
    assert isinstance(quick, DataSet) == isinstance(full, DataSet), (quick, full)
    if isinstance(quick, DataSet) and isinstance(full, DataSet):
        assert len(quick.tables) == len(full.tables)
        assert all(same_tables(*pair) for pair in zip(quick, full, strict=True))


def _check_lenient(data: bytes, full: DataSet | DataSetError) -> None:
    """Leaving values out never refuses more than raising for them."""
    try:
        lenient = read(data, limits=LIMITS, strict=False)
    except DataSetError:
        assert isinstance(full, DataSetError)
        return
    assert bool(lenient.rejects) == isinstance(full, DataSetError), (lenient.rejects, full)


def _check_batch(full: DataSet, batch: Batch) -> None:
    """Row for row what reading it alone gives."""
    for number in (0, 2):
        groups = [group for group in batch.groups if number in group.replies]
        if not groups:
            assert number in batch.nulls
            assert not any(map(len, full.tables))
            continue
        for table, alone in zip(groups[0].tables, full.tables, strict=True):
            rows = (table.reply == number).nonzero()[0]
            own = table.arrow.take(rows)
            assert (table.name, len(rows)) == (alone.name, len(alone))
            if own.num_columns:  # without any, pyarrow knows no rows
                assert repr(own.to_pylist()) == repr(alone.arrow.to_pylist())
