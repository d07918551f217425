"""The command `mailboxes`: a sessions file for what one credential may list, and what is different in it."""

import contextlib
import difflib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from collector.config import (
    ApiKey,
    Login,
    MailboxRow,
    MailboxRows,
    SessionEntry,
    Settings,
    Unreadable,
    credentials,
    mailbox_rows,
    read_sessions_file,
)
from collector.errors import ConfigError
from collector.runs.mailbox_list import mailbox_list
from pipelines.cli.door import Door, config_option, finish, shared_options
from pipelines.job.collecting import until_stopped
from pipelines.job.exit_code import ExitCode
from pipelines.job.lock import storage_writable

__all__ = ["mailboxes"]

_FILE: Final = "mailboxes.csv"
_MOST_SHOWN: Final = 20  # of each kind; --json has all
_MAX_ID: Final = 2**31 - 1


@click.command()
@config_option
@click.option(
    "--key",
    "label",
    required=True,
    metavar="LABEL",
    help="The session of the configuration whose credential asks, and stands in the rows.",
)
@click.option(
    "--network",
    type=click.IntRange(0, _MAX_ID),
    metavar="NUMBER",
    help="List this network.  [default: the credential's own]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file.  [default: sessions_file of the configuration, or mailboxes.csv beside it]",
)
@click.option("--update", is_flag=True, help="Write what is different into a file that is there.")
@shared_options
def mailboxes(
    door: Door, config: Path, label: str, network: int | None, output: Path | None, update: bool
) -> None:
    """Write a sessions file with a label for each mailbox that the service lists, or compare one that is there.

    Suspended mailboxes and those that are not managed become comments, with the reason. What stands in a file stays
    unless --update is given, and labels stay then, too. Exit code 1 if the file differs, or the service refuses.
    """
    settings = door.settings(config)
    entry, credential = _asking(settings, label, config.parent)
    path, beside = _place(settings, config, output)
    before = _text_of(path)
    storage_writable(settings.storage.root)
    asking = partial(mailbox_list, settings, label, credential, network)
    listed = until_stopped(asking, settings)
    if listed is None:
        result = {"stopped": "signal", "exit_code": int(ExitCode.STOPPED)}
        finish(door, result, "stopped by a signal; nothing is written", ExitCode.STOPPED)
    try:
        found = mailbox_rows(before, listed.mailboxes, entry, beside, network)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if before is None:
        _create(path, found.text)
    elif found.differs and update:
        _replace(path, before, found.text)
    is_left = before is not None and found.differs and not update
    result = {
        "file": str(path),
        "listed": len(listed.mailboxes),
        "unread": listed.unread,
        "rows": found.rows,
        "differs": found.differs,
        "written": found.differs and not is_left,
        **_as_json(found),
    }
    code = ExitCode.CALLS_FAILED if is_left else ExitCode.DONE
    said = _said(found, path, is_there=before is not None, is_left=is_left)
    if before is None and settings.sessions_file is None:
        said += f"; name it in {config}, above [service]:\n  sessions_file = {_named(path, config)}"
    if listed.unread:
        said = f"{listed.unread} entries of the answer without a number of their own are left out\n{said}"
    finish(door, {**result, "exit_code": int(code)}, said, code)


def _asking(settings: Settings, label: str, beside: Path) -> tuple[SessionEntry, ApiKey | Login]:
    """The session of that label, and its credential.

    Raises:
        ConfigError: there is none, or its credential cannot be read.
    """
    entry = next((each for each in settings.sessions if each.label == label), None)
    if entry is None:
        labels = [each.label for each in settings.sessions]
        near = difflib.get_close_matches(label, labels, 1) or labels[:_MOST_SHOWN]
        raise ConfigError(
            f"--key {label!r}: must be the label of a session of the configuration, such as {', '.join(near)}"
        )
    alone = settings.model_copy(update={"sessions": (entry,)})
    credential = credentials(alone, beside)[label]
    if isinstance(credential, Unreadable):
        raise ConfigError(f"--key {label!r}: {credential.reason}")
    return entry, credential


def _place(
    settings: Settings, config: Path, output: Path | None
) -> tuple[Path, tuple[SessionEntry, ...]]:
    """The file, and the sessions that stand in the configuration itself, beside it.

    Raises:
        ConfigError: it is in no folder that can be written.
    """
    listed, beside = settings.sessions_file, settings.sessions
    if listed is not None:
        inside = len(read_sessions_file(config.parent / listed).rows)
        beside = beside[: len(beside) - inside]
    path = output or config.parent / (listed or _FILE)
    folder = path.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: {folder} must be a folder that this user may write")
    return path, beside


def _text_of(path: Path) -> str | None:
    """What stands in the file; None if there is none.

    Raises:
        ConfigError: it is no sessions file.
    """
    if not os.path.lexists(path):
        return None
    read_sessions_file(path)
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _create(path: Path, text: str) -> None:
    with _told(path):
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
        except FileExistsError as error:
            raise ConfigError(
                f"{path}: came into being meanwhile, and stays; call it again"
            ) from error
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _replace(path: Path, before: str, text: str) -> None:
    """Put another text in the place of a file's at once; a file that was changed meanwhile stays."""
    target = path.resolve()
    with _told(path):
        mode = target.stat().st_mode & 0o777
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            if _text_of(path) != before:
                raise ConfigError(f"{path}: was changed meanwhile, and stays; call it again")
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}); must be a file in a folder that this user may write"
        ) from error


def _as_json(found: MailboxRows) -> dict[str, Any]:
    return {
        "new": [each._asdict() for each in found.new],
        "gone": [each._asdict() for each in found.gone],
        "renamed": [{**each.row._asdict(), "was": each.was} for each in found.renamed],
        "left_out": [each._asdict() for each in found.left_out],
        "out_of_use": [each._asdict() for each in found.out_of_use],
    }


def _said(found: MailboxRows, path: Path, *, is_there: bool, is_left: bool) -> str:
    """What is different, and what the file has now."""
    lines: list[str] = []
    if is_there:
        lines += _some("new", [_row(each) for each in found.new])
        lines += _some("gone", [_row(each) for each in found.gone])
        lines += _some("renamed", [f"{_row(each.row)}, was {each.was!r}" for each in found.renamed])
    lines += _some("stays", [f"{_row(each)}, though {each.reason}" for each in found.out_of_use])
    reasons = Counter(each.reason for each in found.left_out)
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    comments = f"; comments: {left_out}" if left_out else ""
    if is_left:
        lines.append(f"{path} differs and stays as it is; --update writes this into it")
    elif is_there:
        lines.append(
            f"{path}: {'updated' if found.differs else 'nothing is different'}, {found.rows} mailboxes{comments}"
        )
    else:
        lines.append(f"wrote {path}: {found.rows} mailboxes{comments}")
    return "\n".join(lines)


def _named(path: Path, config: Path) -> str:
    """The path as a value of the configuration, relative to its folder where it lies there."""
    target, folder = path.resolve(), config.resolve().parent
    shown = target.relative_to(folder) if target.is_relative_to(folder) else target
    return json.dumps(str(shown), ensure_ascii=False)  # a string of JSON is one of TOML


def _some(word: str, rows: list[str]) -> Iterator[str]:
    """A line each, as many as one reads."""
    yield from (f"{word}: {row}" for row in rows[:_MOST_SHOWN])
    if len(rows) > _MOST_SHOWN:
        yield f"{word}: {len(rows) - _MOST_SHOWN} more; --json has them"


def _row(row: MailboxRow) -> str:
    return f"{row.label} (network {row.network_id}, mailbox {row.mailbox_id}, {row.name!r})"
