"""What the tests of disks share: disks of a few megabytes, stores changed behind the program's back."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

__all__ = [
    "CALLS",
    "CONFIG",
    "changed",
    "contents",
    "filled",
    "landed",
    "mode_of",
    "needs_strace",
    "of_runs",
    "remounted",
    "small_disk",
    "store_of",
    "strace",
]

CONFIG: Final = """timeout_seconds = 5
[limits]
requests_per_second = 300
per_session_per_second = 100
concurrency = 8
[retry]
attempts = 2
backoff_seconds = 0.01
[windows]
minutes = [60, 120, 180, 240, 300, 360, 420, 480]
"""
CALLS: Final = 4  # of each session


def store_of(folder: Path) -> Path:
    """The one landing store below a ground's folder."""
    (path,) = (folder / "data" / "landing").glob("*.db")
    return path


def changed(path: Path, statement: str) -> None:
    """Change a store with other means than the program's."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
        assert store.execute(statement).rowcount > 0


def landed(path: Path) -> dict[tuple[str, int], bytes]:
    """The digests of what a store holds, without the program."""
    with contextlib.closing(sqlite3.connect(path)) as store:
        rows = store.execute("SELECT call_id, attempt, sha256 FROM replies")
        return {(call_id, attempt): digest for call_id, attempt, digest in rows}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def of_runs(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of them that no later run may change: neither the lake's state nor the history."""
    later = ("_manifest/live.json", "_manifest/history-", "traffic_history/")
    return {name: content for name, content in files.items() if not name.startswith(later)}


def mode_of(path: Path) -> int:
    """The permissions of a file or folder."""
    return path.stat().st_mode & 0o7777


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 24) -> Iterator[Path]:
    """A file system of its own, mounted on `folder`; skips where this user may not mount."""
    folder.mkdir(exist_ok=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = f"size={megabytes}m,mode=700"
    if mount is None or umount is None or os.geteuid() != 0:
        pytest.skip("NEEDS A DISK OF ITS OWN: only root may mount one")
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"NEEDS A DISK OF ITS OWN: mount is not permitted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", str(folder)], check=True)


def remounted(folder: Path, option: str) -> None:
    """The same file system, `ro` or `rw`."""
    mount = shutil.which("mount")
    assert mount is not None
    subprocess.run([mount, "-o", f"remount,{option}", str(folder)], check=True)


@contextlib.contextmanager
def filled(folder: Path, left: int) -> Iterator[None]:
    """A disk with `left` bytes free, as long as the block lasts."""
    ballast = folder / "ballast"
    statistics = os.statvfs(folder)
    size = statistics.f_bavail * statistics.f_frsize - left
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    try:
        yield
    finally:
        ballast.unlink()


needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="NEEDS strace, which makes fsync fail"
)


def strace(
    first: int, log: Path, calls: str = "fsync,fdatasync", error: str = "EIO"
) -> tuple[str, ...]:
    """The prefix of a command in which these system calls fail, from the `first` one of each thread on."""
    return (
        *("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log), "-e", f"trace={calls}"),
        *("-e", f"inject={calls}:error={error}:when={first}+"),
    )
