"""Standard output and error, which may be closed, full, or a pipe without a reader. Imports nothing that is slow."""

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO, Final, TextIO, cast

__all__ = ["Lenient", "failed", "printed", "said", "whole"]

_STANDARD: Final = 3


class Lenient:
    """The standard error of the moment; what cannot be written is given up: no log line is worth a night."""

    def write(self, text: str) -> int:
        """Writes what can be written."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def whole() -> None:
    """Open what was closed of the standard streams, on the null device: other files would get their numbers."""
    for number in range(_STANDARD):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or _null()
    sys.stderr = _unbuffered(sys.stderr) if sys.stderr else _null()


def _unbuffered(stream: TextIO) -> TextIO:
    """What could not be written is gone: left in a buffer it would fail once more as the interpreter ends, with 120."""
    raw = io.FileIO(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        cast("BinaryIO", raw), stream.encoding, stream.errors, write_through=True
    )


def printed(text: str) -> bool:
    """Print on stdout; False if it could not be written. A reader who has gone had what he wanted."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except (OSError, UnicodeEncodeError) as error:
        _forget_stdout()
        why = error.strerror if isinstance(error, OSError) else f"{error}; set PYTHONUTF8=1"
        said(f"standard output cannot be written: {why}")
        return False
    return True


def said(message: str) -> None:
    """One sentence on stderr."""
    print(f"ecgrid-stats: {message}", file=Lenient())


def failed(message: str, exit_code: int, *, as_json: bool) -> None:
    """Say why the command ends with that code, on stdout too where it was to have a JSON object."""
    said(message)
    if as_json:
        printed(json.dumps({"error": message, "exit_code": int(exit_code)}))


def _forget_stdout() -> None:
    """What is left in the buffer would fail once more as the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _null() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
