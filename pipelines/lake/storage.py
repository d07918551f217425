"""Where a lake is: a folder of this machine, or a prefix on a store of objects. One door to both for readers."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs

from collector.domain.secret import Secret
from pipelines.errors import PublicationError, StorageError
from pipelines.lake.change import Change

__all__ = ["Move", "S3Options", "Storage", "named_errors", "open_storage"]

_CONNECT_SECONDS: Final = 10
_REQUEST_SECONDS: Final = 60
_ATTEMPTS: Final = 3

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


@dataclass(frozen=True, slots=True)
class S3Options:
    """How a store that speaks S3 is reached; None leaves it to the AWS environment and its files.

    Attributes:
        endpoint: `https://host[:port]`, of a store other than AWS.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A whole, verified local file that is to have its name in the lake.

    Attributes:
        path: in the lake, with `/`.
    """

    draft: Path
    path: str


class Storage(Protocol):
    """What the lake asks of a place. Paths are in the lake, with `/`; an OSError says what went wrong.

    Attributes:
        address: for messages; holds no credential.
        base: where the lake begins in `filesystem`.
        drafts: a local folder where files are written before they have their names.
        keeps_names: a file may be replaced under its name at once, so names need not change.
    """

    address: str
    filesystem: fs.FileSystem
    base: str
    drafts: Path
    keeps_names: bool

    def prepare(self) -> None:
        """Have the place ready to be written.

        Raises:
            StorageError: it cannot be.
        """

    def read(self, path: str) -> bytes:
        """A whole small file. Raises FileNotFoundError."""

    def put(self, path: str, data: bytes) -> None:
        """Write a small file: readers see the old one or the new one, whole."""

    def names(self, folder: str) -> list[str]:
        """The names in a folder, sorted, hidden ones included; none if it is not there."""

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in a folder, sorted."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Every file below a folder with its size in bytes; empty if it is not there."""

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; those that are not there are no error."""

    def commit(
        self, moves: Sequence[Move], stale: Sequence[str], manifest: str, text: bytes
    ) -> None:
        """Give the files their names, remove stale ones, and put the manifest: the last step that readers wait for.

        If that fails, what was there before is there still.
        """

    def place(self, path: str, sha256: str) -> str:
        """Where a file that a manifest names can be read now: under its name, or beside it while it is replaced.

        Args:
            sha256: what the manifest says of it; tells it from one that has its name already.
        """

    def change(self, change: Change) -> None:
        """Files and several manifests at once. If it is ended on the way, `settle` does the rest or undoes it all."""

    def settle(self) -> bool:
        """Complete a change that was ended on the way; whether there was one. Only for who holds the storage root.

        Raises:
            ValueError: what was kept of it cannot be read.
        """


def open_storage(
    address: str | os.PathLike[str], s3: S3Options | None = None
) -> tuple[fs.FileSystem, str]:
    """The file system of an address, and the lake's path in it.

    `s3://bucket/prefix` (with `region` and `endpoint_override` as query if need be), another address that pyarrow or
    fsspec opens, or a local folder. Nothing is asked of the store yet.

    Raises:
        ValueError: nothing opens such an address.
    """
    text = os.fspath(address)
    scheme, separator, _ = text.partition("://")
    if not separator or scheme == "file":
        path = urlsplit(text).path if separator else text
        return fs.LocalFileSystem(), str(Path(path).absolute())
    if scheme == "s3":
        return _s3(text, s3 or S3Options())
    try:
        return _from_uri(text)
    except (OSError, ValueError, ImportError, NotImplementedError) as error:
        raise ValueError(f"nothing opens it: {_one_line(error)}") from error


@contextlib.contextmanager
def named_errors(where: object) -> Iterator[None]:
    """Turns an OSError into a PublicationError that names the place and what would be right."""
    try:
        yield
    except OSError as error:
        if error.errno in _ADVICE:
            advice = f"; {_ADVICE[error.errno]}"
            named = error.filename or where
            raise PublicationError(
                f"cannot write {named}: {os.strerror(error.errno)}{advice}"
            ) from error
        if error.errno:
            named = error.filename or where
            raise PublicationError(f"cannot write {named}: {os.strerror(error.errno)}") from error
        said = str(error)
        advice = next((each for sign, each in _STORE_ADVICE if sign in said), "")
        raise StorageError(
            f"the lake {where}: {advice or 'failed'} ({_one_line(error)})"
        ) from error


def _s3(address: str, options: S3Options) -> tuple[fs.FileSystem, str]:
    url = urlsplit(address)
    query = dict(parse_qsl(url.query))
    unknown = set(query) - {"region", "endpoint_override", "scheme"}
    if unknown or not url.hostname or "@" in url.netloc:
        raise ValueError(
            "must be s3://bucket/prefix, at most with ?region= and &endpoint_override="
        )
    endpoint = options.endpoint or query.get("endpoint_override")
    if endpoint and "//" not in endpoint:
        endpoint = f"{query.get('scheme', 'https')}://{endpoint}"
    secrets = {
        name: secret.reveal()
        for name in ("access_key", "secret_key", "session_token")
        if (secret := getattr(options, name)) is not None
    }
    system = fs.S3FileSystem(
        region=options.region or query.get("region") or _ambient_region(),
        endpoint_override=endpoint or os.environ.get("AWS_ENDPOINT_URL_S3"),
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        allow_delayed_open=True,  # type: ignore[call-arg]  # unknown to the stubs; a small file is one request
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        **secrets,
    )
    return system, (url.netloc + url.path).rstrip("/")


def _ambient_region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _from_uri(address: str) -> tuple[fs.FileSystem, str]:
    if address.startswith(("gs://", "gcs://")) and "retry_limit_seconds" not in address:
        # it would try for a quarter of an hour, and no signal ends it meanwhile
        address += f"{'&' if '?' in address else '?'}retry_limit_seconds={_REQUEST_SECONDS}"
    try:
        system, path = fs.FileSystem.from_uri(address)
    except pa.ArrowInvalid:  # not one of Arrow's own
        system, path = fs.FileSystem.from_uri(f"fsspec+{address}")
    return system, path.rstrip("/")


def _one_line(error: BaseException) -> str:
    """What was said, without its tail of request ids and paths tried."""
    said = " ".join(str(error).split())
    return re.sub(r" \(Request ID: [^)]*\)", "", said)[:300]
