"""What two replies of the same shape share: everything around their rows.

Responsible for cutting the rows out of a document and for making sure, with the full reader, that
they stood where a DataSet's current rows stand. Knows nothing of batches.
"""

from dataclasses import dataclass

from pipelines.dataset.document import utf8_document
from pipelines.dataset.errors import DataSetError
from pipelines.dataset.limits import Limits
from pipelines.dataset.namespaces import clark
from pipelines.dataset.reader import Reading, read_parts
from pipelines.dataset.schema import Schema
from pipelines.dataset.spelling import Spelling

__all__ = ["Cut", "Plan", "cut", "plan_for"]

_DIFFGRAM = b"<diffgr:diffgram "
# Stands in for the rows. Its attributes show that the prefixes mean what they must.
_MARK_NAME = "rows-stand-here"
_MARK_ORDER = 7919
_MARK = (
    f'<{_MARK_NAME} diffgr:id="rows" msdata:rowOrder="{_MARK_ORDER}" '
    'diffgr:hasChanges="modified"><cell /></rows-stand-here>'
).encode()


@dataclass(frozen=True, slots=True)
class Cut:
    """A body's rows: from the DataSet's element, after its start tag, up to its end tag."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How to read the rows of all bodies that are the same around them."""

    before: bytes
    after: bytes
    schema: Schema
    spelling: Spelling

    def rows_of(self, body: bytes) -> bytes | None:
        """Return the rows of a body that is the same around them, None for another body."""
        if (
            body.startswith(self.before)
            and body.endswith(self.after)
            and len(body) >= len(self.before) + len(self.after)
        ):
            return body[len(self.before) : len(body) - len(self.after)]
        return None


def cut(body: bytes) -> Cut | None:
    """Find the rows by bytes alone; the result is a guess that `plan_for` verifies."""
    diffgram = body.find(_DIFFGRAM)
    opened = body.find(b">", diffgram) + 1 if diffgram >= 0 else 0
    begin = body.find(b"<", opened)
    start = body.find(b">", begin) + 1 if begin >= 0 else 0
    if not opened or not start or body[start - 2 : start - 1] == b"/":
        return None
    if body[opened - 2 : opened - 1] == b"/":
        return None
    names = body[begin + 1 : start - 1].split(None, 1)
    end = body.find(b"</" + names[0] + b">", start) if names else -1
    return None if end < 0 else Cut(start, end)


def plan_for(body: bytes, where: Cut, content_type: str | None, limits: Limits) -> Plan | None:
    """Return the plan of a body, or None if only the full reader will do."""
    before, after = body[: where.start], body[where.end :]
    shell = before + _MARK + after
    try:
        document = utf8_document(shell, content_type, limits)
        if document.data is not shell:
            return None  # not UTF-8: the rows are in other bytes
        reading = read_parts(document, limits)
    except DataSetError:
        return None
    namespace = _verified(reading)
    if namespace is None or reading.schema is None:
        return None
    spelling = Spelling.of(reading.schema, namespace)
    return None if spelling is None else Plan(before, after, reading.schema, spelling)


def _verified(reading: Reading) -> str | None:
    """Return the default namespace at the mark, if it is all there is and was read as a row."""
    if reading.before or reading.errors or reading.is_null or reading.plain:
        return None
    filled = [(tag, builder) for tag, builder in reading.current.items() if len(builder)]
    if len(filled) != 1:
        return None
    (tag, builder) = filled[0]
    namespace = builder.schema.namespace
    is_mark = (
        tag == clark(namespace, _MARK_NAME)
        and not builder.schema.declared
        and not builder.unfit
        and builder.orders.tolist() == [_MARK_ORDER]
        and builder.ids == {"rows": 0}
        and [column.column.tag for column in builder.columns] == [clark(namespace, "cell")]
    )
    return namespace if is_mark else None
