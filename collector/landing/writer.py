"""The writing side of a landing store: a thread that commits in groups, off the event loop."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Final, Self

from collector.domain.calls import Call
from collector.domain.outcomes import Outcome
from collector.domain.replies import LandedReply
from collector.domain.run import RunInfo
from collector.domain.whoami import WhoAmI
from collector.errors import LandingError
from collector.landing.error_mapping import named_errors, said_of
from collector.landing.places import drafted, new_draft, sync_folder
from collector.landing.reader import LandedRun
from collector.landing.records import (
    ADD_LOGIN,
    PUT_OUTCOME,
    PUT_REPLY,
    PUT_VALUE,
    PUT_WHOAMI,
    Row,
    is_same_reply,
    outcome_row,
    reply_row,
    whoami_row,
)

__all__ = ["Landing"]

_GROUP: Final = 512  # at most this many records in one commit
_GROUP_BYTES: Final = (
    1 << 20
)  # of bodies in one commit of more than one: SQLite copies what it is given
_TOGETHER: Final = 64  # at most this many rows in one statement
_KNOWN: Final = 256  # statements that SQLite keeps prepared: each number of rows has its own
_LATER: Final = 512  # at most this many records that nobody waits for are kept for one commit
_LATER_SECONDS: Final = 0.25  # and no longer than this
_LONGEST_SECONDS: Final = 60.0  # that anybody waits for the disk
_TRY_SECONDS: Final = 0.1  # between two tries to have it
_CLOSE_SECONDS: Final = 1.0  # that a reader is waited for, which stops nothing
_BUSY_SECONDS: Final = 10.0  # that another program may hold the store
_CHECKPOINT_PAGES: Final = 16_000  # 32 MB: pages that are written again and again are moved once

_Record = tuple[str, Row | LandedReply, asyncio.Future[None] | None]


class Landing:
    """The writing side. Made by `create` or `resume`; `close` before the program ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._later: list[_Record] = []  # the event loop's own
        self._queued: list[_Record] = []
        self._stopping = False
        self._failure: LandingError | None = None
        self._guard = threading.Lock()  # of the three above
        self._wake = threading.Semaphore(0)
        self._is_asleep = False
        self._thread = threading.Thread(target=self._write, name="landing", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, folder: Path, info: RunInfo, calls: Iterable[Call]) -> Self:
        """Start the store of a new run: the whole plan is durable before the first request.

        Raises:
            LandingError: the folder or file cannot be written, or the run exists already.
        """
        path = folder / f"{info.run_id}.db"
        with named_errors(path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # written aside and renamed, so that a store is either whole or absent
            draft = new_draft(path)
            with drafted(draft, info, calls):
                pass
            if path.exists():
                raise LandingError(f"landing store {path} exists already: a run id is used once")
            draft.rename(path)
            sync_folder(folder)
        _keep_journal(path, "WAL")
        return cls(path)

    @classmethod
    def resume(cls, path: Path, is_given_up: Callable[[], bool] = lambda: False) -> Self:
        """Go on with the store of an unfinished run.

        Args:
            is_given_up: asked while another program holds the store; true ends the wait.

        Raises:
            LandingError: not a landing store, damaged, or not readable.
            LandingVersionError: another version wrote it.
        """
        LandedRun.open(path).close()
        _keep_journal(path, "WAL", is_given_up)
        return cls(path)

    async def land(self, reply: LandedReply) -> None:
        """Return once the reply is on disk.

        Raises:
            LandingError: it could not be written (a full disk, say), or another reply to the same attempt is there.
        """
        done = asyncio.get_running_loop().create_future()
        self._put((PUT_REPLY, reply, done))
        await self._written(done)

    def settle(self, outcome: Outcome, *, final: bool) -> None:
        """Record how a call stands, with the next commit. A final outcome is never asked for again.

        One that stands on an answer may be a little later: should a kill take it, it is found anew from the reply.
        """
        record = PUT_OUTCOME, outcome_row(outcome, final=final), None
        if outcome.answer_attempt is not None:
            self._put_later(record)
        else:
            self._put(*self._kept(), record)

    def note(self, whoami: WhoAmI) -> None:
        """Record what WhoAmI said of a session, soon."""
        self._put_later((PUT_WHOAMI, whoami_row(whoami), None))

    def count_login(self) -> None:
        """Record one Login request of this run."""
        self._put((ADD_LOGIN, (), None))

    def finish(self, finished_at_us: int) -> None:
        """Mark the run as complete: it will not be resumed."""
        self._put(*self._kept(), (PUT_VALUE, ("finished_at_us", str(finished_at_us)), None))

    async def flush(self) -> None:
        """Return once everything recorded so far is on disk.

        Raises:
            LandingError: it could not be written.
        """
        done = asyncio.get_running_loop().create_future()
        self._put(*self._kept(), ("SELECT 1", (), done))
        await self._written(done)

    async def close(self) -> None:
        """Write what is queued and let go of the file.

        Raises:
            LandingError: something could not be written.
        """
        with self._guard:
            self._queued += self._kept()
            self._stopping = True
        self._wake.release()
        await asyncio.to_thread(self._thread.join, _LONGEST_SECONDS)
        if self._thread.is_alive():
            raise self._late()
        if self._failure:
            raise self._failure
        # one plain file again: nothing beside it to lose, readable from read-only storage; while somebody reads, it
        # stays as it is, which is as safe
        with contextlib.suppress(LandingError):
            await asyncio.to_thread(_keep_journal, self.path, "DELETE", seconds=_CLOSE_SECONDS)

    async def _written(self, done: asyncio.Future[None]) -> None:
        """Return when the writer says so, within a bound: a disk may hang."""

        def give_up() -> None:
            if not done.done():
                done.set_exception(self._late())

        timer = asyncio.get_running_loop().call_later(_LONGEST_SECONDS, give_up)
        try:
            await done
        finally:
            timer.cancel()

    def _late(self) -> LandingError:
        return LandingError(
            f"landing store {self.path}: the disk took more than {_LONGEST_SECONDS:.0f} s to write; see to it and run"
            " again, what was landed is safe"
        )

    def _put(self, *records: _Record) -> None:
        with self._guard:  # a record put behind the writer's last look would never be answered
            if self._failure:
                raise self._failure
            self._queued += records
            if not self._is_asleep:
                return
            self._is_asleep = False
        try:
            # what this turn of the event loop has to write goes into one commit
            asyncio.get_running_loop().call_soon(self._wake.release)
        except RuntimeError:  # recorded outside of an event loop
            self._wake.release()

    def _put_later(self, record: _Record) -> None:
        """For what nobody waits for: one commit for many, beside those that bring replies."""
        if self._failure:
            raise self._failure
        self._later.append(record)
        if len(self._later) == 1:
            try:
                asyncio.get_running_loop().call_later(_LATER_SECONDS, self._put_kept)
            except RuntimeError:  # recorded outside of an event loop
                self._put_kept()
        elif len(self._later) == _LATER:
            self._put_kept()

    def _put_kept(self) -> None:
        with contextlib.suppress(LandingError):  # whoever records something next is told
            self._put(*self._kept())

    def _kept(self) -> list[_Record]:
        kept, self._later = self._later, []
        return kept

    def _write(self) -> None:
        try:
            store = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=_KNOWN
            )
            with contextlib.closing(store):
                store.execute("PRAGMA synchronous = FULL")
                # else what is needed to undo a statement of many rows goes through a file of its own
                store.execute("PRAGMA temp_store = MEMORY")
                store.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
                while group := self._next_group():
                    self._commit(store, group)
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody may wait for this thread for ever
            self._fail(said_of(self.path, error))

    def _next_group(self) -> list[_Record]:
        """What is queued, in order, at least one record; empty when it is time to stop."""
        while True:
            with self._guard:
                count = _together(self._queued)
                group, self._queued = self._queued[:count], self._queued[count:]
                if group or self._stopping:
                    return group
                self._is_asleep = True
            self._wake.acquire()

    def _commit(self, store: sqlite3.Connection, group: list[_Record]) -> None:
        try:
            store.execute("BEGIN")
            for statement, rows in _rows(group).items():
                _insert(store, statement, rows)
            store.execute("COMMIT")
        except Exception as error:
            self._fail(said_of(self.path, error), group)
            raise
        _resolve([done for _, _, done in group if done is not None], None)

    def _fail(self, failure: LandingError, group: Iterable[_Record] = ()) -> None:
        waiting = [done for _, _, done in group if done is not None]
        with self._guard:
            self._failure = self._failure or failure
            waiting += [done for _, _, done in self._queued if done is not None]
            self._queued.clear()
        _resolve(waiting, self._failure)


