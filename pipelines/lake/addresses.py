"""An address of a lake -> the file system that it is on: a local folder, S3, or what pyarrow and fsspec open."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs

from collector.domain.secret import Secret

__all__ = ["S3Options", "open_filesystem"]

_CONNECT_SECONDS: Final = 10
_REQUEST_SECONDS: Final = 60
_ATTEMPTS: Final = 3


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


def open_filesystem(
    address: str | os.PathLike[str], s3: S3Options | None = None
) -> tuple[fs.FileSystem, str]:
    """The file system of an address, and the lake's path in it. Nothing is asked of a store yet.

    `s3://bucket/prefix` (with `region` and `endpoint_override` as query if need be), another address that pyarrow or
    fsspec opens, or a local folder.

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
        said = " ".join(str(error).split())[:300]
        raise ValueError(f"nothing opens it: {said}") from error


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
