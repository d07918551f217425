"""What a lake holds, by its version and its manifests. Nothing is written here."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from pipelines.errors import LakeVersionError, PublicationError, StorageError
from pipelines.lake.manifest import LAKE_VERSION, Manifest, PublishedFile
from pipelines.lake.partition import MANIFESTS, PartitionFile, check_run_id, manifest_path
from pipelines.lake.storage import Storage, named_errors

__all__ = [
    "VERSION",
    "TableFile",
    "check_version",
    "read_manifest",
    "run_ids",
    "table_files",
    "wrong_files",
]

VERSION: Final = f"{MANIFESTS}/version"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file to read, and which of its rows count.

    Attributes:
        path: in the lake, with `/`.
        rows: those that count.
        only: the runs whose rows count, by `run_id`; None if all rows do.
    """

    path: str
    table: str
    partition: str
    schema_version: int
    rows: int
    only: tuple[str, ...] | None


def check_version(storage: Storage) -> None:
    """Refuse a lake that this program cannot know.

    Raises:
        LakeVersionError: a newer version wrote it.
        StorageError: the store of objects does not answer or refuses.
        PublicationError: its version cannot be read.
    """
    path = f"{storage.base}/{VERSION}"
    try:
        with named_errors(storage.address):
            text = storage.read(VERSION).decode()
    except (PublicationError, UnicodeDecodeError) as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return  # nothing published yet
        if isinstance(error, StorageError):
            raise
        raise PublicationError(f"cannot read {path}: {error}") from error
    if not text.strip().isdecimal():
        raise PublicationError(f"{path} says {text[:40]!r}: must be a number, as {LAKE_VERSION}")
    if int(text) > LAKE_VERSION:
        raise LakeVersionError(
            f"the lake {storage.address} has version {int(text)}, this program writes version"
            f" {LAKE_VERSION}: use the newer program, or another storage.root"
        )


def read_manifest(storage: Storage, run_id: str) -> Manifest | None:
    """What the run published; None if nothing.

    Raises:
        StorageError: the store of objects does not answer or refuses.
        PublicationError: its manifest cannot be read.
    """
    path = manifest_path(check_run_id(run_id))
    try:
        with named_errors(storage.address):
            manifest = Manifest.from_json(storage.read(path))
    except (PublicationError, ValueError) as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        if isinstance(error, StorageError):
            raise
        raise PublicationError(f"{storage.base}/{path}: {error}; publish the run again") from error
    if manifest.run_id != run_id:  # its rows would count twice
        raise PublicationError(f"{storage.base}/{path} is of run {manifest.run_id}: remove it")
    return manifest


def run_ids(storage: Storage) -> list[str]:
    """The published runs, oldest first.

    Raises:
        PublicationError: the lake cannot be read.
    """
    with named_errors(storage.address):
        names = storage.names(MANIFESTS)
    found = []
    for name in names:
        with contextlib.suppress(ValueError):  # not a manifest of ours
            if name.endswith(".json"):
                found.append(check_run_id(name.removesuffix(".json")))
    return sorted(found)


def table_files(storage: Storage, table: str, of: Collection[str] | None = None) -> list[TableFile]:
    """The files of a table as the manifests name them, of some runs or of all, each once, oldest run first.

    Raises:
        PublicationError: a manifest cannot be read.
    """
    found: dict[str, tuple[PublishedFile, list[str], int]] = {}
    for run_id in run_ids(storage) if of is None else sorted(of):
        manifest = read_manifest(storage, run_id)
        for file in manifest.files if manifest else ():
            if file.table == table:
                _, runs, rows = found.get(file.path, (file, [], 0))
                found[file.path] = (file, [*runs, run_id], rows + file.rows)
    return [
        TableFile(
            storage.place(path, file.sha256),
            table,
            file.partition,
            file.schema_version,
            rows,
            None if set(file.runs) <= set(runs) else tuple(runs),
        )
        for path, (file, runs, rows) in found.items()
    ]


def wrong_files(storage: Storage, of: Collection[str] | None = None) -> dict[str, list[str]]:
    """What is wrong with published runs, by run id: files that are absent or have another size than was published.

    Runs without a fault are not in it. Contents are not read.

    Raises:
        StorageError: the store of objects does not answer or refuses.
    """
    wrong: dict[str, list[str]] = {}
    sizes: dict[str, dict[str, int]] = {}
    for run_id in run_ids(storage) if of is None else sorted(of):
        try:
            manifest = read_manifest(storage, run_id)
        except StorageError:
            raise
        except PublicationError:
            wrong[run_id] = [manifest_path(run_id)]
            continue
        for file in manifest.files if manifest else ():
            if file.table not in sizes:
                with named_errors(storage.address):
                    sizes[file.table] = storage.sizes(file.table)
            found = sizes[file.table]
            if file.bytes not in (found.get(file.path), found.get(_aside(file.path))):
                wrong.setdefault(run_id, []).append(file.path)
    return wrong


def _aside(path: str) -> str:
    """Where a file is while it is replaced."""
    return str(PartitionFile.parse(path).to_aside())