def _together(queued: list[_Record]) -> int:
    """How many of the records that are first are written in one commit."""
    size = 0
    for count, (_, row, _) in enumerate(queued[:_GROUP]):
        size += len(row.body) if isinstance(row, LandedReply) else 0
        if size > _GROUP_BYTES:
            return max(1, count)
    return min(len(queued), _GROUP)


def _rows(group: Iterable[_Record]) -> dict[str, list[Row]]:
    """The rows of a group by their statement; each of these has a table, or keys, of its own."""
    rows: dict[str, list[Row]] = {}
    for statement, row, _ in group:
        # hashing and encoding a reply belong here, off the event loop
        values = reply_row(row) if isinstance(row, LandedReply) else row
        rows.setdefault(statement, []).append(values)
    return rows


def _insert(store: sqlite3.Connection, statement: str, rows: list[Row]) -> None:
    """Many rows with each statement: every one that runs gives the interpreter's lock away and waits for it again."""
    head, values, places = statement.partition(" VALUES ")
    if not values:
        for row in rows:
            store.execute(statement, row)
        return
    for start in range(0, len(rows), _TOGETHER):
        some = rows[start : start + _TOGETHER]
        try:
            store.execute(
                f"{head}{values}{','.join([places] * len(some))}", tuple(chain.from_iterable(some))
            )
        except sqlite3.IntegrityError:  # none of them is in: see which one it is
            for row in some:
                _insert_one(store, statement, row)


