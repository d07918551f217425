"""Brings the files of one partition in and out of its folder, at one instant where the system can do that.

A folder is built beside, of hard links, and the two exchange their names (`renameat2` of Linux). Where that cannot be
done, files are renamed and removed one straight after the other. What went is there still, as `.<name>.aside`.
"""

import ctypes
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from pipelines.lake.durable import sync_folder
from pipelines.lake.swap import aside_of, keep

__all__ = ["install"]

_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE


def install(folder: Path, comes: Mapping[str, Path], goes: Collection[str], workshop: Path) -> None:
    """Have the files that come under their names and those that go out of the way. Does nothing a second time.

    Args:
        comes: name -> the draft, which stays where it is.
        workshop: a folder to build in, on the same file system; nothing of worth is there.
    """
    goes = [name for name in goes if (folder / name).exists()]
    comes = {name: draft for name, draft in comes.items() if not _is_same(draft, folder / name)}
    if not comes and not goes:
        return
    shutil.rmtree(workshop, ignore_errors=True)
    if not _exchanged(folder, comes, goes, workshop):
        _one_by_one(folder, comes, goes)
    shutil.rmtree(workshop, ignore_errors=True)


def _exchanged(
    folder: Path, comes: Mapping[str, Path], goes: Collection[str], workshop: Path
) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        workshop.mkdir(mode=0o700, parents=True)
        shutil.copymode(folder, workshop)
        known = [path.name for path in folder.iterdir()]
        for path in (folder / name for name in known):
            away = path.name in goes or path.name in comes
            _link(path, workshop / (aside_of(path).name if away else path.name))
        for name, draft in comes.items():
            _link(draft, workshop / name)
        sync_folder(workshop)
        _exchange(workshop, folder)
    except OSError:  # no hard links, or folders cannot be exchanged here
        return False
    for path in workshop.iterdir():
        if path.name not in known:  # somebody else's, which came while the folder was built
            path.replace(folder / path.name)
    return True


def _one_by_one(folder: Path, comes: Mapping[str, Path], goes: Collection[str]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*comes, *goes):
        if (folder / name).exists():
            aside_of(folder / name).unlink(missing_ok=True)
            keep(folder / name, aside_of(folder / name))
    beside = {name: folder / f".{name}.new" for name in comes}
    for name, draft in comes.items():
        beside[name].unlink(missing_ok=True)
        keep(draft, beside[name])
    # nothing but renames in between, so that a reader of names, or a kill, hardly finds its way here
    for name, new in beside.items():
        new.replace(folder / name)
    for name in goes:
        (folder / name).unlink(missing_ok=True)


def _is_same(draft: Path, path: Path) -> bool:
    """Whether the draft is in its place already."""
    try:
        if draft.samefile(path):
            return True
        # a file system without hard links has a copy
        return (
            draft.stat().st_size == path.stat().st_size and draft.read_bytes() == path.read_bytes()
        )
    except FileNotFoundError:
        if path.exists():  # the drafts go last, so it was in its place before
            return True
        if draft.exists():
            return False
        raise


def _link(path: Path, name: Path) -> None:
    name.unlink(missing_ok=True)
    os.link(path, name, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError("there is no renameat2")
    if call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
