"""Reading rights for analysts: lake, DuckDB file and reports for a group. Landing stores stay private."""

import contextlib
import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from collector.config import Settings
from collector.errors import ConfigError

__all__ = ["group_id", "shared"]

_FOLDER: Final = (
    0o2750  # what is made in it has its group, and by this bit it is told that it may be read
)
_FILE: Final = 0o640


@contextlib.contextmanager
def shared(settings: Settings) -> Iterator[None]:
    """While a command writes, what it makes is readable by `storage.group`, and so is what is there.

    Raises:
        ConfigError: there is no such group, or this user may give it nothing.
    """
    group = group_id(settings)
    if group is None:
        yield
        return
    with _named(settings):
        _let_through(settings.storage.root, group)
        for folder in _folders(settings):
            _share(folder, group)
    yield
    with _named(settings):
        _share_file(_duckdb_file(settings), group)  # it may be new


def group_id(settings: Settings) -> int | None:
    """The number of `storage.group`; None if none is configured.

    Raises:
        ConfigError: there is no such group on this machine.
    """
    name = settings.storage.group
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise ConfigError(
            f"storage.group = {name!r}: there is no such group on this machine; must be the name of one"
        ) from error


@contextlib.contextmanager
def _named(settings: Settings) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise ConfigError(
            f"storage.group = {settings.storage.group!r}: {error.filename or settings.storage.root} cannot be given"
            " to it; this user must be a member of the group, and own what is there"
        ) from error


def _folders(settings: Settings) -> Iterator[Path]:
    root, lake = settings.storage.root, settings.storage.lake
    if lake is None or "://" not in lake:
        yield Path(lake or root / "lake")
    yield root / "reports"


def _duckdb_file(settings: Settings) -> Path:
    section = settings.warehouse.duckdb
    return (section.path if section else None) or settings.storage.root / "warehouse.duckdb"


def _let_through(root: Path, group: int) -> None:
    """The folders below can be reached, and the root itself not be listed."""
    status = root.stat()
    if not status.st_mode & stat.S_IXOTH:
        if status.st_gid != group:
            os.chown(root, -1, group)
        root.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXGRP)


def _share(folder: Path, group: int) -> None:
    """A folder and all in it, if that was not done yet; the folder itself last, so that half of it is done again."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _is_shared(folder, group):
        return
    for place, folders, files in os.walk(folder):
        for name in files:
            _share_file(Path(place, name), group)
        for name in folders:
            _give(Path(place, name), group, _FOLDER)
    _give(folder, group, _FOLDER)


def _is_shared(folder: Path, group: int) -> bool:
    status = folder.stat()
    return status.st_gid == group and stat.S_IMODE(status.st_mode) == _FOLDER


def _share_file(path: Path, group: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        _give(path, group, _FILE)


def _give(path: Path, group: int, mode: int) -> None:
    status = path.stat()
    if status.st_gid != group:
        os.chown(path, -1, group)
    if stat.S_IMODE(status.st_mode) != mode:
        path.chmod(mode)
