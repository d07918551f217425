"""Gives drafts their names, and keeps what they replace until the manifest names them.

While files are swapped, and after a kill in the middle, every file that the manifest names is there: under its name, or
beside it as `.<name>.aside`.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

__all__ = ["aside_of", "digest_of", "give_back", "keep", "swapped"]


def aside_of(path: Path) -> Path:
    """The second name of a published file while it is replaced."""
    return path.with_name(f".{path.name}.aside")


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextlib.contextmanager
def swapped(
    moves: Sequence[tuple[Path, Path]], stale: Sequence[Path], is_committed: Callable[[], bool]
) -> Iterator[None]:
    """Within the block, drafts have their names, those of stale files are free, and what had them is aside.

    Leaving it by an error, unless `is_committed`, gives every file back what it was.
    """
    paths = [*(path for _, path in moves), *stale]
    before = [path for path in paths if path.exists()]
    try:
        for path in before:
            keep(path, aside_of(path))
        # nothing but renames in between, so that a kill hardly finds its way here
        for draft, path in moves:
            draft.replace(path)
        for path in stale:
            path.unlink(missing_ok=True)
        yield
    except BaseException:  # an interrupt, too
        if not is_committed():
            for path in filter(_has_aside, before):
                _restore(path)
            for draft, path in moves:
                if not draft.exists() and path not in before:
                    path.unlink(missing_ok=True)
        raise
    for path in paths:
        aside_of(path).unlink(missing_ok=True)


def give_back(path: Path, digest: str | None) -> None:
    """After a kill: what is aside gets its name again if it is what the manifest names, and goes if it is not.

    Args:
        digest: the SHA-256 that the manifest has for this path; None if it names no such file.
    """
    if digest == digest_of(aside_of(path)):
        _restore(path)
    else:
        aside_of(path).unlink()


def _has_aside(path: Path) -> bool:
    return aside_of(path).exists()


def _restore(path: Path) -> None:
    aside_of(path).replace(path)
    aside_of(path).unlink(missing_ok=True)  # two names of one file: the rename did nothing


def keep(path: Path, aside: Path) -> None:
    """Give the file a second name, or a copy where a file system has no hard links."""
    try:
        os.link(path, aside)
    except OSError:  # a file system without hard links
        try:
            shutil.copyfile(path, aside)
        except BaseException:  # half a copy must never be given back
            aside.unlink(missing_ok=True)
            raise
