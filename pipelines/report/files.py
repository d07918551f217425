"""Pages in a folder: written whole or not at all, an index of nights beside them, old ones removed."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipelines.lake.durable import create_private, make_folder, sync_file, sync_folder
from pipelines.report.page import NO_RUN, Page, index_of

__all__ = ["KEPT_DAYS", "Written", "write_page", "write_to"]

KEPT_DAYS: Final = 90
_MOST: Final = 1_000  # entries of the index, if somebody runs every hour
_NAME: Final = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]+\.html")
_HEAD: Final = 2_048  # bytes in which the page says what it is about
_SAID: Final = re.compile(r'<meta name="description" content="([^"]*)">')


@dataclass(frozen=True, slots=True)
class Written:
    """Where a page is.

    Attributes:
        index: None for a page that was written elsewhere.
        runs: how many runs are on the page.
    """

    page: Path
    index: Path | None
    runs: int


def write_page(page: Page, folder: Path) -> Written:
    """Write the page under the name of its run, the index anew, and remove pages of nights long before.

    Raises:
        OSError: the folder cannot be written; what was there stays.
    """
    path = folder / f"{page.run_id or NO_RUN}.html"
    make_folder(folder)
    _write(path, page.html)
    kept = list(_kept(folder))
    index = folder / "index.html"
    _write(index, index_of([(run_id, _said(folder / f"{run_id}.html")) for run_id in kept]))
    return Written(path, index, page.runs)


def write_to(page: Page, path: Path) -> Written:
    """Write the page to a file of its own.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    _write(path, page.html)
    return Written(path, None, page.runs)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.unlink(missing_ok=True)
        create_private(draft)
        draft.write_text(text, encoding="utf-8")
        sync_file(draft)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _kept(folder: Path) -> Iterator[str]:
    """The ids of the runs that have a page, newest first; pages that are too old are removed."""
    names = sorted(
        (path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True
    )
    oldest = _started(names[0]) - timedelta(days=KEPT_DAYS) if names else None
    for number, name in enumerate(names):
        if number >= _MOST or (oldest is not None and _started(name) < oldest):
            (folder / name).unlink(missing_ok=True)
        else:
            yield name.removesuffix(".html")


def _started(name: str) -> datetime:
    return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _said(path: Path) -> str:
    """The sentence that a page of ours says of itself; as it is in the file, so escaped."""
    try:
        with path.open("rb") as file:
            found = _SAID.search(file.read(_HEAD).decode("utf-8", "replace"))
    except OSError:
        return ""
    return found[1] if found else ""
