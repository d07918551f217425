"""A run's counted answers, kept until the last one is known: in memory while they are few, then in a nameless file."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pandas as pd
import pyarrow as pa

from pipelines.errors import PublicationError
from pipelines.normalize.buckets import COUNTED

__all__ = ["Spool"]

_IN_MEMORY: Final = 8 << 20  # bytes, some 50,000 answers
_PART_ROWS: Final = 1 << 13  # each may be eight buckets


class Spool:
    """Answers go in in plan order, and come out again as often as asked for, whole sessions at a time.

    Args:
        folder: where the file goes if one is needed; it goes with the process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115  # closed by __exit__
        self._writer = pa.ipc.new_stream(self._file, COUNTED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, counted: pd.DataFrame) -> None:
        """Keep some more, with the columns of `buckets.COUNTED`.

        Raises:
            PublicationError: they cannot be written.
        """
        try:
            self._writer.write_table(pa.Table.from_pandas(counted, COUNTED, preserve_index=False))
        except OSError as error:
            raise PublicationError(
                f"cannot write a temporary file in {self._folder}: {error.strerror or error};"
                " must be a folder with room that this user may write"
            ) from error

    def sessions(self) -> Iterator[pd.DataFrame]:
        """What was kept, some sessions at a time, no session in two parts; nothing can be added any more."""
        self._writer.close()
        self._file.seek(0)
        waiting: list[pa.RecordBatch] = []
        rows = 0
        for batch in pa.ipc.open_stream(self._file):
            waiting.append(batch)
            rows += batch.num_rows
            if rows >= _PART_ROWS:
                part = pa.Table.from_batches(waiting, COUNTED)
                whole = _last_session(part)
                if whole:
                    yield _frame(part.slice(0, whole))
                waiting = part.slice(whole).combine_chunks().to_batches()
                rows = part.num_rows - whole
        yield _frame(pa.Table.from_batches(waiting, COUNTED))


def _frame(rows: pa.Table) -> pd.DataFrame:
    return rows.to_pandas(types_mapper=pd.ArrowDtype)


def _last_session(part: pa.Table) -> int:
    """Where the last session begins, which may go on in the next part."""
    sessions = part["session"]
    last, first = sessions[-1].as_py(), part.num_rows - 1
    while first and sessions[first - 1].as_py() == last:
        first -= 1
    return first
