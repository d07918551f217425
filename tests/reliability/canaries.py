"""Credentials that cannot be overlooked, and the search for them in whatever was written."""

import base64
import contextlib
import gzip
import random
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from collector.simulator.accounts import Credentials, Population, User

__all__ = ["Canaries", "Search", "canary"]

_LETTERS: Final = "ghjkmnpqrstvwxyz"  # none that a digest has
_PART: Final = 8  # characters of a core that no text has by chance
_PART_OF_ID: Final = 10  # hexadecimal ones
_RUN: Final = re.compile(b"[%s]{%d,}" % (_LETTERS.encode(), _PART))
_DIGITS: Final = re.compile(rb"[0-9a-f]{%d,}" % _PART_OF_ID)
_LARGEST: Final = 1 << 26  # bytes of one value
# how canaries and SessionIDs begin, as UTF-16, hexadecimal digits and base64 would have it
_NOTATIONS: Final = tuple(
    needle
    for start in (b"fake-canary-", b"ffffffff-ffff-")
    for needle in (
        start.decode().encode("utf-16-le"),
        start.hex().encode(),
        *(base64.b64encode(b"\0" * shift + start)[(0, 2, 3)[shift] : -4] for shift in range(3)),
    )
)


def canary(number: int) -> str:
    """A credential with a core of twenty letters, and characters that every notation writes in another way."""
    core = "".join(random.Random(number).choices(_LETTERS, k=20))
    return f"fake-canary-{core}-<&'\"%+/=;é>"


class Canaries(Population):
    """Users whose keys, login names and passwords are canaries."""

    __slots__ = ()

    def _user(self, number: int) -> User:
        user = super()._user(number)
        given = user.credentials
        if given.api_key is not None:
            known = Credentials(given.label, canary(3 * number))
        else:
            names = (canary(3 * number + 1), canary(3 * number + 2))
            known = Credentials(given.label, None, *names)
        return User(known, user.user_id, user.network_id, user.mailbox_id)


@dataclass(frozen=True, slots=True)
class Search:
    """Looks for parts of credentials as they are, and for their beginning in other notations.

    Attributes:
        parts: of canaries, and of the last digits of SessionIDs.
    """

    parts: frozenset[bytes]

    @classmethod
    def of(cls, secrets: Iterable[str], ids: Iterable[str] = ()) -> "Search":
        """A search for canaries and for SessionIDs, of which the last twelve digits differ."""
        cores = [secret.split("-")[2].encode() for secret in secrets]
        digits = [one.rpartition("-")[2].encode() for one in ids]
        parts = {part for core in cores for part in _windows(core, _PART)}
        return cls(frozenset(parts.union(*(_windows(each, _PART_OF_ID) for each in digits))))

    def found_in(self, data: bytes) -> set[bytes]:
        """What of it is there, in either case."""
        found = {needle for needle in _NOTATIONS if needle in data}
        lowered = data.lower()
        for runs, size in ((_RUN.findall(lowered), _PART), (_DIGITS.findall(lowered), _PART_OF_ID)):
            found |= {
                part for run in set(runs) for part in _windows(run, size) if part in self.parts
            }
        return found

    def found_under(self, folder: Path) -> dict[str, set[bytes]]:
        """The files below a folder that hold something, names included."""
        found = {}
        for path in sorted(folder.rglob("*")):
            parts = [path.name.encode(), *_contents(path)]
            hits = self.found_in(b"\n".join(parts))
            if hits:
                found[str(path.relative_to(folder))] = hits
        return found


def _windows(text: bytes, size: int) -> set[bytes]:
    return {text[at : at + size] for at in range(len(text) - size + 1)}


def _contents(path: Path) -> Iterator[bytes]:
    """A file as it is, and what is in it."""
    if not path.is_file():
        return
    data = path.read_bytes()
    yield data
    if data[:4] == b"PAR1" and path.suffix == ".parquet":
        yield from _columns(pq.ParquetFile(path).read())
    elif data.startswith(b"SQLite format 3") and path.suffix == ".db":
        yield from _rows(path)


def _columns(table: pa.Table) -> Iterator[bytes]:
    yield str(table.schema.metadata).encode()
    for column in table.columns:
        for value in column.to_pylist():
            yield from _unpacked(value)


def _rows(path: Path) -> Iterator[bytes]:
    with contextlib.closing(sqlite3.connect(path)) as store:
        for (name,) in store.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall():
            for row in store.execute(f"SELECT * FROM {name}"):  # its own names
                for value in row:
                    yield from _unpacked(value)


def _unpacked(value: object) -> Iterator[bytes]:
    data = value if isinstance(value, bytes) else str(value).encode(errors="replace")
    yield data
    if data.startswith(b"\x1f\x8b"):
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(data, _LARGEST)
        with contextlib.suppress(OSError, EOFError, zlib.error):
            if len(data) < 1 << 20:
                yield gzip.decompress(data)[:_LARGEST]
