"""Many replies at once: all rows of one schema in one set of columns.

Responsible for keeping every row with its reply, and for one bad reply harming no other. Replies
that are the same around their rows are matched together by bytes; every other reply, and every
batch in which something does not match, goes through the full reader.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np

from pipelines.dataset.assembly import checked
from pipelines.dataset.batch_result import Batch, Group, Reject
from pipelines.dataset.document import utf8_document
from pipelines.dataset.errors import DataSetError
from pipelines.dataset.group_builder import GroupBuilder
from pipelines.dataset.limits import DEFAULT_LIMITS, Limits
from pipelines.dataset.plan import Plan, cut, plan_for
from pipelines.dataset.reader import read_parts
from pipelines.dataset.schema import Schema

__all__ = ["read_many"]

# Rows matched at once, and replies remembered whole or in part; both bound memory.
_MATCH_BYTES = 1 << 20
_MOST_PLANS = 64
# Bytes around the rows that are worth remembering; a schema takes a few thousand.
_MOST_AROUND = 1 << 20
# Between the rows of two replies: what no document can contain.
_BETWEEN = b"\0"
_SMALL = 64 * 1024


def read_many(
    bodies: Iterable[bytes | bytearray | memoryview],
    content_types: Iterable[str | None] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    strict: bool = True,
) -> Batch:
    """Read many replies; the result tells them apart by their place, from 0.

    Args:
        bodies: as for `read`.
        content_types: one for each body, or none at all.
        limits: what one document may cost.
        strict: a value that does not fit makes its reply a failure; otherwise a reject.

    Returns:
        Every reply is in exactly one of: a group, `nulls`, `failures`.

    Raises:
        ValueError: more bodies than content types, or fewer.
    """
    reader = _BatchReader(limits, strict)
    pairs = (
        zip(bodies, repeat(None), strict=False)
        if content_types is None
        else zip(bodies, content_types, strict=True)
    )
    for reply, (body, kind) in enumerate(pairs):
        reader.add(reply, bytes(body), kind)
    return reader.finish()


@dataclass(slots=True)
class _Planned:
    """A plan, and the replies whose rows wait to be matched."""

    plan: Plan
    group: GroupBuilder
    content_type: str | None
    replies: list[int] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    size: int = 0


class _BatchReader:
    def __init__(self, limits: Limits, strict: bool) -> None:
        self._limits, self._strict = limits, strict
        self._groups: list[GroupBuilder] = []
        self._planned: dict[tuple[bytes, bytes, str | None], _Planned | None] = {}
        self._latest: _Planned | None = None
        # Bodies without any row are all the same: what each of them is.
        self._rowless: dict[tuple[bytes, str | None], GroupBuilder | None] = {}
        self._nulls: list[int] = []
        self._failures: list[tuple[int, DataSetError]] = []
        self._rejects: list[tuple[int, Reject]] = []

    def add(self, reply: int, body: bytes, content_type: str | None) -> None:
        """Take one reply; its rows may wait for others."""
        latest = self._latest
        if latest is not None and latest.content_type == content_type:
            rows = latest.plan.rows_of(body)
            if rows is not None:
                self._wait(latest, reply, rows)
                return
        if len(body) <= _SMALL and (body, content_type) in self._rowless:
            self._settle_rowless(reply, self._rowless[body, content_type])
            return
        planned = self._plan(body, content_type)
        rows = None if planned is None else planned.plan.rows_of(body)
        if planned is None or rows is None:
            self._read(reply, body, content_type)
            return
        self._latest = planned
        self._wait(planned, reply, rows)

    def _plan(self, body: bytes, content_type: str | None) -> _Planned | None:
        where = cut(body) if len(body) <= self._limits.body_bytes else None
        if where is None or len(body) - (where.end - where.start) > _MOST_AROUND:
            return None
        key = (body[: where.start], body[where.end :], content_type)
        if key not in self._planned:
            if len(self._planned) >= _MOST_PLANS:
                self._forget()
            plan = plan_for(body, where, content_type, self._limits)
            group = None if plan is None else self._group(plan.schema)
            self._planned[key] = (
                None if plan is None or group is None else _Planned(plan, group, content_type)
            )
        return self._planned[key]

    def _forget(self) -> None:
        for planned in self._planned.values():
            if planned is not None:
                self._match(planned)
        self._planned.clear()
        self._latest = None

    def _group(self, schema: Schema) -> GroupBuilder:
        for group in self._groups:
            if group.schema == schema:
                return group
        self._groups.append(GroupBuilder(schema))
        return self._groups[-1]

    # --- matched by bytes ---------------------------------------------------------------------

    def _wait(self, planned: _Planned, reply: int, rows: bytes) -> None:
        planned.replies.append(reply)
        planned.rows.append(rows)
        planned.size += len(rows)
        if planned.size >= _MATCH_BYTES:
            self._match(planned)

    def _match(self, planned: _Planned) -> None:
        self._match_some(planned, planned.replies, planned.rows)
        planned.replies, planned.rows, planned.size = [], [], 0

    def _match_some(self, planned: _Planned, replies: list[int], rows: list[bytes]) -> None:
        """Match replies together; if they do not, find the odd ones by halving."""
        if not replies or self._matched(planned, replies, rows):
            return
        if len(replies) == 1:
            plan = planned.plan
            self._read(replies[0], plan.before + rows[0] + plan.after, planned.content_type)
            return
        half = len(replies) // 2
        self._match_some(planned, replies[:half], rows[:half])
        self._match_some(planned, replies[half:], rows[half:])

    def _matched(self, planned: _Planned, replies: list[int], rows: list[bytes]) -> bool:
        if any(len(own) > self._limits.text_chars or _BETWEEN in own for own in rows):
            return False
        spelling = planned.plan.spelling
        starts = spelling.row_start
        counts = [np.array([own.count(start) for own in rows], np.int64) for start in starts]
        if max(int(rows_) for rows_ in np.sum(counts, axis=0)) > self._limits.rows:
            return False
        try:
            found = spelling.match(_BETWEEN.join(rows).decode())
            if found is None:
                return False
            planned.group.add_matched(replies, counts, found)
        except ValueError:  # not UTF-8, or a value that does not fit
            return False
        return True

    # --- the full reader ----------------------------------------------------------------------

    def _read(self, reply: int, body: bytes, content_type: str | None) -> None:
        try:
            reading = read_parts(utf8_document(body, content_type, self._limits), self._limits)
            rejects = checked(reading, self._strict)
        except DataSetError as error:
            # an error's traceback keeps what was read until then, which may be large
            self._failures.append((reply, error.with_traceback(None)))
            return
        group = None
        if not reading.is_null and reading.schema is not None:
            tables = tuple(table.settled_schema() for table in reading.current.values())
            group = self._group(replace(reading.schema, tables=tables))
        if group is None or not any(map(len, reading.current.values())):
            if len(body) <= _SMALL and len(self._rowless) < _MOST_PLANS:
                self._rowless[body, content_type] = group
            self._settle_rowless(reply, group)
            return
        self._rejects += [(reply, reject) for reject in rejects]
        group.add_reading(reply, list(reading.current.values()))

    def _settle_rowless(self, reply: int, group: GroupBuilder | None) -> None:
        if group is None:
            self._nulls.append(reply)
        else:
            group.replies.append(reply)

    def finish(self) -> Batch:
        """Match what still waits and return everything."""
        self._forget()
        groups: list[Group] = [group.finish() for group in self._groups if group.replies]
        return Batch(
            groups=tuple(groups),
            nulls=np.array(sorted(self._nulls), np.int64),
            failures=tuple(sorted(self._failures, key=lambda failure: failure[0])),
            rejects=tuple(sorted(self._rejects, key=lambda pair: pair[0])),
        )
