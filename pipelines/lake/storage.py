"""The interface between the lake and where it is kept (a folder, object storage), and that place's errors as ours."""

import contextlib
import errno
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from pyarrow import fs

from pipelines.errors import PublicationError, StorageError

__all__ = ["Storage", "named_errors"]

_ADVICE: Final = {
    errno.ENOSPC: "free some space and publish the run again",
    errno.EDQUOT: "raise the quota or free some space, and publish the run again",
    errno.EFBIG: "raise the limit on file sizes and publish the run again",
    errno.EIO: "see to the disk (the system's log says more) and publish the run again",
    errno.EACCES: "storage.root must be a folder that this user may write",
    errno.EPERM: "storage.root must be a folder that this user may write",
    errno.EROFS: "storage.root must be on a file system that can be written",
    errno.ENOTDIR: "storage.root must be a folder",
    errno.EEXIST: "storage.root must be a folder",
}
_STORE_ADVICE: Final = (  # what the store says -> what to do
    ("NO_SUCH_BUCKET", "there is no such bucket: make it, or correct storage.lake"),
    ("InvalidBucketName", "this cannot be the name of a bucket: correct storage.lake"),
    ("INVALID_ACCESS_KEY_ID", "the access key is not known there: correct storage.s3.access_key"),
    ("InvalidAccessKeyId", "the access key is not known there: correct storage.s3.access_key"),
    ("SIGNATURE_DOES_NOT_MATCH", "the secret key is another: correct storage.s3.secret_key"),
    ("SignatureDoesNotMatch", "the secret key is another: correct storage.s3.secret_key"),
    ("ACCESS_DENIED", "this access key may not list, read, write and delete there"),
    ("HTTP status 403", "this access key may not list, read, write and delete there"),
    ("EXPIRED_TOKEN", "the session token has expired"),
    ("NETWORK_CONNECTION", "it does not answer: see storage.s3.endpoint and the network"),
    ("HTTP status 301", "the bucket is in another region: set storage.s3.region"),
)


class Storage(Protocol):
    """A folder of this machine, or a prefix in object storage. Paths are in the lake, with `/`.

    Every method raises an OSError that says what went wrong, unless it says otherwise.

    Attributes:
        address: for messages; holds no credential.
        base: where the lake begins in `filesystem`.
        drafts: a folder of this machine where files are written, each under its path, before they are in the lake.
    """

    address: str
    filesystem: fs.FileSystem
    base: str
    drafts: Path

    def prepare(self) -> None:
        """Have the place ready to be written.

        Raises:
            StorageError: it cannot be.
        """

    def read(self, path: str) -> bytes:
        """A whole small file. Raises FileNotFoundError."""

    def read_all(self, paths: Sequence[str]) -> list[bytes | None]:
        """Whole small files; None for one that is not there."""

    def put(self, path: str, data: bytes) -> None:
        """Write a small file: readers see the old one or the new one, whole, also after a power cut."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Every file below a folder with its size in bytes; empty if it is not there."""

    def remove(self, paths: Collection[str]) -> None:
        """Remove files; those that are not there are no error."""

    def place(self, paths: Collection[str]) -> None:
        """Have these drafts where readers of manifests will find them, safe from a power cut."""

    def reveal(self, come: Collection[str], go: Collection[str]) -> None:
        """Show placed files under their names and take others away. May be done again after a kill at any moment."""

    def locate(self, path: str) -> str:
        """Where a placed file can be read now, be it shown yet or not."""

    def clear(self) -> None:
        """Remove every draft."""


@contextlib.contextmanager
def named_errors(where: object) -> Iterator[None]:
    """Turns an OSError into a PublicationError that names the place and what would be right."""
    try:
        yield
    except OSError as error:
        if error.errno:
            advice = f"; {_ADVICE[error.errno]}" if error.errno in _ADVICE else ""
            named = error.filename or where
            raise PublicationError(
                f"cannot write {named}: {os.strerror(error.errno)}{advice}"
            ) from error
        said = str(error)
        advice = next((each for sign, each in _STORE_ADVICE if sign in said), "failed")
        # without the store's tail of request ids
        short = re.sub(r" \(Request ID: [^)]*\)", "", " ".join(said.split()))[:300]
        raise StorageError(f"the lake {where}: {advice} ({short})") from error