def _insert_one(store: sqlite3.Connection, statement: str, row: Row) -> None:
    try:
        store.execute(statement, row)
    except sqlite3.IntegrityError as error:
        query = "SELECT * FROM replies WHERE call_id = ? AND attempt = ?"
        if statement == PUT_REPLY and is_same_reply(row, store.execute(query, row[:2]).fetchone()):
            return  # the same bytes twice are one reply
        raise LandingError(
            f"call {row[0]}, attempt {row[1]}, was landed before, with other bytes: the first reply stays, this one"
            " is refused; run again to resume"
        ) from error


def _resolve(waiting: list[asyncio.Future[None]], failure: LandingError | None) -> None:
    """Tell the event loop, once for the whole group."""
    if not waiting:
        return

    def tell() -> None:
        for done in waiting:
            if done.done():  # the worker was cancelled while it waited
                continue
            if failure:
                done.set_exception(failure)
            else:
                done.set_result(None)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        waiting[0].get_loop().call_soon_threadsafe(tell)


def _keep_journal(
    path: Path,
    mode: str,
    is_given_up: Callable[[], bool] = lambda: False,
    seconds: float | None = None,
) -> None:
    """Switch the journal. SQLite refuses while another connection is at work: it is tried again for so many seconds."""
    deadline = time.monotonic() + (_BUSY_SECONDS if seconds is None else seconds)
    with (
        named_errors(path),
        contextlib.closing(
            sqlite3.connect(path, timeout=_TRY_SECONDS, isolation_level=None)
        ) as store,
    ):
        while True:
            try:
                ((now,),) = store.execute(f"PRAGMA journal_mode = {mode}").fetchall()
            except sqlite3.OperationalError:
                if time.monotonic() > deadline or is_given_up():
                    raise
            else:
                if now.upper() == mode:
                    return
                if time.monotonic() > deadline or is_given_up():
                    break
            time.sleep(_TRY_SECONDS)
    raise LandingError(
        f"landing store {path}: another program holds it; run again when that has ended"
    )
