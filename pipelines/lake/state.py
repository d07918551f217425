"""What a lake holds: one small file says which manifest of each run is live, and what a change has yet to do.

That file is replaced at one instant, and everything that it names never changes under its name. So whoever reads it
once has one whole state of the lake, of all runs and tables.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from pipelines.contract import TABLES
from pipelines.errors import LakeVersionError, PublicationError, StorageError
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.partition import DERIVED, MANIFESTS
from pipelines.lake.storage import Storage, named_errors

__all__ = [
    "LAKE_VERSION",
    "STATE",
    "VERSION",
    "Entry",
    "Pending",
    "Published",
    "State",
    "StateDamagedError",
    "TableFile",
    "check_version",
    "manifest_path",
    "parse_manifest",
    "parse_manifest_path",
    "read_published",
    "read_state",
]

LAKE_VERSION: Final = 2
VERSION: Final = f"{MANIFESTS}/version"
STATE: Final = f"{MANIFESTS}/live.json"

_MANIFEST: Final = re.compile(
    rf"{MANIFESTS}/([A-Za-z0-9][A-Za-z0-9.-]{{0,99}})-([0-9a-f]{{32}})\.json"
)
_TRIES: Final = 20  # changes that may overtake a reader
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)


class StateDamagedError(PublicationError):
    """The file that says what is live is lost or damaged; it is made anew from the manifests."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A run that is published.

    Attributes:
        manifest: the digest that its manifest's name ends with.
        first: the first day of which it has a partition, `run_date` included.
        last: the last one.
    """

    manifest: str
    run_date: date
    first: date
    last: date

    @classmethod
    def of(cls, manifest: Manifest) -> "Entry":
        """The entry of a manifest."""
        days = [manifest.run_date, *(file.day for file in manifest.files)]
        return cls(manifest.digest, manifest.run_date, min(days), max(days))


@dataclass(frozen=True, slots=True)
class Pending:
    """What is yet to be done of a change, paths in the lake: files to be shown, and files to be taken away."""

    come: tuple[str, ...] = ()
    go: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The live runs by their ids, oldest first."""

    runs: Mapping[str, Entry] = field(default_factory=dict)
    pending: Pending = Pending()

    def to_json(self) -> bytes:
        """The text of the state, with a digest of its own."""
        body = {
            "runs": {
                run_id: [
                    each.manifest,
                    *(str(day) for day in (each.run_date, each.first, each.last)),
                ]
                for run_id, each in sorted(self.runs.items())
            },
            "pending": {"come": list(self.pending.come), "go": list(self.pending.go)},
        }
        document = {"lake_version": LAKE_VERSION, "sha256": _digest(body), **body}
        return (json.dumps(document, indent=0, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> "State":
        """The state of such a text.

        Raises:
            ValueError: it is none.
            LakeVersionError: another version wrote it.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            if document.get("lake_version", LAKE_VERSION) != LAKE_VERSION:
                raise _other_version(document["lake_version"])
            body = {name: document[name] for name in ("runs", "pending")}
            if document["sha256"] != _digest(body):
                raise ValueError("its digest is another")
            runs = {
                run_id: Entry(manifest, *map(date.fromisoformat, days))
                for run_id, (manifest, *days) in body["runs"].items()
            }
            return cls(runs, Pending(*(tuple(body["pending"][name]) for name in ("come", "go"))))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a lake's state: {error!r}") from error


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file to read, and which of its rows count.

    Attributes:
        path: in the lake, with `/`, where it can be read now.
        rows: those that count.
        only: the runs whose rows count, by `run_id`; None if all rows do.
    """

    path: str
    table: str
    partition: str
    schema_version: int
    rows: int
    only: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Published:
    """Runs as one state of the lake has them.

    Attributes:
        manifests: by run id, oldest first.
        damaged: run id -> what is wrong with its manifest, and what to do.
        derived: the manifest of the tables that are made of all runs, if it is there.
        derived_damage: what is wrong with that one, and what to do.
    """

    storage: Storage
    state: State
    manifests: Mapping[str, Manifest]
    damaged: Mapping[str, str]
    derived: Manifest | None = None
    derived_damage: str | None = None

    @property
    def runs(self) -> list[str]:
        """Every live run, oldest first, also those whose manifests were not asked for."""
        return [run_id for run_id in self.state.runs if run_id != DERIVED]

    def files(self, table: str, runs: Collection[str] | None = None) -> list[TableFile]:
        """The files of a table, of some of the runs or of all, each once, oldest run first.

        Raises:
            PublicationError: the manifest of one of the runs cannot be read.
        """
        if TABLES[table].is_derived:
            return self._derived_files(table)
        wanted = set(self.runs if runs is None else runs)
        if broken := sorted(wanted & self.damaged.keys()):
            raise PublicationError(self.damaged[broken[0]])
        found: dict[str, list[tuple[str, PublishedFile]]] = defaultdict(list)
        for run_id, manifest in self.manifests.items():
            for file in manifest.files if run_id in wanted else ():
                if file.table == table:
                    found[file.path].append((run_id, file))
        return [self._table_file(path, named) for path, named in found.items()]

    def _derived_files(self, table: str) -> list[TableFile]:
        if self.derived_damage:
            raise PublicationError(self.derived_damage)
        files = self.derived.files if self.derived else ()
        return [
            self._table_file(file.path, [(DERIVED, file)]) for file in files if file.table == table
        ]

    def _table_file(self, path: str, named: Iterable[tuple[str, PublishedFile]]) -> TableFile:
        runs, files = zip(*named, strict=True)
        file, rows = files[0], sum(each.rows for each in files)
        only = None if set(file.runs) <= set(runs) else tuple(runs)
        where = self.storage.locate(path) if path in self.state.pending.come else path
        return TableFile(where, file.table, file.partition, file.schema_version, rows, only)


def check_version(storage: Storage) -> None:
    """Refuse a lake that this program cannot know.

    Raises:
        LakeVersionError: another version wrote it.
        StorageError: object storage does not answer or refuses.
        PublicationError: its version cannot be read.
    """
    path = f"{storage.base}/{VERSION}"
    try:
        with named_errors(storage.address):
            text = storage.read(VERSION).decode()
    except (PublicationError, UnicodeDecodeError) as error:
        if isinstance(error.__cause__, _ABSENT):
            return  # nothing published yet
        if isinstance(error, StorageError):
            raise
        raise PublicationError(f"cannot read {path}: {error}") from error
    if not text.strip().isdecimal():
        raise PublicationError(f"{path} says {text[:40]!r}: must be a number, as {LAKE_VERSION}")
    if int(text) != LAKE_VERSION:
        raise _other_version(int(text), storage.address)


def _other_version(version: int, address: str = "") -> LakeVersionError:
    advice = "use the newer program, or another storage.root"
    if version < LAKE_VERSION:
        advice = "use the older program, or move the lake away and publish its runs again: `ecgrid-stats normalize`"
    return LakeVersionError(
        f"the lake {address} has version {version}, this program knows version {LAKE_VERSION}: {advice}"
    )


def manifest_path(run_id: str, digest: str) -> str:
    """Where a manifest is in the lake."""
    return f"{MANIFESTS}/{run_id}-{digest}.json"


def parse_manifest_path(path: str) -> tuple[str, str] | None:
    """Run id and digest of such a path; None for any other."""
    match = _MANIFEST.fullmatch(path)
    return (match[1], match[2]) if match else None


def parse_manifest(run_id: str, digest: str, text: bytes | None) -> Manifest:
    """The manifest of a run, if that is what the text is.

    Args:
        text: None if there is none.

    Raises:
        ValueError: it is missing, damaged or another one.
    """
    if text is None:
        raise ValueError("the manifest is missing")
    if hashlib.sha256(text).hexdigest()[: len(digest)] != digest:
        raise ValueError("the manifest is not what was published")
    manifest = Manifest.from_json(text)
    if manifest.run_id != run_id:
        raise ValueError(f"the manifest is of run {manifest.run_id}")
    return manifest


def read_state(storage: Storage) -> State:
    """What is live now; nothing, where nothing was ever published.

    Raises:
        StorageError: object storage does not answer or refuses.
        StateDamagedError: it is lost or damaged.
        PublicationError: it cannot be read now.
    """
    try:
        with named_errors(storage.address):
            text, version = storage.read_all([STATE, VERSION])
            if text is None and version is None:
                return State()
            if text is None:
                raise ValueError("it is missing")
            return State.from_json(text)
    except ValueError as error:
        raise StateDamagedError(
            f"{storage.base}/{STATE}: {error}; the next `ecgrid-stats run` or `normalize` makes it anew"
        ) from error


def read_published(
    storage: Storage, wanted: Callable[[str, Entry], bool] = lambda _run_id, _entry: True
) -> Published:
    """The live runs, those that are wanted, with their manifests.

    Raises:
        StorageError: object storage does not answer or refuses.
        PublicationError: the state cannot be read.
    """
    found = _manifests(storage, read_state(storage), wanted)
    for _ in range(_TRIES):
        if not found.damaged and not found.derived_damage:
            break
        state = read_state(storage)
        if state == found.state:  # otherwise a change has taken the manifest away meanwhile
            break
        found = _manifests(storage, state, wanted)
    return found


def _manifests(storage: Storage, state: State, wanted: Callable[[str, Entry], bool]) -> Published:
    runs = {
        run_id: each
        for run_id, each in state.runs.items()
        if run_id == DERIVED or wanted(run_id, each)
    }
    paths = [manifest_path(run_id, each.manifest) for run_id, each in runs.items()]
    found: dict[str, Manifest] = {}
    damaged: dict[str, str] = {}
    with named_errors(storage.address):
        texts = storage.read_all(paths)
    for (run_id, each), path, text in zip(runs.items(), paths, texts, strict=True):
        try:
            found[run_id] = parse_manifest(run_id, each.manifest, text)
        except ValueError as error:
            again = (
                "`ecgrid-stats normalize` makes it anew"
                if run_id == DERIVED
                else f"publish the run again: `ecgrid-stats normalize --run {run_id}`"
            )
            damaged[run_id] = f"{storage.base}/{path}: {error}; {again}"
    derived, derived_damage = found.pop(DERIVED, None), damaged.pop(DERIVED, None)
    return Published(storage, state, found, damaged, derived, derived_damage)


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
